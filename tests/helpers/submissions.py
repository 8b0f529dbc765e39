"""Submissions and whole results with made-up values, whose columns are computed here by a second implementation."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from opens2v_hf.data.benchmark.ids import PROMPT_SHA256, applicable_ids, split_ids
from opens2v_hf.leaderboard.submissions.record import FORMAT, Submission, json_schema
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import VideoScore

# SPEC section 3, written out a second time: range of the raw value, where the magnitude counts, weights of v1.1.
RANGES = {
    "aesthetics": (4.0, 7.0),
    "motion_smoothness": (0.0, 1.0),
    "motion_amplitude": (0.0, 1.0),
    "facesim_cur": (0.0, 1.0),
    "gmescore": (0.0, 1.0),
    "nexusscore": (0.0, 0.05),
    "naturalscore": (1.0, 5.0),
}
OPEN_WEIGHTS = {
    "nexusscore": 0.20, "naturalscore": 0.24, "gmescore": 0.12, "facesim_cur": 0.20, "aesthetics": 0.16,
    "motion_amplitude": 0.02, "motion_smoothness": 0.06,
}  # fmt: skip
HUMAN_WEIGHTS = {
    "naturalscore": 0.30, "gmescore": 0.15, "facesim_cur": 0.25, "aesthetics": 0.18, "motion_amplitude": 0.03,
    "motion_smoothness": 0.09,
}  # fmt: skip
RELEASED_MODELS = {
    "aesthetics": ("aesthetic_encoder", "openai/clip-vit-large-patch14"),
    "motion_smoothness": ("quality_scorer", "q-future/one-align"),
    "motion_amplitude": None,
    "facesim_cur": ("face_embedder", "BestWishYsh/OpenS2V-Weight"),
    "gmescore": ("embedder", "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"),
    "nexusscore": ("detector", "BestWishYsh/OpenS2V-Weight"),
    "naturalscore": ("judge", "openai:gpt-4o-2024-11-20"),
}
SAMPLING = {"motion_amplitude": "all", "motion_smoothness": "all", "naturalscore": "stride-16"}  # others: linspace-32
EDITION = "6bc7c96dfc4f09db90292c3250dd8c6e42763b7b2085cba5957f0127a03e086d"
RUBRIC_CAVEAT = "the rubric is this project's own text (1), not the released prompt"


def weights_of(split: str) -> dict[str, float]:
    return HUMAN_WEIGHTS if split == "human-domain" else OPEN_WEIGHTS


def raw_values(split: str, seed: int) -> dict[str, dict[str, float]]:
    """Column to sample id to raw value, some of them beyond the column's range."""
    draw = random.Random(f"{split} {seed}")
    values: dict[str, dict[str, float]] = {}
    for name in weights_of(split):
        low, high = RANGES[name]
        spread = 0.2 * (high - low) if name in ("aesthetics", "nexusscore") else 0.0
        values[name] = {
            sample_id: round(draw.uniform(low - spread, high + spread), 6)
            for sample_id in split_ids(split)
            if sample_id in applicable_ids(name, split)
        }
    return values


def columns_of(values: dict[str, dict[str, float]]) -> tuple[dict[str, float], dict[str, int]]:
    """Normalised columns and counts, plainly."""
    columns, counts = {}, {}
    for name, given in values.items():
        low, high = RANGES[name]
        clipped = [min(max(value, low), high) for value in given.values()]
        if name == "nexusscore":
            clipped = [value for value in clipped if value != 0]
        columns[name] = (sum(clipped) / len(clipped) - low) / (high - low)
        counts[name] = len(clipped)
    return columns, counts


def total_of_seed(split: str, seed: int) -> float:
    """The total of `raw_values`, plainly."""
    columns, _ = columns_of(raw_values(split, seed))
    return sum(weight * columns[name] for name, weight in weights_of(split).items())


