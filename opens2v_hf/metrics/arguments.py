"""The arguments of the metrics as modules of `evaluate`, in one table: each means the same in all of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError

COMPOSITE = "opens2v_eval"
"""The module that computes all columns of the leaderboard."""

PROMPT, IMAGES, SAMPLE = "prompt", "images", "sample"

NEEDS = {
    "gmescore": PROMPT,
    "nexusscore": IMAGES,
    "facesim_cur": IMAGES,
    "facesim_multi": IMAGES,
    "subject_identity": IMAGES,
    "copypaste": IMAGES,
    COMPOSITE: SAMPLE,
}
"""Inputs of each sample that a metric needs; the other metrics need only the video."""

_VIDEOS = (
    'generated videos, a list: paths, the bytes of files, dicts with "path" or "bytes", or frames in memory (uint8 '
    "[T, H, W, 3] arrays or tensors, lists of PIL images, an `ArrayVideo`); in any mixture."
)
_REFERENCES = {
    PROMPT: 'the prompt of each video, or a dict with "prompt".',
    IMAGES: (
        'for each video a dict with "images" (paths, bytes, PIL images or uint8 arrays) and "labels", one for each '
        'image; "id" may be in it too.'
    ),
    SAMPLE: (
        'for each video a dict with what the columns need: "prompt" (GmeScore), "images" with "labels" '
        '(NexusScore, FaceSim), and "id". With an id of the benchmark its rules decide which columns apply to the '
        "video; without one its labels do."
    ),
}
_ROLES = {
    "embedder": (
        "Hub id or folder of a GME (Qwen2-VL) or a Qwen3-VL-Embedding, vllm:http://host:port/<model> for a server, or "
        "a loaded `GmeEmbedder`."
    ),
    "judge": (
        '"openai:<model>" for an OpenAI-compatible endpoint, "vllm:http://host:port/<model>" for a server, or Hub id '
        "or folder of a vision-language model."
    ),
    "detector": "Hub id, folder or checkpoint of a YOLO-World detector with image prompts, or a loaded one.",
    "prompt_encoder": "Hub id or folder of a CLIP image tower, or a loaded one. Not loaded where embeddings are given.",
    "aesthetic_encoder": "Hub id or folder of a CLIP image tower, or a loaded `AestheticEncoder`.",
    "aesthetic_head": "Hub id, folder or file of the head that rates that encoder's embeddings, or a loaded one.",
    "quality_scorer": "Hub id or folder of a Q-Align (mPLUG-Owl2) model, or a loaded `QAlignScorer`.",
    "face_detector": (
        "Hub id, folder or ONNX file of a detector of InsightFace (pip install 'opens2v-hf[faces]'), or a loaded one."
    ),
    "face_embedder": "Hub id, folder or file of a CurricularFace IR net, or a loaded `IrFaceEmbedder`.",
    "subject_embedder": (
        "Hub id or folder of DINOv2, DINOv3, SigLIP, CLIP, GME or Qwen3-VL-Embedding, or a loaded `SubjectEmbedder`."
    ),
}
_OPTIONS = {
    "num_frames": "sampled evenly over each video. Default (released): 32.",
    "gmescore.variant": (
        '"released" (default, the leaderboard\'s: the mean over the frames) or "lowest" (of the frames\' similarities: '
        "any part without the prompt costs, however short)."
    ),
    "nexusscore.variant": (
        '"released" (default, the leaderboard\'s), "v1.0", or "coverage" (mean over frames and references of the '
        "best similarity above the thresholds, 0 where the subject is not found)."
    ),
    "motion_amplitude.variant": (
        '"released" (default, the leaderboard\'s: pixels per frame, signed, so that opposite motions cancel) or '
        '"magnitude" (mean length of the flow in diagonals of the frame per second).'
    ),
    "rounding": (
        '"float64" (default), or "float16" to average in the precision that the released code has on a GPU, for a '
        "comparison to the last digit."
    ),
    "box_threshold": "boxes are kept above this score of the detector. Default (released): 0.6.",
    "text_threshold": "boxes are kept above this similarity with the label. Default (released): 0.30.",
    "label_instruction": "that labels are embedded with. Default: the embedder's retrieval instruction.",
    "protocol": (
        '"released" (16 frames at a stride from the start) or "full" (16 frames over the whole clip, and a '
        "question about pasted-in subjects)."
    ),
    "runs": "calls of the judge for a video; the scores are averaged. A local judge is called once.",
    "reference_views": (
        "other true views of the subjects: a folder with <id>/<number of the reference, from 1>/<picture>, or a "
        'mapping of id to a list for each reference; a reference may also have its own as "views".'
    ),
    "rubric": "path of a text file that replaces the text for the judge, e.g. the released prompt.",
    "allow_partial": "average the runs that have a score, instead of failing a video for which one has none.",
    "ids": "sample ids, one for each video. The released rules on labels of people go by them.",
    "image_embeds": "for each video [K, D] image embeddings in place of the prompt encoder's; None for one without.",
    "prompt_embeds": "for each video [K, D] normalised prompts in place of the projected embeddings.",
    "metrics": "names of the columns to compute. Default: all of the split's leaderboard.",
    "options": 'column to its own options, e.g. {"naturalscore": {"runs": 1}}.',
    "split": '"open-domain" (default), "human-domain" or "single-domain": columns and weights of the scorecard.',
    "version": 'of the weights: "v1.1" (default) or "v1.0".',
    "scoring": '"released" (default), or "strict": a video that failed counts as the worst, NexusScore 0 as 0.',
}
_OWN = {
    "nexusscore": ("ids", "image_embeds", "prompt_embeds"),
    "facesim_cur": ("ids",),
    "facesim_multi": ("ids",),
    "subject_identity": ("ids",),
    "copypaste": ("ids",),
    COMPOSITE: ("metrics", "options", "split", "version", "scoring"),
}
"""Arguments of a module that are no options of its metric."""

_COMMON = {
    "metric_models": (
        '"embedded" for the small models of opens2v-hf in each role (not comparable with the leaderboard), or role to '
        "model: a name, a `ModelChoice` with arguments of loading, or a loaded model."
    ),
    "device": '"auto" (default), "cuda", "cuda:1", "mps" or "cpu".',
    "dtype": 'of networks that take one: "auto" (default: as released), "float16", "bfloat16" or "float32".',
    "batch_size": "images that a network computes at a time: bounds memory, changes scores by rounding only.",
    "batch_tokens": "tokens that a network computes at a time; likewise.",
    "mixed_precision": 'of the detector: "no" (default, as released), "fp16" or "bf16".',
    "fps": "frames per second of the frames in memory; needed for those.",
    "backend": 'decoder of videos: "auto" (default), "pyav" or "decord".',
    "details": "also return, per video, what its score was made from. Default: False.",
    "distributed": "under `accelerate launch` processes share the videos; False to score all in each (default: True).",
}
"""Arguments that every module takes; a module that does not need one ignores it."""

LOADING = {
    "embedder": (
        "dtype", "batch_tokens", "min_pixels", "max_pixels", "max_length", "device_map", "quantization_config",
        "attn_implementation", "offload_folder", "max_memory", "api_key", "concurrency", "timeout_s", "max_attempts",
    ),
    "judge": ("dtype",),
    "detector": ("mixed_precision", "batch_size", "compile"),
    "prompt_encoder": ("batch_size",),
    "aesthetic_encoder": ("dtype", "batch_size"),
    "quality_scorer": ("dtype", "batch_tokens"),
    "face_embedder": ("dtype", "batch_size"),
    "subject_embedder": ("dtype", "batch_size"),
}  # fmt: skip
"""Role to the arguments of loading, besides "device", that a module passes to its model; see `judge_arguments`."""

_RETURNS = {
    "scores": "of each video; None for one without.",
    "reasons": "why a video has no score, or a remark; empty for the others.",
    "statuses": '"scored", "not_applicable" or "failed", per video.',
    "summary": "the mean with its 95 % bootstrap interval, and how many videos were scored, failed or do not apply.",
    "models, options": "the models with their revisions, and what else decides the numbers.",
    "comparable, note": "whether the numbers are comparable with the leaderboard's, and why not.",
}
_RETURNS_COMPOSITE = {
    "partial, missing_columns": "whether and which columns are missing.",
    "scorecard": (
        "every column clipped, averaged and normalised, with its weight, its 95 % bootstrap interval, how many videos "
        "it rests on, and its values by category; the total with its interval and bounds."
    ),
    "columns": "for each column what its own module returns, and the same for its companion definition.",
    "num_videos": "how many were given.",
    "comparable, note": "whether the total is comparable with the leaderboard's, and why not.",
}


def roles_of(metric: str) -> tuple[str, ...]:
    """The roles of the models that a metric needs, or may need."""
    from opens2v_hf.metrics.registry import METRICS
    from opens2v_hf.models.roles import ROLES

    if metric != COMPOSITE:
        return METRICS[metric].roles
    return tuple(role for role in ROLES if any(role in entry.roles for entry in METRICS.values()))


def options_of(metric: str) -> tuple[str, ...]:
    """The options of a metric itself."""
    from opens2v_hf.metrics.registry import METRICS

    return () if metric == COMPOSITE else tuple(name for name in METRICS[metric].options if name != "details")


def arguments_of(metric: str) -> dict[str, str]:
    """Arguments of a metric's module, besides predictions and references, with descriptions; see `check_names`."""
    roles, options = roles_of(metric), options_of(metric)
    found = {name: _OPTIONS.get(f"{metric}.{name}") or _OPTIONS[name] for name in (*_OWN.get(metric, ()), *options)}
    from opens2v_hf.models.roles import ROLES

    for role in roles:
        found[role] = f"{_ROLES[role]} Default: the released {ROLES[role].released}."
        found[f"{role}_revision"] = "branch, tag or commit of its Hub repo."
    found |= _COMMON
    if metric != COMPOSITE:
        for role in roles:
            more = [name for name in LOADING.get(role, ()) if name not in found]
            found |= dict.fromkeys(more, f"of loading the {role}, see `from_pretrained` of its class.")
    return found


