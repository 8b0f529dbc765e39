"""The one table of model roles: the released model of each, and how a model of the role is loaded.

Importing this module imports no network.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf.errors import ArgumentError, ModelError, OpenS2VError
from opens2v_hf.models.endpoint.engine_names import engine_name, runs_elsewhere
from opens2v_hf.models.endpoint.lifetimes import SHUTDOWN_DATES
from opens2v_hf.models.hub_access import ModelUnavailableError, unavailable_messages
from opens2v_hf.models.info import ModelInfo, quantization_caveats

OPENS2V_WEIGHTS = "BestWishYsh/OpenS2V-Weight"
"""Hub repo with the benchmark's own copies of weights."""

RELEASED_NUM_FRAMES = 32
"""Frames that the released code (v1.1) samples from a clip for every metric that samples."""


@dataclass(frozen=True)
class Role:
    """Task of a model for metrics, independent of the model.

    Attributes:
        released: name of the model behind the leaderboard's numbers.
        loader: module and attribute of the function that loads a model of this role by its name.
        arguments: which of the loading arguments "device", "dtype", "batch_tokens" and "mixed_precision" it takes.
        also: other forms of a name than a Hub id and a folder.
        file: of the released model's repo; the model is in the local cache when this file is.
        download_gb: about the size of the released model's download in GB, from its number of parameters; 0 for one
            behind an endpoint.
        check: module and attribute of a function that takes what the loader takes, loads nothing large, and raises if
            something other than the weights is missing (a key, InsightFace).
        weights: module and attribute of a function that says which weights a name stands for, where it may stand for
            others than its own: from the name and the arguments to name and revision; None where none are loaded here.
        shutdown: first day on which the released model is no longer served; None if no date is known.
    """

    released: str
    loader: tuple[str, str]
    arguments: tuple[str, ...] = ("device",)
    also: str = ""
    file: str = "config.json"
    download_gb: float = 0.0
    check: tuple[str, str] | None = None
    weights: tuple[str, str] | None = None
    shutdown: date | None = None


ROLES: dict[str, Role] = {
    "embedder": Role(
        "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct",
        ("opens2v_hf.models.embedder_loading", "load_embedder"),
        ("device", "dtype", "batch_tokens"),
        also="vllm:http://host:port/<model>",
        check=("opens2v_hf.models.endpoint.engine_names", "check_embedder"),
        download_gb=16.6,
    ),
    "judge": Role(
        "openai:gpt-4o-2024-11-20",
        ("opens2v_hf.models.judge.loading", "load_judge"),
        ("device", "dtype"),
        also="openai:<model>, vllm:http://host:port/<model> or naturalscore-open-1",
        check=("opens2v_hf.models.judge.loading", "check_judge"),
        weights=("opens2v_hf.models.judge.editions", "weights_of"),
        shutdown=SHUTDOWN_DATES["gpt-4o-2024-11-20"],
    ),
    "detector": Role(
        OPENS2V_WEIGHTS,
        ("opens2v_hf.models.yolo_world.detector", "YoloWorldDetector.from_pretrained"),
        ("device", "mixed_precision"),
        also="a checkpoint file",
        file="yolo_world_v2_l_image_prompt_adapter-719a7afb.pth",
        download_gb=0.5,
    ),
    "prompt_encoder": Role(
        "openai/clip-vit-base-patch32",
        ("opens2v_hf.models.clip_prompt", "ClipPromptEncoder.from_pretrained"),
        download_gb=0.6,
    ),
    "aesthetic_encoder": Role(
        "openai/clip-vit-large-patch14",
        ("opens2v_hf.models.aesthetic", "AestheticEncoder.from_pretrained"),
        download_gb=1.7,
    ),
    "aesthetic_head": Role(
        OPENS2V_WEIGHTS,
        ("opens2v_hf.models.aesthetic", "AestheticHead.from_pretrained"),
        also="a weights file",
        file="aesthetic-model.pth",
        download_gb=0.1,
    ),
    "quality_scorer": Role(
        "q-future/one-align",
        ("opens2v_hf.models.q_align.scorer", "QAlignScorer.from_pretrained"),
        ("device", "dtype", "batch_tokens"),
        download_gb=16.4,
    ),
    "face_detector": Role(
        OPENS2V_WEIGHTS,
        ("opens2v_hf.models.faces.loading", "load_face_detector"),
        also="an ONNX file of InsightFace",
        check=("opens2v_hf.models.faces.loading", "check_face_detector"),
        file="face_extractor/models/buffalo_l/det_10g.onnx",
        download_gb=0.1,
    ),
    "face_embedder": Role(
        OPENS2V_WEIGHTS,
        ("opens2v_hf.models.faces.embedder", "IrFaceEmbedder.from_pretrained"),
        also="a weights file",
        file="glint360k_curricular_face_r101_backbone.bin",
        download_gb=0.3,
    ),
    "captioner": Role(
        "Qwen/Qwen2.5-VL-7B-Instruct",
        ("opens2v_hf.models.captioner.loading", "load_captioner"),
        ("device", "dtype"),
        also="openai:<model>",
        check=("opens2v_hf.models.captioner.loading", "check_captioner"),
        download_gb=16.6,
    ),
    "text_detector": Role(
        "IDEA-Research/grounding-dino-tiny",
        ("opens2v_hf.models.text_detector.loading", "load_text_detector"),
        ("device", "dtype"),
        download_gb=0.7,
    ),
    "segmenter": Role(
        "facebook/sam2.1-hiera-large",
        ("opens2v_hf.models.segmenter.sam", "SamSegmenter.from_pretrained"),
        ("device", "dtype"),
        download_gb=0.9,
    ),
    "subject_embedder": Role(
        "facebook/dinov2-base",
        ("opens2v_hf.models.subject_embedder", "load_subject_embedder"),
        ("device", "dtype"),
        also="vllm:http://host:port/<model>",
        check=("opens2v_hf.models.endpoint.engine_names", "check_embedder"),
        download_gb=0.4,
    ),
}
"""Every role that the models of metrics and of the data pipeline have."""


