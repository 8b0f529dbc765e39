"""The embedded face detector's network: one fully convolutional pass says where faces are, how large, and how placed.

After the centre-point detectors (arXiv 1904.07850): every cell of a map says whether a face has its middle there, how
far its box reaches to each side, and where in the box its landmarks lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import config_from, known_values

ARCHITECTURE = "heatmap_face_detector"
STRIDE = 4
"""Input px from one cell to the next."""

NUM_LANDMARKS = 5
_UNIT_PX = 8.0  # distance of a box's side where the network gives 0


@dataclass(frozen=True)
class HeatmapConfig:
    """Size and threshold of the detector.

    Attributes:
        widths: channels of the five levels, each half as fine as the one before.
        neck_width: channels of the map that faces are read from.
        input_px: side of the input, a multiple of 32.
        score_threshold: faces that score below are none.
        nms_iou: of two faces that overlap more, the one with the lower score is none.
        max_faces: of a picture, those with the highest scores.
    """

    widths: tuple[int, ...] = (16, 24, 48, 64, 96)
    neck_width: int = 32
    input_px: int = 160
    score_threshold: float = 0.5
    nms_iou: float = 0.4
    max_faces: int = 20

    def __post_init__(self) -> None:
        whole = (*self.widths, self.neck_width, self.input_px, self.max_faces)
        if any(not is_whole(number, 1) for number in whole):
            raise ModelError(f"widths, sides and counts must be whole numbers from 1 (got {self})")
        if len(self.widths) != 5 or self.input_px % 32:
            raise ModelError(f"the detector has five levels, and an input of a multiple of 32 px (got {self})")
        if not 0 < self.score_threshold < 1 or not 0 < self.nms_iou < 1:
            raise ModelError(f"thresholds must be between 0 and 1 (got {self})")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes, with the key "architecture"."""
        return {"architecture": ARCHITECTURE, **asdict(self)}

    @classmethod
    def from_file(cls, path: Path) -> HeatmapConfig:
        """Read a config.json; a missing key has its default.

        Raises:
            ModelError: the file is missing, no JSON object, has unknown keys or values that cannot be used.
        """
        return config_from(path, "a face detector", lambda values: cls._from_dict(values, path))

    @classmethod
    def _from_dict(cls, values: Mapping[str, Any], path: Path) -> HeatmapConfig:
        if values.get("architecture") != ARCHITECTURE:
            raise ModelError(f"{path} does not describe a {ARCHITECTURE!r}")
        return cls(**known_values(cls, values, str(path), also=("architecture",)))


class FaceMap(NamedTuple):
    """Output of the network at every cell; H, W in cells of `STRIDE` px.

    Attributes:
        logits: [N, H, W], whether a face has its middle there.
        boxes: [N, H, W, 4], left, top, right, bottom in input px of the face to which the cell belongs.
        landmarks: [N, H, W, 5, 2], x and y in input px.
    """

    logits: Tensor
    boxes: Tensor
    landmarks: Tensor


class HeatmapFaceNetwork(nn.Module):
    """Five levels down, and up again to a quarter of the input.

    Example:
        >>> found = HeatmapFaceNetwork(HeatmapConfig(widths=(4, 4, 4, 4, 4), neck_width=4, input_px=64)).eval()(
        ...     torch.zeros(2, 3, 64, 64))
        >>> tuple(found.logits.shape), tuple(found.boxes.shape), tuple(found.landmarks.shape)
        ((2, 16, 16), (2, 16, 16, 4), (2, 16, 16, 5, 2))
    """

    def __init__(self, config: HeatmapConfig | None = None) -> None:
        super().__init__()
        self.config = config or HeatmapConfig()
        first, *deeper = self.config.widths
        neck = self.config.neck_width
        self.stem = _convolution(3, first, stride=2)
        channels = (first, *deeper)
        self.levels = nn.ModuleList(
            nn.Sequential(
                _convolution(channels[i], channels[i + 1], stride=2), _convolution(channels[i + 1], channels[i + 1])
            )
            for i in range(len(deeper))
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, neck, 1) for width in deeper)
        self.smooth = nn.ModuleList(_convolution(neck, neck) for _ in deeper)
        self.head = nn.Conv2d(neck, 1 + 4 + 2 * NUM_LANDMARKS, 1)

    def forward(self, pictures: Tensor) -> FaceMap:
        """Look for faces.

        Args:
            pictures: [N, 3, S, S] RGB in [-1, 1], S = `config.input_px`.
        """
        features = self.stem(pictures)
        levels = []
        for level in self.levels:
            features = level(features)
            levels.append(features)
        above: Tensor | None = None
        for lateral, smooth, features in reversed(list(zip(self.laterals, self.smooth, levels, strict=True))):
            merged = lateral(features)
            if above is not None:
                merged = merged + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = smooth(merged)
        # positions are fractions of a px, for which lower precisions are too coarse
        return _read(self.head(above).permute(0, 2, 3, 1).float())


def _read(cells: Tensor) -> FaceMap:
    """Convert raw numbers [N, H, W, 15] to px."""
    height, width = cells.shape[1:3]
    y, x = torch.meshgrid(
        torch.arange(height, device=cells.device), torch.arange(width, device=cells.device), indexing="ij"
    )
    middle = (torch.stack([x, y], dim=-1) + 0.5) * STRIDE
    reach = cells[..., 1:5].clamp(-6, 6).exp() * _UNIT_PX
    boxes = torch.cat([middle - reach[..., :2], middle + reach[..., 2:]], dim=-1)
    size = boxes[..., 2:] - boxes[..., :2]
    centre = (boxes[..., 2:] + boxes[..., :2]) / 2
    inside = cells[..., 5:].unflatten(-1, (NUM_LANDMARKS, 2))
    landmarks = centre[..., None, :] + inside * size[..., None, :]
    return FaceMap(cells[..., 0], boxes, landmarks)


def _convolution(channels: int, width: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )
