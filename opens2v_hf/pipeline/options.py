"""Options of a build: one object for Python, the command line and YAML files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from opens2v_hf.errors import ArgumentError, short_repr
from opens2v_hf.models.endpoint.engine_names import runs_elsewhere
from opens2v_hf.models.roles import ROLES as ROLES_OF_MODELS
from opens2v_hf.pipeline.rows import CRF
from opens2v_hf.pipeline.units import UnitSize

_MAX_FILE_BYTES = 1 << 20

_ARGUMENTS = {
    "captioner": (("caption", "captioner"),),
    "tagger": (("tags", "tagger"),),
    "text_detector": (("detect", "detector"),),
    "segmenter": (("segment", "segmenter"),),
    "embedder": (("scores", "embedder"),),
    "aesthetic_encoder": (("quality", "aesthetic_encoder"), ("scores", "aesthetic_encoder")),
    "aesthetic_head": (("quality", "aesthetic_head"), ("scores", "aesthetic_head")),
    "quality_scorer": (("quality", "technical"),),
    "inpainter": (("background", "inpainter"),),
}
"""Role to the stages that use its model, and the argument of each."""

ROLES = tuple(_ARGUMENTS)
_NO_MODELS = ("synthetic", "sharpness")  # rules, which are named like models
_NO_EMBEDDED = ("quality_scorer", "inpainter")  # by default rules replace them


class BuildOptions(BaseModel):
    """Options of `build`; every value that cannot be used is named at once.

    Models are named by role: a Hub id, a folder, "embedded", for a captioner also "openai:<model>", or a dict of "name"
    and arguments of loading (revision, dtype, base_url ...).

    Attributes:
        models: role -> model, or "embedded" for the small ones of this package in all roles; the roles are captioner,
            tagger (by default the captioner), text_detector, segmenter, embedder, aesthetic_encoder, aesthetic_head,
            quality_scorer (by default a measure of sharpness), inpainter (by default OpenCV's).
        device: of all models, e.g. "cuda"; None for the best there is.
        dtype: of the models that take one.
        captions: .json or .jsonl file of captions by name of the file or id of the clip, instead of a captioner's.
        preset: of rules by which clips and subjects are dropped in the end, "high-quality" as released; None for no
            rule.
        min_seconds: of a clip.
        max_seconds: of a clip.
        scene_detector: "auto", "transnetv2", "scenedetect" or "none".
        stages: what else there is to choose: stage -> arguments of its class, e.g. `{"scenes": {"min_seconds": 1}}`.
        unit_files: files of a unit at most. A unit becomes one shard, and is what is done again after a crash.
        unit_megabytes: of the files of a unit at most, in millions of bytes; a larger file is a unit of its own.
        crf: constant rate factor of x264 for clips that are cut out of a file, 0 (lossless but for colour) to 51.
        licence: of the videos, for the column `licence` and the card.

    Raises:
        ArgumentError: from `BuildOptions.of` and `read`; the constructor raises pydantic's ValidationError.
    """

    # the key of an endpoint may be among the values
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    models: Literal["embedded"] | dict[str, str | dict[str, Any]] = Field(default_factory=dict)
    device: str | None = None
    dtype: str | None = None
    captions: str | None = None
    preset: str | None = None
    min_seconds: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    max_seconds: float | None = Field(default=10.0, gt=0, allow_inf_nan=False)
    scene_detector: str = "auto"
    stages: dict[str, dict[str, Any]] = Field(default_factory=dict)
    unit_files: int = Field(default=32, ge=1, le=100_000)
    unit_megabytes: int = Field(default=256, ge=1, le=100_000)
    crf: int = Field(default=CRF, ge=0, le=51)
    licence: str | None = Field(default=None, max_length=200)

    @field_validator("models")
    @classmethod
    def _known_roles(cls, value: Any) -> Any:
        unknown = [] if isinstance(value, str) else sorted(set(value) - set(ROLES))
        if unknown:
            raise ValueError(f"there is no role {unknown[0]!r}; there are {', '.join(ROLES)}")
        return value

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "the options") -> Self:
        """Options of a mapping, e.g. of a YAML file.

        Args:
            values: name to value; what is missing keeps its default.
            where: names them in the message.

        Raises:
            ArgumentError: names every value that cannot be used.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = "; ".join(map(_described, error.errors()))
            raise ArgumentError(f"{where} cannot be used: {problems}") from error

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Options of a YAML file.

        Raises:
            ArgumentError: it cannot be read, or holds a value that cannot be used.
        """
        file = Path(path)
        try:
            if file.stat().st_size > _MAX_FILE_BYTES:
                raise ArgumentError(f"{file} has more than {_MAX_FILE_BYTES} bytes; give a file of options")
            values = yaml.safe_load(file.read_text("utf-8"))
        except OSError as error:
            raise ArgumentError(f"cannot read {file}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ArgumentError(f"{file} is no YAML: {' '.join(str(error).split())[:200]}") from error
        if values is not None and not isinstance(values, dict):
            raise ArgumentError(f"{file} must hold names and values of options (got {type(values).__name__})")
        return cls.of(values or {}, str(file))

    def arguments(self) -> dict[str, dict[str, Any]]:
        """Stage -> arguments of its class, for `stages.make_stages`."""
        found: dict[str, dict[str, Any]] = {}
        for role, targets in _ARGUMENTS.items():
            model = self._model(role)
            if model is not None:
                for stage, argument in targets:
                    found.setdefault(stage, {})[argument] = model
        found.setdefault("scenes", {}).update(
            detector=self.scene_detector, min_seconds=self.min_seconds, max_seconds=self.max_seconds, device=self.device
        )
        if self.captions is not None:
            found.setdefault("caption", {})["captions"] = self.captions
        if self.preset is not None:
            found.setdefault("filters", {})["preset"] = self.preset
        for stage, arguments in self.stages.items():
            found.setdefault(stage, {}).update(arguments)
        return found

    def _model(self, role: str) -> Any:
        """The model of a role for a stage; None for the stage's default."""
        if self.models == "embedded":
            return None if role in _NO_EMBEDDED else {"name": "embedded", **self._placed(role)}
        model = self.models.get(role)
        if model is None and role == "tagger":
            return self._model("captioner")
        if role == "inpainter":
            return model
        if model is None:
            released = None if role == "quality_scorer" or self._placed(role) == {} else ROLES_OF_MODELS[role].released
            return None if released is None else {"name": released, **self._placed(role)}
        # a server has a device and a dtype of its own
        placed = (
            {}
            if runs_elsewhere(model if isinstance(model, str) else str(model.get("name", "")))
            else self._placed(role)
        )
        if isinstance(model, str):
            return {**placed, "name": model} if placed and model not in _NO_MODELS else model
        return {**placed, **model}

    def _placed(self, role: str) -> dict[str, Any]:
        """Device and dtype, where something was said about them and the role takes them."""
        takes = ROLES_OF_MODELS["captioner" if role == "tagger" else role].arguments if role in ROLES else ()
        given = {"device": self.device, "dtype": self.dtype}
        return {name: value for name, value in given.items() if value is not None and name in takes}

    @property
    def unit_size(self) -> UnitSize:
        """Size limits of a unit."""
        return UnitSize(self.unit_files, self.unit_megabytes * 1_000_000)


def _described(problem: Mapping[str, Any]) -> str:
    """A problem of pydantic; its value is shown unless the key of an endpoint may be in it."""
    name, value = ".".join(map(str, problem["loc"])) or "the whole", problem["input"]
    is_plain = problem["type"] != "extra_forbidden" and (value is None or isinstance(value, str | int | float))
    return f"{name}: {problem['msg']}" + (f" (got {short_repr(value)})" if is_plain else "")
