"""Clips on the page about a build: some kept ones, and some for each rule that dropped any."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup
from PIL import Image

from opens2v_hf._util.files import visible_files
from opens2v_hf.data.images import read_image
from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.masks.rle import RLE
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.pairs.pictures import PictureStore, frame_of
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.reports.build_figures import DrawnSubject, drawn
from opens2v_hf.reports.page import data_url
from opens2v_hf.reports.sheet.page import color_of

KEPT = 8
"""Clips of the dataset that are shown."""

PER_RULE = 3
"""Clips that are shown for each stage and rule."""

_PAIRS = 6
_VIEW_ROWS = 4
_THUMBNAIL_PX = 200


@dataclass(frozen=True)
class Sample:
    """A clip as it is shown."""

    name: str  # of the clip
    image: Markup | None  # the annotated frame with boxes and masks; None if it cannot be read
    labels: tuple[tuple[str, str], ...]  # (label, colour) of its subjects
    text: str  # the caption, or why it was dropped
    problem: str = ""  # why the image is missing


@dataclass(frozen=True)
class SamplePair:
    """A pair as it is shown."""

    images: tuple[Markup, Markup]  # the two cut-outs
    names: tuple[str, str]  # of the clips
    text: str  # similarities and distance


def kept_samples(folder: Path) -> list[Sample]:
    """Clips of the dataset, evenly spread over its shards."""
    paths = visible_files(folder / "data/regular", "*.parquet")
    counts = [pq.read_metadata(path.absolute()).num_rows for path in paths]
    positions = {int(position) for position in np.linspace(0, sum(counts) - 1, KEPT).round()} if sum(counts) else set()
    if not positions:
        return []
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", data_dir=str(folder))
    rows = builder.as_streaming_dataset(split="train")
    return [_kept(next(iter(rows.skip(position)))) for position in sorted(positions)]


def dropped_samples(notes: Sequence[Mapping[str, Any]], stages: Sequence[str]) -> dict[tuple[str, str], list[Sample]]:
    """Stage and rule to some dropped clips, with readable pictures, in the order of the stages."""
    found: dict[tuple[str, str], list[Sample]] = {}
    for note in notes:
        for entry in note["dropped"]:
            samples = found.setdefault((entry["stage"], entry["rule"]), [])
            if len(samples) < PER_RULE:
                samples.append(_dropped(entry))
    return dict(sorted(found.items(), key=lambda item: (stages.index(item[0][0]), item[0][1])))


def pair_samples(folder: Path) -> list[SamplePair]:
    """Some pairs of the dataset, evenly spread; those that cannot be read are left out."""
    rows = _some_rows(folder / "data/cross_pairs", _PAIRS)
    if not rows:
        return []
    shown = []
    with tempfile.TemporaryDirectory() as work:
        store = PictureStore(folder, Path(work))
        for row in rows:
            try:
                sides = [
                    store.pictures(row[f"{side}_part"], row[f"{side}_id"], row[f"{side}_subject_id"]).cut_out
                    for side in ("current", "other")
                ]
            except OpenS2VError:
                continue
            text = f"text {row['text_similarity']:.2f}, image {row['image_similarity']:.2f}"
            if row.get("context_distance") is not None:
                text += f", context {row['context_distance']} bits"
            first, second = (_thumbnail(Image.fromarray(side)) for side in sides)
            names = tuple(f"{row[f'{side}_id']}: {row[f'{side}_label']}" for side in ("current", "other"))
            shown.append(SamplePair((first, second), (names[0], names[1]), text))
    return shown


def view_samples(folder: Path) -> list[tuple[str, Markup]]:
    """Words and picture of some views, after the frame that they were made from."""
    shown = []
    for row in _some_rows(folder / "data/views", _VIEW_ROWS):
        pictures = [("the frame", row["main_image"]), *((view["tag"], view["image"]) for view in row["views"])]
        for name, picture in pictures:
            try:
                shown.append((f"{row['id']}: {name}", _thumbnail(read_image(picture["bytes"]))))
            except OpenS2VError:
                continue
    return shown


def _kept(row: Mapping[str, Any]) -> Sample:
    subjects = [
        DrawnSubject(one["label"], one["box"], None if one["mask"] is None else one["mask"].rle)
        for one in row["subjects"]
    ]
    sample = Sample(row["id"], None, _labels(subjects), row["caption"] or "no caption")
    try:
        return replace(sample, image=drawn(frame_of(row), subjects))
    except OpenS2VError as error:
        return replace(sample, problem=str(error))


def _dropped(entry: Mapping[str, Any]) -> Sample:
    what = f"{entry['subject']}: " if entry["subject"] else ""
    record = entry.get("record")
    sample = Sample(entry["clip_id"], None, (), f"{what}{entry['reason']}")
    if record is None or record["end"] <= record["start"]:
        return sample
    subjects = [
        DrawnSubject(one["label"], one["box_xyxy"], None if one["mask"] is None else RLE.from_dict(one["mask"]))
        for one in record["subjects"]
    ]
    sample = replace(sample, labels=_labels(subjects))
    crop = record["crop_xyxy"]
    clip = ClipRecord(
        entry["clip_id"],
        SourceFile(record["path"], entry.get("file", entry["clip_id"])),
        start=record["start"],
        end=record["end"],
        crop_xyxy=None if crop is None else (crop[0], crop[1], crop[2], crop[3]),
        frame_index=record["frame_index"],
    )
    try:
        return replace(sample, image=drawn(media.annotated(clip), subjects))
    except OpenS2VError as error:
        return replace(sample, problem=str(error))


def _labels(subjects: Sequence[DrawnSubject]) -> tuple[tuple[str, str], ...]:
    return tuple((subject.label, color_of(position)) for position, subject in enumerate(subjects))


def _some_rows(folder: Path, count: int) -> list[dict[str, Any]]:
    """Rows evenly spread over the Parquet files of a folder."""
    rows: list[dict[str, Any]] = []
    paths = visible_files(folder, "*.parquet")
    total = sum(pq.read_metadata(path.absolute()).num_rows for path in paths)
    positions = sorted({int(position) for position in np.linspace(0, total - 1, count).round()}) if total else []
    begin = 0
    for path in paths:
        with pq.ParquetFile(path.absolute()) as parquet:
            for group in range(parquet.num_row_groups):
                end = begin + parquet.metadata.row_group(group).num_rows
                here = [position - begin for position in positions if begin <= position < end]
                if here:
                    rows += parquet.read_row_group(group).take(here).to_pylist()
                begin = end
    return rows


def _thumbnail(image: Image.Image) -> Markup:
    small = image.copy()
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return data_url(small)
