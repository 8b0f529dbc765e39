"""Cutting off plain borders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import each_clip

_FLAT_PART = 0.98  # of a line's pixels; compression leaves some specks


class Crop:
    """Finds the bars around a picture (letterbox, pillarbox) and sets the clip's crop to what lies within.

    A line of pixels at the edge belongs to a bar if nearly all of it (98 %) has the brightness of the outermost line,
    in all standard frames; only bars that are dark count, so that a plain bright backdrop is none. Watermarks and
    subtitles are not looked for, and provenance says so.

    Args:
        tolerance: levels (of 255) by which a bar's pixels may differ.
        max_level: brightness of a bar at most, 0..255.
        max_part: of the frame's height or width that a bar takes at most; more is a dark picture.

    Raises:
        ArgumentError: an argument is out of range.
    """

    name = "crop"
    resources = Resources()

    def __init__(self, *, tolerance: int = 12, max_level: int = 48, max_part: float = 0.4) -> None:
        if not 0 <= tolerance <= 255 or not 0 <= max_level <= 255 or not 0 <= max_part < 0.5:
            raise ArgumentError(
                "tolerance and max_level are levels in 0..255, and max_part lies in [0, 0.5) "
                f"(got {tolerance=}, {max_level=}, {max_part=})"
            )
        self.tolerance = tolerance
        self.max_level = max_level
        self.max_part = max_part

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """The options."""
        return {
            "tolerance": self.tolerance,
            "max_level": self.max_level,
            "max_part": self.max_part,
            "watermarks": "not looked for",
        }

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Set the crop of some clips."""
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        whole = replace(clip, crop_xyxy=None)
        frames = media.frames(whole, media.standard_indices(whole))
        crop = self.picture_box(frames)
        height, width = frames.shape[1:3]
        return [clip.made_by(self.name, self.facts(), crop_xyxy=None if crop == (0, 0, width, height) else crop)]

    def picture_box(self, frames: np.ndarray) -> tuple[int, int, int, int]:
        """What lies within the bars.

        Args:
            frames: uint8 [n, H, W, 3] RGB, of one clip.

        Returns:
            (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.
        """
        grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
        rows = grey.transpose(1, 0, 2).reshape(grey.shape[1], -1)
        top, bottom = self._bar(rows), self._bar(rows[::-1])
        inside = grey[:, top : grey.shape[1] - bottom]
        columns = inside.transpose(2, 0, 1).reshape(grey.shape[2], -1)
        left, right = self._bar(columns), self._bar(columns[::-1])
        return left, top, grey.shape[2] - right, grey.shape[1] - bottom

    def _bar(self, lines: np.ndarray) -> int:
        """How many lines, from the first on, are a bar."""
        level = int(np.median(lines[0]))
        if level > self.max_level:
            return 0
        most = int(self.max_part * len(lines))
        near = np.abs(lines[: most + 1].astype(np.int16) - level) <= self.tolerance
        flat = near.mean(axis=1) >= _FLAT_PART
        return 0 if flat.all() else int(np.argmin(flat))