def check_names(metric: str, given: Iterable[str]) -> None:
    """Refuse arguments that a metric's module does not know.

    Raises:
        ArgumentError: there is one.
    """
    known = arguments_of(metric)
    unknown = [name for name in given if name not in known]
    if unknown and "judge" in roles_of(metric) and metric != COMPOSITE:
        judges = judge_arguments()
        unknown = [name for name in unknown if name not in judges]
    if unknown:
        raise ArgumentError(f"{metric} has no argument {', '.join(map(repr, unknown))} (it has: {', '.join(known)})")


def check_flags(given: Mapping[str, Any]) -> None:
    """Refuse values of yes-or-no arguments that are neither, e.g. the text "no", which would count as yes.

    Raises:
        ArgumentError: there is one.
    """
    for name in ("allow_partial", "details", "distributed"):
        if not isinstance(value := given.get(name), bool | np.bool_ | None):
            raise ArgumentError(f"{name} must be True or False (got {value!r:.80})")


def judge_arguments() -> set[str]:
    """The arguments of loading that a judge behind an endpoint, in vLLM or a local one takes."""
    from opens2v_hf.models.endpoint.engine_names import VLLM_ARGUMENTS
    from opens2v_hf.models.endpoint.options import known_options
    from opens2v_hf.models.judge.endpoint import EndpointJudge
    from opens2v_hf.models.judge.local import LocalJudge

    kinds = (EndpointJudge.__init__, LocalJudge.from_pretrained)
    named = {name for kind in kinds for name in inspect.signature(kind).parameters}
    not_arguments = {"self", "model", "revision", "options", "given", "model_kwargs"}
    return (named | set(known_options()) | set(VLLM_ARGUMENTS) | set(LOADING["embedder"])) - not_arguments


def inputs_description(metric: str) -> str:
    """The description of a metric's arguments and results in `evaluate`."""
    given = {"predictions": _VIDEOS}
    if metric in NEEDS:
        given["references"] = _REFERENCES[NEEDS[metric]]
    mean = "the total in [0, 1]; None where a column has no value." if metric == COMPOSITE else ""
    returned = {metric: mean or "mean over the videos that have a score; None where there is none."}
    returned |= _RETURNS_COMPOSITE if metric == COMPOSITE else _RETURNS
    if metric in ("nexusscore", "facesim_multi", "subject_identity", "copypaste"):
        returned["references"] = "for each video, what was found of each reference that applies."
    if metric != COMPOSITE:
        returned["details"] = "on request, for each video what its score was made from."
    return f"\nArgs:\n{_listed(given | arguments_of(metric))}\nReturns:\n{_listed(returned)}\n"


def _listed(entries: Mapping[str, Any]) -> str:
    return "\n".join(f"    {name}: {text}" for name, text in entries.items())
