"""Widths, depths and thresholds of a YOLO-World detector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import config_from

STRIDES = (8, 16, 32)
"""Pixels of the network's input a cell of each level."""


@dataclass(frozen=True)
class YoloWorldConfig:
    """Everything that a set of detector weights does not say itself; the defaults are the released v2-L's.

    Attributes:
        widen_factor: of the backbone's widths 64 (stem), 128, 256, 512, `last_stage_out_channels`; rounded up to
            multiples of 8.
        deepen_factor: of the depths 3, 6, 6, 3 of the backbone's stages and 3 of the neck's layers; at least 1 each.
        last_stage_out_channels: of stage 4, before `widen_factor`.
        guide_dim: of a prompt, and of the picture embedding that it is made from.
        num_heads: of the prompt's attention on the levels of stride 8, 16 and 32.
        head_embed_dims: of the head's feature that is compared with a prompt; equal to `guide_dim`.
        cls_hidden: width of the head's class branches.
        reg_hidden: width of the head's box branches.
        reg_max: bins of the distribution over each of a box's four distances.
        image_size: side of the square network input in px, a multiple of 32.
        pre_score_threshold: candidates at or below it never enter suppression.
        pre_max: candidates that enter suppression, at most.
        nms_iou: overlap above which the box of lower score is suppressed.
        nms_max: boxes that the first suppression leaves, at most.
        score_threshold: boxes at or below it are no detections.
        max_detections: of one prompt in one frame.
    """

    widen_factor: float = 1.0
    deepen_factor: float = 1.0
    last_stage_out_channels: int = 512
    guide_dim: int = 512
    num_heads: tuple[int, int, int] = (4, 8, 8)
    head_embed_dims: int = 512
    cls_hidden: int = 256
    reg_hidden: int = 64
    reg_max: int = 16
    image_size: int = 640
    pre_score_threshold: float = 0.001
    pre_max: int = 30000
    nms_iou: float = 0.7
    nms_max: int = 300
    score_threshold: float = 0.5
    max_detections: int = 100

    def __post_init__(self) -> None:
        if self.image_size < 32 or self.image_size % STRIDES[-1]:
            raise ModelError(f"image_size must be a multiple of 32 px (got {self.image_size})")
        if self.head_embed_dims != self.guide_dim:
            raise ModelError(
                f"prompts and head features must have one width (got {self.guide_dim=}, {self.head_embed_dims=})"
            )
        for width, heads in zip(self.level_widths, self.num_heads, strict=True):
            if (width // 2) % heads:
                raise ModelError(
                    f"num_heads must divide the channels of their level, {width // 2} (got {self.num_heads})"
                )

    @property
    def stem_width(self) -> int:
        """Channels after the stem."""
        return self._width(64)

    @property
    def stage_widths(self) -> tuple[int, int, int, int]:
        """Channels after the backbone's stages 1 to 4."""
        return self._width(128), self._width(256), self._width(512), self._width(self.last_stage_out_channels)

    @property
    def stage_depths(self) -> tuple[int, int, int, int]:
        """Bottlenecks in the backbone's stages 1 to 4."""
        return self._depth(3), self._depth(6), self._depth(6), self._depth(3)

    @property
    def level_widths(self) -> tuple[int, int, int]:
        """Channels of the levels of stride 8, 16 and 32, before and after the neck."""
        return self.stage_widths[1:]

    @property
    def neck_depth(self) -> int:
        """Bottlenecks in each layer of the neck."""
        return self._depth(3)

    @property
    def projector_width(self) -> int:
        """Hidden width of the prompt's projector."""
        return 2 * self.guide_dim

    def _width(self, base: int) -> int:
        return math.ceil(base * self.widen_factor / 8) * 8

    def _depth(self, base: int) -> int:
        return max(round(base * self.deepen_factor), 1)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return {**asdict(self), "num_heads": list(self.num_heads)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the configuration") -> YoloWorldConfig:
        """Read the attributes from a JSON object.

        The spelling of the released code's configuration is read too: `img_scale` [w, h], `test_cfg` and `post` with
        their thresholds; keys that follow from others (`in_channels`, `embed_channels`, `strides`) must agree.

        Args:
            values: keys as the attributes; a missing key has its default.
            source: what the values come from, for messages.

        Raises:
            ModelError: an unknown key, a value of the wrong type, or values that contradict each other.
        """
        known = {item.name for item in fields(cls)}
        own = {key: value for key, value in values.items() if key in known}
        own |= _released_spelling(values, source)
        implied = {"in_channels", "embed_channels", "strides", "architecture", *_RELEASED_KEYS}
        if unknown := sorted(set(values) - known - implied):
            raise ModelError(f"{source} has unknown keys: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        try:
            heads = tuple(int(heads) for heads in own.pop("num_heads", cls.num_heads))
            config = cls(num_heads=heads, **own)  # type: ignore[arg-type]
            expected_values = {
                "in_channels": config.level_widths,
                "embed_channels": tuple(width // 2 for width in config.level_widths),
                "strides": STRIDES,
            }
        except (TypeError, ValueError) as error:
            raise ModelError(f"{source} does not describe a YOLO-World detector: {error}") from error
        for key, expected in expected_values.items():
            if key in values and tuple(values[key]) != expected:
                raise ModelError(f"{source}: {key} is {values[key]}, and the other values make it {list(expected)}")
        return config

    @classmethod
    def from_file(cls, path: Path) -> YoloWorldConfig:
        """Read a config.json.

        Raises:
            ModelError: the file is missing, no JSON object, or see `from_dict`.
        """
        return config_from(path, "a detector", lambda values: cls.from_dict(values, source=str(path)))


_RELEASED_KEYS = ("img_scale", "test_cfg", "post")
_RELEASED_TEST = {"score_thr": "pre_score_threshold", "nms_pre": "pre_max", "iou": "nms_iou", "max_per_img": "nms_max"}
_RELEASED_POST = {"score_thr": "score_threshold", "max": "max_detections"}


def _released_spelling(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Translate the nested keys of the released code's configuration."""
    found: dict[str, Any] = {}
    if "img_scale" in values:
        sides = set(values["img_scale"])
        if len(sides) != 1:
            raise ModelError(f"{source}: only square inputs are known (got img_scale {values['img_scale']})")
        found["image_size"] = int(sides.pop())
    for section, names in (("test_cfg", _RELEASED_TEST), ("post", _RELEASED_POST)):
        inside = values.get(section, {})
        found |= {names[key]: value for key, value in inside.items() if key in names}
    if values.get("post", {}).get("nms", found.get("nms_iou")) != found.get("nms_iou"):
        raise ModelError(
            f"{source}: the two suppressions have one threshold (got {values['test_cfg']}, {values['post']})"
        )
    return found
