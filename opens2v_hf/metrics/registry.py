"""The metrics by name: the models of each, how it is built, and what it takes from a sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opens2v_hf.data.benchmark.rules import facesim_reference, person_references, subject_references
from opens2v_hf.data.benchmark.sample import EvalSample, Subject
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.base import Metric
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ROLES, ModelChoice, check_models, load_model


@dataclass(frozen=True)
class MetricEntry:
    """Factory of one metric.

    Attributes:
        name: of the metric.
        roles: of the models that it needs.
        build: from the loaded models, by role, and the metric's own options to the metric.
        reference: from a sample and its split to the second argument of the metric's `score`.
        options: names of the metric's own options.
        by_default: whether it is computed if no metric is named.
    """

    name: str
    roles: tuple[str, ...]
    build: Callable[[Mapping[str, Any], Mapping[str, Any]], Metric[Any]]
    reference: Callable[[EvalSample, EvalSplit], Any]
    options: tuple[str, ...]
    by_default: bool = True

    @property
    def models(self) -> dict[str, str]:
        """Role to the model that is used unless the user names another: the released one."""
        return {role: ROLES[role].released for role in self.roles}


def _made_of(module: str, class_name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Metric[Any]]:
    """Build a metric whose class takes its models by the names of their roles. The module may import torch."""

    def build(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
        made = getattr(import_module(f"{__package__}.{module}"), class_name)
        return made(**models, **options)

    return build


def _build_naturalscore(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.naturalscore import NaturalScore
    from opens2v_hf.models.judge.rubric import Rubric

    rubric = options.get("rubric")
    loaded = {**options, "rubric": Rubric.from_file(rubric)} if isinstance(rubric, str | os.PathLike) else options
    return NaturalScore(**models, **loaded)


def _build_nexusscore(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.nexusscore import NexusScore
    from opens2v_hf.scores.nexus import Thresholds

    chosen = dict(options)
    bounds = {
        name: chosen.pop(option)
        for option, name in (("box_threshold", "box_score"), ("text_threshold", "text_similarity"))
        if option in chosen
    }
    return NexusScore(**models, thresholds=Thresholds(**bounds), **chosen)


def _build_aesthetics(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.aesthetics import Aesthetics

    return Aesthetics(models["aesthetic_encoder"], models["aesthetic_head"], **options)


def _video_alone(sample: EvalSample, split: EvalSplit) -> None:
    return None


def _pictures(sample: EvalSample, split: EvalSplit, subjects: Sequence[Subject]) -> dict[str, Any]:
    return {
        "images": tuple(split.picture_path(subject) for subject in subjects),
        "labels": tuple(subject.label for subject in subjects),
        "id": sample.id,
    }


def _nexus_reference(sample: EvalSample, split: EvalSplit) -> NexusReference:
    return NexusReference(**_pictures(sample, split, sample.subjects))


def _first_person(sample: EvalSample, split: EvalSplit) -> FaceReference:
    first = facesim_reference(sample.category, sample.subjects)
    return FaceReference(**_pictures(sample, split, () if first is None else (first,)))


def _all_people(sample: EvalSample, split: EvalSplit) -> FaceReference:
    return FaceReference(**_pictures(sample, split, person_references(sample.subjects)))


def _all_subjects(sample: EvalSample, split: EvalSplit) -> SubjectReference:
    chosen = subject_references(sample.subjects)
    positions = tuple(position for position, subject in enumerate(sample.subjects) if subject in chosen)
    return SubjectReference(**_pictures(sample, split, chosen), positions=positions)


_FACE_ROLES = ("face_detector", "face_embedder")
_SUBJECT_ROLES = ("detector", "prompt_encoder", "subject_embedder")
METRICS: dict[str, MetricEntry] = {
    entry.name: entry
    for entry in (
        MetricEntry(
            "gmescore",
            ("embedder",),
            _made_of("gmescore", "GmeScore"),
            lambda sample, split: sample.prompt,
            ("variant", "num_frames", "rounding"),
        ),
        MetricEntry(
            "naturalscore",
            ("judge",),
            _build_naturalscore,
            _video_alone,
            ("protocol", "runs", "rubric", "allow_partial"),
        ),
        MetricEntry(
            "nexusscore",
            ("detector", "prompt_encoder", "embedder"),
            _build_nexusscore,
            _nexus_reference,
            ("variant", "num_frames", "box_threshold", "text_threshold", "label_instruction", "details"),
        ),
        MetricEntry(
            "aesthetics", ("aesthetic_encoder", "aesthetic_head"), _build_aesthetics, _video_alone, ("num_frames",)
        ),
        MetricEntry(
            "motion_amplitude", (), _made_of("motion_amplitude", "MotionAmplitude"), _video_alone, ("variant",)
        ),
        MetricEntry(
            "motion_smoothness",
            ("quality_scorer",),
            _made_of("motion_smoothness", "MotionSmoothness"),
            _video_alone,
            (),
        ),
        MetricEntry("facesim_cur", _FACE_ROLES, _made_of("facesim_cur", "FaceSimCur"), _first_person, ("num_frames",)),
        MetricEntry(
            "facesim_multi", _FACE_ROLES, _made_of("facesim_multi", "FaceSimMulti"), _all_people, ("num_frames",)
        ),
        MetricEntry(
            "subject_identity",
            _SUBJECT_ROLES,
            _made_of("subject_identity", "SubjectIdentity"),
            _all_subjects,
            ("num_frames",),
            by_default=False,
        ),
        MetricEntry(
            "copypaste",
            _SUBJECT_ROLES,
            _made_of("copypaste", "CopyPaste"),
            _all_subjects,
            ("reference_views", "num_frames"),
            by_default=False,
        ),
    )
}
"""Every metric that a whole model can be scored with."""

DEFAULT_METRICS = tuple(name for name, entry in METRICS.items() if entry.by_default)
"""Metrics that are computed if none is named: the leaderboard's, and others that need the same models."""


