"""The files of a video: `<id>.mp4`, and its record `<id>.json`.

A video is up to date if its record has the key of the request.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._util.files import remove_files
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import GenerationError, ResultError, VideoError
from opens2v_hf.generators.checks import checked_frames
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.video.reader import open_video

QUALITY = 12
"""Constant rate factor of x264: at least 41 dB on real clips; the remaining loss is that of 4:2:0 colour."""

_CHECKED_FRAMES = 8  # of a file that a service encoded


def seed_folder(out: str | os.PathLike[str], seed: int, seeds: Sequence[int]) -> Path:
    """Folder of the videos and scores of a seed: `out` for the first seed, `out`/seed-<n> for another."""
    return Path(out) if seed == seeds[0] else Path(out) / f"seed-{seed}"


def refuse_foreign_videos(folder: Path, samples: Sequence[EvalSample]) -> None:
    """Refuse to replace videos without a record: another program made them."""
    for sample in samples:
        if (folder / f"{sample.id}.mp4").is_file() and not (folder / f"{sample.id}.json").is_file():
            raise ResultError(
                f"{folder / sample.id}.mp4 has no record, so another program made it, and it would be replaced; choose "
                "another `out=`, or score that folder without a model"
            )


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a killed process.

    Raises:
        ResultError: one cannot be removed.
    """
    for kind in ("mp4", "json"):
        found = [path for path in folder.glob(f".*.{kind}.*") if path.suffix in (".tmp", ".partial")]
        remove_files(found, ", which a killed run left")


def remove_outdated(folder: Path, failed: Collection[str]) -> None:
    """Remove videos of other requests, e.g. of another seed, whose present request failed; they would be scored."""
    for sample_id in failed:
        for ending in (".mp4", ".json"):
            (folder / f"{sample_id}{ending}").unlink(missing_ok=True)


def record_of(folder: Path, sample_id: str, key: str) -> dict[str, Any] | None:
    """The record of a video, if the video exists and was made from this request."""
    try:
        record = json.loads((folder / f"{sample_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_there = isinstance(record, dict) and record.get("key") == key and (folder / f"{sample_id}.mp4").is_file()
    return record if is_there else None


def check_encoded(content: bytes, name: str, recipe: Recipe) -> dict[str, Any]:
    """Frame count, rate and size of a video that a service encoded; those that the recipe asks for are checked."""
    try:
        with open_video(content) as reader:
            count = reader.num_frames
            frames = reader.read(sorted({round(at) for at in np.linspace(0, count - 1, _CHECKED_FRAMES)}))
            facts = {"num_frames": count, "fps": float(reader.fps) if reader.fps else None}
    except VideoError as error:
        raise GenerationError(f"the answer for {name} is not a video: {error}", transient=True) from error
    if recipe.num_frames not in (None, count):
        raise GenerationError(
            f"the video must have {recipe.num_frames} frames (got {count}); leave num_frames out of the recipe if the "
            "service decides it"
        )
    frames = checked_frames(frames, width=recipe.width, height=recipe.height)
    return facts | {"width": frames.shape[2], "height": frames.shape[1]}


def encoder() -> str:
    """Name, quality and version of the encoder of the frames that generators return."""
    return f"libx264 crf {QUALITY}, PyAV {importlib.metadata.version('av')}"


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
