"""Stored answers of a judge, read again from the command line."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.results import make_result

from opens2v_hf.cli import main
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import VideoScore


def run(reply: str, score: float | None = None, **more: Any) -> dict[str, Any]:
    return {"score": score, "reply": reply, **more}


def stored(path: Path, scores: list[VideoScore], **options: Any) -> Path:
    """A result whose NaturalScore holds these outcomes."""
    made = make_result(values=(1.0,) * len(scores), metric="naturalscore")
    [metric] = made.metrics
    metric = replace(metric, options=options, scores=dict(zip(metric.scores, scores, strict=True)))
    return replace(made, metrics=(metric,)).save(path)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    two_of_three = [run("4", 4.0), run("cut: 2", replies=["cut: 2"], problems=["cut off"]), run("2", 2.0)]
    listed = {"4": -0.5, "5": -0.5, "x": -5.0}
    return stored(
        tmp_path / "open-domain.json",
        [
            VideoScore.scored(4.0, runs=[run("4", 4.0), run("Score: 4/5", 4.0)]),
            # what another parser refused: the first reply of two is a score
            VideoScore.failed("no score", runs=[run("hm", replies=["**Rating: 3**", "hm"], error="refused")]),
            # what another parser took for 1
            VideoScore.scored(1.0, runs=[run("1 of 5 faults? 4", 1.0)]),
            VideoScore.failed("a run has none", runs=two_of_three),
            VideoScore.scored(3.0, runs=[run("4", 3.0, logprobs=listed, probabilities={"4": 1.0})]),
            VideoScore.failed("the judge gave no answer"),
        ],
    )


def test_it_says_which_values_change_and_writes_a_result(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = result.read_bytes()
    out = tmp_path / "again.json"
    assert main(["rejudge", str(result), "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "faceobj_1: no score -> 3.0000"
    assert said[1].startswith("singleobj_2: 1.0000 -> no score (")
    assert said[2] == "singleobj_3: 3.0000 -> 4.5000", "4 and 5 are equally likely"
    # 5 videos with stored answers, of which 3 have another score, and 1 without
    assert re.findall(r"\d+", said[3]) == ["5", "3", "1"]
    assert said[4] == f"mean of naturalscore: {(4 + 1 + 3) / 3:.4f} -> {(4 + 3 + 4.5) / 3:.4f}"
    assert result.read_bytes() == before, "the result that was read is left as it is"
    scores = RunResult.load(out).metric("naturalscore").scores
    assert scores["faceobj_1"].value == 3.0
    assert scores["faceobj_1"].details["runs"][0] == {"score": 3.0, "reply": "hm", "replies": ["**Rating: 3**", "hm"]}
    assert scores["faceobj_2"].reason == "a run has none", "a cut-off reply is no score, whatever it says"
    assert main(["rejudge", str(out)]) == 0
    assert "0 have another score" in capsys.readouterr().out


def test_partial_runs_count_where_the_result_allows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.json", [VideoScore.failed("x", runs=[run("5"), run("none")])], allow_partial=True)
    assert main(["rejudge", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] == [{"id": "singleobj_1", "before": None, "after": 5.0, "reason": ""}]
    assert (found["mean_before"], found["mean_after"]) == (None, 5.0)


@pytest.mark.parametrize(
    ("metric", "words"), [("gmescore", "holds no 'naturalscore'"), ("naturalscore", "holds no answers of a judge")]
)
def test_a_result_without_answers_is_refused(
    metric: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_result(values=(3.0,), metric=metric).save(tmp_path / "r.json")
    assert main(["rejudge", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_a_judge_that_hardly_meant_a_digit_gets_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`min_digit_mass` was an option of the run, and still holds."""
    of_transformers = {"probabilities": {"2": 0.5, "4": 0.5}, "digit_mass": 0.1}
    of_vllm = {"logprobs": {"x": math.log(0.8), "3": math.log(0.1)}}
    failed = [VideoScore.failed("no digit", runs=[run("x", error="low", **one)]) for one in (of_transformers, of_vllm)]
    path = stored(tmp_path / "open-domain.json", failed, judge={"min_digit_mass": 0.2})
    assert main(["rejudge", str(path)]) == 0
    assert "2 videos with stored answers were parsed again, 0 have another score" in capsys.readouterr().out
    assert main(["rejudge", str(stored(path, failed, judge={"min_digit_mass": 0.05}))]) == 0
    assert "2 videos with stored answers were parsed again, 2 have another score" in capsys.readouterr().out
