"""Time, memory and dollars of a run before it is begun: formulas over `cost_constants`.

A forward pass of a network takes 2 P N operations, of P parameters and N tokens, and 2 P N / (peak * utilisation)
seconds on a GPU. The terms of attention that grow with the square of the tokens are left out where they are some
percent of it, and counted for models that make videos, where they are half.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opens2v_hf.data.benchmark.ids import applicable_ids, split_ids
from opens2v_hf.data.benchmark.rules import FACESIM_CATEGORIES
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation import cost_constants as c
from opens2v_hf.evaluation.passes import groups_by_models
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.roles import ROLES
from opens2v_hf.results.result import RunResult
from opens2v_hf.results.table import aligned
from opens2v_hf.scores.scorecard import COLUMNS

Place = Literal["gpu", "core", "service"]
"""Where seconds pass: on the GPU, on one core, or waiting for a service. The three overlap."""

GENERATION = "generation"


@dataclass(frozen=True)
class VideoShape:
    """Size of the videos.

    Attributes:
        num_frames: of each.
        width: in pixels.
        height: in pixels.
    """

    num_frames: int = 121
    width: int = 1280
    height: int = 720

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name} must be a whole number of at least 1 (got {value!r})")

    @property
    def pixels(self) -> int:
        """Of a frame."""
        return self.width * self.height


@dataclass(frozen=True)
class Part:
    """What one part costs for one video.

    Attributes:
        name: of the metric, "decoding", or "generation".
        place: where the seconds pass.
        seconds: for one video to which it applies; None where nobody knows.
        num_videos: of the split to which it applies.
        explanation: tokens and operations, in words.
        dollars: for one video, of a service.
        is_measured: whether the seconds are those of a run.
    """

    name: str
    place: Place
    seconds: float | None
    num_videos: int
    explanation: str
    dollars: float = 0.0
    is_measured: bool = False


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        split: of the benchmark.
        gpu: one of these.
        cores: of the processor, for what runs there.
        num_gpus: that share the videos.
        parts: in the order in which they are shown.
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
        """Parts whose seconds nobody knows."""
        return [part.name for part in self.parts if part.seconds is None]

    def seconds_at(self, place: Place, *, scoring: bool = True) -> float:
        """Of all videos in one place; making videos comes before scoring and overlaps with nothing."""
        return sum(
            (part.seconds or 0.0) * part.num_videos
            for part in self.parts
            if part.place == place and (part.name != GENERATION) == scoring
        )

    @property
    def hours(self) -> float:
        """Of the whole split, what is not known left out."""
        scoring = max(
            self.seconds_at("gpu") / self.num_gpus, self.seconds_at("core") / self.cores, self.seconds_at("service")
        )
        return (scoring + self.seconds_at("gpu", scoring=False) / self.num_gpus) / 3600

    @property
    def service_dollars(self) -> float:
        """Of the judge, for the whole split."""
        return sum(part.dollars * part.num_videos for part in self.parts)

    @property
    def gpu_dollars(self) -> float | None:
        """Of the GPUs as a Hugging Face Job; None where no price is known."""
        price = self.gpu.dollars_per_hour
        return None if price is None else price * self.num_gpus * self.hours


def gpu_named(name: str) -> c.Gpu:
    """A GPU by its name, in any case, or by a text that holds it, e.g. "NVIDIA H100 80GB HBM3" or "a100-large".

    Raises:
        ArgumentError: nothing is known of it.
    """
    wanted = name.lower()
    found = [gpu for key, gpu in c.GPUS.items() if wanted == key]
    found += [gpu for key, gpu in sorted(c.GPUS.items(), key=lambda item: -len(item[0])) if key in wanted]
    if not found:
        raise ArgumentError(f"no figures are known of the GPU {name!r}; there are {', '.join(c.GPUS)}")
    return found[0]


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
        judge: of NaturalScore; the released one by default. One that is no "openai:" model is taken for a local one
            of 7 billion parameters.
        model: Hub id of the model that makes the videos first; None where they are given.
        recipe: of making them.
        cores: of the processor.
        num_gpus: that share the videos.
        limit: at most so many videos.
        measured: part to seconds a video, of an earlier run, which count more than formulas.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
    """
    chosen = list(METRICS if metrics is None else metrics)
    if unknown := [name for name in chosen if name not in METRICS]:
        raise ArgumentError(f"there is no metric {unknown[0]!r} (known are: {', '.join(METRICS)})")
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
        else:  # others are about every sample, or nearly so
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
    if {"subject_identity", "copypaste"} <= set(chosen):  # one detection serves both
        parts = [replace(part, seconds=0.0) if part.name == "copypaste" else part for part in parts]
    known = measured or {}
    parts = [
        replace(part, seconds=known[part.name], is_measured=True, explanation="measured")
        if part.name in known
        else part
        for part in parts
    ]
    keep, low = memory_gb(chosen, judge)
    return Estimate(split, card, cores, num_gpus, tuple(parts), keep, low)


