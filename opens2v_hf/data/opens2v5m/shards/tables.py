"""Arrow tables of rows, from converted shards or the released layout; only the selected columns are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from opens2v_hf.data.opens2v5m.filters import QualityFilter, RowFilter
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.data.opens2v5m.released.json_stream import Malformed, OnError
from opens2v_hf.data.opens2v5m.released.samples import (
    JsonFile,
    ReleasedLayout,
    Report,
    pair_rows,
    regular_rows,
    view_row,
)
from opens2v_hf.data.opens2v5m.shards.features import to_blob
from opens2v_hf.data.opens2v5m.shards.parquet_file import open_parquet
from opens2v_hf.data.opens2v5m.shards.row_size import may_have_large_rows, without_large_rows
from opens2v_hf.data.opens2v5m.shards.schema import BLOB, BUILD_ONLY, CROSS_PAIRS, REGULAR, VIEWS, to_table
from opens2v_hf.errors import SampleError, SourceError

SCHEMAS = {"regular": REGULAR, "cross_pairs": CROSS_PAIRS, "views": VIEWS}

_MAY_BE_MISSING = frozenset(field.name for field in BUILD_ONLY)

_MOST_ROWS_OF_A_TABLE = 64

MOST_GROUP_BYTES = 1 << 30
MOST_GROUP_VALUES = 20_000_000
"""Largest size of an unpacked row group, in the columns that are read."""


@dataclass(frozen=True)
class Selection:
    """The selected rows and columns.

    Attributes:
        schema: of all columns that there are.
        columns: that are selected, in the order of the schema.
        rows: conditions on plain columns, None for all rows.
        quality: a filter of subjects, None for none.
    """

    schema: pa.Schema
    columns: tuple[str, ...]
    rows: RowFilter | None
    quality: QualityFilter | None

    @property
    def needed(self) -> list[str]:
        """The columns that must be read, in the order of the schema."""
        names = {
            *self.columns,
            *(self.rows.columns if self.rows else ()),
            *(self.quality.columns if self.quality else ()),
        }
        return [name for name in self.schema.names if name in names]

    def apply(self, table: pa.Table, malformed: Callable[[str, str], object]) -> pa.Table:
        """The selected rows and columns of a table of the needed columns; see `QualityFilter.keep`."""
        if self.rows is not None:
            table = table.filter(self.rows.expression)
        if self.quality is not None:
            table = self.quality.keep(table, malformed)
        return conform(table.select(list(self.columns)), self.schema)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the types of the schema; files of any storage type become `BLOB`.

    Raises:
        SourceError: a column has a type that cannot be cast.
    """
    target = pa.schema([schema.field(name) for name in table.column_names])
    if table.schema.equals(target):
        return table
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = schema.field(name).type
        try:
            if kind == BLOB:
                column = pa.chunked_array([to_blob(chunk) for chunk in column.chunks], type=BLOB)
            elif column.type != kind:
                column = column.cast(kind)
        except pa.ArrowException as error:
            raise SourceError(f"column {name!r} must be of type {kind} (got {column.type}): {error}") from error
        columns.append(column)
    return pa.table(columns, schema=target)


def shard_tables(
    url: str,
    selection: Selection,
    storage_options: dict[str, Any] | None = None,
    *,
    on_error: OnError,
    report: Report,
    mapped: bool = True,
) -> Iterator[pa.Table]:
    """The rows of a Parquet shard, a table a row group.

    Row groups whose statistics rule out every row are not read. Of the others the columns of the filter are read first,
    and the rest only if a row passes.

    Args:
        url: path or URL of the shard.
        selection: rows and columns.
        storage_options: for fsspec.
        on_error: "raise" at a row that a preset cannot judge because a mask is malformed, or "skip" it.
        report: called with each row that is skipped.
        mapped: see `open_parquet`.

    Raises:
        SampleError: a row is malformed.
        SourceError: the file cannot be read or lacks a column.
    """
    malformed = _malformed_row(url, on_error, report)
    with open_parquet(url, storage_options, mapped=mapped) as opened:
        fragment = None if selection.rows is None else ds.ParquetFileFormat().make_fragment(opened.file)
        # The fragment has read the footer, which is not read again.
        parquet = pq.ParquetFile(opened.file, metadata=fragment and fragment.metadata, pre_buffer=True)
        missing = set(selection.needed) - set(parquet.schema_arrow.names)
        if missing - _MAY_BE_MISSING:
            name = sorted(missing - _MAY_BE_MISSING)[0]
            raise SourceError(f"{shown_url(url)} has no column {name!r}: it is no shard of this dataset")
        groups: Iterable[int] = range(parquet.num_row_groups)
        if fragment is not None and selection.rows is not None:
            groups = [row_group.id for row_group in fragment.subset(selection.rows.expression).row_groups]
        for group in groups:
            opened.check_unchanged()
            _check_size(opened.file, parquet.metadata, group, selection, url)
            table = _row_group(parquet, group, selection, malformed)
            if table is not None and table.num_rows:
                yield table


def _malformed_row(url: str, on_error: OnError, report: Report) -> Callable[[str | None, str], None]:
    def handle(sample_id: str | None, reason: str) -> None:
        malformed = Malformed(url, sample_id, None, reason)
        if on_error == "raise":
            raise SampleError(f'{malformed}. Leave the row out with on_error="skip"')
        report(malformed)

    return handle


