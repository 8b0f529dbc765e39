"""The card of a dataset: features for plain `datasets`, statistics, samples and provenance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from opens2v_hf._util.files import visible_files, whole_file
from opens2v_hf._util.progress import duration
from opens2v_hf._util.text import harmless
from opens2v_hf._version import __version__
from opens2v_hf.data.opens2v5m.shards.features import card_front_matter, plain_datasets_features
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.pipeline.summary import Build

CARD = "README.md"
CONFIGS = ("regular", "cross_pairs", "views")

_SCORES = ("duration_s", "technical", "motion", "aesthetic", "foreground_aesthetic", "background_aesthetic")
_SAMPLES = 5
_LABELS = 20


def write_card(folder: Path, build: Build, made_by: Mapping[str, Any], licence: str | None = None) -> None:
    """Write the card of a dataset's folder.

    Args:
        folder: of the dataset.
        build: what came out.
        made_by: see `unit_work.describe`.
        licence: of the videos, if known; an identifier of the Hub, or any other text.

    Raises:
        ResultError: it cannot be written.
        SourceError: a shard cannot be read.
    """
    head: dict[str, Any] = {
        "pretty_name": harmless(folder.name),
        "task_categories": ["text-to-video"],
        "tags": ["subject-to-video", "opens2v"],
        "license": "other" if licence is None else licence,
        **card_front_matter(_configs(folder, build.rows)),
    }
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)
    with whole_file(folder / CARD) as temporary:
        body = "\n".join(_body(folder, build, made_by, licence))
        temporary.write_text(f"---\n{text}---\n{body}\n", "utf-8")


def _configs(folder: Path, rows: Mapping[str, int]) -> Iterator[tuple[str, datasets.Features, int, int]]:
    for name in CONFIGS:
        if paths := visible_files(folder / "data" / name, "*.parquet"):
            with parquet_errors(str(paths[0])):
                features = plain_datasets_features(pq.read_schema(paths[0].absolute()), name)
            yield name, features, rows.get(name, 0), sum(path.stat().st_size for path in paths)


def _body(folder: Path, build: Build, made_by: Mapping[str, Any], licence: str | None) -> Iterator[str]:
    count = build.rows.get("regular", 0)
    yield f"# {harmless(folder.name)}\n"
    yield (
        f"{count:,} clips ({duration(build.clip_seconds)}) of {build.num_files:,} videos "
        f"({duration(build.video_seconds)}), with captions, tags, subjects, masks and scores, in the columns of "
        f"OpenS2V-5M. Made by opens2v-hf {__version__}. "
        + ("The licence of the videos is not recorded." if licence is None else f"Licence of the videos: {licence}.")
    )
    yield (
        "\n```python\nimport opens2v_hf  # lets datasets know the name\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("opens2v-5m", repo="<this repo>", split="train", streaming=True)\n```\n'
    )
    yield "| config | rows |\n|---|---|"
    yield from (f"| {name} | {number:,} |" for name, number in build.rows.items())
    yield "\n## What each stage kept\n\n| stage | given | kept | left out |\n|---|---|---|---|"
    for stage in build.stages:
        rules = ", ".join(f"{number:,} {rule}" for rule, number in sorted(stage.rules.items()))
        yield f"| {stage.name} | {stage.taken:,} | {stage.kept:,} | {rules} |"
    if count:
        yield from _statistics(folder)
        yield from _samples(folder)
    yield "\n## What made it\n\n| stage | models and options |\n|---|---|"
    for name, facts in made_by["stages"]:
        yield f"| {name} | {_code(json.dumps(facts, sort_keys=True)) if facts else ''} |"


def _code(text: str) -> str:
    """Code within a cell of a table."""
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _tables(folder: Path, columns: list[str]) -> Iterator[pa.Table]:
    for path in visible_files(folder / "data/regular", "*.parquet"):
        # `read_table` takes no fields within columns
        with parquet_errors(str(path)), pq.ParquetFile(path.absolute()) as parquet:
            yield parquet.read(columns=columns)


def _statistics(folder: Path) -> Iterator[str]:
    columns = ["duration_s", *_SCORES[1:], "subjects.list.element.label"]
    tables = list(_tables(folder, columns))
    labels: Counter[str] = Counter()
    for table in tables:
        for subjects in table["subjects"].to_pylist():
            labels.update(subject["label"] for subject in subjects)
    yield "\n## Statistics\n\n| column | mean | 5 % | 50 % | 95 % | empty |\n|---|---|---|---|---|---|"
    for name in _SCORES:
        column = pa.chunked_array([chunk for table in tables for chunk in table[name].chunks], type=pa.float64())
        if column.null_count == len(column):
            continue
        low, middle, high = (f"{value:.3g}" for value in pc.quantile(column, q=[0.05, 0.5, 0.95]).to_pylist())
        yield f"| {name} | {pc.mean(column).as_py():.3g} | {low} | {middle} | {high} | {column.null_count} |"
    if labels:
        named = ", ".join(f"{harmless(label)} ({number})" for label, number in labels.most_common(_LABELS))
        yield f"\n{sum(labels.values()):,} subjects under {len(labels):,} labels. Most frequent: {named}."


def _samples(folder: Path) -> Iterator[str]:
    yield "\n## Samples\n\n| id | caption | subjects |\n|---|---|---|"
    left = _SAMPLES
    for table in _tables(folder, ["id", "caption", "subjects.list.element.label"]):
        for row in table.slice(0, left).to_pylist():
            labels = ", ".join(harmless(subject["label"]) for subject in row["subjects"])
            yield f"| {harmless(row['id'])} | {harmless(' '.join(row['caption'].split()))[:300]} | {labels} |"
            left -= 1
        if not left:
            return
