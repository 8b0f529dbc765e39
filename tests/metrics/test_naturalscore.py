from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import evaluate
import numpy as np
import pytest
from helpers.judge_endpoint import fails, judge_endpoint, says
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from PIL import Image

from opens2v_hf.errors import ArgumentError, ServiceUnavailableError
from opens2v_hf.metrics.naturalscore import NaturalScore, shown
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.writer import write_video

FOLDER = Path(__file__).resolve().parents[2] / "metrics" / "naturalscore"
NUM_FRAMES = 40


class WatchingJudge:
    """Answers from a list, and keeps what it was shown."""

    def __init__(self, ratings: Sequence[Rating], *, deterministic: bool = False, name: str = "watching") -> None:
        self.ratings = list(ratings)
        self.deterministic = deterministic
        self.info = ModelInfo(role="judge", name=name)
        self.options: dict[str, Any] = {}
        self.frames: list[Image.Image] = []
        self.rubric: Rubric | None = None
        self.runs: list[int] = []

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        self.frames, self.rubric = list(frames), rubric
        self.runs.append(runs)
        return self.ratings[:runs]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame t is grey of level 6 t, so that a frame tells its index."""
    path = tmp_path_factory.mktemp("videos") / "ramp.mp4"
    write_video(path, (np.full((48, 96, 3), 6 * t, np.uint8) for t in range(NUM_FRAMES)), fps=8)
    return path


def indices_seen(judge: WatchingJudge) -> list[int]:
    return [round(float(np.asarray(frame).mean()) / 6) for frame in judge.frames]


def test_released_protocol_takes_sixteen_frames_at_a_stride_from_the_start(video: Path) -> None:
    judge = WatchingJudge([Rating(3.0)] * 3)
    metric = NaturalScore(judge)
    metric.score(Clip(video, rules=(metric.sampling,)))
    # 40 // 16 = 2: frames 0, 2, .. 30; the last nine are never seen
    assert indices_seen(judge) == list(range(0, 32, 2))
    assert judge.rubric == Rubric.of_protocol("released")
    assert {frame.size for frame in judge.frames} == {(512, 256)}


def test_full_protocol_covers_the_clip_and_asks_about_pasted_in_subjects(video: Path) -> None:
    judge = WatchingJudge([Rating(3.0)] * 3)
    metric = NaturalScore(judge, protocol="full")
    metric.score(Clip(video, rules=(metric.sampling,)))
    # 39 / 15 = 2.6 a step, truncated
    assert indices_seen(judge) == [0, 2, 5, 7, 10, 13, 15, 18, 20, 23, 26, 28, 31, 33, 36, 39]
    assert judge.rubric == Rubric.of_protocol("full")


def test_the_three_runs_are_averaged_and_kept(video: Path) -> None:
    ratings = [Rating(3.0, "3"), Rating(4.0, "4", replies=("hm", "4")), Rating(3.0, "3")]
    metric = NaturalScore(WatchingJudge(ratings))
    score = metric.score(Clip(video, rules=(metric.sampling,)))
    assert score.value == pytest.approx(10 / 3, abs=1e-12)
    assert [run["reply"] for run in score.details["runs"]] == ["3", "4", "3"]
    assert score.details["runs"][1]["replies"] == ["hm", "4"]
    json.dumps(score.to_dict())


def test_a_run_without_a_score_fails_the_video_with_reason_and_replies(video: Path) -> None:
    ratings = [Rating(3.0, "3"), Rating(None, "no", "the judge refused", ("no", "no")), Rating(3.0, "3")]
    metric = NaturalScore(WatchingJudge(ratings))
    score = metric.score(Clip(video, rules=(metric.sampling,)))
    assert score.status is Status.FAILED
    assert "2 of 3 runs" in score.reason
    assert "the judge refused" in score.reason
    assert score.details["runs"][1]["replies"] == ["no", "no"]


def test_partial_runs_only_where_allowed(video: Path) -> None:
    ratings = [Rating(3.0), Rating(None, error="the judge refused"), Rating(4.0)]
    metric = NaturalScore(WatchingJudge(ratings), allow_partial=True)
    score = metric.score(Clip(video, rules=(metric.sampling,)))
    assert score.value == 3.5
    assert "left out" in score.reason
    assert any("left out" in caveat for caveat in metric.caveats)


def test_a_judge_that_stopped_is_no_fault_of_the_video(video: Path) -> None:
    stopped = Rating(None, error="the budget is spent", stopped=True)
    metric = NaturalScore(WatchingJudge([stopped] * 3))
    with pytest.raises(ServiceUnavailableError, match="the budget is spent"):
        metric.score(Clip(video, rules=(metric.sampling,)))
    # what was paid for is kept
    metric = NaturalScore(WatchingJudge([Rating(4.0, "4"), stopped, stopped]))
    score = metric.score(Clip(video, rules=(metric.sampling,)))
    assert score.status is Status.FAILED
    assert score.details["runs"][0]["reply"] == "4"


def test_a_deterministic_judge_is_asked_once_and_the_options_say_so(video: Path) -> None:
    judge = WatchingJudge([Rating(2.5)], deterministic=True)
    metric = NaturalScore(judge)
    assert metric.score(Clip(video, rules=(metric.sampling,))).value == 2.5
    assert judge.runs == [1]
    assert metric.options["runs"] == 1
    assert "deterministic" in metric.options["runs_note"]


def test_a_judge_that_hardly_meant_a_digit_is_remarked_upon(video: Path) -> None:
    metric = NaturalScore(WatchingJudge([Rating(2.5, details={"digit_mass": 0.01})], deterministic=True))
    score = metric.score(Clip(video, rules=(metric.sampling,)))
    assert score.value == 2.5
    assert "0.01" in score.reason


def test_a_broken_video_fails_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all")
    metric = NaturalScore(WatchingJudge([Rating(3.0)] * 3))
    score = metric.score(Clip(path, rules=(metric.sampling,)))
    assert score.status is Status.FAILED
    assert "broken.mp4" in score.reason


def test_only_the_released_setting_has_no_caveat_but_the_rubric() -> None:
    released = WatchingJudge([], name="openai:gpt-4o-2024-11-20")
    [caveat] = NaturalScore(released).caveats
    assert "rubric" in caveat
    assert len(NaturalScore(WatchingJudge([]), protocol="full", runs=2, allow_partial=True).caveats) == 5


@pytest.mark.parametrize("options", [{"protocol": "fast"}, {"runs": 0}, {"runs": 1.5}, {"runs": True}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        NaturalScore(WatchingJudge([]), **options)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((720, 1280), (512, 288)), ((1280, 720), (288, 512)), ((100, 100), (512, 512)), ((1, 2000), (512, 1))],
)
def test_the_long_side_is_512(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert shown(np.zeros((*shape, 3), np.uint8)).size == size


# -- the module of `evaluate` ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def metric() -> Any:
    return evaluate.load(str(FOLDER))


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_compute_over_an_endpoint(metric: Any, video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"")
    script = [says(reply) for reply in ("5", "4", "5", "2", "2", "hm", "2", "no", "no", "no")]
    with judge_endpoint(*script) as endpoint:
        answer = metric.compute(
            predictions=[str(video), video.read_bytes(), str(broken), {"path": str(video)}],
            judge="openai:gpt-4o-2024-11-20",
            base_url=endpoint.base_url,
            concurrency=1,
            details=True,
        )
    # runs 5 4 5; then 2 2 and, after a reply that is no score, 2; the last video gets three refusals a run
    assert answer["scores"] == [pytest.approx(14 / 3), 2.0, None, None]
    assert answer["naturalscore"] == pytest.approx((14 / 3 + 2) / 2)
    assert answer["statuses"] == ["scored", "scored", "failed", "failed"]
    assert "broken.mp4" in answer["reasons"][2]
    assert "none is a score" in answer["reasons"][3]
    assert answer["summary"]["num_failed"] == 2
    assert answer["details"][1]["runs"][2]["replies"] == ["hm", "2"]
    assert answer["models"][0]["name"] == "openai:gpt-4o-2024-11-20"
    assert answer["options"]["sampling"] == "stride-16"
    assert not answer["comparable"]
    assert "rubric" in answer["note"]
    json.dumps(answer)


def test_each_computation_has_its_own_budget(metric: Any, video: Path) -> None:
    with judge_endpoint(says("5")) as endpoint:
        options = {"base_url": endpoint.base_url, "max_calls": 3, "concurrency": 1}
        first = metric.compute(predictions=[str(video), str(video)], **options)
        second = metric.compute(predictions=[str(video)], **options)
    assert first["scores"] == [5.0, None]
    assert "budget of 3 calls" in first["reasons"][1]
    assert second["scores"] == [5.0]
    assert len(endpoint.requests) == 6


def test_a_refused_key_never_shows(metric: Any, video: Path) -> None:
    key = "sk-test-0123456789abcdef"
    with judge_endpoint(fails(401, f"wrong key {key}")) as endpoint:
        answer = metric.compute(predictions=[str(video)] * 2, base_url=endpoint.base_url, api_key=key)
    assert answer["naturalscore"] is None
    assert "401" in answer["reasons"][0]
    assert key not in json.dumps(answer)
    assert len(endpoint.requests) <= 3, "the runs that were already under way, and none for the second video"


def test_a_rubric_of_the_user_is_sent(metric: Any, video: Path, tmp_path: Path) -> None:
    rubric = tmp_path / "mine.txt"
    rubric.write_text("One to five?", encoding="utf-8")
    with judge_endpoint(says("5")) as endpoint:
        answer = metric.compute(predictions=[str(video)], base_url=endpoint.base_url, rubric=str(rubric), runs=1)
    assert endpoint.requests[0]["messages"][0]["content"][0]["text"] == "One to five?"
    assert answer["options"]["rubric"].startswith("sha256:")


def test_compute_with_a_local_judge_stays_loaded(metric: Any, video: Path, tmp_path: Path) -> None:
    folder = str(save_tiny_qwen2vl(tmp_path / "tiny"))
    arguments = {"predictions": [str(video)], "judge": folder, "device": "cpu", "details": True}
    first = metric.compute(**arguments)
    loaded = metric._kept.get("judge", folder, {}, device="cpu")
    second = metric.compute(**arguments)
    assert metric._kept.get("judge", folder, {}, device="cpu") is loaded
    assert first["scores"] == pytest.approx(second["scores"], abs=1e-5)
    assert 1.0 <= first["scores"][0] <= 5.0
    assert first["details"][0]["runs"][0]["probabilities"].keys() == {"1", "2", "3", "4", "5"}


def test_the_real_demo_video(metric: Any, shared_data: Path) -> None:
    video = shared_data / "eval-demo" / "videos" / "singleface_3.mp4"
    with judge_endpoint(says("3"), says("4"), says("3")) as endpoint:
        answer = metric.compute(predictions=[str(video)], base_url=endpoint.base_url, concurrency=1)
    assert answer["scores"] == [pytest.approx(10 / 3)]
    assert all(len(request["messages"][0]["content"]) == 17 for request in endpoint.requests)


# -- the Space ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> ModuleType:
    specification = importlib.util.spec_from_file_location("naturalscore_app", FOLDER / "app.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_card_names_the_right_files() -> None:
    front_matter = (FOLDER / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert "app_file: app.py" in front_matter
    assert "sdk: gradio" in front_matter
    assert (FOLDER / "requirements.txt").read_text(encoding="utf-8").startswith("opens2v-hf")