def _check_size(file: Any, metadata: pq.FileMetaData, group: int, selection: Selection, url: str) -> None:
    """Refuse a row group that would not fit in memory, before it is unpacked: a small file can hold many gigabytes."""
    row_group = metadata.row_group(group)
    names = set(selection.needed)
    columns = (row_group.column(number) for number in range(metadata.num_columns))
    needed = [column for column in columns if column.path_in_schema.partition(".")[0] in names]
    size, values = (sum(getattr(c, name) for c in needed) for name in ("total_uncompressed_size", "num_values"))
    if size <= MOST_GROUP_BYTES and values <= MOST_GROUP_VALUES:
        # A value that repeats is in the file once, and in memory as often as it is used.
        repeated = needed
        if _largest_bytes(repeated) > MOST_GROUP_BYTES:
            repeated = [column for column in needed if any("DICTIONARY" in name for name in column.encodings)]
        if _largest_bytes(repeated) <= MOST_GROUP_BYTES:
            return
        size += _bytes_of_repeated(file, metadata, group, [column.path_in_schema for column in repeated])
        if size <= MOST_GROUP_BYTES:
            return
    raise SourceError(
        f"{shown_url(url)}: a row group must have at most {MOST_GROUP_BYTES:,} bytes and {MOST_GROUP_VALUES:,} values "
        f"when unpacked (row group {group} has {size:,} bytes and {values:,} values); write it with smaller row groups"
    )


def _largest_bytes(columns: list[Any]) -> int:
    """An upper bound of what columns take in memory if all of their values repeat."""
    return sum(column.total_uncompressed_size * column.num_values for column in columns)


def _bytes_of_repeated(file: Any, metadata: pq.FileMetaData, group: int, paths: list[str]) -> int:
    """Size of the texts and bytes if dictionary-encoded values were written out; reading does not do that."""
    parquet = pq.ParquetFile(file, metadata=metadata, read_dictionary=paths)
    table = parquet.read_row_group(group, columns=paths)
    return sum(_unpacked_bytes(chunk) for column in table.columns for chunk in column.chunks)


def _unpacked_bytes(array: pa.Array) -> int:
    if pa.types.is_dictionary(array.type):
        if not (pa.types.is_binary(array.type.value_type) or pa.types.is_string(array.type.value_type)):
            return len(array) * 8
        return pc.sum(pc.take(pc.binary_length(array.dictionary), array.indices)).as_py() or 0
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return _unpacked_bytes(array.flatten())
    if pa.types.is_struct(array.type):
        return sum(_unpacked_bytes(part) for part in array.flatten())
    return array.nbytes


def _row_group(
    parquet: pq.ParquetFile, group: int, selection: Selection, malformed: Callable[[str | None, str], object]
) -> pa.Table | None:
    if selection.rows is not None:
        columns = parquet.read_row_group(group, columns=list(selection.rows.columns))
        if columns.filter(selection.rows.expression).num_rows == 0:
            return None
    needed = selection.needed
    table = parquet.read_row_group(group, columns=needed)
    if may_have_large_rows(parquet.metadata, group, needed):
        table = without_large_rows(table, malformed)
    present = set(table.column_names)
    for name in needed:
        if name not in present:
            kind = selection.schema.field(name).type
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return selection.apply(table, malformed)


def released_tables(
    layout: ReleasedLayout,
    config: str,
    file: JsonFile | None,
    start: int,
    stop: int,
    selection: Selection,
    *,
    on_error: OnError,
    report: Report,
) -> Iterator[pa.Table]:
    """The rows of a range of the released layout; the first table has one row, so that it comes at once.

    Args:
        layout: where the files are.
        config: "regular", "cross_pairs" or "views".
        file: the JSON file; None for views.
        start: of the range, in bytes of the file or in samples with views.
        stop: its end.
        selection: rows and columns.
        on_error: "raise" at a malformed record, or "skip" it.
        report: called with each that is skipped.

    Raises:
        SampleError: a record is malformed.
        SourceError: a file cannot be read.
    """
    rows: Iterator[dict[str, Any]]
    if file is None:
        rows = _view_rows(layout, layout.view_ids()[start:stop], on_error, report)
    elif config == "cross_pairs":
        rows = pair_rows(layout, file, start=start, stop=stop, on_error=on_error, report=report)
    else:
        with_files = bool({"video", "background"} & set(selection.needed))
        rows = regular_rows(
            layout, file, start=start, stop=stop, on_error=on_error, report=report, with_files=with_files
        )
    malformed = _malformed_row(layout.location.root if file is None else file.url, on_error, report)
    needed = pa.schema([selection.schema.field(name) for name in selection.needed])
    for batch in _growing_batches(rows):
        read = to_table(({name: row[name] for name in needed.names} for row in batch), needed)
        table = selection.apply(read, malformed)
        if table.num_rows:
            yield table


def _view_rows(
    layout: ReleasedLayout, sample_ids: list[str], on_error: OnError, report: Report
) -> Iterator[dict[str, Any]]:
    for sample_id in sample_ids:
        try:
            yield view_row(layout, sample_id)
        except (SampleError, SourceError) as error:
            if on_error == "raise":
                raise
            report(Malformed(layout.location.root, sample_id, None, str(error)))


def _growing_batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    size, batch = 1, []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            size, batch = min(2 * size, _MOST_ROWS_OF_A_TABLE), []
    if batch:
        yield batch
