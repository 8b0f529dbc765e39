"""The manifest of a dataset: its shards with their rows and checksums."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from opens2v_hf._util.files import visible_files, whole_file
from opens2v_hf._util.json_file import read_json
from opens2v_hf._version import __version__
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.data.opens2v5m.shards.verify import BUILD_MANIFEST
from opens2v_hf.data.opens2v5m.shards.write import sha256_of
from opens2v_hf.pipeline.units import BuildPlan, read_note


def write_manifest(folder: Path, plan: BuildPlan, description: Mapping[str, Any]) -> dict[str, int]:
    """Write the manifest of the shards that are there.

    Args:
        folder: of the dataset.
        plan: of the dataset.
        description: of how the shards were made.

    Returns:
        Config -> rows.

    Raises:
        ResultError: it cannot be written, or the system cannot read a note.
        SourceError: a shard cannot be read.
    """
    shards: list[dict[str, Any]] = []
    rows: Counter[str] = Counter({"regular": 0})
    for unit in plan.units:
        note = read_note(folder, unit)
        if note is not None and note["shard"]:
            shards.append({"path": note["shard"], "rows": note["rows"], "sha256": note["sha256"]})
            rows["regular"] += note["rows"]
    others, counts = _others(folder)
    rows.update(counts)
    shards += others
    content = {
        "written_by": f"opens2v-hf {__version__}",
        "made_by": dict(description),
        "rows": dict(rows),
        "shards": shards,
    }
    with whole_file(folder / BUILD_MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return dict(rows)


def refresh_manifest(folder: Path) -> None:
    """Bring a manifest up to date with the shards of pairs and views; nothing where there is none yet.

    Raises:
        ResultError: it cannot be read or written.
        SourceError: a shard cannot be read.
    """
    path = folder / BUILD_MANIFEST
    if not path.is_file():
        return
    content = read_json(path)
    others, counts = _others(folder)
    regular = [shard for shard in content["shards"] if shard["path"].startswith("data/regular/")]
    content |= {"rows": {"regular": content["rows"]["regular"], **counts}, "shards": [*regular, *others]}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _others(folder: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The shards of pairs and views, and config -> rows."""
    shards: list[dict[str, Any]] = []
    rows: Counter[str] = Counter()
    for config in ("cross_pairs", "views"):
        for path in visible_files(folder / "data" / config, "*.parquet"):
            with parquet_errors(str(path)):
                count = pq.read_metadata(path.absolute()).num_rows
            shards.append({"path": f"data/{config}/{path.name}", "rows": count, "sha256": sha256_of(path)})
            rows[config] += count
    return shards, dict(rows)
