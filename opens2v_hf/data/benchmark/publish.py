"""Writes OpenS2V-Eval as Parquet with its pictures inside, for a Hub dataset repo that plain `datasets` loads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from opens2v_hf._util.files import write_errors
from opens2v_hf.data.benchmark.builder import OpenS2VEval
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.errors import ArgumentError


def write_parquet(
    data_dir: str | os.PathLike[str], out_dir: str | os.PathLike[str], *, revision: str | None = None
) -> list[Path]:
    """Write all splits of the benchmark as `data/<config>/test-<shard>-of-<shards>.parquet`.

    The schema names nothing of this package: features are strings, booleans, lists and `datasets.Image`. A split that
    was there is replaced once the new one is complete.

    Args:
        data_dir: a folder or hf:// URL that holds the released layout.
        out_dir: the dataset repo's folder; made if missing. Its card is not written here.
        revision: of a Hub repo.

    Returns:
        The files that were written.

    Raises:
        ArgumentError: `out_dir` is `data_dir`.
        SampleError: a prompt file or a picture is missing or malformed.
        ImageError: a picture is broken.
        ResultError: `out_dir` cannot be written.
    """
    out_dir = Path(out_dir)
    if str(data_dir) == str(out_dir) or (out_dir.is_dir() and Path(data_dir).resolve() == out_dir.resolve()):
        raise ArgumentError(f"{out_dir} holds the released layout; write the Parquet copy to another folder")
    with write_errors(out_dir):
        return _write_splits(data_dir, out_dir, revision)


def _write_splits(data_dir: str | os.PathLike[str], out_dir: Path, revision: str | None) -> list[Path]:
    out_dir.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with tempfile.TemporaryDirectory(prefix=".parquet-", dir=out_dir) as work:
        options = {"revision": revision} if revision is not None else {}
        builders = [
            OpenS2VEval(config_name=name, data_dir=os.fspath(data_dir), cache_dir=f"{work}/cache", **options)
            for name in PROMPT_FILES
        ]
        for builder in builders:
            builder.download_and_prepare(f"{work}/{builder.config.name}", file_format="parquet")
        for builder in builders:
            name = builder.config.name
            written += _publish(sorted(Path(work, name).glob("[!.]*.parquet")), out_dir / "data" / name)
    return written


def _publish(shards: list[Path], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    targets = [folder / f"test-{index:05d}-of-{len(shards):05d}.parquet" for index in range(len(shards))]
    for shard, target in zip(shards, targets, strict=True):
        os.replace(shard, target)
    for stale in set(folder.glob("test-*.parquet")) - set(targets):
        stale.unlink()
    return targets
