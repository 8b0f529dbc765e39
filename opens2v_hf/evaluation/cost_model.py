"""Estimate of the time, memory and dollars of a run, part by part; see `cost_formulas` and `cost_constants`."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.ids import applicable_ids, split_ids
from opens2v_hf.data.benchmark.rules import FACESIM_CATEGORIES
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation import cost_constants as c
from opens2v_hf.evaluation.cost_formulas import (
    VideoShape,
    generation_flops,
    gmescore_flops,
    gpu_seconds,
    judge_tokens,
    motion_smoothness_flops,
    nexusscore_flops,
    picture_tokens,
    subject_flops,
)
from opens2v_hf.evaluation.passes import groups_by_models
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.metrics.registry import METRICS, metric_entry
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX, runs_elsewhere
from opens2v_hf.models.roles import ROLES
from opens2v_hf.results.result import RunResult
from opens2v_hf.results.table import aligned
from opens2v_hf.scores.scorecard import COLUMNS

Resource = Literal["gpu", "core", "service"]
"""The resource of a part: the GPU, one core, or a service over the network. The three overlap."""

GENERATION = "generation"

_SHARES_DETECTION = {"copypaste": "subject_identity", "facesim_cur": "facesim_multi"}
"""Metric to another of the same videos and more, whose detections it uses if both are computed."""


@dataclass(frozen=True)
class Part:
    """The cost of one part for one video.

    Attributes:
        name: of the metric, "decoding", or "generation".
        resource: that it keeps busy.
        seconds: for one video to which it applies; None if unknown.
        num_videos: number of videos of the split to which it applies.
        explanation: tokens and operations, in words.
        dollars: for one video, of a service; None if its price is unknown.
        is_measured: whether the seconds were measured by a run.
    """

    name: str
    resource: Resource
    seconds: float | None
    num_videos: int
    explanation: str
    dollars: float | None = 0.0
    is_measured: bool = False


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a run.

    Attributes:
        split: of the benchmark.
        gpu: kind of the GPUs.
        cores: number of processor cores.
        num_gpus: number of GPUs that share the videos.
        parts: in the order of the table.
        memory_keep_gb: of the GPU, with all models loaded.
        memory_low_gb: with `--memory low`: one group of models at a time.
    """

    split: str
    gpu: c.Gpu
    cores: int
    num_gpus: int
    parts: tuple[Part, ...]
    memory_keep_gb: float
    memory_low_gb: float

    @property
    def unknown(self) -> list[str]:
        """Names of the parts whose seconds are unknown."""
        return [part.name for part in self.parts if part.seconds is None]

    def seconds_of(self, resource: Resource, *, generation: bool = False) -> float:
        """Seconds that scoring all videos, or making them, keeps a resource busy."""
        return sum(
            (part.seconds or 0.0) * part.num_videos
            for part in self.parts
            if part.resource == resource and (part.name == GENERATION) == generation
        )

    @property
    def hours(self) -> float:
        """Of the whole split, without the unknown parts: videos are made first, then the resources overlap."""
        scoring = max(
            self.seconds_of("gpu") / self.num_gpus, self.seconds_of("core") / self.cores, self.seconds_of("service")
        )
        return (scoring + self.seconds_of("gpu", generation=True) / self.num_gpus) / 3600

    @property
    def service_dollars(self) -> float | None:
        """Of the judge, for the whole split; None if its price is unknown."""
        prices = [None if part.dollars is None else part.dollars * part.num_videos for part in self.parts]
        known = [price for price in prices if price is not None]
        return sum(known) if len(known) == len(prices) else None

    @property
    def gpu_dollars(self) -> float | None:
        """Of the GPUs as a Hugging Face Job; None if the price is unknown."""
        price = self.gpu.dollars_per_hour
        return None if price is None else price * self.num_gpus * self.hours


@checked
def gpu_named(name: str) -> c.Gpu:
    """A GPU by a text that contains its name, in any case, e.g. "NVIDIA H100 80GB HBM3" or "a100-large".

    Raises:
        ArgumentError: the GPU is not in `cost_constants.GPUS`.
    """
    longest_first = sorted(c.GPUS, key=len, reverse=True)  # "l40s" contains "l4"
    key = next((key for key in longest_first if key in name.lower()), None)
    if key is None:
        raise ArgumentError(f"the GPU must be one of {', '.join(c.GPUS)} (got {name!r})")
    return c.GPUS[key]


