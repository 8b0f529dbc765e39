"""Explain the NexusScore of a video, and write the explanation as a page."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import check_no_url
from opens2v_hf.errors import ResultError
from opens2v_hf.metrics.base import answer, video_source
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.reports.explain_page import render_page
from opens2v_hf.reports.explanation import Explanation, ReferenceView
from opens2v_hf.scores.nexus import NexusBox
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.reader import Backend

FRAME_PX = 480
"""Longer side of the frames that an explanation holds."""

PICTURE_PX = 256
"""Longer side of its reference pictures."""


@checked
def explain(
    metric: NexusScore,
    video: Any,
    reference: NexusReference,
    *,
    title: str | None = None,
    backend: Backend = "auto",
) -> Explanation:
    """Score a video, and collect the evidence for its score.

    Args:
        metric: with its models; boxes are recorded even without its `details`.
        video: a path, the bytes of a file, or a dict with "path" or "bytes".
        reference: pictures and labels.
        title: of the video; its file name by default.
        backend: of the video reader.

    Raises:
        VideoError: the video cannot be read.
        ImageError: a reference picture cannot be read.
        ArgumentError: the video or a picture has a wrong type.
    """
    recording = copy.copy(metric)
    recording.details = True
    pictures = [load_picture(image, name=f"picture {position}") for position, image in enumerate(reference.images)]
    clip = Clip(video_source(video), rules=(metric.sampling,), backend=backend)
    sampled = clip.frames(metric.sampling)
    indices = metric.sampling.indices(clip.num_frames)
    outcome = recording.score(clip, replace(reference, images=tuple(pictures)))
    boxes: tuple[NexusBox, ...] = tuple(outcome.evidence)
    texts = dict(reference.applicable)
    made_with = answer(recording, [outcome])
    return Explanation(
        title=title or Path(clip.name).name,
        sample_id=reference.id,
        outcome=outcome,
        variant=metric.variant,
        thresholds=metric.thresholds,
        boxes=boxes,
        references=tuple(
            ReferenceView.of(
                boxes, position, label, texts.get(position), _small(picture, PICTURE_PX), num_frames=len(indices)
            )
            for position, (label, picture) in enumerate(zip(reference.labels, pictures, strict=True))
        ),
        frame_indices=indices,
        fps=clip.fps or 25.0,  # the usual default of players; only labels depend on it
        size=(sampled.shape[2], sampled.shape[1]),
        frames={
            index: _small(Image.fromarray(sampled[indices.index(index)]), FRAME_PX) for index in dict.fromkeys(indices)
        },
        models=made_with["models"],
        options=made_with["options"],
        note=made_with["note"],
    )


@checked
def write_explanation(explanation: Explanation, folder: str | os.PathLike[str]) -> Path:
    """Write the explanation as `<id of the sample, or name of the video>.html`.

    Args:
        explanation: to write.
        folder: made if missing.

    Returns:
        Path of the page, which is self-contained.

    Raises:
        ArgumentError: the folder is a URL.
        ResultError: the folder cannot be written.
    """
    check_no_url(folder)
    stem = re.sub(r"[^\w.-]+", "_", explanation.sample_id or Path(explanation.title).stem).strip(".") or "video"
    target = Path(folder)
    page = target / f"{stem}.html"
    try:
        target.mkdir(parents=True, exist_ok=True)
        page.write_text(render_page(explanation), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write the explanation into {target}: {error.strerror}") from error
    return page


def _small(picture: Image.Image, longer_side_px: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((longer_side_px, longer_side_px))
    return small
