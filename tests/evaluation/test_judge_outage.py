"""An endpoint of a judge that is down for an hour, with a simulated clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.fault_run import BROKEN, IDS, SPLIT, find_videos, samples, write_videos
from helpers.judge_endpoint import fails, judge_endpoint, says

from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import Status

HOUR_S = 3600.0


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def score(videos: Path, out: Path, judge: EndpointJudge) -> RunResult:
    split = samples()
    run = Run(find_videos(str(videos), [sample.id for sample in split]), split, "model", SPLIT, {}, "pyav")
    tasks = [MetricTask(NaturalScore(judge, runs=1), lambda sample: None)]
    passes = [MetricPass(("naturalscore",), lambda: tasks)]
    return score_passes(run, passes, ["naturalscore"], output=Output(out, SPLIT))


def statuses(result: RunResult) -> dict[str, Status]:
    return {id_: outcome.status for id_, outcome in result.metric("naturalscore").scores.items()}


def test_an_outage_of_the_judge_loses_no_score_and_repeats_no_request(tmp_path: Path, capsys: Any) -> None:
    videos = write_videos(tmp_path / "videos")
    clock = Clock()

    def behave(handler: Any) -> None:
        (fails(503, "down") if clock.now < HOUR_S else says("4"))(handler)

    def judge(url: str, sleep: Callable[[float], None] = clock.sleep) -> EndpointJudge:
        return EndpointJudge(
            "openai:some", base_url=url, concurrency=1, max_attempts=9, sleep=sleep, now=lambda: clock.now
        )

    with judge_endpoint(behave) as endpoint:
        found = score(videos, tmp_path / "out", judge(endpoint.base_url))
        assert set(statuses(found).values()) == {Status.FAILED}
        assert "5 scored" not in capsys.readouterr().err
        scores = found.metric("naturalscore").scores
        reasons = [scores[id_].reason for id_ in IDS if id_ != BROKEN]
        assert all("HTTP 503" in reason for reason in reasons)
        assert "3 calls in a row" in reasons[-1]
        # nine attempts for the first video, one each for two more; no video is asked about twice
        assert len(endpoint.requests) == 9 + 2
        assert clock.now < 0.1 * HOUR_S

        clock.now += HOUR_S
        found = score(videos, tmp_path / "out", judge(endpoint.base_url))
        assert clock.now > HOUR_S
        scores = found.metric("naturalscore").scores
        assert {scores[id_].value for id_ in IDS if id_ != BROKEN} == {4.0}

        asked = len(endpoint.requests)
        again = score(videos, tmp_path / "out", judge(endpoint.base_url))
        assert len(endpoint.requests) == asked
        assert again.metric("naturalscore").scores == scores


def test_a_refused_key_is_tried_once(tmp_path: Path) -> None:
    videos = write_videos(tmp_path / "videos")
    with judge_endpoint(fails(401, "bad key")) as endpoint:
        found = score(videos, tmp_path / "out", EndpointJudge("openai:some", base_url=endpoint.base_url, concurrency=1))
        assert set(statuses(found).values()) == {Status.FAILED}
        assert len(endpoint.requests) == 1
    with judge_endpoint(says("3")) as endpoint:
        # another port is another address, and so another setting; what failed would be asked anyway
        found = score(videos, tmp_path / "out", EndpointJudge("openai:some", base_url=endpoint.base_url))
        assert len(endpoint.requests) == len(IDS) - 1
    assert statuses(found) == {id_: Status.FAILED if id_ == BROKEN else Status.SCORED for id_ in IDS}
