"""The plan of a run, made before the model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opens2v_hf._util.text import count_of
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.generators.outcome import Settings
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.request import Described
from opens2v_hf.generators.unit import is_made

_CONSEQUENCE: dict[TooMany, str] = {
    "fail": "they are listed as failed",
    "first": "the first ones are taken",
    "collage": "all are put on one canvas",
}


@dataclass(frozen=True)
class RunPlan:
    """Numbers of videos and samples of a run.

    Attributes:
        num_samples: of the benchmark.
        num_seeds: of each sample.
        num_to_make: videos that do not exist yet.
        num_there: videos of earlier runs with the same request.
        num_with_too_many: samples with more references than the model takes.
        max_references: that it takes; None for any number.
        too_many_references: treatment of those samples.
    """

    num_samples: int
    num_seeds: int
    num_to_make: int
    num_there: int
    num_with_too_many: int
    max_references: int | None
    too_many_references: TooMany

    def describe(self) -> list[str]:
        """The plan, a line each."""
        seeds = f" x {self.num_seeds} seeds" if self.num_seeds > 1 else ""
        lines = [
            f"{count_of(self.num_samples, 'sample')}{seeds}: {count_of(self.num_to_make, 'video')} to make, "
            f"{self.num_there} there already"
        ]
        if self.num_with_too_many:
            lines.append(
                f"{count_of(self.num_with_too_many, 'sample')} with more references than the model takes "
                f"({self.max_references}): "
                f"{_CONSEQUENCE[self.too_many_references]}"
            )
        return lines


def plan_run(
    described: Described,
    split: EvalSplit,
    samples: Sequence[EvalSample],
    settings: Sequence[Settings],
    folders: Mapping[int, Path],
) -> RunPlan:
    """Count the videos that exist and those to make.

    Args:
        described: who makes the videos.
        split: of the benchmark.
        samples: of it.
        settings: for each seed.
        folders: seed to the folder of its videos.
    """
    limit, too_many = described.max_references, settings[0].too_many_references
    above = {sample.id for sample in samples if limit is not None and len(sample.subjects) > limit}
    possible = [sample for sample in samples if too_many != "fail" or sample.id not in above]
    there = sum(
        is_made(sample, split, folders[each.seed], described.info, each) for each in settings for sample in possible
    )
    return RunPlan(
        len(samples), len(settings), len(possible) * len(settings) - there, there, len(above), limit, too_many
    )