@checked
def estimate(
    split: str,
    gpu: str,
    *,
    metrics: Iterable[str] | None = None,
    shape: VideoShape | None = None,
    judge: str | None = None,
    model: str | None = None,
    recipe: Recipe | None = None,
    cores: int = 8,
    num_gpus: int = 1,
    limit: int | None = None,
    measured: Mapping[str, float] | None = None,
) -> Estimate:
    """Seconds a video by part, memory and dollars.

    Args:
        split: of the benchmark.
        gpu: see `gpu_named`.
        metrics: names; all by default.
        shape: of the videos; 121 frames of 720p by default.
        judge: of NaturalScore; the released one by default, whose price alone is known. Any but an "openai:" model
            counts as one of 7 billion parameters that runs here, or on a server with such a GPU (`engine_names`).
        model: Hub id of the model that makes the videos first; None if they are given.
        recipe: of making them.
        cores: number of processor cores.
        num_gpus: number of GPUs that share the videos.
        limit: largest number of videos.
        measured: part to seconds a video, of an earlier run; replaces the formulas.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
    """
    chosen = list(METRICS if metrics is None else metrics)
    for name in chosen:
        metric_entry(name)
    for name, value in (("cores", cores), ("num_gpus", num_gpus), ("limit", 1 if limit is None else limit)):
        if value < 1:
            raise ArgumentError(f"{name} must be a whole number of at least 1 (got {value!r})")
    ids = split_ids(split)
    num_videos = len(ids) if limit is None else min(limit, len(ids))
    card, size = gpu_named(gpu), shape or VideoShape()

    def count(metric: str) -> int:
        people = (*FACESIM_CATEGORIES, "multiface", "multihuman")
        if metric == "facesim_multi":
            whole = sum(category in people for category in ids.values())
        else:
            whole = len(applicable_ids(metric, split)) if metric in COLUMNS else len(ids)
        return round(whole * num_videos / len(ids))

    parts = []
    if model is not None:
        parts.append(_generation(model, recipe or Recipe(), card, num_videos))
    decoding = c.DECODE_SECONDS * size.num_frames * size.pixels / c.REFERENCE_PIXELS
    parts.append(Part("decoding", "core", decoding, num_videos, f"{size.num_frames} frames on one core"))
    for name in chosen:
        if count(name):
            parts.append(replace(_metric_part(name, size, card, split, judge), num_videos=count(name)))
    parts = [replace(part, seconds=0.0) if _SHARES_DETECTION.get(part.name) in chosen else part for part in parts]
    known = measured or {}
    parts = [
        replace(part, seconds=known[part.name], is_measured=True, explanation="measured")
        if part.name in known
        else part
        for part in parts
    ]
    keep, low = memory_gb(chosen, judge)
    return Estimate(split, card, cores, num_gpus, tuple(parts), keep, low)


@checked
def memory_gb(metrics: Iterable[str], judge: str | None = None) -> tuple[float, float]:
    """GPU memory with all models loaded, and with one group of them after another: weights and activations."""
    roles_of = {name: METRICS[name].roles for name in metrics}

    def weights(names: Iterable[str]) -> float:
        return sum(_weights_gb(role, judge) for role in {role for name in names for role in roles_of[name]})

    groups = [weights(group) for group in groups_by_models(roles_of)]
    return weights(roles_of) + c.ACTIVATIONS_GB, max(groups, default=0.0) + c.ACTIVATIONS_GB


def _weights_gb(role: str, judge: str | None) -> float:
    if role == "judge":
        # one that runs here is taken to be as large as the embedder
        return 0.0 if judge is None or runs_elsewhere(judge) else ROLES["embedder"].download_gb
    return ROLES[role].download_gb


def _is_service(judge: str | None) -> bool:
    return judge is None or judge.startswith(ENDPOINT_PREFIX)


def _metric_part(name: str, size: VideoShape, gpu: c.Gpu, split: str, judge: str | None) -> Part:
    match name:
        case "gmescore":
            return _on_gpu(name, gmescore_flops(size), gpu, f"32 frames of {picture_tokens(size.pixels):.0f} tokens")
        case "nexusscore":
            references = c.REFERENCES[split]
            tokens = picture_tokens(size.pixels * c.CROP_SHARE)
            how = f"32 frames x {references:.2f} references x {c.BOXES_A_FRAME} crops of {tokens:.0f} tokens"
            return _on_gpu(name, nexusscore_flops(size, references), gpu, how)
        case "motion_smoothness":
            how = f"{size.num_frames} windows of {c.WINDOW_TOKENS} tokens"
            return _on_gpu(name, motion_smoothness_flops(size), gpu, how)
        case "aesthetics":
            flops = c.SAMPLED_FRAMES * 2 * c.AESTHETIC_ENCODER.parameters * c.CLIP_TOKENS
            return _on_gpu(name, flops, gpu, f"32 frames of {c.CLIP_TOKENS} tokens")
        case "motion_amplitude":
            pairs = size.num_frames - 1
            seconds = c.FLOW_SECONDS * pairs * size.pixels / c.REFERENCE_PIXELS
            return Part(name, "core", seconds, 0, f"the flow of {pairs} pairs of frames on one core")
        case "facesim_cur" | "facesim_multi":
            seconds = c.SAMPLED_FRAMES * c.FACE_DETECTION_SECONDS
            # one video at a time uses the models of a process, so the GPU waits for this core
            return Part(name, "gpu", seconds, 0, "32 frames searched for faces on one core, shared by the two")
        case "subject_identity" | "copypaste":
            how = f"32 frames x {c.REFERENCES[split]:.2f} references, shared by the two"
            return _on_gpu(name, subject_flops(c.REFERENCES[split]), gpu, how)
        case "naturalscore":
            return _judge_part(name, gpu, judge)
        case _:
            return Part(name, "gpu", None, 0, f"{name} has no figures")


