"""From rows to tars as WebDataset reads them: `<key>.mp4`, `<key>.json`, `<key>.background.png`."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import whole_file, write_errors
from opens2v_hf._util.numbers import is_whole
from opens2v_hf._util.progress import Progress
from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.shards.blobs import read_blob
from opens2v_hf.errors import ArgumentError, ResultError, SourceError

TAR_MEGABYTES = 1000
_LONGEST_KEY_BYTES = 150  # file systems bound the names of files


@dataclass(frozen=True)
class Export:
    """Result of an export.

    Attributes:
        folder: of the tars.
        rows: in all of them.
        tars: names, in the order of the rows.
    """

    folder: Path
    rows: int
    tars: tuple[str, ...]


@checked
def export_webdataset(data_dir: str, out: Path, *, tar_megabytes: int = TAR_MEGABYTES) -> Export:
    """Write the clips of a dataset as tars.

    A sample's key is its id with dashes for dots, because WebDataset takes what follows the first dot of a name for its
    ending, or its number where a tar has that key already; the id itself and all other columns are in the JSON file.
    The same rows give the same bytes.

    Args:
        data_dir: folder or URL of the dataset, shards or released layout.
        out: folder of the tars; empty or missing.
        tar_megabytes: of a tar, in millions of bytes; a tar ends with the sample that passes it.

    Raises:
        ArgumentError: the size is below 1.
        SourceError: the dataset is not there, or a file of it cannot be read.
        ResultError: the folder is not empty, or cannot be written.
    """
    if not is_whole(tar_megabytes, 1):
        raise ArgumentError(f"a tar has at least one megabyte (got {tar_megabytes!r})")
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", data_dir=data_dir)
    tars: list[str] = []
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise ResultError(f"{out} is not empty; choose an empty folder")
        rows = _rows(builder)
        following = next(rows, None)
        count = 0
        with Progress(len(builder.shard_urls), description="exporting", unit="shard") as progress:
            while following is not None:
                name = f"clips-{len(tars):05d}.tar"
                keys: set[str] = set()
                with whole_file(out / name) as temporary, tarfile.open(temporary, "w") as tar:
                    while following is not None and tar.offset < tar_megabytes * 1_000_000:
                        shard, row = following
                        _add(tar, row, count, keys)
                        count += 1
                        progress.update(shard)
                        following = next(rows, None)
                tars.append(name)
            progress.update(len(builder.shard_urls))
    return Export(out, count, tuple(tars))


def _rows(builder: OpenS2V5M) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with how many shards are done before them."""
    for number, shard in enumerate(builder._shards):
        for table in builder._tables(shard):
            for row in table.to_pylist():
                yield number, row


def _add(tar: tarfile.TarFile, row: dict[str, Any], number: int, keys: set[str]) -> None:
    video, background = row.pop("video") or {}, row.pop("background")
    if row["id"] is None:
        raise SourceError(f"row {number} of the dataset has no id: write the dataset again")
    key = row["id"].replace(".", "-").replace("/", "-")
    # Different ids, or those of different parts, can have one key, and WebDataset would join the two samples.
    if len(key.encode()) > _LONGEST_KEY_BYTES or key in keys:
        key = f"{number:09d}"
    keys.add(key)
    try:
        content = read_blob(video)
    except SourceError as error:
        raise SourceError(f"{row['part']}/{row['id']}: {error}") from error
    _add_file(tar, f"{key}{PurePosixPath(video.get('path') or '').suffix.lower() or '.mp4'}", content)
    _add_file(tar, f"{key}.json", json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    if background is not None:
        _add_file(tar, f"{key}.background.png", read_blob(background))


def _add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)  # of no date and no owner: equal rows give equal bytes
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