def picture_tokens(pixels: float) -> float:
    """Tokens of a picture in the embedder's language model.

    Example:
        >>> picture_tokens(1280 * 720), picture_tokens(28 * 28), picture_tokens(4000 * 3000)
        (1175.5102040816328, 256, 1280)
    """
    low, high = c.TOKEN_BOUNDS
    return min(max(pixels / c.PIXELS_A_TOKEN, low), high)


def picture_flops(pixels: float) -> float:
    """Operations of embedding one picture: 2 P N in the language model and in the vision tower."""
    tokens = picture_tokens(pixels)
    language = 2 * c.EMBEDDER.parameters * (tokens + c.EMBEDDER_TEXT_TOKENS)
    return language + 2 * c.EMBEDDER_VISION.parameters * c.VISION_TOKENS_A_TOKEN * tokens


def gmescore_flops(size: VideoShape) -> float:
    """Of the frames of one video."""
    return c.SAMPLED_FRAMES * picture_flops(size.pixels)


def nexusscore_flops(size: VideoShape, references: float) -> float:
    """Of one video: the detector for each frame and reference, and the embedding of what it finds."""
    looks = c.SAMPLED_FRAMES * references
    return looks * (c.DETECTOR_FLOPS + c.BOXES_A_FRAME * picture_flops(size.pixels * c.CROP_SHARE))


def subject_flops(references: float) -> float:
    """Of one video: the detector for each frame and reference, and the embedding of what it finds."""
    crop = 2 * c.SUBJECT_EMBEDDER.parameters * c.CLIP_TOKENS
    return c.SAMPLED_FRAMES * references * (c.DETECTOR_FLOPS + c.BOXES_A_FRAME * crop)


def motion_smoothness_flops(size: VideoShape) -> float:
    """Of one video: each frame in the vision tower once, a window around each in the language model."""
    windows = 2 * c.QUALITY_SCORER.parameters * c.WINDOW_TOKENS
    return size.num_frames * (windows + 2 * c.QUALITY_SCORER_VISION.parameters * c.WINDOW_VISION_TOKENS)


