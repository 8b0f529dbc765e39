"""Comparison of two models on the same prompts: which differences are significant, and which prompts they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ResultError
from opens2v_hf.results.columns import (
    column_metrics,
    companion_metrics,
    require_known_missing,
    seeds_of,
    values_by_seed,
)
from opens2v_hf.results.compare_text import format_comparison, summary
from opens2v_hf.results.result import MetricResult, RunResult, notes
from opens2v_hf.results.views import short_name
from opens2v_hf.scores.paired import FEW_PROMPTS, Difference, PairedComparison, compare_companions, compare_values
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, SPLITS, STRICT
from opens2v_hf.scores.seeds import SeedValues

TOP = 5


@dataclass(frozen=True)
class PromptDifference:
    """The values of both models for one prompt, means over the seeds where there are several.

    Attributes:
        id: of the sample.
        a: raw value of the first model.
        b: of the second one.
        difference: of the normalised values, `a - b`.
    """

    id: str
    a: float
    b: float
    difference: float


@dataclass(frozen=True, repr=False)
class ResultComparison:
    """Two results of one split.

    Attributes:
        a: name of the first model; " (A)" is added where both have the same.
        b: name of the second one, with " (B)".
        split: of both.
        version: of the weights.
        scoring: "released" or "strict".
        seeds_a: seeds of the first model's videos; of several, each prompt counts with its mean over them. Empty where
            the result does not name a seed.
        seeds_b: of the second one's.
        paired: differences of the columns and the total, with intervals from a bootstrap over prompts.
        companions: the same for metrics that fill no column, in their own units; they have no part in the total.
            Computed from the first seed, the only one that results hold them for.
        prompts: column to the prompts with the largest differences, largest first.
        only_a: ids that only the first model has a video for.
        only_b: ids that only the second one has a video for.
        warnings: differences in how the results were made, which may explain the numbers.
    """

    a: str
    b: str
    split: str
    version: str
    scoring: str
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    paired: PairedComparison
    companions: Mapping[str, Difference]
    prompts: Mapping[str, tuple[PromptDifference, ...]]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<ResultComparison of {short_name(self.a)} and {short_name(self.b)} on {self.split}: {summary(self)}>"

    def __str__(self) -> str:
        return format_comparison(self)

    @property
    def differences(self) -> list[Difference]:
        """The total, where there is one, and the columns."""
        total = [] if self.paired.total is None else [self.paired.total]
        return [*total, *self.paired.columns.values()]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return {
            "a": self.a,
            "b": self.b,
            "split": self.split,
            "version": self.version,
            "scoring": self.scoring,
            "seeds_a": list(self.seeds_a),
            "seeds_b": list(self.seeds_b),
            "partial": self.paired.partial,
            "missing_columns": list(self.paired.missing_columns),
            "total": None if self.paired.total is None else self.paired.total.to_dict(),
            "columns": {name: difference.to_dict() for name, difference in self.paired.columns.items()},
            "companions": {name: difference.to_dict() for name, difference in self.companions.items()},
            "prompts": {name: [asdict(prompt) for prompt in prompts] for name, prompts in self.prompts.items()},
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "warnings": list(self.warnings),
        }


@checked
def compare_results(
    a: RunResult, b: RunResult, *, version: str = "v1.1", scoring: str = RELEASED, top: int = TOP
) -> ResultComparison:
    """Compare two results of the same split.

    Args:
        a: of the first model.
        b: of the second one.
        version: of the weights.
        scoring: "released" or "strict".
        top: how many prompts are named for each column.

    Raises:
        ResultError: the splits differ or have no leaderboard, nothing is common to both, or strict scoring of
            a result that does not name the metrics of its missing videos.
        ArgumentError: an unknown version or scoring.
    """
    if a.split != b.split:
        raise ResultError(
            f"{a.model!r} was scored on {a.split} and {b.model!r} on {b.split}; compare results of one split"
        )
    if a.split not in SPLITS:
        raise ResultError(f"{a.split!r} is no split of the leaderboard (known are: {', '.join(SPLITS)})")
    if scoring == STRICT:
        for result in (a, b):
            require_known_missing(result)
    values = [values_by_seed(result, version) for result in (a, b)]
    paired = compare_values(*values, split=a.split, version=version, scoring=scoring)
    companions = compare_companions(*(_companion_values(result) for result in (a, b)))
    if not paired.columns and not companions:
        raise ResultError(f"{a.model!r} and {b.model!r} have no column and prompt in common; score both alike first")
    ids = [{video.id for video in result.videos} for result in (a, b)]
    names = (a.model, b.model) if a.model != b.model else (f"{a.model} (A)", f"{b.model} (B)")
    return ResultComparison(
        a=names[0],
        b=names[1],
        split=a.split,
        version=version,
        scoring=scoring,
        seeds_a=seeds_of(a),
        seeds_b=seeds_of(b),
        paired=paired,
        companions=companions,
        prompts={name: _most_different(name, values[0], values[1], top) for name in paired.columns},
        only_a=tuple(video.id for video in a.videos if video.id not in ids[1]),
        only_b=tuple(video.id for video in b.videos if video.id not in ids[0]),
        warnings=tuple(_warnings(a, b, names, paired, companions)),
    )


def _companion_values(result: RunResult) -> dict[str, dict[str, float | None]]:
    return {
        name: {sample_id: score.value for sample_id, score in metric.scores.items()}
        for name, metric in companion_metrics(result).items()
    }


def _most_different(
    column: str, a: Sequence[SeedValues], b: Sequence[SeedValues], top: int
) -> tuple[PromptDifference, ...]:
    mine, other = (_by_prompt(column, seeds) for seeds in (a, b))
    normalise = COLUMNS[column].normalise
    found = []
    for sample_id in mine.keys() & other.keys():
        raw = [fmean(values[sample_id]) for values in (mine, other)]
        # normalised before they are averaged, as in the column's mean: clipping is not linear
        normalised = [fmean(map(normalise, values[sample_id])) for values in (mine, other)]
        found.append(PromptDifference(sample_id, raw[0], raw[1], normalised[0] - normalised[1]))
    return tuple(sorted(found, key=lambda prompt: (-abs(prompt.difference), prompt.id))[:top])


def _by_prompt(column: str, seeds: Sequence[SeedValues]) -> dict[str, list[float]]:
    """Sample id to the raw values of its videos, one for each seed that has one."""
    found: dict[str, list[float]] = {}
    for values in seeds:
        for sample_id, value in values.get(column, {}).items():
            if value is not None:
                found.setdefault(sample_id, []).append(value)
    return found


def _warnings(
    a: RunResult, b: RunResult, names: tuple[str, str], paired: PairedComparison, companions: Mapping[str, Difference]
) -> Iterator[str]:
    if a.benchmark.get("sha256") != b.benchmark.get("sha256"):
        yield "the prompt files differ: the same id may name another prompt"
    for result, name in zip((a, b), names, strict=True):
        if result.is_partial:
            yield f"the result of {name!r} is about {result.benchmark['subset']}"
    if [video.sha256 for video in a.videos] == [video.sha256 for video in b.videos] and a.videos:
        yield "both results are of the very same video files"
    compared = [*paired.columns.values(), *companions.values()]
    few = [f"{d.title} ({d.num_prompts})" for d in compared if d.num_prompts < FEW_PROMPTS]
    if few:
        yield f"fewer than {FEW_PROMPTS} prompts, so that p is somewhat too small: {', '.join(few)}"
    columns, apart = ([of(a), of(b)] for of in (column_metrics, companion_metrics))
    for (mine, other), differences in ((columns, paired.columns), (apart, companions)):
        for name, difference in differences.items():
            yield from _unlike(difference.title, mine[name], other[name])
    mine, other = ({**apart[side], **columns[side]} for side in (0, 1))
    for name in dict.fromkeys([*columns[0], *columns[1], *mine, *other]):
        if (name in mine) != (name in other):
            owner = names[0] if name in mine else names[1]
            yield f"only the result of {owner!r} has {COLUMNS[name].title if name in COLUMNS else name}"
    yield from notes([replace(result, metrics=tuple(column_metrics(result).values())) for result in (a, b)])


def _unlike(title: str, a: MetricResult, b: MetricResult) -> Iterator[str]:
    models = [{model.role: _identity(model.to_dict()) for model in metric.models} for metric in (a, b)]
    for role in dict.fromkeys([*models[0], *models[1]]):
        mine, other = (found.get(role, "none") for found in models)
        if mine != other:
            yield f"{title} was made with another {role}: {mine} against {other}"
    changed = sorted(option for option in {**a.options, **b.options} if a.options.get(option) != b.options.get(option))
    if changed:
        yield f"{title} was made with other options: " + ", ".join(
            f"{option} {a.options.get(option)!r} against {b.options.get(option)!r}" for option in changed
        )


def _identity(model: Mapping[str, Any]) -> str:
    """The settings that affect a model's numbers: all but the device, shortened for reading."""
    revision = f"@{model['revision'][:12]}" if model["revision"] else ""
    more = [str(model[name]) for name in ("dtype", "quantization", "engine") if model.get(name)]
    return f"{model['name']}{revision}" + (f" ({', '.join(more)})" if more else "")
