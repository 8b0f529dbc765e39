"""Two judges over the same videos: statistics by hand and by scipy, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from helpers.results import make_result

from opens2v_hf.cli import main
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.bridge import Side, bridge, load_side, statistics


def side(scores: np.ndarray, models: int = 12, name: str = "a") -> Side:
    """Scores [models, items] of ids of the benchmark."""
    items = [f"{('singleobj', 'faceobj')[i % 2]}_{i + 1}" for i in range(scores.shape[1])]
    rows = [(item, f"m{m}", scores[m, i], "") for m in range(models) for i, item in enumerate(items)]
    return Side(name, pd.DataFrame(rows, columns=["item", "model", "score", "sha256"]))


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    a = draw.uniform(1, 5, (12, 1)) * 0.5 + draw.uniform(0, 2.5, (12, 20))
    return a, 0.8 * a + 0.5 + draw.normal(0, 0.2, a.shape)


def test_statistics_are_those_of_scipy(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (values.ravel() for values in noisy)
    bias, sd, lower, upper, slope, intercept, rank = statistics(a, b)
    line = scipy.stats.linregress(a, b)
    assert (slope, intercept) == pytest.approx((line.slope, line.intercept))
    assert rank == pytest.approx(scipy.stats.spearmanr(a, b).statistic)
    assert bias == pytest.approx(np.mean(b) - np.mean(a))
    assert sd == pytest.approx(scipy.stats.tstd(b - a))
    z = scipy.stats.norm.ppf(0.975)
    assert (lower, upper) == pytest.approx((bias - z * sd, bias + z * sd))
    found = bridge(side(noisy[0]), side(noisy[1]), resamples=0)
    assert found.kendall.value == pytest.approx(scipy.stats.kendalltau(a, b).statistic)
    means = [values.mean(axis=1) for values in noisy]
    assert found.model_rank == pytest.approx(scipy.stats.spearmanr(*means).statistic)
    assert found.overall.bias.low is None


def test_statistics_by_hand() -> None:
    # differences 0, 1, 2: mean 1, standard deviation 1; B = 2 A - 1
    values = statistics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0]))
    assert values.tolist() == pytest.approx([1.0, 1.0, 1 - 1.959964, 1 + 1.959964, 2.0, -1.0, 1.0], abs=1e-6)
    assert np.isnan(statistics(np.array([2.0, 2.0]), np.array([1.0, 3.0]))[4:6]).all(), "no slope over a constant"


def test_intervals_draw_all_videos_of_a_model_together() -> None:
    # Every video of a model is off by the same amount, half of the models by 0 and half by 1. Over models the mean of 4
    # draws has the standard deviation 0.25; over 400 independent videos it would be 0.025.
    shift = np.array([0.0, 1.0, 0.0, 1.0])[:, None]
    a = np.random.default_rng(0).uniform(1, 4, (4, 100))
    bias = bridge(side(a, 4), side(a + shift, 4), resamples=2000).overall.bias
    # drawing two values with p = 1/2 four times: 0 and 1 have a probability of 1/16 each, above 2.5 %
    assert (bias.value, bias.low, bias.high) == pytest.approx((0.5, 0.0, 1.0))
    one = bridge(side(a[:1], 1), side(a[:1] + shift[:1], 1), resamples=50)
    assert "all videos are of one model" in one.warnings[0]
    assert one.model_rank is None


@pytest.mark.parametrize(("tolerance", "answer"), [(0.5, "yes"), (0.02, "no")])
def test_the_verdict(noisy: tuple[np.ndarray, np.ndarray], tolerance: float, answer: str) -> None:
    a, _ = noisy
    close = a + 0.1 + np.random.default_rng(1).normal(0, 0.1, a.shape)
    verdict = bridge(side(a), side(close), tolerance=tolerance, resamples=300).verdict
    assert verdict is not None
    assert verdict.answer == answer
    assert len(verdict.reasons) == 1 + 2 + 1, "all videos, two categories, the models' means"


def test_one_category_that_is_off_is_enough_to_refuse(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    a, _ = noisy
    b = a.copy()
    b[:, ::2] += 0.4  # singleobj alone; over all videos and in each model the bias is 0.2
    verdict = bridge(side(a), side(b), tolerance=0.3, resamples=200).verdict
    assert verdict is not None
    assert verdict.answer == "no"
    [reason] = [reason for reason in verdict.reasons if "lies outside" in reason]
    assert "+0.400 to +0.400" in reason


def test_few_data_do_not_decide() -> None:
    a = np.random.default_rng(0).uniform(1, 4, (1, 4))
    b = a + np.array([[0.5, -0.5, 0.5, -0.5]])
    verdict = bridge(side(a, 1), side(b, 1), tolerance=0.2, resamples=400).verdict
    assert verdict is not None
    assert verdict.answer in ("undecided", "no")
    assert any("reaches beyond" in reason or "lies outside" in reason for reason in verdict.reasons)


def write_results(folder: Path, models: dict[str, tuple[float | None, ...]], **changes: object) -> Path:
    for model, values in models.items():
        result = make_result(model, values, metric="naturalscore")
        [metric] = result.metrics
        result = replace(result, metrics=(replace(metric, **changes),))
        (folder / model).mkdir(parents=True)
        result.save(folder / model / "open-domain.json")
    return folder


def test_folders_of_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_results(tmp_path / "a", {"x": (1.0, 2.0, None), "y": (3.0, 4.0, 5.0)})
    b = write_results(tmp_path / "b", {"x": (1.5, 2.5, 3.0), "y": (3.5, 4.5, None)}, options={"other": 1})
    assert main(["bridge", str(a), str(b), "--json", "--tolerance", "0.6"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["overall"]["num_videos"], found["num_only_a"], found["num_only_b"]) == (4, 1, 1)
    assert found["overall"]["bias"]["value"] == 0.5
    assert found["model_means"] == {"x": [1.5, 2.0], "y": [3.5, 4.0]}
    assert found["verdict"]["answer"] == "yes"
    assert main(["bridge", str(a), str(b), "--tolerance", "0.4", "--resamples", "50"]) == 1
    said = capsys.readouterr().out
    assert "can B replace A at a tolerance of 0.4? no" in said
    assert "bias                     0.500 [0.500, 0.500]" in said
    assert "note: the intervals rest on 2 models" in said


def test_what_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_results(tmp_path / "a", {"x": (1.0, 2.0)})
    mixed = write_results(tmp_path / "mixed", {"x": (1.0, 2.0)})
    write_results(mixed, {"y": (1.0, 2.0)}, options={"protocol": "full"})
    assert main(["bridge", str(a), str(mixed)]) == 2
    assert "different judges or options" in capsys.readouterr().err
    other = make_result("x", (1.0, 2.0), metric="naturalscore")
    other = replace(other, videos=tuple(replace(video, sha256="cd" * 32) for video in other.videos))
    other.save(tmp_path / "other.json")
    assert main(["bridge", str(a), str(tmp_path / "other.json")]) == 2
    assert "2 pairs are of different video files" in capsys.readouterr().err
    for wrong in ({"tolerance": 0.0}, {"tolerance": 0.1, "resamples": 0}, {"resamples": -1}):
        with pytest.raises(ArgumentError):
            bridge(load_side(a), load_side(a), **wrong)
    with pytest.raises(ResultError, match="holds no 'nexusscore'"):
        load_side(a, "nexusscore")


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("item,model,old,new\ncat,x,1,1 3\ndog,x,2,4\nowl,y,3,6\n")
    assert main(["bridge", str(table), str(table), "--column", "old", "--resamples", "0"]) == 0
    said = capsys.readouterr().out
    assert "A: old of t.csv" in said
    assert "Spearman, videos         1.000" in said
    assert main(["bridge", str(table), str(table), "--column", "new"]) == 2
    assert "choose min, mean or max" in capsys.readouterr().err