@dataclass(frozen=True)
class ModelChoice:
    """A model that the user named, with the arguments of the class that loads it.

    Attributes:
        name: Hub id, folder, "openai:<model>", "vllm:http://host:port/<model>" or "embedded".
        arguments: e.g. revision, device, dtype; what is not named keeps its default.
    """

    name: str | os.PathLike[str]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def model_caveats(models: Iterable[ModelInfo]) -> list[str]:
    """Why numbers made with these models are not the leaderboard's; embedded models are noted elsewhere.

    Example:
        >>> model_caveats([ModelInfo("embedder", "org/gme"), ModelInfo("detector", OPENS2V_WEIGHTS)])
        ["made with the embedder org/gme; the leaderboard's is Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"]
    """
    models = list(models)
    found = [
        f"made with the {info.role} {info.name}; the leaderboard's is {ROLES[info.role].released}"
        for info in models
        if not info.embedded and info.role in ROLES and info.name != ROLES[info.role].released
    ]
    return found + quantization_caveats(models)


def frame_caveats(num_frames: int) -> list[str]:
    """Why numbers made from another number of frames are not the leaderboard's."""
    if num_frames == RELEASED_NUM_FRAMES:
        return []
    return [f"made from {num_frames} frames; the leaderboard's from {RELEASED_NUM_FRAMES}"]


def check_models(choices: Mapping[str, ModelChoice]) -> None:
    """Check that weights, keys and packages for some models are there, before any is loaded.

    Raises:
        OpenS2VError: as loading would raise it; if several things are missing, one `ModelError` that lists them all.
    """
    for choice in choices.values():
        _check_name(choice)
    problems: list[OpenS2VError] = []
    for role, choice in choices.items():
        for check in (_check_weights, _check_requirements):
            try:
                check(role, choice)
            except OpenS2VError as error:
                problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    absent = [problem for problem in problems if isinstance(problem, ModelUnavailableError)]
    lines = [str(problem) for problem in problems if problem not in absent] + unavailable_messages(absent)
    if problems:
        raise ModelError("\n  ".join(["what is missing:", *lines]))


def _check_name(choice: ModelChoice) -> None:
    if not is_line(os.fspath(choice.name)):
        raise ArgumentError(f"the name of a model is {A_LINE}, for results name it (got {os.fspath(choice.name)!r})")


def _check_weights(role: str, choice: ModelChoice) -> None:
    from opens2v_hf.models.hub import check_available

    name, revision = os.fspath(choice.name), choice.arguments.get("revision")
    if runs_elsewhere(name):
        return
    if engine := engine_name(name):
        name = engine.model
    if (weights := ROLES[role].weights) is not None:
        loaded = _attribute(weights)(name, choice.arguments)
        if loaded is None:
            return
        name, revision = loaded
    filename = ROLES[role].file if name == ROLES[role].released else "config.json"
    check_available(name, revision, role, filename)


def _check_requirements(role: str, choice: ModelChoice) -> None:
    check = ROLES[role].check
    if check is not None:
        _attribute(check)(choice.name, **choice.arguments)


def load_model(role: str, choice: ModelChoice) -> Any:
    """Load the model for a role.

    Raises:
        ArgumentError: an argument of loading has a value that cannot be used.
        ModelError: the model cannot be loaded.
    """
    _check_name(choice)
    loader = _attribute(ROLES[role].loader)
    _check_arguments(role, choice, loader)
    return loader(choice.name, **choice.arguments)


def _attribute(place: tuple[str, str]) -> Any:
    """What a module and an attribute of it name; imported now, because most of them import torch."""
    return functools.reduce(getattr, place[1].split("."), importlib.import_module(place[0]))


def _check_arguments(role: str, choice: ModelChoice, loader: Callable[..., Any]) -> None:
    parameters = inspect.signature(loader).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):  # the network checks them
        return
    known = [one.name for one in parameters][1:]
    if unknown := [name for name in choice.arguments if name not in known]:
        raise ArgumentError(
            f"the {role} {os.fspath(choice.name)!r} takes no argument {', '.join(map(repr, unknown))}; it takes "
            f"{', '.join(known)}"
        )
