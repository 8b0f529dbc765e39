"""Rows that are small in a Parquet file and huge as Python objects."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MOST_ITEMS = 10_000
"""Items of a list; a clip has some ten subjects."""

MOST_TEXT_BYTES = 4 << 20
"""Of one text. The counts of a mask of a frame of 8K are the longest, with some hundred KB."""


def without_large_rows(table: pa.Table, malformed: Callable[[str | None, str], object]) -> pa.Table:
    """The table without rows that have a longer list or text.

    Args:
        table: of any columns.
        malformed: called with the id of each such row, None without a column "id", and what is wrong with it.
    """
    large: dict[int, str] = {}
    for name in table.column_names:
        begin = 0
        for chunk in table[name].chunks:
            large |= {begin + int(row): name for row in np.flatnonzero(_is_large(chunk))}
            begin += len(chunk)
    if not large:
        return table
    for row, name in sorted(large.items()):
        key = str(table["id"][row].as_py())[:100] if "id" in table.column_names and name != "id" else None
        malformed(
            key,
            f"a list of its {name} has more than {MOST_ITEMS:,} items, or a text more than {MOST_TEXT_BYTES:,} bytes",
        )
    return table.take(pa.array([row for row in range(len(table)) if row not in large], pa.int64()))


def may_have_large_rows(metadata: pq.FileMetaData, group: int, names: Collection[str]) -> bool:
    """Whether a row group of so many values and bytes can hold one, as few do; to be called before it is read."""
    row_group = metadata.row_group(group)
    columns = (row_group.column(number) for number in range(metadata.num_columns))
    return any(
        column.num_values > MOST_ITEMS or column.total_uncompressed_size > MOST_TEXT_BYTES
        for column in columns
        if column.path_in_schema.partition(".")[0] in names and not column.path_in_schema.endswith(".bytes")
    )


def _is_large(array: pa.Array) -> np.ndarray:
    """Of each value, whether a list or text in it is too long. Bytes are of files, which have bounds of their own."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _numbers(pc.binary_length(array)) > MOST_TEXT_BYTES
    is_large = np.zeros(len(array), bool)
    if pa.types.is_struct(kind):
        for child in array.flatten():
            is_large |= _is_large(child)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = _numbers(pc.list_value_length(array))
        owners = np.repeat(np.arange(len(array)), lengths)
        is_large |= lengths > MOST_ITEMS
        is_large[owners[_is_large(array.flatten())]] = True
    return is_large


def _numbers(lengths: pa.Array) -> np.ndarray:
    numbers: np.ndarray = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
    return numbers
