from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.data.benchmark.given_sample import given_samples
from opens2v_hf.errors import ArgumentError, JudgeError, ModelError
from opens2v_hf.evaluation import composite
from opens2v_hf.evaluation.composite import load_composite, metric_names, score_composite
from opens2v_hf.metrics.model_cache import ModelCache
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video import clip as clip_module
from opens2v_hf.video.sampling import SamplingRule, every, linspace, stride

RAW = {
    "nexusscore": 0.03, "naturalscore": 4.0, "gmescore": 0.7, "facesim_cur": 0.5, "aesthetics": 5.5,
    "motion_amplitude": 0.2, "motion_smoothness": 0.9,
}  # fmt: skip
TOTAL = 0.20 * 0.6 + 0.24 * 0.75 + 0.12 * 0.7 + 0.20 * 0.5 + 0.16 * 0.5 + 0.02 * 0.2 + 0.06 * 0.9


@dataclass
class Constant:
    """A column with the same value for every video, which reads the frames."""

    name: str
    value: float = 0.5
    sampling: SamplingRule = field(default_factory=lambda: linspace(3))
    models: tuple[ModelInfo, ...] = (ModelInfo("judge", "org/model"),)
    options: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    seen: list[Any] = field(default_factory=list)

    def score(self, clip, reference):
        self.seen.append(reference)
        if reference == "trip":
            raise JudgeError("no answer")
        count = sum(1 for _ in clip.stream()) if self.sampling.is_every else len(clip.frames(self.sampling))
        return VideoScore.scored(self.value, frames=count)


@pytest.fixture
def columns(monkeypatch):
    """All seven, whichever of them the package can compute."""
    for name in RAW:
        if name not in METRICS:
            entry = METRICS["motion_amplitude"]
            monkeypatch.setitem(METRICS, name, entry)
    return [Constant(name, value) for name, value in RAW.items()]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [encode(folder / f"{count}.mp4", numbered_frames(count)) for count in (5, 7)]


def record(sample_id, label="Man"):
    return {"id": sample_id, "prompt": f"prompt of {sample_id}", "images": [b"picture"], "labels": [label]}


def run(metrics, videos, records, **options):
    return score_composite(
        metrics, videos, given_samples(records, split=options.get("split", "open-domain")), **options
    )


def test_the_total_is_the_weighted_sum_of_the_columns(columns, videos):
    result = run(columns, videos, [record("singlehuman_1"), record("humanobj_2")])
    assert result["opens2v_eval"] == pytest.approx(TOTAL)
    assert (result["partial"], result["missing_columns"], result["num_videos"]) == (False, [], 2)
    assert result["scorecard"]["total"] == result["opens2v_eval"]
    assert result["scorecard"]["columns"]["naturalscore"]["normalised"] == pytest.approx(0.75)
    assert result["columns"]["naturalscore"]["naturalscore"] == 4.0
    assert result["columns"]["naturalscore"]["scores"] == [4.0, 4.0]
    assert result["note"] == "2 of the 180 samples of open-domain have a video"
    assert not result["comparable"]


def test_weights_and_columns_are_those_of_split_and_version(columns, videos):
    arguments = (columns, videos[:1], [record("singlehuman_1")])
    human = 0.30 * 0.75 + 0.15 * 0.7 + 0.25 * 0.5 + 0.18 * 0.5 + 0.03 * 0.2 + 0.09 * 0.9
    assert run(*arguments, split="human-domain")["opens2v_eval"] == pytest.approx(human)
    old = 0.20 * 0.6 + 0.24 * 0.75 + 0.12 * 0.7 + 0.20 * 0.5 + 0.12 * 0.5 + 0.12 * 0.2
    assert run(*arguments, version="v1.0")["opens2v_eval"] == pytest.approx(old)


def test_the_rules_of_the_benchmark_decide_which_columns_apply(columns, videos):
    result = run(columns, videos, [record("singleface_1"), record("singleobj_1", "Cup")])
    assert result["columns"]["nexusscore"]["statuses"] == ["not_applicable", "scored"]
    assert result["columns"]["facesim_cur"]["statuses"] == ["scored", "not_applicable"]
    assert "singleface_1" in result["columns"]["nexusscore"]["reasons"][0]
    assert result["columns"]["gmescore"]["statuses"] == ["scored", "scored"]