def make_submission(split: str = "open-domain", seed: int = 0, **changes) -> Submission:
    """A submission that is acceptable; `changes` replaces fields of it."""
    values = raw_values(split, seed)
    columns, counts = columns_of(values)
    models = [
        {"metric": name, **ModelInfo(*RELEASED_MODELS[name], "c0ffee", "float16", "cuda:0").to_dict()}
        for name in values
        if RELEASED_MODELS[name]
    ]
    record = {
        "format": FORMAT,
        "model": f"Model {seed}",
        "model_id": "",
        "link": "https://example.org/model",
        "team": "Some Team",
        "venue": "Open-Source",
        "split": split,
        "version": "v1.1",
        "edition": EDITION,
        "scoring": "released",
        "total": total_of_seed(split, seed),
        "columns": columns,
        "num_videos": counts,
        "per_video": {i: {name: values[name][i] for name in values if i in values[name]} for i in split_ids(split)},
        "provenance": {
            "kind": "measured",
            "source": "",
            "packages": [{"name": "opens2v-hf", "version": "0.1.0"}, {"name": "torch", "version": "2.13.0"}],
            "models": models,
            "options": [{"metric": "gmescore", "option": "sampling", "value": '"linspace-32"'}],
            "caveats": [{"metric": "naturalscore", "caveat": RUBRIC_CAVEAT}],
            "benchmark": {
                "source": "hf://datasets/BestWishYsh/OpenS2V-Eval@c0ffee",
                "prompt_file": "Open-Domain_Eval.json",
                "sha256": PROMPT_SHA256[split],
            },
        },
        "submitted_by": "org",
        "submitted_at": "2026-01-01 12:00:00",
    }
    return Submission.model_validate(_as_record({**record, **changes}))


def replace(one: Any, **changes: Any) -> Any:
    """As `dataclasses.replace`; of a submission, whose columns, counts and per-video values may be given as maps."""
    if isinstance(one, Submission):
        return Submission.model_validate(_as_record({**one.to_dict(), **changes}))
    return dataclasses.replace(one, **changes)


def _as_record(fields: dict[str, Any]) -> dict[str, Any]:
    """The record of a submission: every column is in every map, and the videos are a list."""
    names = tuple(RANGES)
    fields = {**fields, **{key: {n: fields[key].get(n) for n in names} for key in ("columns", "num_videos")}}
    if isinstance(fields["per_video"], dict):
        fields["per_video"] = [{"id": i, **{n: v.get(n) for n in names}} for i, v in fields["per_video"].items()]
    return fields


def make_whole_result(
    split: str = "open-domain", seed: int = 0, *, model: str = "alpha", embedded: bool = False, missing: int = 0
) -> RunResult:
    """A result with a value for every video and column, except for the last `missing` videos, which were not found."""
    values, ids = raw_values(split, seed), list(split_ids(split))
    found = ids[: len(ids) - missing]
    metrics = []
    for name, given in values.items():
        model_of = RELEASED_MODELS[name]
        scores = {
            i: VideoScore.scored(given[i]) if i in given else VideoScore.not_applicable("does not apply") for i in found
        }
        infos = ()
        if model_of is not None:
            infos = (ModelInfo(model_of[0], "embedded" if embedded else model_of[1], "c0ffee", embedded=embedded),)
        caveats = (RUBRIC_CAVEAT,) if name == "naturalscore" else ()
        metrics.append(MetricResult(name, infos, {"sampling": SAMPLING.get(name, "linspace-32")}, caveats, scores))
    applicable = {name: tuple(i for i in ids if i in applicable_ids(name, split)) for name in values}
    return RunResult(
        model=model,
        split=split,
        benchmark={
            "source": "hf://datasets/BestWishYsh/OpenS2V-Eval@c0ffee",
            "prompt_file": "Open-Domain_Eval.json",
            "sha256": PROMPT_SHA256[split],
        },
        source="videos",
        coverage=Coverage(len(ids), len(found), tuple(ids[len(found) :]), (), applicable),
        videos=tuple(VideoRecord(i, f"{i}.mp4", "ab" * 32, i.rpartition("_")[0], 16, 8.0, 168, 112) for i in found),
        metrics=tuple(metrics),
        package={"opens2v-hf": "0.1.0", "torch": "2.13.0"},
        created_at="2026-01-01T00:00:00+00:00",
    )


def features_yaml() -> list[dict[str, Any]]:
    """The fields of a record as `dataset_info.features` of a dataset card holds them."""
    schema = json_schema()
    return _features(schema, schema["$defs"])


_DTYPES = {"string": "string", "number": "float64", "integer": "int64", "boolean": "bool"}


def _features(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, field in schema["properties"].items():
        field = next((one for one in field.get("anyOf", ()) if one["type"] != "null"), field)
        item = field.get("items", field)
        if "$ref" in item:
            nested = _features(definitions[item["$ref"].rpartition("/")[2]], definitions)
            found.append({"name": name, "list" if "items" in field else "struct": nested})
        else:
            found.append({"name": name, "dtype": _DTYPES[field["type"]]})
    return found
