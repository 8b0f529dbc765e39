"""The annotated frame with its subjects painted out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from opens2v_hf.data.images import to_png
from opens2v_hf.errors import ArgumentError, ImageError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.inpainting import Inpainter, OpenCVInpainter, load_inpainter
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import each_clip
from opens2v_hf.pipeline.subjects import foreground

OPENCV = "opencv"


class Background:
    """Paints the subjects of a clip out of its annotated frame; those of background tags stay.

    Args:
        inpainter: "opencv" (Telea's method: quick, and good enough to tell painted out from not), the Hub id or folder
            of a diffusers inpainting pipeline, or an object with the method `paint_out` of `Inpainter`.
        dilation: pixels by which masks grow before, at a frame of 480 lines; in proportion at others.
        device: on which a pipeline computes, see `opens2v_hf.models.hub.pick_device`.
        revision: of a Hub repo.

    Raises:
        ArgumentError: `dilation` is negative.
    """

    name = "background"

    def __init__(
        self,
        *,
        inpainter: str | Inpainter = OPENCV,
        dilation: int = 7,
        device: str | None = None,
        revision: str | None = None,
    ) -> None:
        if dilation < 0:
            raise ArgumentError(f"masks grow by 0 pixels or more (got {dilation=})")
        self.inpainter = inpainter
        self.dilation = dilation
        self.device = device
        self.revision = revision
        is_pipeline = isinstance(inpainter, str) and inpainter != OPENCV
        self.resources = Resources(gpus=float(is_pipeline and str(device or "").startswith("cuda")))
        self._loaded: Inpainter | None = None

    def load(self) -> None:
        """Load the pipeline, if one is named.

        Raises:
            MissingDependencyError: diffusers is not installed.
            ModelError: the pipeline cannot be loaded.
        """
        self._ready()

    def facts(self) -> Mapping[str, Any]:
        """The inpainter."""
        if self._loaded is not None:
            made_by = dict(self._loaded.facts)
        elif isinstance(self.inpainter, str):
            made_by = {"name": self.inpainter}
        else:
            made_by = dict(self.inpainter.facts)
        return {"inpainter": made_by, "dilation": self.dilation}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Paint the subjects of some clips out."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _ready(self) -> Inpainter:
        if self._loaded is None:
            if not isinstance(self.inpainter, str):
                self._loaded = self.inpainter
            elif self.inpainter == OPENCV:
                self._loaded = OpenCVInpainter()
            else:
                self._loaded = load_inpainter(self.inpainter, revision=self.revision, device=self.device)
        return self._loaded

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        image = media.annotated(clip)
        hole = grown(foreground(clip), self.dilation)
        painted = self._ready().paint_out(image, hole) if hole.any() else image
        if painted.shape != image.shape or painted.dtype != np.uint8:
            raise ImageError(f"{clip.id}: the inpainter gave {painted.dtype} {painted.shape} for {image.shape}")
        return [clip.made_by(self.name, self.facts(), background_png=to_png(painted))]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask with a rim: bool [H, W] -> bool [H, W].

    Args:
        mask: bool [H, W].
        pixels: width of the rim in a picture of 480 lines; in proportion in others, at least 1 unless 0.
    """
    width = max(1, round(pixels * min(mask.shape) / 480)) if pixels else 0
    if not width:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