def test_every_metric_gets_its_own_reference(videos):
    metrics = [Constant("gmescore"), Constant("nexusscore"), Constant("naturalscore")]
    run(metrics, videos[:1], [record("humanobj_3")])
    gme, nexus, natural = (metric.seen[0] for metric in metrics)
    assert gme == "prompt of humanobj_3"
    assert (nexus.id, nexus.images, nexus.labels) == ("humanobj_3", (b"picture",), ("Man",))
    assert natural is None


def test_a_companion_has_its_own_column_and_the_scorecard_uses_the_released_variant(videos):
    for variant, other in (("released", "magnitude"), ("magnitude", "released")):
        metric = MotionAmplitude(variant=variant)
        result = run([metric], videos[:1], [record("singleobj_1", "Cup")], details=True)
        assert list(result["columns"]) == ["motion_amplitude", f"motion_amplitude_{other}"]
        by_variant = result["columns"]["motion_amplitude"]["details"][0]["variants"]
        assert result["columns"][f"motion_amplitude_{other}"]["scores"] == [by_variant[other]]
        assert result["columns"]["motion_amplitude"]["scores"] == [by_variant[variant]]
        assert result["scorecard"]["columns"]["motion_amplitude"]["raw"] == pytest.approx(
            min(by_variant["released"], 1)
        )


def test_a_missing_column_leaves_no_total(videos):
    result = run([Constant("gmescore", 0.7)], videos[:1], [record("singlehuman_1")])
    assert result["opens2v_eval"] is None
    assert result["partial"]
    assert "naturalscore" in result["missing_columns"]
    assert result["scorecard"]["partial_total"] == pytest.approx(0.7)
    assert list(result["columns"]) == ["gmescore"]


def test_each_video_is_opened_and_decoded_once(videos, monkeypatch):
    passes = []
    original = clip_module.open_video

    def counted(*args, **kwargs):
        reader = original(*args, **kwargs)
        frames = reader.iter_frames
        monkeypatch.setattr(reader, "iter_frames", lambda *a: passes.append(1) or frames(*a), raising=False)
        return reader

    monkeypatch.setattr(clip_module, "open_video", counted)
    metrics = [
        Constant("gmescore", sampling=linspace(3)),
        Constant("naturalscore", sampling=stride(2)),
        Constant("aesthetics", sampling=every()),
        MotionAmplitude(),
    ]
    result = run(metrics, videos, [record("singleobj_1", "Cup")] * 2, details=True)
    assert len(passes) == len(videos)
    counts = {
        name: [found["frames"] for found in result["columns"][name]["details"]] for name in ("gmescore", "aesthetics")
    }
    assert counts == {"gmescore": [3, 3], "aesthetics": [5, 7]}
    assert [len(found["pair_means"]) for found in result["columns"]["motion_amplitude"]["details"]] == [4, 6]


def test_a_failed_video_is_counted_and_lowers_the_strict_score(videos, tmp_path):
    given = [videos[0], tmp_path / "absent.mp4", b"no video", videos[1]]
    records = [
        record("singleobj_1"),
        record("singleobj_2"),
        record("singleobj_3"),
        {"id": "singleobj_4", "prompt": "trip"},
    ]
    metrics = [Constant("gmescore", 0.8)]
    released = run(metrics, given, records)
    assert released["columns"]["gmescore"]["statuses"] == ["scored", "failed", "failed", "failed"]
    assert "absent.mp4" in released["columns"]["gmescore"]["reasons"][1]
    assert released["columns"]["gmescore"]["reasons"][3] == "no answer"
    assert released["scorecard"]["columns"]["gmescore"]["normalised"] == pytest.approx(0.8)
    assert released["scorecard"]["columns"]["gmescore"]["num_missing"] == 3
    assert "gmescore: 3 of 4 videos could not be scored" in released["note"]
    strict = run(metrics, given, records, scoring="strict")
    assert strict["scorecard"]["columns"]["gmescore"]["normalised"] == pytest.approx(0.2)


