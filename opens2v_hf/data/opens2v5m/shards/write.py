"""Writing Parquet shards that stream well: whole files, small row groups, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from opens2v_hf._util.files import whole_file
from opens2v_hf.data.opens2v5m.shards.schema import to_table

ROW_GROUP_BYTES = 16 << 20
"""A reader holds one row group at a time, and the first row comes after one of them."""

_BYTES_OF_A_ROW = 1 << 10
_COMPRESSION_LEVEL = 3


def write_shard(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> int:
    """Writes rows to one Parquet file, in bounded memory; nothing where there are no rows.

    All columns are compressed with zstd but the bytes of files, which are compressed already; columns have statistics
    for filters, but not those of bytes and masks.

    Args:
        path: of the file; it appears when it is whole.
        rows: dicts of the schema's fields.
        schema: of the file.

    Returns:
        How many rows there are.
    """
    leaves = _leaves(schema)
    opaque = {leaf for leaf in leaves if leaf.endswith(("bytes", "counts"))}
    count = 0
    groups = _groups(rows)
    first = next(groups, None)
    if first is None:
        return 0
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(
            temporary.absolute(),  # pyarrow takes "a:b/c" for a URL
            schema,
            compression={leaf: "none" if leaf.endswith("bytes") else "zstd" for leaf in leaves},
            compression_level={leaf: _COMPRESSION_LEVEL for leaf in leaves if not leaf.endswith("bytes")},
            use_dictionary=[leaf for leaf in leaves if leaf not in opaque],
            write_statistics=[leaf for leaf in leaves if leaf not in opaque],
        ) as writer,
    ):
        group: list[dict[str, Any]] | None = first
        while group is not None:
            writer.write_table(to_table(group, schema), row_group_size=len(group))
            count += len(group)
            group = next(groups, None)
    return count


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        row_size = _BYTES_OF_A_ROW + _size(row)
        if group and size + row_size > ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(row)
        size += row_size
    if group:
        yield group


def _size(value: Any) -> int:
    """About how many bytes a value takes; texts and bytes dominate."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_size(inner) for inner in value)
    return 8


def _leaves(schema: pa.Schema) -> list[str]:
    """The paths of the columns as Parquet names them, e.g. "subjects.list.element.mask.counts"."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    parquet = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [parquet.column(number).path for number in range(len(parquet))]
