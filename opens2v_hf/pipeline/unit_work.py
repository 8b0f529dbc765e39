"""Process a unit, in steps that an engine may put on different workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.errors import ModelError, OpenS2VError
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.outcome import plain
from opens2v_hf.pipeline.apply import UnitResult, apply_stages
from opens2v_hf.pipeline.output import write_unit
from opens2v_hf.pipeline.readers import Reader
from opens2v_hf.pipeline.stage import Dropped, Stage
from opens2v_hf.pipeline.stage_models import check_stage_models
from opens2v_hf.pipeline.units import ERRORS, BuildUnit

INPUT = "input"
"""Name of the step before the first stage, for files that it drops."""

CRASH = "crash"
"""The rule under which files are dropped that crash each process that reads them."""


@dataclass(frozen=True)
class UnitWork:
    """The work on every unit of a dataset. It can be sent to other processes as long as nothing is loaded.

    Attributes:
        folder: of the dataset, absolute.
        stages: in their order.
        reader: of the input.
        recipe: digest of the stages and options, for the keys of units.
    """

    folder: Path
    stages: Sequence[Stage]
    reader: Reader
    recipe: str

    def load(self) -> None:
        """Load the models of all stages.

        Raises:
            OpenS2VError: one cannot be loaded; if several are missing, one error that lists them all; a `ModelError`
                for an error that is not of this package.
        """
        check_stage_models(self.stages)
        for stage in self.stages:
            try:
                with ends_as_errors():
                    stage.load()
            except OpenS2VError:
                raise
            except Exception as error:  # of a user's stage, or of a library
                log = ErrorLog(self.folder / ERRORS)
                log.write(f"loading the stage {stage.name}", error)
                raise ModelError(
                    f"the stage {stage.name} cannot be loaded ({type(error).__name__}: {error}); the traceback is in "
                    f"{ERRORS}"
                ) from error

    def do(self, unit: BuildUnit, crashing: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Do a unit from its files to its note, which is returned.

        Args:
            unit: to do.
            crashing: name of a file that ends any process that reads it -> how; these are dropped at once.
        """
        return self.finish(unit, apply_stages((), self.stages, self.begin(unit, crashing)))

    def begin(self, unit: BuildUnit, crashing: Mapping[str, str] | None = None) -> UnitResult:
        """The clips that the first stage gets."""
        crashing = crashing or {}
        clips = self.reader.begin(unit)
        return UnitResult(
            tuple(clip for clip in clips if clip.source.name not in crashing),
            tuple(
                Dropped(clip.id, INPUT, CRASH, crashing[clip.source.name], record=clip)
                for clip in clips
                if clip.source.name in crashing
            ),
        )

    def finish(self, unit: BuildUnit, result: UnitResult) -> dict[str, Any]:
        """Write what is left, and return the note."""
        note = write_unit(self.folder, unit, unit.key(self.recipe), result, self.reader)
        self.reader.end(unit)
        return note


def describe(stages: Sequence[Stage], output: dict[str, Any]) -> dict[str, Any]:
    """Everything that affects the shards: the facts of the stages in order, and the options of the output."""
    described: dict[str, Any] = plain({"stages": [[stage.name, dict(stage.facts())] for stage in stages], **output})
    return described


def digest_of(description: dict[str, Any]) -> str:
    """The recipe of `UnitWork`."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
