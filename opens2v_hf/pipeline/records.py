"""Records that stages take and return: a clip and what is known of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from opens2v_hf.masks.rle import RLE


@dataclass(frozen=True)
class SourceFile:
    """A video file of the input.

    Attributes:
        path: local path or fsspec URL.
        name: relative to the input's root, with "/" between folders; what reports and records name it by.
        sha256: of its bytes, hexadecimal; "" before it is probed.
        num_frames: that a decoder gives.
        fps: frames a second.
        size: upright (height, width) in pixels.
        num_bytes: of the file.
        licence: of the content, if known.
        stamp: of `InputFile`, as the file was listed; "" where that is not known.
    """

    path: str
    name: str
    sha256: str = ""
    num_frames: int = 0
    fps: float = 0.0
    size: tuple[int, int] = (0, 0)
    num_bytes: int = 0
    licence: str | None = None
    stamp: str = ""


@dataclass(frozen=True)
class Subject:
    """Something found in the annotated frame.

    Attributes:
        id: 1..n within the clip.
        label: the tag under which it was found.
        box_xyxy: in pixels of the frame after the clip's crop.
        detection_score: of the detector, 0..1.
        mask: in the same frame; None before segmentation.
        mask_score: of the segmenter, 0..1.
        text_similarity: of the label and the cut-out, cosine.
        aesthetic: of the cut-out, about 1..10.
        image_vector: float32 [D] of the cut-out, unit length; stored next to the shards, not in them.
        text_vector: float32 [D] of the label, likewise.
    """

    id: int
    label: str
    box_xyxy: tuple[float, float, float, float]
    detection_score: float
    mask: RLE | None = None
    mask_score: float | None = None
    text_similarity: float | None = None
    aesthetic: float | None = None
    image_vector: np.ndarray | None = field(default=None, compare=False)
    text_vector: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ClipRecord:
    """A clip of a source file. What no stage has filled in yet is None or empty.

    Attributes:
        id: unique in the dataset, from the file's name and the clip's frames.
        source: the file.
        start: first frame of the clip in the file.
        end: the frame after its last.
        crop_xyxy: (x0, y0, x1, y1) of the part of the frame to use, in pixels of the file's frames; None for all of it.
        caption: what happens in the clip.
        tags: phrases of the caption by kind: "subject", "object", "background".
        technical: technical quality.
        motion: mean length of the optical flow, pixels a frame at the released working size.
        aesthetic: of the clip, about 1..10.
        foreground_aesthetic: of the annotated frame with nothing but its subjects.
        background_aesthetic: of the annotated frame with its subjects painted out.
        frame_index: of the annotated frame, counted from the clip's first frame.
        subjects: in the order of their ids.
        background_png: the annotated frame with its subjects painted out, as a PNG file; b"" if there is none.
        frame_phash: perceptual hash (64 bit) of the annotated frame.
        clip_phashes: of the frames at 5, 50 and 95 % of the clip.
        provenance: stage name to what made its part: model, revision, digest of prompts and options, version.
    """

    id: str
    source: SourceFile
    start: int = 0
    end: int = 0
    crop_xyxy: tuple[int, int, int, int] | None = None
    caption: str = ""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    technical: float | None = None
    motion: float | None = None
    aesthetic: float | None = None
    foreground_aesthetic: float | None = None
    background_aesthetic: float | None = None
    frame_index: int | None = None
    subjects: tuple[Subject, ...] = ()
    background_png: bytes = b""
    frame_phash: int | None = None
    clip_phashes: tuple[int, ...] = ()
    provenance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        """Of the clip."""
        return self.end - self.start

    @property
    def frame_size(self) -> tuple[int, int]:
        """(height, width) after the crop, in pixels."""
        if self.crop_xyxy is None:
            return self.source.size
        x0, y0, x1, y1 = self.crop_xyxy
        return y1 - y0, x1 - x0

    def made_by(self, stage: str, facts: Mapping[str, Any], **changes: Any) -> ClipRecord:
        """A copy of the record with the results of a stage and its provenance."""
        return replace(self, provenance={**self.provenance, stage: dict(facts)}, **changes)