def generation_flops(model: c.VideoModel, recipe: Recipe, references: int = 1) -> float:
    """Of one video: for every step and pass 2 P N, and 4 N^2 d in the attention of each layer."""
    frames = -(-((recipe.num_frames or 81) - 1) // model.frames_a_token) + 1 + references
    tokens = frames * ((recipe.width or 832) // model.pixels_a_token) * ((recipe.height or 480) // model.pixels_a_token)
    one_pass = 2 * model.parameters * tokens + 4 * tokens**2 * model.width * model.layers
    return (recipe.steps or 50) * model.passes_a_step * one_pass


def gpu_seconds(flops: float, gpu: c.Gpu) -> float:
    """Of operations on a GPU."""
    return flops / (gpu.tflops * 1e12 * c.UTILISATION)


def judge_tokens() -> int:
    """Input tokens that the released judge is sent for one video."""
    return c.JUDGE_RUNS * (c.JUDGE_FRAMES * c.JUDGE_IMAGE_TOKENS + c.JUDGE_TEXT_TOKENS)


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
        return 0.0 if _is_service(judge) else ROLES["embedder"].download_gb
    return ROLES[role].download_gb


def _is_service(judge: str | None) -> bool:
    return judge is None or judge.startswith("openai:")


def _metric_part(name: str, size: VideoShape, gpu: c.Gpu, split: str, judge: str | None) -> Part:
    match name:
        case "gmescore":
            return _on_gpu(name, gmescore_flops(size), gpu, f"32 frames of {picture_tokens(size.pixels):.0f} tokens")
        case "nexusscore":
            references = c.REFERENCES[split]
            tokens = picture_tokens(size.pixels * c.CROP_SHARE)
            said = f"32 frames x {references:.2f} references x {c.BOXES_A_FRAME} crops of {tokens:.0f} tokens"
            return _on_gpu(name, nexusscore_flops(size, references), gpu, said)
        case "motion_smoothness":
            said = f"{size.num_frames} windows of {c.WINDOW_TOKENS} tokens"
            return _on_gpu(name, motion_smoothness_flops(size), gpu, said)
        case "aesthetics":
            flops = c.SAMPLED_FRAMES * 2 * c.AESTHETIC_ENCODER.parameters * c.CLIP_TOKENS
            return _on_gpu(name, flops, gpu, f"32 frames of {c.CLIP_TOKENS} tokens")
        case "motion_amplitude":
            pairs = size.num_frames - 1
            seconds = c.FLOW_SECONDS * pairs * size.pixels / c.REFERENCE_PIXELS
            return Part(name, "core", seconds, 0, f"the flow of {pairs} pairs of frames on one core")
        case "facesim_cur" | "facesim_multi":
            seconds = c.SAMPLED_FRAMES * c.FACE_DETECTION_SECONDS
            return Part(name, "core", seconds, 0, "32 frames searched for faces on one core")
        case "subject_identity" | "copypaste":
            said = f"32 frames x {c.REFERENCES[split]:.2f} references, shared by the two"
            return _on_gpu(name, subject_flops(c.REFERENCES[split]), gpu, said)
        case "naturalscore":
            return _judge_part(name, gpu, judge)
        case _:
            return Part(name, "gpu", None, 0, f"no figures are known of {name}")


def _judge_part(name: str, gpu: c.Gpu, judge: str | None) -> Part:
    if _is_service(judge):
        tokens = judge_tokens()
        answers = c.JUDGE_RUNS * c.JUDGE_ANSWER_TOKENS
        seconds = c.JUDGE_RUNS * c.JUDGE_SECONDS_A_CALL / c.JUDGE_CONCURRENCY
        dollars = tokens * c.JUDGE_DOLLARS_IN + answers * c.JUDGE_DOLLARS_OUT
        said = f"{c.JUDGE_RUNS} calls, {tokens} input tokens, {c.JUDGE_CONCURRENCY} calls at a time"
        return Part(name, "service", seconds, 0, said, dollars)
    tokens_here = c.LOCAL_JUDGE_TOKENS + c.JUDGE_TEXT_TOKENS
    flops = 2 * c.EMBEDDER.parameters * tokens_here
    flops += 2 * c.EMBEDDER_VISION.parameters * c.VISION_TOKENS_A_TOKEN * c.LOCAL_JUDGE_TOKENS
    return _on_gpu(name, flops, gpu, f"one pass over {tokens_here:.0f} tokens, 7 billion parameters")


def _generation(model: str, recipe: Recipe, gpu: c.Gpu, num_videos: int) -> Part:
    known = c.VIDEO_MODELS.get(model)
    if known is None:
        return Part(GENERATION, "gpu", None, num_videos, f"no figures are known of {model}")
    flops = generation_flops(known, recipe)
    return replace(_on_gpu(GENERATION, flops, gpu, f"{recipe.steps or 50} steps"), num_videos=num_videos)


def _on_gpu(name: str, flops: float, gpu: c.Gpu, explanation: str) -> Part:
    return Part(name, "gpu", gpu_seconds(flops, gpu), 0, f"{explanation}, {flops:.2g} operations")


def estimated_here(result: RunResult) -> dict[str, float]:
    """Part to the seconds a video that formulas give for the videos of a result on this machine.

    What runs on a GPU of which nothing is known, or with embedded models, is left out; so is a service.
    """
    sizes = [video for video in result.videos if video.num_frames and video.width and video.height]
    if not sizes or result.split not in c.REFERENCES:
        return {}
    shape = VideoShape(
        *(round(statistics.mean(getattr(one, name) for one in sizes)) for name in ("num_frames", "width", "height"))
    )
    here = gpu_here() if "torch" in sys.modules else None  # without it nothing ran on a GPU
    embedded = {metric.name for metric in result.metrics if metric.embedded}
    asked = [metric.name for metric in result.metrics if metric.name in METRICS]
    made = estimate(result.split, here or "h100", metrics=asked, shape=shape)
    return {
        part.name: part.seconds
        for part in made.parts
        if part.seconds is not None
        and part.name not in embedded
        and (part.place == "core" or (part.place == "gpu" and here is not None))
    }


def gpu_here() -> str | None:
    """The name of this machine's GPU; None where there is none, or nothing is known of it."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name().lower()
    return name if any(key in name for key in c.GPUS) else None


def format_estimate(made: Estimate) -> str:
    """As text: a table by part, and what it comes to."""
    lines = [["part", "where", "s a video", "videos", "how"]]
    for part in made.parts:
        seconds = "not known" if part.seconds is None else f"{part.seconds:.2f}"
        how = f"{part.explanation}, {part.dollars:.3f} dollars" if part.dollars else part.explanation
        lines.append([part.name, part.place, seconds, str(part.num_videos), how])
    cards = f"{made.num_gpus} x {made.gpu.name}"
    left_out = f", without {', '.join(made.unknown)}, which nobody knows" if made.unknown else ""
    said = [
        f"{made.split} on {cards}, {made.cores} cores: {made.hours:.2f} h{left_out}",
        f"memory of a GPU: {made.memory_keep_gb:.0f} GB with all models loaded, {made.memory_low_gb:.0f} GB with "
        f"--memory low; the {made.gpu.name} has {made.gpu.memory_gb:.0f} GB",
    ]
    if made.service_dollars:
        said.append(f"judge: {made.service_dollars:.2f} dollars")
    if made.gpu_dollars is not None:
        said.append(f"as a Hugging Face Job: {made.gpu_dollars:.2f} dollars at the prices known here")
    if not all(part.is_measured for part in made.parts):
        said.append("estimated from formulas; --measured RUN puts what a run has measured in their place")
    return "\n".join([aligned(lines), *said])
