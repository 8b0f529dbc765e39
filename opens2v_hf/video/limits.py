"""Limits on the size of a video, checked before it is decoded, so that no file fills the memory or runs for hours."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Self

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, VideoError

_VARIABLES = {
    "max_frames": "OPENS2V_MAX_VIDEO_FRAMES",
    "max_frame_pixels": "OPENS2V_MAX_FRAME_PIXELS",
    "max_video_pixels": "OPENS2V_MAX_VIDEO_PIXELS",
}


@dataclass(frozen=True)
class Limits:
    """The largest video that is read.

    Attributes:
        max_frames: frames of a video.
        max_frame_pixels: width times height; by default 4096 x 4096, above any 4K format.
        max_video_pixels: width times height times frames; by default about half an hour of 1920 x 1080 at 25 frames a
            second.
    """

    max_frames: int = 1_000_000
    max_frame_pixels: int = 1 << 24
    max_video_pixels: int = 100_000_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not is_whole(value, 1):
                raise ArgumentError(f"{field.name} must be a whole number from 1 (got {value!r})")

    @classmethod
    def from_environment(cls) -> Self:
        """The defaults, or what OPENS2V_MAX_VIDEO_FRAMES, OPENS2V_MAX_FRAME_PIXELS and OPENS2V_MAX_VIDEO_PIXELS say.

        Raises:
            ArgumentError: if one of them is no whole number from 1.
        """
        given = {}
        for field, variable in _VARIABLES.items():
            text = os.environ.get(variable, "").strip().replace("_", "")
            if text:
                # 18 digits: all that fits into 64 bits; longer texts are not converted.
                if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text)):
                    raise ArgumentError(
                        f"the environment variable {variable} must be a whole number from 1 (got {text[:40]!r})"
                    )
                given[field] = int(text)
        return cls(**given)

    def check_frames(self, name: str, num_frames: int) -> None:
        """Refuse a video of too many frames.

        Raises:
            VideoError: if it has more than `max_frames`.
        """
        if num_frames > self.max_frames:
            raise VideoError(
                f"{name}: claims {num_frames} frames, and at most {self.max_frames} are read; cut it shorter, or set "
                f"{_VARIABLES['max_frames']} to a higher number"
            )

    def check_frame_size(self, name: str, width: int, height: int) -> None:
        """Refuse a video of too large frames.

        Raises:
            VideoError: if one has more pixels than `max_frame_pixels`.
        """
        if width * height > self.max_frame_pixels:
            raise VideoError(
                f"{name}: its frames are {width}x{height}, which is {width * height} pixels, and at most "
                f"{self.max_frame_pixels} are read; make it smaller, or set {_VARIABLES['max_frame_pixels']} to a "
                "higher number"
            )

    def check(self, name: str, num_frames: int, width: int, height: int) -> None:
        """Refuse a video that is too large in any way.

        Raises:
            VideoError: if it passes one of the limits.
        """
        self.check_frames(name, num_frames)
        self.check_frame_size(name, width, height)
        pixels = num_frames * width * height
        if pixels > self.max_video_pixels:
            raise VideoError(
                f"{name}: {num_frames} frames of {width}x{height} are {pixels} pixels, and at most "
                f"{self.max_video_pixels} are read; cut it shorter or make it smaller, or set "
                f"{_VARIABLES['max_video_pixels']} to a higher number"
            )

    @property
    def decoder_pixels(self) -> int:
        """Largest size of a frame in a decoder, which rounds sizes up to whole blocks and crops afterwards."""
        return 2 * self.max_frame_pixels + (1 << 16)
