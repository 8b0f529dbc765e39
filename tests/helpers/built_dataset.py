"""A dataset's folder as a build leaves it: shards of the synthetic clips with exact masks, and their vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.synthetic.dataset_layout import write_dataset
from opens2v_hf.masks.apply import cut_out
from opens2v_hf.pipeline.pairs.pictures import frame_of
from opens2v_hf.video.phash import phash

Embed = Callable[[Sequence[Any]], np.ndarray]


def write_shards(folder: Path, released: Path, **plan: int) -> Path:
    """The synthetic clips of a plan as shards with their videos, and nothing else."""
    write_dataset(released, **plan)
    convert(plan_conversion(read_layout(str(released)), configs=("regular",)), folder)
    return folder


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of the config "regular", files and masks as lazy objects."""
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", data_dir=str(folder))
    return list(builder.as_streaming_dataset(split="train"))


def subjects_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """One annotation for each thing and person: those under the caption's own words."""
    names = {*row["tags"]["subject"], *row["tags"]["object"]}
    return [subject for subject in row["subjects"] if subject["label"] in names and subject["mask"].area]


def write_vectors(folder: Path, embed_images: Embed, embed_texts: Embed) -> dict[str, int]:
    """`vectors/all.npz`; each clip is decoded and each subject embedded once. Counts both."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("clip_ids", "subject_ids", "labels", "frame_phash", "starts", "ends", "files", "frame_index")
    }
    pictures = []
    rows = rows_of(folder)
    for row in rows:
        frame = frame_of(row)
        for subject in subjects_of(row):
            pictures.append(cut_out(frame, subject["mask"].rle, background="black"))
            values = (
                row["id"], subject["id"], subject["label"], phash(frame), row["clip"]["start"], row["clip"]["end"],
                row["video"].path, 0,
            )  # fmt: skip
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    arrays: dict[str, Any] = {
        "clip_ids": np.array(columns["clip_ids"], np.str_),
        "labels": np.array(columns["labels"], np.str_),
        "files": np.array(columns["files"], np.str_),
        "frame_phash": np.array(columns["frame_phash"], np.uint64),
        **{name: np.array(columns[name], np.int32) for name in ("subject_ids", "starts", "ends", "frame_index")},
        "image": np.asarray(embed_images(pictures)).astype(np.float16),
        "text": np.asarray(embed_texts(columns["labels"])).astype(np.float16),
    }
    (folder / "vectors").mkdir(exist_ok=True)
    np.savez(folder / "vectors" / "all.npz", **arrays)
    return {"decodes": len(rows), "image embeddings": len(pictures)}
