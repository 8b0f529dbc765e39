"""Models that know the synthetic scenes: they find out which frame a picture is, and answer what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from opens2v_hf.data.synthetic.dataset_layout import background_tag
from opens2v_hf.data.synthetic.dataset_plan import DatasetClip, DatasetFile
from opens2v_hf.data.synthetic.render import Rendered, mask_box, render_frame
from opens2v_hf.data.synthetic.scenes import Scene, phrase
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.models.text_detector.base import Detection, Detections
from opens2v_hf.video.writer import write_video


def write_files(files: Sequence[DatasetFile], folder: Path) -> list[Path]:
    return [write_video(folder / file.name, file.frames(), file.fps) for file in files]


class SceneOracle:
    """Detector and segmenter at once, for the first frames of some clips."""

    def __init__(self, clips: Sequence[DatasetClip]) -> None:
        self.info = ModelInfo("text_detector", "the scenes themselves")
        self.options = {}
        self._known = [(clip.scene, render_frame(clip.scene, 0)) for clip in clips]

    def recognise(self, image: np.ndarray) -> tuple[Scene, Rendered]:
        def difference(known):
            return np.abs(known[1].image.astype(float) - image).mean()

        scene, rendered = min(self._known, key=difference)
        assert difference((scene, rendered)) < 12, "none of the known frames"
        return scene, rendered

    def things(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Phrase -> mask of what is to be seen."""
        scene, rendered = self.recognise(image)
        found = {phrase(sprite): mask for sprite, mask in zip(scene.sprites, rendered.masks, strict=True) if mask.any()}
        return found | {background_tag(scene): ~rendered.masks.any(axis=0)}

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        things = self.things(image)
        return Detections(
            tuple(
                Detection(index, tuple(mask_box(things[words]).tolist()), 0.9 - index / 100)
                for index, words in enumerate(phrases)
                if words in things
            )
        )

    def segment(self, image: np.ndarray, boxes: np.ndarray) -> Segmentation:
        masks = list(self.things(image).values())
        known = np.stack([mask_box(mask) for mask in masks])
        nearest = [int(np.abs(known - box).sum(axis=1).argmin()) for box in np.asarray(boxes)]
        return Segmentation(np.stack([masks[index] for index in nearest]), np.full(len(nearest), 0.95, np.float32))
