"""Writes OpenS2V-Eval as Parquet with its pictures inside, for a Hub dataset repo that plain `datasets` loads."""

from __future__ import annotations

import os
from pathlib import Path

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import write_errors
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.data.benchmark.rows import FEATURES, check_pictures, require_pictures, row_of
from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.opens2v5m.shards.write import write_shard
from opens2v_hf.errors import ArgumentError


@checked
def write_parquet(
    data_dir: str | os.PathLike[str], out_dir: str | os.PathLike[str], *, revision: str | None = None
) -> list[Path]:
    """Write all splits of the benchmark as `data/<config>/test-00000-of-00001.parquet`.

    The schema names nothing of this package: features are strings, booleans, lists and `datasets.Image`. All pictures
    are checked before anything is written, and a file appears when it is complete. Equal files give equal bytes.

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
    if str(data_dir) == str(out_dir) or (out_dir.is_dir() and os.path.realpath(data_dir) == os.path.realpath(out_dir)):
        raise ArgumentError(f"{out_dir} holds the released layout; write the Parquet copy to another folder")
    splits = [open_split(name, data_dir=os.fspath(data_dir), revision=revision) for name in PROMPT_FILES]
    for split in splits:
        require_pictures(split.samples, split.files)
        check_pictures(split.samples, split.files)
    written = []
    for split in splits:
        path = out_dir / "data" / split.name / "test-00000-of-00001.parquet"
        write_shard(path, (row_of(sample, split.files) for sample in split.samples), FEATURES.arrow_schema)
        with write_errors(out_dir):
            for stale in set(path.parent.glob("test-*.parquet")) - {path}:
                stale.unlink()
        written.append(path)
    return written
