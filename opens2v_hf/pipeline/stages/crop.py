"""Cutting off plain borders and overlays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.overlays import Box, OverlayRules, best_crop, find_overlays
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.subjects import dropped_subject

OVERLAY = "overlay"
"""The rule under which clips are dropped that would lose too much of their picture with their overlays."""

OVERLAY_CUT = "overlay_cut"
"""The rule under which overlays are counted that were cut off."""

_FLAT_PART = 0.98  # of a line's pixels; compression leaves some specks
_OVERLAY_SIDE_PX = 360  # of the shorter side of the frames in which overlays are searched


class Crop:
    """Finds bars around a picture (letterbox, pillarbox) and overlays, and sets the clip's crop to the rest.

    A line of pixels at the edge belongs to a bar if nearly all of it (98 %) has the brightness of the outermost line,
    in all standard frames; only bars that are dark count, so that a plain bright backdrop is none.

    Overlays are watermarks, logos and subtitles, see `opens2v_hf.pipeline.overlays`. The crop is the largest part of
    the picture without any. A clip that would lose more than `OverlayRules.max_loss` of its picture is dropped by the
    rule "overlay"; each overlay that is cut off is counted as "overlay_cut". Overlays on a picture that does not move
    are not found, nor are subtitles of which each stays for less than a third of the clip.

    Args:
        tolerance: levels (of 255) by which a bar's pixels may differ.
        max_level: brightness of a bar at most, 0..255.
        max_part: of the frame's height or width that a bar takes at most; more is a dark picture.
        overlays: an `OverlayRules` or some of its values; False to leave overlays in.

    Raises:
        ArgumentError: an argument is out of range.
    """

    name = "crop"
    resources = Resources()

    def __init__(
        self,
        *,
        tolerance: int = 12,
        max_level: int = 48,
        max_part: float = 0.4,
        overlays: OverlayRules | Mapping[str, Any] | bool = True,
    ) -> None:
        if not 0 <= tolerance <= 255 or not 0 <= max_level <= 255 or not 0 <= max_part < 0.5:
            raise ArgumentError(
                "tolerance and max_level must be levels in 0..255, and max_part must be in [0, 0.5) "
                f"(got {tolerance=}, {max_level=}, {max_part=})"
            )
        self.tolerance = tolerance
        self.max_level = max_level
        self.max_part = max_part
        self.overlays = OverlayRules.of(overlays)

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """The options."""
        return {
            "tolerance": self.tolerance,
            "max_level": self.max_level,
            "max_part": self.max_part,
            "overlays": None if self.overlays is None else self.overlays.facts(),
        }

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Set the crop of some clips."""
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        whole = replace(clip, crop_xyxy=None)
        standard, small = self._frames(whole)
        height, width = standard.shape[1:3]
        picture = self.picture_box(standard)
        overlays = self._overlays(small, picture, (height, width))
        crop = best_crop(picture, overlays) if overlays else picture
        if overlays:
            self._check_loss(crop, picture, overlays)
            lost += [
                dropped_subject(clip, self.name, "overlay", OVERLAY_CUT, f"at {box} of {width}x{height}")
                for box in overlays
            ]
        return [clip.made_by(self.name, self.facts(), crop_xyxy=None if crop == (0, 0, width, height) else crop)]

    def _frames(self, whole: ClipRecord) -> tuple[np.ndarray, np.ndarray]:
        """The standard frames, and small grey ones in which overlays are searched; decoded in one pass."""
        standard = set(media.standard_indices(whole))
        spread: set[int] = set()
        if self.overlays is not None:
            spread = set(self.overlays.positions(whole.num_frames))
        indices = sorted(standard | spread)
        large, small = [], []
        for index, frame in zip(indices, media.stream(whole, indices), strict=True):
            if index in standard:
                large.append(frame)
            if index in spread:
                small.append(_small_grey(frame))
        return np.stack(large), np.stack(small) if small else np.empty((0, 0, 0), np.uint8)

    def _overlays(self, small: np.ndarray, picture: Box, size: tuple[int, int]) -> list[Box]:
        """In pixels of the frame."""
        if self.overlays is None:
            return []
        scale_y, scale_x = size[0] / small.shape[1], size[1] / small.shape[2]
        x0, y0 = round(picture[0] / scale_x), round(picture[1] / scale_y)
        x1, y1 = round(picture[2] / scale_x), round(picture[3] / scale_y)
        return [
            (
                max(picture[0], int((box[0] + x0) * scale_x)),
                max(picture[1], int((box[1] + y0) * scale_y)),
                min(picture[2], int(np.ceil((box[2] + x0) * scale_x))),
                min(picture[3], int(np.ceil((box[3] + y0) * scale_y))),
            )
            for box in find_overlays(small[:, y0:y1, x0:x1], self.overlays)
        ]

    def _check_loss(self, crop: Box, picture: Box, overlays: Sequence[Box]) -> None:
        most = 1.0 if self.overlays is None else self.overlays.max_loss
        left, whole = ((box[2] - box[0]) * (box[3] - box[1]) for box in (crop, picture))
        loss = 1 - left / whole
        if loss > most:
            found = ", ".join(map(str, overlays))
            raise ClipDroppedError(
                OVERLAY, f"cutting off the overlays at {found} costs {loss:.3f} of the picture, at most {most:g}"
            )

    def picture_box(self, frames: np.ndarray) -> Box:
        """The picture within the bars.

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
        """Number of lines of a bar, from the first line on."""
        level = int(np.median(lines[0]))
        if level > self.max_level:
            return 0
        most = int(self.max_part * len(lines))
        near = np.abs(lines[: most + 1].astype(np.int16) - level) <= self.tolerance
        flat = near.mean(axis=1) >= _FLAT_PART
        return 0 if flat.all() else int(np.argmin(flat))


def _small_grey(frame: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = _OVERLAY_SIDE_PX / min(grey.shape)
    return grey if scale >= 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
