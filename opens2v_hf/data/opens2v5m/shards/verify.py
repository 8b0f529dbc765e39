"""Checking a converted dataset against its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import visible_files
from opens2v_hf._util.progress import Progress
from opens2v_hf.data.opens2v5m.shards.convert import MANIFEST
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.data.opens2v5m.shards.write import sha256_of
from opens2v_hf.errors import MaskError, ResultError, SourceError
from opens2v_hf.masks.rle import RLE, decode

BUILD_MANIFEST = "build.json"
"""The manifest of a dataset that `opens2v build` made; it has the fields of `MANIFEST` that are read here."""

_ROWS_AT_A_TIME = 64


class _Shard(BaseModel):
    path: Annotated[str, Field(pattern=r"^data/\w+/[^/]+$")]
    rows: int
    sha256: str


class _Manifest(BaseModel):
    """The fields of a manifest that are compared; it has more."""

    shards: list[_Shard]
    rows: dict[str, int]


@dataclass(frozen=True)
class Verification:
    """Result of a check.

    Attributes:
        shards: how many were checked.
        rows: by config.
        masks: how many decode.
        problems: what is wrong, a line each; empty where all is well.
    """

    shards: int
    rows: dict[str, int]
    masks: int
    problems: tuple[str, ...]


@checked
def verify(folder: Path) -> Verification:
    """Checks that every shard of a converted or built dataset is there and whole, and that its content can be used.

    Checked are: checksums and numbers of rows against the manifest, files that the manifest does not list, that ids of
    samples are unique within their part, that every mask decodes and has the size of its frame, and that a row has a
    video.

    Raises:
        ResultError: there is no manifest: the conversion or the build has not ended.
    """
    path = folder / BUILD_MANIFEST
    if not path.is_file():
        path = folder / MANIFEST
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ResultError(
            f"{path} cannot be read ({reason}): let the command that writes it end before it is verified"
        ) from error
    problems: list[str] = []
    rows: Counter[str] = Counter()
    masks = 0
    seen: set[tuple[str, str]] = set()
    listed = {shard.path for shard in manifest.shards}
    files = (file for file in visible_files(folder / "data", "**/*") if file.is_file())
    present = {str(file.relative_to(folder)) for file in files}
    problems += [f"{name}: the manifest does not list this file" for name in sorted(present - listed)]
    sizes = {name: (folder / name).stat().st_size for name in listed & present}
    with Progress(sum(sizes.values()), description="verifying", unit="B") as progress:
        for shard in manifest.shards:
            name = shard.path
            if name not in present:
                problems.append(f"{name}: the file is missing")
                continue
            config = name.split("/")[1]
            found, decoded, count = _verify_shard(folder / name, shard, config, seen)
            problems += [f"{name}: {problem}" for problem in found]
            masks += decoded
            rows[config] += count
            progress.advance(sizes[name])
    problems += [
        f"{config}: {rows[config]} rows, the manifest says {count}"
        for config, count in manifest.rows.items()
        if rows[config] != count
    ]
    return Verification(len(manifest.shards), dict(rows), masks, tuple(problems))


def _verify_shard(path: Path, shard: _Shard, config: str, seen: set[tuple[str, str]]) -> tuple[list[str], int, int]:
    if sha256_of(path) != shard.sha256:
        return ["its checksum is not that of the manifest"], 0, 0
    try:
        with parquet_errors(str(path)):
            return _verify_rows(path, shard, config, seen)
    except SourceError as error:
        return [f"it is no Parquet file that can be read: {error}"], 0, 0


def _verify_rows(path: Path, shard: _Shard, config: str, seen: set[tuple[str, str]]) -> tuple[list[str], int, int]:
    problems: list[str] = []
    masks = 0
    with pq.ParquetFile(path.absolute()) as parquet:
        count = parquet.metadata.num_rows
        if config == "regular":
            columns = ["id", "part", "subjects", "frame_height", "frame_width", "video.path"]
            for batch in parquet.iter_batches(_ROWS_AT_A_TIME, columns=columns):
                for row in batch.to_pylist():
                    found = list(_problems_of(row, seen))
                    problems += [f"{row['id']}: {problem}" for problem in found]
                    masks += sum(subject["mask"] is not None for subject in row["subjects"] or ())
    if count != shard.rows:
        problems.append(f"{count} rows, the manifest says {shard.rows}")
    return problems, masks, count


def _problems_of(row: dict[str, Any], seen: set[tuple[str, str]]) -> Iterable[str]:
    key = (row["part"], row["id"])
    if key in seen:
        yield "its id occurs twice in its part"
    seen.add(key)
    if not (row["video"] or {}).get("path"):
        yield "it has no video"
    yield from _mask_problems(row)


def _mask_problems(row: dict[str, Any]) -> Iterator[str]:
    size = (row["frame_height"], row["frame_width"])
    for subject in row["subjects"] or ():
        if subject["mask"] is None:
            continue
        try:
            mask = decode(RLE.from_dict(subject["mask"]))
        except MaskError as error:
            yield f"mask {subject['id']}: {error}"
            continue
        if mask.shape != size:
            yield f"mask {subject['id']} has {mask.shape} pixels, the frame {size}"
