"""From clips to rows of a shard."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from opens2v_hf.data.opens2v5m.released.records import TAG_KINDS, AnnotatedSubject, RegularRecord
from opens2v_hf.data.opens2v5m.released.rows import regular_row
from opens2v_hf.errors import VideoError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.units import PART
from opens2v_hf.video.writer import write_video

CRF = 14
"""Constant rate factor of x264 for clips that are cut out of a file: some 40 dB and more on real clips."""


def row_of(clip: ClipRecord) -> dict[str, Any]:
    """A row of `shards.schema.BUILT` without its video.

    The stored video holds the clip and nothing else: the scene is [0, n) of it. The part to use begins with the
    annotated frame, because boxes and masks belong to the first frame of that part, in this dataset as in the released
    one.
    """
    source = clip.source
    height, width = source.size
    x0, y0, x1, y1 = clip.crop_xyxy or (0, 0, width, height)
    first = clip.frame_index or 0
    record = RegularRecord(
        id=clip.id,
        part=PART,
        path=as_text(source.name),
        caption=as_text(clip.caption),
        older_caption=None,
        clip=(first, clip.num_frames),
        cut=(0, clip.num_frames),
        crop=(x0, x1, y0, y1),
        fps=source.fps,
        num_frames=clip.num_frames,
        file_size=source.size,
        frame_size=clip.frame_size,
        technical=clip.technical,
        motion=clip.motion,
        aesthetic=clip.aesthetic,
        foreground_aesthetic=clip.foreground_aesthetic,
        background_aesthetic=clip.background_aesthetic,
        tags={kind: tuple(map(as_text, clip.tags.get(kind, ()))) for kind in TAG_KINDS},
        frame_index=first,
        subjects=tuple(
            AnnotatedSubject(
                subject.id,
                as_text(subject.label),
                subject.box_xyxy,
                subject.mask,
                subject.mask_score,
                subject.text_similarity,
                subject.aesthetic,
            )
            for subject in clip.subjects
        ),
    )
    background = {"bytes": clip.background_png, "path": f"{clip.id}.png"} if clip.background_png else None
    return {
        **regular_row(record, None, background),
        "source": {
            "file": as_text(source.name),
            "sha256": source.sha256 or None,
            "start": clip.start,
            "end": clip.end,
            "start_s": clip.start / source.fps,
            "end_s": clip.end / source.fps,
        },
        "provenance": json.dumps(clip.provenance, sort_keys=True) if clip.provenance else None,
        "frame_phash": clip.frame_phash,
        "clip_phash": list(clip.clip_phashes),
        "detection_scores": [subject.detection_score for subject in clip.subjects],
        "licence": source.licence,
    }


def with_video(clip: ClipRecord, crf: int) -> dict[str, Any]:
    """The row of a clip of a source file, with its video.

    A clip that is all of its file is stored as the file is, byte for byte. Any other is cut out: H.264 in mp4 by one
    thread, the same bytes each time, without sound, at the file's mean frame rate. Frames of an odd size get one more
    column or row, a copy of the last; the row's crop leaves it out.

    Raises:
        VideoError: the file cannot be read.
    """
    row = row_of(clip)
    if clip.start == 0 and clip.end == clip.source.num_frames:
        ending = PurePosixPath(as_text(clip.source.name)).suffix.lower() or ".mp4"
        try:
            content = media.local_path(clip.source).read_bytes()
        except OSError as error:
            raise VideoError(f"{clip.source.name}: cannot be read any more ({error.strerror})") from error
        row["video"] = {"bytes": content, "path": f"{clip.id}{ending}"}
        return row
    height, width = clip.source.size
    row |= {"file_height": height + height % 2, "file_width": width + width % 2}
    row["video"] = {"bytes": _cut(clip, crf), "path": f"{clip.id}.mp4"}
    return row


def as_text(text: str) -> str:
    """A text that can be stored: bytes of a file's name that are no text are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(clip: ClipRecord, crf: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="opens2v-") as folder:
        path = Path(folder, "clip.mp4")
        write_video(path, _even(media.stream(replace(clip, crop_xyxy=None))), clip.source.fps, quality=crf)
        return path.read_bytes()


def _even(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for frame in frames:
        down, right = frame.shape[0] % 2, frame.shape[1] % 2
        yield np.pad(frame, ((0, down), (0, right), (0, 0)), "edge") if down or right else frame
