"""Any row by its part and id, for the other clip of a pair.

An index holds the location of each row: its shard and row group, or its byte offset in a released JSON object. It is
built in one pass that reads ids only, stored as sorted arrays in a folder, and mapped into memory, so that all workers
share it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.released.byte_source import hub_options
from opens2v_hf.data.opens2v5m.released.json_borders import RECORD_BORDERS
from opens2v_hf.data.opens2v5m.released.json_stream import read_object
from opens2v_hf.data.opens2v5m.released.samples import regular_rows
from opens2v_hf.data.opens2v5m.shards.features import regular_features
from opens2v_hf.data.opens2v5m.shards.parquet_file import open_parquet
from opens2v_hf.data.opens2v5m.shards.schema import REGULAR, to_table
from opens2v_hf.data.opens2v5m.shards.tables import conform
from opens2v_hf.errors import SourceError

COLUMNS = (
    "id", "part", "clip", "crop", "frame_height", "frame_width", "tags", "subjects", "video",
)  # fmt: skip
"""The columns of the other clip of a pair that are read."""

_LOCATION = np.dtype([("file", "<i4"), ("group", "<i4"), ("row", "<i8")])


def key_of(part: str, sample_id: str) -> int:
    """A 64-bit hash of a sample's name; among five million samples the chance of a collision is one in a million."""
    return int.from_bytes(hashlib.blake2b(f"{part}/{sample_id}".encode(), digest_size=8).digest(), "little")


def write_locations(builder: OpenS2V5M, folder: Path) -> None:
    """Finds all rows and writes their locations.

    Args:
        builder: of the config "regular", unfiltered.
        folder: where the arrays go.

    Raises:
        SourceError: a file cannot be read.
    """
    keys, locations = [], []
    for file_keys, file_locations in _find_rows(builder):
        keys.append(file_keys)
        locations.append(file_locations)
    all_keys = np.concatenate(keys) if keys else np.empty(0, np.uint64)
    all_locations = np.concatenate(locations) if locations else np.empty(0, _LOCATION)
    # Stable, and the first of equal keys counts: where an id comes twice in a part, it is the first row.
    all_keys, first = np.unique(all_keys, return_index=True)
    np.save(folder / "keys.npy", all_keys)
    np.save(folder / "locations.npy", all_locations[first])


def load_array(path: Path) -> np.ndarray:
    """An array of an index, mapped into memory.

    Raises:
        SourceError: it is missing or damaged.
    """
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(
            f"cannot read {path} ({error}): remove {path.parent}, and the index is built again"
        ) from error


class RowStore:
    """Rows by key.

    Args:
        builder: as for `write_locations`.
        folder: that it wrote to.
    """

    def __init__(self, builder: OpenS2V5M, folder: Path) -> None:
        self._builder = builder
        self._folder = folder
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    def read(self, key: int) -> dict[str, Any] | None:
        """The columns `COLUMNS` of a row, files and masks as lazy objects; None where there is no such row.

        Raises:
            SourceError: the file that holds it cannot be read, or has changed since the index was built.
        """
        if self._arrays is None:
            self._arrays = (load_array(self._folder / "keys.npy"), load_array(self._folder / "locations.npy"))
        keys, locations = self._arrays
        found = int(np.searchsorted(keys, np.uint64(key)))
        if found == len(keys) or int(keys[found]) != key:
            return None
        location = locations[found]
        row = self._read(int(location["file"]), int(location["group"]), int(location["row"]))
        if row is None or key_of(row["part"], row["id"]) != key:
            raise SourceError(f"the index in {self._folder} is of other files than those there now: remove that folder")
        return _features().decode_example(row, token_per_repo_id=self._builder.token_per_repo)

    def _read(self, file: int, group: int, position: int) -> dict[str, Any] | None:
        layout = self._builder.layout
        if layout is None:
            urls = self._builder.shard_urls
            if file >= len(urls):
                return None
            table = _row_group(urls[file], group, _token(self._builder))
            if table is None or position >= table.num_rows:
                return None
            return table.slice(position, 1).to_pylist()[0]
        if file >= len(layout.parts):
            return None
        rows = regular_rows(layout, layout.parts[file], start=position, stop=position + 1, on_error="skip")
        row = next(rows, None)
        if row is None:
            return None
        return conform(to_table([{name: row[name] for name in COLUMNS}], _schema()), REGULAR).to_pylist()[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}


def _find_rows(builder: OpenS2V5M) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    layout = builder.layout
    if layout is not None:
        for number, file in enumerate(layout.parts):
            entries = read_object(layout.open(file), on_error="skip", borders=RECORD_BORDERS)
            found = [(key_of(file.name, entry.key), (number, 0, entry.byte_offset)) for entry in entries]
            yield _as_arrays(found)
        return
    for number, url in enumerate(builder.shard_urls):
        found = []
        with _open(url, _token(builder)) as parquet:
            for group in range(parquet.num_row_groups):
                ids = parquet.read_row_group(group, columns=["part", "id"])
                pairs = zip(ids["part"].to_pylist(), ids["id"].to_pylist(), strict=True)
                found += [(key_of(*pair), (number, group, position)) for position, pair in enumerate(pairs)]
        yield _as_arrays(found)


def _as_arrays(found: list[tuple[int, tuple[int, int, int]]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([key for key, _ in found], np.uint64),
        np.array([location for _, location in found], _LOCATION),
    )


@functools.lru_cache(maxsize=8)
def _row_group(url: str, group: int, token: str | None) -> pa.Table | None:
    """One row group, None where the file has fewer.

    The clips of a cluster are close together, so the last few row groups are cached.
    """
    with _open(url, token) as parquet:
        if group >= parquet.num_row_groups:
            return None
        return conform(parquet.read_row_group(group, columns=list(COLUMNS)), REGULAR)


@contextmanager
def _open(url: str, token: str | None) -> Iterator[pq.ParquetFile]:
    with open_parquet(url, hub_options(url, token)) as opened:
        yield pq.ParquetFile(opened.file, pre_buffer=True)


@functools.cache
def _features() -> Any:
    features = regular_features()
    return type(features)({name: features[name] for name in COLUMNS})


@functools.cache
def _schema() -> pa.Schema:
    return pa.schema([REGULAR.field(name) for name in COLUMNS])


def _token(builder: OpenS2V5M) -> str | None:
    return builder.token if isinstance(builder.token, str) else None
