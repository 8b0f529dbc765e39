"""A judge behind an endpoint, from the command line: its options, its death, its refusals."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.judge_endpoint import fails, judge_endpoint, never, says, says_token

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import JudgeError
from opens2v_hf.models.judge import endpoint as endpoint_judge

IDS = ("singleobj_1", "singleface_1", "singlehuman_1", "humanobj_1")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=4)
    return folder


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def score(inputs: Path, out: Path, url: str, *more: str) -> tuple[int, dict[str, Any]]:
    code = main(
        [
            "score", str(inputs / "videos"), "--data-dir", str(inputs / "benchmark"), "--out", str(out),
            "--metrics", "naturalscore,motion_amplitude", "--runs", "1", "--judge", "openai:some-model",
            "--judge-base-url", url, *more,
        ]
    )  # fmt: skip
    result = out / "open-domain.json"
    return code, json.loads(result.read_text())["metrics"] if result.exists() else {}


def test_options_of_the_judge_reach_the_request_and_the_result(inputs: Path, tmp_path: Path) -> None:
    with judge_endpoint(says("<think>3 or 4?</think>\n4")) as endpoint:
        _, metrics = score(
            inputs, tmp_path, endpoint.base_url, "--option", "judge.reasoning_effort=low",
            "--option", "judge.bound_field=max_completion_tokens", "--option", "judge.max_reply_tokens=5000",
        )  # fmt: skip
    assert {request["reasoning_effort"] for request in endpoint.requests} == {"low"}
    assert {request["max_completion_tokens"] for request in endpoint.requests} == {5000}
    natural = metrics["naturalscore"]
    assert natural["options"]["judge"]["request"] == {"reasoning_effort": "low", "max_reply_tokens": 5000}
    score_of_one = natural["scores"]["singleobj_1"]
    assert score_of_one["value"] == 4.0
    assert score_of_one["details"]["runs"][0]["reply"] == "<think>3 or 4?</think>\n4"


@pytest.mark.parametrize(
    ("word", "says_"),
    [
        ("effort=low", "judge has no option 'effort'"),
        ("temperature=hot", "temperature must be a number from 0 (got 'hot')"),
        ("seed", "NAME.KEY=VALUE"),
        ("api_key=sk-0123456789", "OPENAI_API_KEY"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_scored(
    word: str, says_: str, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, metrics = score(inputs, tmp_path, "http://127.0.0.1:9/v1", "--option", f"judge.{word}")
    assert (code, metrics) == (2, {})
    assert says_ in capsys.readouterr().err


def test_an_answer_that_a_later_parser_can_read_is_not_paid_for_again(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(reply: str) -> int:
        raise JudgeError("an older parser cannot read it")

    once = ("--option", "judge.max_reply_attempts=1")
    with judge_endpoint(says("Score: 3")) as endpoint:
        with monkeypatch.context() as older:
            older.setattr(endpoint_judge, "read_score", refuse)
            _, metrics = score(inputs, tmp_path, endpoint.base_url, *once)
        assert {metrics["naturalscore"]["scores"][name]["status"] for name in IDS} == {"failed"}
        assert main(["rejudge", str(tmp_path), "--out", str(tmp_path / "open-domain.json")]) == 0
        assert "changed " in capsys.readouterr().err
        requests = len(endpoint.requests)
        _, metrics = score(inputs, tmp_path, endpoint.base_url, *once)
        assert len(endpoint.requests) == requests
    assert [metrics["naturalscore"]["scores"][name]["value"] for name in IDS] == [3.0] * len(IDS)


def test_a_dead_judge_costs_a_few_calls_and_no_other_score(inputs: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with judge_endpoint(never) as endpoint:
        code, metrics = score(
            inputs, tmp_path, endpoint.base_url, "--option", "judge.timeout_s=1", "--option", "judge.max_attempts=1"
        )
        asked = len(endpoint.requests)
    assert time.monotonic() - began < 30
    assert code == 1
    assert asked == 3, "three calls for four videos, and no second round"
    assert metrics["motion_amplitude"]["summary"]["num_scored"] == 4
    reasons = [score["reason"] for score in metrics["naturalscore"]["scores"].values() if score["status"] == "failed"]
    assert len(reasons) == 4
    assert "no reply within 1 s" in reasons[0]
    assert "not called again in this run" in reasons[-1]

    with judge_endpoint(says("5")) as endpoint:
        _, metrics = score(inputs, tmp_path, endpoint.base_url)
    assert metrics["naturalscore"]["summary"]["mean"] == 5.0, "the next run asks again"


def test_a_request_that_is_always_refused_is_sent_three_times(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with judge_endpoint(fails(400, "this model takes no pictures")) as endpoint:
        code, metrics = score(inputs, tmp_path, endpoint.base_url)
    assert code == 1
    assert len(endpoint.requests) == 3
    assert metrics["motion_amplitude"]["summary"]["num_scored"] == 4
    assert "this model takes no pictures" in capsys.readouterr().out


def test_the_frozen_judge_behind_a_server_fills_its_own_edition_alone(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--judge", "naturalscore-open-1", "--runs", "3"]
    commit = "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b"
    with judge_endpoint(says_token({"4": -0.5, "2": -0.5})) as endpoint:
        assert score(inputs, tmp_path, endpoint.base_url, *words)[0] == 2
        assert f"--judge-revision={commit}" in capsys.readouterr().err.replace(" ", "=")
        _, metrics = score(inputs, tmp_path, endpoint.base_url, *words, "--judge-revision", commit)
    assert len(endpoint.requests) == 4, "once a video: nothing is drawn"
    assert metrics["naturalscore"]["summary"]["mean"] == pytest.approx(3.0)
    stored = json.loads((tmp_path / "open-domain.json").read_text())
    assert stored["editions"]["v1.2-open"]["differences"] == []
    assert stored["editions"]["v1.1"]["differences"]
    columns = stored["scorecard"]["released"]
    assert (columns["version"], columns["columns"]["naturalscore"]["normalised"]) == ("v1.2-open", pytest.approx(0.5))
    assert (
        score(inputs, tmp_path, "http://127.0.0.1:9/v1", *words, "--judge-revision", commit, "--protocol", "released")[
            0
        ]
        == 2
    )
    assert "leave protocol and rubric out" in capsys.readouterr().err