def load_tasks(
    names: Sequence[str],
    split: EvalSplit,
    *,
    models: Mapping[str, ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    embedded: bool = False,
) -> list[MetricTask]:
    """Load metrics, see `load_metrics`, for the samples of a split."""
    metrics = load_metrics(names, models=models, options=options, embedded=embedded)
    return [
        MetricTask(metric, lambda sample, entry=METRICS[metric.name]: entry.reference(sample, split))  # type: ignore[misc]
        for metric in metrics
    ]


def load_metrics(
    names: Sequence[str],
    *,
    models: Mapping[str, ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    embedded: bool = False,
    loaded: Mapping[str, Any] | None = None,
) -> list[Metric[Any]]:
    """Load the models that some metrics need, each once, and make the metrics.

    Args:
        names: of the metrics.
        models: role to model; the released ones for roles that are not named.
        options: metric name to its own options.
        embedded: take the embedded model for every role that `models` does not name.
        loaded: role to a model that is loaded already and is used as it is.

    Raises:
        ArgumentError: an unknown metric, role or option.
        ModelError: a model cannot be loaded.
    """
    chosen = dict(models or {})
    entries = check_request(names, models=chosen, options=options)
    at_hand = dict(loaded or {})
    needed = {role: choice for role, choice in model_choices(entries, chosen, embedded).items() if role not in at_hand}
    check_models(needed)
    at_hand |= {role: load_model(role, choice) for role, choice in needed.items()}
    return [
        entry.build({role: at_hand[role] for role in entry.roles}, (options or {}).get(entry.name, {}))
        for entry in entries
    ]


def model_choices(
    entries: Sequence[MetricEntry], models: Mapping[str, ModelChoice], embedded: bool
) -> dict[str, ModelChoice]:
    """The model for each role that some metrics need."""
    roles = dict.fromkeys(role for entry in entries for role in entry.roles)
    return {role: models.get(role, ModelChoice(EMBEDDED if embedded else ROLES[role].released)) for role in roles}


def check_request(
    names: Sequence[str],
    *,
    models: Mapping[str, ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[MetricEntry]:
    """The requested metrics; nothing is loaded. See `load_metrics` for arguments and errors."""
    entries = [metric_entry(name) for name in dict.fromkeys(names)]
    if not entries:
        raise ArgumentError(f"name at least one metric (known are: {', '.join(METRICS)})")
    _refuse_unknown(entries, models or {}, options or {})
    return entries


def metric_entry(name: str) -> MetricEntry:
    """The metric of a name; an `ArgumentError` if there is none."""
    if name not in METRICS:
        raise ArgumentError(f"there is no metric {name!r} (known are: {', '.join(METRICS)})")
    return METRICS[name]


def _refuse_unknown(
    entries: Sequence[MetricEntry], models: Mapping[str, ModelChoice], options: Mapping[str, Mapping[str, Any]]
) -> None:
    roles = {role for entry in entries for role in entry.roles}
    for role in models:
        if role not in roles:
            asked = ", ".join(entry.name for entry in entries)
            raise ArgumentError(f"none of the metrics ({asked}) uses a model {role!r}; leave it out")
    known = {entry.name: entry.options for entry in entries}
    if not isinstance(options, Mapping) or not all(isinstance(chosen, Mapping) for chosen in options.values()):
        raise ArgumentError(f"options must be a mapping of metric to its options by name (got {options!r})")
    for name, chosen in options.items():
        if name not in known:
            raise ArgumentError(f"options are given for {name!r}, which is not among the metrics; leave them out")
        unknown = sorted(set(chosen) - set(known[name]), key=str)
        if unknown:
            raise ArgumentError(
                f"{name} has no option {', '.join(map(str, unknown))} (it has: {', '.join(known[name])})"
            )
