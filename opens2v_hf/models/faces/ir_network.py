"""The face embedder's network: an improved residual net (IR), as CurricularFace (arXiv 2004.00288) uses it.

Modules are named so that the released checkpoint's keys fit as they are. Its 101 layers are 49 residual units; smaller
nets of the same make have fewer and narrower ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import config_from, known_values

ARCHITECTURE = "ir_face_embedder"
_STAGES = 4


@dataclass(frozen=True)
class IrConfig:
    """Size of an IR net; the defaults are IR-101's.

    Attributes:
        units: residual units in each of the four stages.
        widths: channels of the stem and of the four stages.
        input_px: side of the input.
        embed_dim: length of an embedding.
    """

    units: tuple[int, ...] = (3, 13, 30, 3)
    widths: tuple[int, ...] = (64, 64, 128, 256, 512)
    input_px: int = 112
    embed_dim: int = 512

    def __post_init__(self) -> None:
        numbers = (*self.units, *self.widths, self.input_px, self.embed_dim)
        if any(not is_whole(number, 1) for number in numbers):
            raise ModelError(f"units, widths and sizes must be whole numbers from 1 (got {self})")
        if len(self.units) != _STAGES or len(self.widths) != _STAGES + 1:
            raise ModelError(f"an IR net has {_STAGES} stages, and a width for the stem and each of them (got {self})")

    @property
    def map_px(self) -> int:
        """Side of the last feature map: every stage halves it, rounding up."""
        side = self.input_px
        for _ in range(_STAGES):
            side = (side + 1) // 2
        return side

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes, with the key "architecture"."""
        return {"architecture": ARCHITECTURE, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the configuration") -> IrConfig:
        """Read the attributes from a JSON object; a missing key has its default.

        Raises:
            ModelError: an unknown key, another architecture, or a value that cannot be used.
        """
        read = known_values(cls, values, source, also=("architecture",))
        if values.get("architecture", ARCHITECTURE) != ARCHITECTURE:
            raise ModelError(f"{source} describes a {values['architecture']!r}, and no {ARCHITECTURE!r}")
        for key in ("units", "widths"):
            if key in read and not isinstance(read[key], tuple):
                raise ModelError(f"{source}: {key} is a list of whole numbers (got {read[key]!r})")
        return cls(**read)

    @classmethod
    def from_file(cls, path: Path) -> IrConfig:
        """Read a config.json.

        Raises:
            ModelError: the file is missing, no JSON object, or see `from_dict`.
        """
        return config_from(path, "a face embedder", lambda values: cls.from_dict(values, source=str(path)))


class IrUnit(nn.Module):
    """A residual unit: normalise, convolve, rectify, convolve with the stride, normalise."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if channels == width:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, width, ceil(H / stride), ceil(W / stride)]."""
        return self.res_layer(features) + self.shortcut_layer(features)


class IrNetwork(nn.Module):
    """Network from aligned faces to embeddings, which are not normalised.

    Example:
        >>> network = IrNetwork(IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), input_px=32, embed_dim=6)).eval()
        >>> tuple(network(torch.zeros(2, 3, 32, 32)).shape)
        (2, 6)
    """

    def __init__(self, config: IrConfig | None = None) -> None:
        super().__init__()
        self.config = config or IrConfig()
        stem, last = self.config.widths[0], self.config.widths[-1]
        self.input_layer = nn.Sequential(nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem))
        self.body = nn.Sequential(*self._units())
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(last * self.config.map_px**2, self.config.embed_dim),
            nn.BatchNorm1d(self.config.embed_dim, affine=False),
        )

    def _units(self) -> Iterator[IrUnit]:
        channels = self.config.widths[0]
        for count, width in zip(self.config.units, self.config.widths[1:], strict=True):
            for number in range(count):
                yield IrUnit(channels, width, stride=2 if number == 0 else 1)
                channels = width

    def forward(self, pictures: Tensor) -> Tensor:
        """Embed.

        Args:
            pictures: [N, 3, input_px, input_px] RGB in [-1, 1].

        Returns:
            [N, embed_dim], of any length.
        """
        return self.output_layer(self.body(self.input_layer(pictures)))


def input_of(crops: Tensor) -> Tensor:
    """The network's input from uint8 [N, H, W, 3] RGB: float32 [N, 3, H, W] in [-1, 1]."""
    # contiguous: for channels that lie last other kernels run, whose rounding differs
    return (crops.permute(0, 3, 1, 2).contiguous().to(torch.float32) / 255 - 0.5) / 0.5
