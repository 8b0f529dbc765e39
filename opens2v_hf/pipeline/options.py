"""How a dataset is made: one object for Python, the command line and YAML files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.rows import CRF
from opens2v_hf.pipeline.units import UnitSize

_MAX_FILE_BYTES = 1 << 20


class BuildOptions(BaseModel):
    """Options of `build`; every value that cannot be used is named at once.

    Attributes:
        stages: stage -> arguments of its class, e.g. `{"scenes": {"min_seconds": 1}}`.
        unit_files: files of a unit at most. A unit becomes one shard, and is what is done again after a crash.
        unit_megabytes: of the files of a unit at most, in millions of bytes; a larger file is a unit of its own.
        crf: constant rate factor of x264 for clips that are cut out of a file, 0 (lossless but for colour) to 51.
        licence: of the videos, for the column `licence` and the card.

    Raises:
        ArgumentError: from `BuildOptions.of` and `read`; the constructor raises pydantic's ValidationError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: dict[str, dict[str, Any]] = Field(default_factory=dict)
    unit_files: int = Field(default=32, ge=1, le=100_000)
    unit_megabytes: int = Field(default=256, ge=1, le=100_000)
    crf: int = Field(default=CRF, ge=0, le=51)
    licence: str | None = Field(default=None, max_length=200)

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
            problems = [
                f"{'.'.join(str(part) for part in problem['loc']) or 'the whole'}: {problem['msg']}"
                for problem in error.errors()
            ]
            raise ArgumentError(f"{where} cannot be used: {'; '.join(problems)}") from error

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

    @property
    def unit_size(self) -> UnitSize:
        """What a unit holds at most."""
        return UnitSize(self.unit_files, self.unit_megabytes * 1_000_000)