def test_only_a_whole_split_with_the_released_models_is_comparable(columns, videos, monkeypatch):
    monkeypatch.setattr(composite, "split_ids", lambda split: {"singlehuman_1": "singlehuman"})
    with_sibling = [MotionAmplitude() if column.name == "motion_amplitude" else column for column in columns]
    for metrics in (columns, with_sibling):  # a companion changes no total
        result = run(metrics, videos[:1], [record("singlehuman_1")])
        assert (result["comparable"], result["note"]) == (True, "")
    twice = run(columns, videos, [record("singlehuman_1")] * 2)
    assert (twice["comparable"], twice["note"]) == (False, "some samples have several videos")
    stranger = run(columns, videos, [record("singlehuman_1"), {**record("x"), "id": None}])
    assert stranger["note"] == "1 of 2 videos belong to no sample of open-domain"
    columns[0].models = (ModelInfo("detector", "embedded", embedded=True),)
    assert run(columns, videos[:1], [record("singlehuman_1")])["note"].startswith(EMBEDDED_NOTE)


def test_wrong_arguments_are_refused_before_scoring(columns, videos):
    with pytest.raises(ArgumentError, match="1 videos, 0 references"):
        score_composite(columns, videos[:1], [])
    for wrong in ({"split": "other"}, {"version": "v2"}, {"scoring": "kind"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong.values()))):
            score_composite(columns, [], [], **wrong)


def test_the_columns_of_the_leaderboard_are_the_default():
    assert set(metric_names(None, "open-domain")) <= set(RAW)
    assert {"gmescore", "naturalscore", "nexusscore", "aesthetics", "motion_amplitude"} <= set(
        metric_names(None, "open-domain")
    )
    assert "nexusscore" not in metric_names(None, "human-domain")
    assert metric_names("gmescore", "open-domain") == ["gmescore"]
    assert metric_names(["aesthetics", "gmescore", "aesthetics"], "open-domain") == ["aesthetics", "gmescore"]
    for names in (["colour"], []):
        with pytest.raises(ArgumentError, match="known are"):
            metric_names(names, "open-domain")


def test_models_are_loaded_once_and_shared():
    kept = ModelCache()
    names = ["gmescore", "nexusscore", "aesthetics"]
    options = {"gmescore": {"num_frames": 5}}
    gme, nexus, aesthetics = load_composite(names, kept, models="embedded", options=options, loading={"device": "cpu"})
    assert nexus.embedder is gme.embedder
    assert gme.sampling.count == 5
    (again,) = load_composite(["gmescore"], kept, models="embedded", loading={"device": "cpu"})
    assert again.embedder is gme.embedder
    mixed = {
        "embedder": gme.embedder,
        "aesthetic_encoder": ModelChoice("embedded", {"device": "cpu", "dtype": "float64"}),
        "aesthetic_head": "embedded",
    }
    first, second = load_composite(["gmescore", "aesthetics"], kept, models=mixed, loading={"device": "cpu"})
    assert first.embedder is gme.embedder
    assert second.encoder.info.dtype == "float64"
    assert second.head is aesthetics.head


def test_wrong_models_and_options_are_refused():
    kept = ModelCache()
    with pytest.raises(ArgumentError, match="mapping of role to model"):
        load_composite(["gmescore"], kept, models="released")
    with pytest.raises(ArgumentError, match="model 'judge'"):
        load_composite(["gmescore"], kept, models={"judge": "embedded"})
    with pytest.raises(ArgumentError, match="no option colour"):
        load_composite(["motion_amplitude"], kept, options={"motion_amplitude": {"colour": 1}})
    with pytest.raises(ModelError, match="neither a folder"):
        load_composite(["gmescore"], kept, models={"embedder": "no-such-folder"})


def test_an_endpoint_is_created_for_each_call_with_its_own_arguments():
    kept = ModelCache()
    choice = ModelChoice("openai:some-model", {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "max_calls": 3})
    metrics = [
        load_composite(["naturalscore"], kept, models={"judge": choice}, loading={"device": "cpu"})[0] for _ in range(2)
    ]
    assert metrics[0].models[0].name == "openai:some-model"
    assert metrics[0]._judge is not metrics[1]._judge
