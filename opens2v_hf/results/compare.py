"""Two models on the same prompts: which differences are real, and in which videos they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.results.columns import beside_metrics, column_metrics, column_values, require_known_missing
from opens2v_hf.results.compare_text import format_comparison, summary
from opens2v_hf.results.result import MetricResult, RunResult, notes
from opens2v_hf.results.views import short_name
from opens2v_hf.scores.paired import FEW_PROMPTS, Difference, PairedComparison, compare_beside, compare_values
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, SPLITS, STRICT

TOP = 5


@dataclass(frozen=True)
class PromptDifference:
    """One video of each model for the same prompt.

    Attributes:
        id: of the sample.
        a: raw value of the first model's video.
        b: of the second one's.
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
        paired: what the bootstrap says.
        beside: the same of metrics that fill no column, in units of their own; they have no part in the total.
        prompts: column to the prompts in which the videos differ most, largest first.
        only_a: ids that only the first model has a video for.
        only_b: the second one.
        warnings: why the two may not be set side by side as they are.
    """

    a: str
    b: str
    split: str
    version: str
    scoring: str
    paired: PairedComparison
    beside: Mapping[str, Difference]
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
            "partial": self.paired.partial,
            "missing_columns": list(self.paired.missing_columns),
            "total": None if self.paired.total is None else self.paired.total.to_dict(),
            "columns": {name: difference.to_dict() for name, difference in self.paired.columns.items()},
            "beside": {name: difference.to_dict() for name, difference in self.beside.items()},
            "prompts": {name: [asdict(prompt) for prompt in prompts] for name, prompts in self.prompts.items()},
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "warnings": list(self.warnings),
        }


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
        ResultError: the splits differ or have no leaderboard, nothing is common to both, or strict scoring is asked for
            and a result does not say what applies to its missing videos.
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
    values = [column_values(result, version) for result in (a, b)]
    paired = compare_values(*values, split=a.split, version=version, scoring=scoring)
    beside = compare_beside(*(_beside_values(result) for result in (a, b)))
    if not paired.columns and not beside:
        raise ResultError(f"{a.model!r} and {b.model!r} have no column and prompt in common; score both alike first")
    ids = [{video.id for video in result.videos} for result in (a, b)]
    names = (a.model, b.model) if a.model != b.model else (f"{a.model} (A)", f"{b.model} (B)")
    return ResultComparison(
        a=names[0],
        b=names[1],
        split=a.split,
        version=version,
        scoring=scoring,
        paired=paired,
        beside=beside,
        prompts={name: _most_different(name, values[0][name], values[1][name], top) for name in paired.columns},
        only_a=tuple(video.id for video in a.videos if video.id not in ids[1]),
        only_b=tuple(video.id for video in b.videos if video.id not in ids[0]),
        warnings=tuple(_warnings(a, b, names, paired, beside)),
    )


def _beside_values(result: RunResult) -> dict[str, dict[str, float | None]]:
    return {
        name: {sample_id: score.value for sample_id, score in metric.scores.items()}
        for name, metric in beside_metrics(result).items()
    }


def _most_different(
    column: str, a: Mapping[str, float | None], b: Mapping[str, float | None], top: int
) -> tuple[PromptDifference, ...]:
    normalise = COLUMNS[column].normalise
    found = [
        PromptDifference(sample_id, mine, other, normalise(mine) - normalise(other))
        for sample_id, mine in a.items()
        if mine is not None and (other := b.get(sample_id)) is not None
    ]
    return tuple(sorted(found, key=lambda prompt: (-abs(prompt.difference), prompt.id))[:top])


def _warnings(
    a: RunResult, b: RunResult, names: tuple[str, str], paired: PairedComparison, beside: Mapping[str, Difference]
) -> Iterator[str]:
    if a.benchmark.get("sha256") != b.benchmark.get("sha256"):
        yield "the prompt files differ: the same id may stand for another prompt"
    for result, name in zip((a, b), names, strict=True):
        if result.is_partial:
            yield f"the result of {name!r} is about {result.benchmark['subset']}"
    if [video.sha256 for video in a.videos] == [video.sha256 for video in b.videos] and a.videos:
        yield "both results are of the very same video files"
    compared = [*paired.columns.values(), *beside.values()]
    few = [f"{d.title} ({d.num_prompts})" for d in compared if d.num_prompts < FEW_PROMPTS]
    if few:
        yield f"fewer than {FEW_PROMPTS} prompts, so that p is somewhat too small: {', '.join(few)}"
    filling, standing = ([of(a), of(b)] for of in (column_metrics, beside_metrics))
    for (mine, other), differences in ((filling, paired.columns), (standing, beside)):
        for name, difference in differences.items():
            yield from _unlike(difference.title, mine[name], other[name])
    mine, other = ({**standing[side], **filling[side]} for side in (0, 1))
    for name in dict.fromkeys([*filling[0], *filling[1], *mine, *other]):
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
    """What makes a model's numbers: all but the device, shortened for reading."""
    revision = f"@{model['revision'][:12]}" if model["revision"] else ""
    more = [str(model[name]) for name in ("dtype", "quantization", "engine") if model.get(name)]
    return f"{model['name']}{revision}" + (f" ({', '.join(more)})" if more else "")
