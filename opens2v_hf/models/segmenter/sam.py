"""SAM 2 and SAM 2.1, and the tracker of SAM 3, which has the same interface."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.models.segmenter.preprocess import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    frame_logits,
    square_boxes,
    square_pixels,
)
from opens2v_hf.models.transformers_loading import load_config, load_placed

ROLE = "segmenter"


@dataclass(frozen=True)
class SamFamily:
    """Class and normalisation of a family of networks.

    Attributes:
        network: name of its class in transformers.
        mean: of each channel, 0..1, that pictures are normalised by.
        std: of each channel.
    """

    network: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


_SAM_2 = SamFamily("Sam2Model", IMAGENET_MEAN, IMAGENET_STD)
_SAM_3 = SamFamily("Sam3TrackerModel", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

FAMILIES = {
    "sam2": _SAM_2,
    "sam2_video": _SAM_2,
    "sam3": _SAM_3,
    "sam3_video": _SAM_3,
    "sam3_tracker": _SAM_3,
    "sam3_tracker_video": _SAM_3,
}
"""By the `model_type` of config.json. A checkpoint that also tracks through videos holds the network for pictures."""


class SamSegmenter:
    """Segments what is in a box, one mask a box (`multimask_output=False`, as the released pipeline does).

    Args:
        network: `Sam2Model` or `Sam3TrackerModel`, in evaluation mode.
        family: how pictures are normalised for it.
        info: provenance.
        box_batch: boxes that pass the mask decoder at a time.
    """

    def __init__(self, network: Any, family: SamFamily, info: ModelInfo, *, box_batch: int = 32) -> None:
        check_count("box_batch", box_batch)
        self.network = network.eval()
        self.family = family
        self.info = info
        self.box_batch = box_batch

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = ROLES[ROLE].released,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "float32",
        box_batch: int = 32,
    ) -> SamSegmenter:
        """Load a segmenter.

        Args:
            model: Hub id or folder of a SAM 2, SAM 2.1 or SAM 3 checkpoint in transformers' layout, or "embedded".
            revision: of a Hub repo.
            device: see `pick_device`.
            dtype: see `pick_dtype`.
            box_batch: see the class.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: the model cannot be found or loaded, or is none of these.
        """
        found = resolve_model(model, revision, ROLE)
        with loading(found):
            config = load_config(found)
            family = FAMILIES.get(config.model_type)
            if family is None:
                raise ModelError(
                    f"the segmenter {found.name!r} is a {config.model_type!r} model; segmenters are "
                    f"{', '.join(FAMILIES)} models"
                )
            import transformers

            network, info = load_placed(getattr(transformers, family.network), found, device, dtype, what="segmenter")
            return cls(network, family, info, box_batch=box_batch)

    @property
    def side(self) -> int:
        """Width and height in pixels of a picture as the network sees it."""
        return int(self.network.config.prompt_encoder_config.image_size)

    @torch.inference_mode()
    def segment(self, image: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]]) -> Segmentation:
        """Segment what each box shows.

        Args:
            image: uint8 [H, W, 3], RGB.
            boxes: float [N, 4], xyxy in pixels of the picture; N may be 0.

        Returns:
            bool [N, H, W] and float32 [N]; see `Segmentation`.

        Raises:
            ArgumentError: the picture or the boxes have another form.
        """
        height, width = check_picture(image)
        asked = _checked_boxes(boxes)
        if not len(asked):
            return Segmentation(np.zeros((0, height, width), bool), np.zeros(0, np.float32))
        pixels = square_pixels(image, self.side, self.family.mean, self.family.std)[None]
        embeddings = self.network.get_image_embeddings(pixels.to(self.network.device, self.network.dtype))
        prompts = square_boxes(asked, height, width, self.side).to(self.network.device, self.network.dtype)
        masks, scores = [], []
        for some in prompts.split(self.box_batch):
            output = self.network(image_embeddings=embeddings, input_boxes=some[None], multimask_output=False)
            masks.append((frame_logits(output.pred_masks[0, :, 0], height, width) > 0).cpu())
            scores.append(output.iou_scores[0, :, 0].float().cpu())
        return Segmentation(torch.cat(masks).numpy(), torch.cat(scores).numpy())


def _checked_boxes(boxes: np.ndarray | Sequence[Sequence[float]]) -> np.ndarray:
    asked = np.asarray(boxes, np.float64)
    if asked.size == 0:
        return asked.reshape(0, 4)
    if asked.ndim != 2 or asked.shape[1] != 4:
        raise ArgumentError(f"boxes must be [N, 4], xyxy in pixels (got an array of shape {list(asked.shape)})")
    wrong = ~np.isfinite(asked).all(axis=1) | (asked[:, 2:] <= asked[:, :2]).any(axis=1)
    if wrong.any():
        raise ArgumentError(f"a box must be x0 < x1, y0 < y1, finite (got {asked[wrong][0].tolist()})")
    return asked
