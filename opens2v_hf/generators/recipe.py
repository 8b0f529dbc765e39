"""Settings of a generation: size, length, steps, guidance. They decide the video as much as the model does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from opens2v_hf._util.numbers import is_finite, is_whole
from opens2v_hf.errors import ArgumentError

SEED = 42
"""Default of every sample: the paper's (arXiv 2505.20292)."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a generation; a setting of None gets the model's default.

    Attributes:
        width: of the video, in pixels.
        height: likewise.
        num_frames: of the video.
        fps: frames per second of the video file. Nothing else depends on it.
        steps: of denoising.
        guidance: classifier-free guidance scale.
        flow_shift: of a flow-matching scheduler.
        negative_prompt: text of what the video must not show.
        extra: further keyword arguments of the pipeline's call, JSON-compatible.
        source: of the settings, for the record; no part of a video's key.
    """

    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    fps: float | None = None
    steps: int | None = None
    guidance: float | None = None
    flow_shift: float | None = None
    negative_prompt: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("width", "height", "num_frames", "steps"):
            value = getattr(self, name)
            if value is not None and not is_whole(value, 1):
                raise ArgumentError(f"recipe: {name} must be a whole number of at least 1 (got {value!r})")
        for name in ("fps", "guidance", "flow_shift"):
            value = getattr(self, name)
            if value is None:
                continue
            if not is_finite(value):
                raise ArgumentError(f"recipe: {name} must be a finite number (got {value!r})")
            if name != "guidance" and value <= 0:
                raise ArgumentError(f"recipe: {name} must be above 0 (got {value!r})")
        for name in ("negative_prompt", "source"):
            value = getattr(self, name)
            if not isinstance(value, str | (type(None) if name == "negative_prompt" else str)):
                raise ArgumentError(f"recipe: {name} must be text (got {value!r})")
        if not isinstance(self.extra, Mapping) or not all(isinstance(name, str) for name in self.extra):
            raise ArgumentError(f"recipe: extra must map names of arguments to values (got {self.extra!r})")
        try:
            json.dumps(dict(self.extra))
        except (TypeError, ValueError, RecursionError) as error:  # it is in the record of each video
            raise ArgumentError(f"recipe: extra must be JSON-compatible ({error})") from error

    def over(self, base: Recipe) -> Recipe:
        """This recipe, with the settings of `base` for those that are None; `extra` is merged name by name."""
        chosen = {
            each.name: value
            for each in fields(self)
            if each.name != "extra"
            and (value := getattr(self, each.name)) is not None
            # an empty negative prompt is a value, an empty source is none
            and (value or each.name != "source")
        }
        return replace(base, **chosen, extra={**base.extra, **self.extra})

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the settings that are not None."""
        left_open = {"extra": {}, "source": ""}
        return {name: value for name, value in asdict(self).items() if value != left_open.get(name)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """A recipe from its settings by name.

        Raises:
            ArgumentError: a setting is unknown or has a value that cannot be used.
        """
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise ArgumentError(f"{where} must map settings to values (got {content!r:.80})")
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise ArgumentError(f"{where}: unknown settings {', '.join(unknown)} (known: {', '.join(known)})")
        return cls(**content)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Recipe:
        """A recipe from a JSON or YAML file.

        Raises:
            ArgumentError: the file is missing, unreadable, or not a recipe.
        """
        import yaml

        if not isinstance(path, str | os.PathLike):
            raise ArgumentError(f"the file of a recipe must be a path (got {path!r:.80})")
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            content = json.loads(text) if Path(path).suffix == ".json" else yaml.safe_load(text)
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            raise ArgumentError(f"cannot read the recipe {path}: {' '.join(str(error).split())}") from error
        return cls.from_dict(content, where=str(path))
