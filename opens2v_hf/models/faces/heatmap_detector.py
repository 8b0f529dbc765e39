"""The embedded face detector: a picture in, its faces out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch

from opens2v_hf.models.faces.face import Face
from opens2v_hf.models.faces.heatmap_network import HeatmapFaceNetwork
from opens2v_hf.models.hub import pick_device
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.yolo_world.boxes import non_maximum_suppression

PAD_LEVEL = 128
"""Grey of the input beyond the picture, 0..255."""


class HeatmapFaceDetector:
    """A heat-map network in evaluation mode, with what comes before and after it.

    Args:
        network: with its weights, float32.
        info: provenance.
        device: see `pick_device`.
    """

    def __init__(
        self, network: HeatmapFaceNetwork, info: ModelInfo, *, device: str | torch.device | None = "cpu"
    ) -> None:
        self.device = pick_device(device)
        self.network = network.to(self.device).float().eval().requires_grad_(False)
        self.info = info

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the faces."""
        names = ("input_px", "score_threshold", "nms_iou", "max_faces")
        return {name: getattr(self.network.config, name) for name in names}

    @torch.inference_mode()
    def detect(self, image: np.ndarray) -> list[Face]:
        """Find faces.

        Args:
            image: uint8 [H, W, 3] RGB.

        Returns:
            At most `max_faces`, by falling score.

        Raises:
            ArgumentError: a picture of another shape or dtype.
        """
        config = self.network.config
        placed, scale = fit_picture(image, config.input_px)
        # contiguous: for channels that lie last other kernels run, whose rounding differs
        pixels = torch.from_numpy(placed).to(self.device).permute(2, 0, 1)[None].contiguous().float() / 127.5 - 1
        found = self.network(pixels)
        scores = found.logits[0].sigmoid().flatten()
        boxes, landmarks = found.boxes[0].flatten(0, 1), found.landmarks[0].flatten(0, 1)
        likely = (scores >= config.score_threshold).nonzero()[:, 0]
        order = likely[scores[likely].argsort(descending=True, stable=True)].cpu().numpy()
        selected = order[non_maximum_suppression(boxes.cpu().numpy()[order], config.nms_iou, max_kept=config.max_faces)]
        return [
            Face(boxes[i].cpu().numpy() / scale, landmarks[i].cpu().numpy() / scale, float(scores[i])) for i in selected
        ]


def fit_picture(image: np.ndarray, side: int) -> tuple[np.ndarray, np.float32]:
    """Bring a picture's longer side to `side` px; below or right of it comes grey.

    Returns:
        uint8 [side, side, 3], and how much larger the picture has become.

    Raises:
        ArgumentError: a picture of another shape or dtype.
    """
    height, width = check_picture(image)
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    placed = np.full((side, side, 3), PAD_LEVEL, np.uint8)
    placed[: size[1], : size[0]] = resized
    return placed, np.float32(scale)
