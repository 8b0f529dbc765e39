"""The metrics by name: which models each needs, how it is made, and what it takes of a sample."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf.data.benchmark.rules import facesim_reference, person_references
from opens2v_hf.data.benchmark.sample import EvalSample, Subject
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError, ModelError, OpenS2VError
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.base import Metric
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.models.hub_access import NotAtHandError, not_at_hand
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.judge.lifetimes import SHUTDOWN_DATES
from opens2v_hf.models.judge.options import ENDPOINT_PREFIX


@dataclass(frozen=True)
class Role:
    """What a model does for metrics, whichever model it is.

    Attributes:
        released: name of the model behind the leaderboard's numbers. Written out here so that a list of the names
            costs no import of the networks; a test compares it with the default of the class that loads it.
        loader: module and attribute of the function that loads a model of this role by its name.
        arguments: which of the loading arguments "device", "dtype", "batch_tokens" and "mixed_precision" it takes.
        also: what may be named besides a Hub id and a folder.
        file: that the released model's repo holds and that is in the local cache when the model is.
        check: module and attribute of a function that raises, without loading anything large, where what the released
            model wants besides its weights is not there (a key, InsightFace); it takes what the loader takes.
        shutdown: first day on which the released model's maker no longer answers for it; None where there is none.
    """

    released: str
    loader: tuple[str, str]
    arguments: tuple[str, ...] = ("device",)
    also: str = ""
    file: str = "config.json"
    check: tuple[str, str] | None = None
    shutdown: date | None = None


ROLES: dict[str, Role] = {
    "embedder": Role(
        "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct",
        ("opens2v_hf.models.gme", "GmeEmbedder.from_pretrained"),
        ("device", "dtype", "batch_tokens"),
    ),
    "judge": Role(
        "openai:gpt-4o-2024-11-20",
        ("opens2v_hf.models.judge.loading", "load_judge"),
        ("device", "dtype"),
        also="openai:<model>",
        check=("opens2v_hf.models.judge.loading", "check_judge"),
        shutdown=SHUTDOWN_DATES["gpt-4o-2024-11-20"],
    ),
    "detector": Role(
        "BestWishYsh/OpenS2V-Weight",
        ("opens2v_hf.models.yolo_world.detector", "YoloWorldDetector.from_pretrained"),
        ("device", "mixed_precision"),
        also="a checkpoint file",
        file="yolo_world_v2_l_image_prompt_adapter-719a7afb.pth",
    ),
    "prompt_encoder": Role(
        "openai/clip-vit-base-patch32",
        ("opens2v_hf.models.clip_prompt", "ClipPromptEncoder.from_pretrained"),
    ),
    "aesthetic_encoder": Role(
        "openai/clip-vit-large-patch14",
        ("opens2v_hf.models.aesthetic", "AestheticEncoder.from_pretrained"),
    ),
    "aesthetic_head": Role(
        "BestWishYsh/OpenS2V-Weight",
        ("opens2v_hf.models.aesthetic", "AestheticHead.from_pretrained"),
        also="a weights file",
        file="aesthetic-model.pth",
    ),
    "quality_scorer": Role(
        "q-future/one-align",
        ("opens2v_hf.models.q_align.scorer", "QAlignScorer.from_pretrained"),
        ("device", "dtype", "batch_tokens"),
    ),
    "face_detector": Role(
        "BestWishYsh/OpenS2V-Weight",
        ("opens2v_hf.models.faces.loading", "load_face_detector"),
        also="an ONNX file of InsightFace",
        check=("opens2v_hf.models.faces.loading", "check_face_detector"),
        file="face_extractor/models/buffalo_l/det_10g.onnx",
    ),
    "face_embedder": Role(
        "BestWishYsh/OpenS2V-Weight",
        ("opens2v_hf.models.faces.embedder", "IrFaceEmbedder.from_pretrained"),
        also="a weights file",
        file="glint360k_curricular_face_r101_backbone.bin",
    ),
}
"""Every role that a metric's models have."""