def _judge_part(name: str, gpu: c.Gpu, judge: str | None) -> Part:
    if _is_service(judge):
        tokens = judge_tokens()
        answers = c.JUDGE_RUNS * c.JUDGE_ANSWER_TOKENS
        seconds = c.JUDGE_RUNS * c.JUDGE_SECONDS_A_CALL / c.JUDGE_CONCURRENCY
        has_price = judge in (None, ROLES["judge"].released)
        dollars = tokens * c.JUDGE_DOLLARS_IN + answers * c.JUDGE_DOLLARS_OUT if has_price else None
        how = f"{c.JUDGE_RUNS} calls, {tokens} input tokens, {c.JUDGE_CONCURRENCY} calls at a time"
        return Part(name, "service", seconds, 0, how, dollars)
    tokens_here = c.LOCAL_JUDGE_TOKENS + c.JUDGE_TEXT_TOKENS
    flops = 2 * c.EMBEDDER.parameters * tokens_here
    flops += 2 * c.EMBEDDER_VISION.parameters * c.VISION_TOKENS_A_TOKEN * c.LOCAL_JUDGE_TOKENS
    here = _on_gpu(name, flops, gpu, f"one pass over {tokens_here:.0f} tokens, 7 billion parameters")
    return replace(here, resource="service") if judge is not None and runs_elsewhere(judge) else here


def _generation(model: str, recipe: Recipe, gpu: c.Gpu, num_videos: int) -> Part:
    known = c.VIDEO_MODELS.get(model)
    if known is None:
        return Part(GENERATION, "gpu", None, num_videos, f"{model} has no figures")
    flops = generation_flops(known, recipe)
    return replace(_on_gpu(GENERATION, flops, gpu, f"{recipe.steps or 50} steps"), num_videos=num_videos)


def _on_gpu(name: str, flops: float, gpu: c.Gpu, explanation: str) -> Part:
    return Part(name, "gpu", gpu_seconds(flops, gpu), 0, f"{explanation}, {flops:.2g} operations")


@checked
def estimated_here(result: RunResult) -> dict[str, float]:
    """Part to the estimated seconds a video, for the videos of a result on this machine.

    Services, embedded models, and parts on an unknown GPU are left out.
    """
    sizes = [video for video in result.videos if video.num_frames and video.width and video.height]
    if not sizes or result.split not in c.REFERENCES:
        return {}
    shape = VideoShape(
        *(round(statistics.mean(getattr(one, name) for one in sizes)) for name in ("num_frames", "width", "height"))
    )
    here = gpu_here() if "torch" in sys.modules else None  # nothing runs on a GPU without it
    embedded = {metric.name for metric in result.metrics if metric.embedded}
    names = [metric.name for metric in result.metrics if metric.name in METRICS]
    made = estimate(result.split, here or "h100", metrics=names, shape=shape)
    return {
        part.name: part.seconds
        for part in made.parts
        if part.seconds is not None
        and part.name not in embedded
        and (part.resource == "core" or (part.resource == "gpu" and here is not None))
    }


def gpu_here() -> str | None:
    """The name of this machine's GPU; None if there is none, or none of `cost_constants.GPUS`."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name().lower()
    return name if any(key in name for key in c.GPUS) else None


def format_estimate(made: Estimate) -> str:
    """As text: a table of the parts, and their sums."""
    lines = [["part", "where", "s a video", "videos", "how"]]
    for part in made.parts:
        seconds = "unknown" if part.seconds is None else f"{part.seconds:.2f}"
        how = f"{part.explanation}, {part.dollars:.3f} dollars" if part.dollars else part.explanation
        lines.append([part.name, part.resource, seconds, str(part.num_videos), how])
    cards = f"{made.num_gpus} x {made.gpu.name}"
    unknown = f", without {', '.join(made.unknown)} (unknown)" if made.unknown else ""
    totals = [
        f"{made.split} on {cards}, {made.cores} cores: {made.hours:.2f} h{unknown}",
        f"memory of a GPU: {made.memory_keep_gb:.0f} GB with all models loaded, {made.memory_low_gb:.0f} GB with "
        f"--memory low; the {made.gpu.name} has {made.gpu.memory_gb:.0f} GB",
    ]
    if made.service_dollars is None:
        totals.append("judge: its price is unknown; the tokens are those that gpt-4o counts")
    elif made.service_dollars:
        totals.append(f"judge: {made.service_dollars:.2f} dollars")
    if made.gpu_dollars is not None:
        totals.append(f"as a Hugging Face Job: {made.gpu_dollars:.2f} dollars at the prices known here")
    else:
        totals.append(f"as a Hugging Face Job: no price of a {made.gpu.name} is known here; --job asks the Hub for it")
    if not all(part.is_measured for part in made.parts):
        totals.append("estimated from formulas; --measured RUN replaces them with the seconds of a run")
    return "\n".join([aligned(lines), *totals])