@dataclass(frozen=True)
class ModelChoice:
    """A model that the user named, with the arguments of the class that loads it.

    Attributes:
        name: Hub id, folder, "openai:<model>" or "embedded".
        arguments: e.g. revision, device, dtype; what is not named keeps its default.
    """

    name: str | os.PathLike[str]
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricEntry:
    """How one metric is made.

    Attributes:
        name: of the metric.
        roles: of the models that it needs.
        build: from the loaded models, by role, and the metric's own options to the metric.
        reference: from a sample and its split to what the metric's `score` takes beside the clip.
        options: names of the metric's own options.
    """

    name: str
    roles: tuple[str, ...]
    build: Callable[[Mapping[str, Any], Mapping[str, Any]], Metric[Any]]
    reference: Callable[[EvalSample, EvalSplit], Any]
    options: tuple[str, ...]

    @property
    def models(self) -> dict[str, str]:
        """Role to the model that is used unless the user names another: the released one."""
        return {role: ROLES[role].released for role in self.roles}


def _build_gmescore(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.gmescore import GmeScore

    return GmeScore(models["embedder"], **options)


def _build_naturalscore(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.naturalscore import NaturalScore
    from opens2v_hf.models.judge.rubric import Rubric

    rubric = options.get("rubric")
    loaded = {**options, "rubric": Rubric.from_file(rubric)} if isinstance(rubric, str | os.PathLike) else options
    return NaturalScore(models["judge"], **loaded)


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


def _build_motion_amplitude(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.motion_amplitude import MotionAmplitude

    return MotionAmplitude(**options)


def _nexus_reference(sample: EvalSample, split: EvalSplit) -> NexusReference:
    return NexusReference(
        images=tuple(split.picture_path(subject) for subject in sample.subjects),
        labels=tuple(subject.label for subject in sample.subjects),
        id=sample.id,
    )


def _build_motion_smoothness(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.motion_smoothness import MotionSmoothness

    return MotionSmoothness(models["quality_scorer"], **options)


def _build_facesim_cur(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.facesim_cur import FaceSimCur

    return FaceSimCur(models["face_detector"], models["face_embedder"], **options)


def _build_facesim_multi(models: Mapping[str, Any], options: Mapping[str, Any]) -> Metric[Any]:
    from opens2v_hf.metrics.facesim_multi import FaceSimMulti

    return FaceSimMulti(models["face_detector"], models["face_embedder"], **options)


def _first_person(sample: EvalSample, split: EvalSplit) -> FaceReference:
    first = facesim_reference(sample.category, sample.subjects)
    return _people(sample, split, () if first is None else (first,))


def _all_people(sample: EvalSample, split: EvalSplit) -> FaceReference:
    return _people(sample, split, person_references(sample.subjects))


def _people(sample: EvalSample, split: EvalSplit, subjects: Sequence[Subject]) -> FaceReference:
    return FaceReference(
        images=tuple(split.picture_path(subject) for subject in subjects),
        labels=tuple(subject.label for subject in subjects),
        id=sample.id,
    )


METRICS: dict[str, MetricEntry] = {
    entry.name: entry
    for entry in (
        MetricEntry(
            "gmescore",
            ("embedder",),
            _build_gmescore,
            lambda sample, split: sample.prompt,
            ("num_frames", "rounding"),
        ),
        MetricEntry(
            "naturalscore",
            ("judge",),
            _build_naturalscore,
            lambda sample, split: None,
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
            "aesthetics",
            ("aesthetic_encoder", "aesthetic_head"),
            _build_aesthetics,
            lambda sample, split: None,
            ("num_frames",),
        ),
        MetricEntry(
            "motion_amplitude",
            (),
            _build_motion_amplitude,
            lambda sample, split: None,
            ("variant",),
        ),
        MetricEntry(
            "motion_smoothness",
            ("quality_scorer",),
            _build_motion_smoothness,
            lambda sample, split: None,
            (),
        ),
        MetricEntry(
            "facesim_cur",
            ("face_detector", "face_embedder"),
            _build_facesim_cur,
            _first_person,
            ("num_frames",),
        ),
        MetricEntry(
            "facesim_multi",
            ("face_detector", "face_embedder"),
            _build_facesim_multi,
            _all_people,
            ("num_frames",),
        ),
    )
}
"""Every metric that a whole model can be scored with."""


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
    return [MetricTask(metric, _bind(METRICS[metric.name], split)) for metric in metrics]


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


def check_models(choices: Mapping[str, ModelChoice]) -> None:
    """Say all at once what is missing for some models (weights, a key, InsightFace), before any is loaded.

    Raises:
        OpenS2VError: as loading would raise it; where several things are missing, a `ModelError` that lists them.
    """
    problems: list[OpenS2VError] = []
    for role, choice in choices.items():
        for check in (_check_weights, _check_besides):
            try:
                check(role, choice)
            except OpenS2VError as error:
                problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    absent = [problem for problem in problems if isinstance(problem, NotAtHandError)]
    lines = [str(problem) for problem in problems if problem not in absent] + not_at_hand(absent)
    if problems:
        raise ModelError("\n  ".join(["what is missing:", *lines]))


def _check_weights(role: str, choice: ModelChoice) -> None:
    from opens2v_hf.models.hub import check_available

    name = os.fspath(choice.name)
    if name.startswith(ENDPOINT_PREFIX):
        return
    filename = ROLES[role].file if name == ROLES[role].released else "config.json"
    check_available(name, choice.arguments.get("revision"), role, filename)


def _check_besides(role: str, choice: ModelChoice) -> None:
    check = ROLES[role].check
    if check is not None:
        getattr(importlib.import_module(check[0]), check[1])(choice.name, **choice.arguments)


def check_request(
    names: Sequence[str],
    *,
    models: Mapping[str, ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[MetricEntry]:
    """Find the metrics that are asked for, and load nothing; see `load_metrics` for arguments and errors."""
    entries = [_entry(name) for name in dict.fromkeys(names)]
    if not entries:
        raise ArgumentError(f"name at least one metric (known are: {', '.join(METRICS)})")
    _refuse_unknown(entries, models or {}, options or {})
    return entries


def _entry(name: str) -> MetricEntry:
    if name not in METRICS:
        raise ArgumentError(f"there is no metric {name!r} (known are: {', '.join(METRICS)})")
    return METRICS[name]


def _bind(entry: MetricEntry, split: EvalSplit) -> Callable[[EvalSample], Any]:
    return lambda sample: entry.reference(sample, split)


def _refuse_unknown(
    entries: Sequence[MetricEntry], models: Mapping[str, ModelChoice], options: Mapping[str, Mapping[str, Any]]
) -> None:
    roles = {role for entry in entries for role in entry.roles}
    for role in models:
        if role not in roles:
            asked = ", ".join(entry.name for entry in entries)
            raise ArgumentError(f"none of the metrics asked for ({asked}) has use for a model {role!r}")
    known = {entry.name: entry.options for entry in entries}
    if not isinstance(options, Mapping) or not all(isinstance(chosen, Mapping) for chosen in options.values()):
        raise ArgumentError(f"options is a mapping of metric to its options by name (got {options!r})")
    for name, chosen in options.items():
        if name not in known:
            raise ArgumentError(f"options are given for {name!r}, which is not among the metrics asked for")
        unknown = sorted(set(chosen) - set(known[name]))
        if unknown:
            raise ArgumentError(f"{name} has no option {', '.join(unknown)} (it has: {', '.join(known[name])})")


def load_model(role: str, choice: ModelChoice) -> Any:
    """Load the model for a role.

    Raises:
        ArgumentError: an argument of loading has a value that cannot be used.
        ModelError: the model cannot be loaded.
    """
    if not is_line(os.fspath(choice.name)):
        raise ArgumentError(f"the name of a model is {A_LINE}, for results name it (got {os.fspath(choice.name)!r})")
    module_name, attribute = ROLES[role].loader
    loader: Any = importlib.import_module(module_name)
    for part in attribute.split("."):
        loader = getattr(loader, part)
    return loader(choice.name, **choice.arguments)
