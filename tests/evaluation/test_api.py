"""What `opens2v_hf.score` makes of its arguments; names that are no text and hostile ones among them."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import opens2v_hf
from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.results.result import RunResult


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("door")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=["singleobj_1"], num_frames=4)
    return folder


def score(place: Path, videos: Any = None, **arguments: Any) -> RunResult:
    given: dict[str, Any] = {"data_dir": place / "benchmark", "metrics": ["motion_amplitude"]} | arguments
    return opens2v_hf.score(place / "videos" if videos is None else videos, **given)


@pytest.mark.parametrize("name", ["bell\x07", "two\nlines", "turned \u202e round", "half \ud800", " ", "x" * 1001])
def test_a_model_name_that_cannot_be_printed_is_refused_before_scoring(place: Path, tmp_path: Path, name: Any) -> None:
    with pytest.raises(
        ArgumentError, match="the name of the model must be a string of at most 1000 printable characters"
    ):
        score(place, name=name, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_refuses_such_a_name(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", str(place / "videos"), "--data-dir", str(place / "benchmark"), "--out", str(tmp_path / "out")]
    assert main([*words, "--metrics", "motion_amplitude", "--name", "a\x1b[2Jb"]) == 2
    assert r"(got 'a\x1b[2Jb')" in capsys.readouterr().err


@pytest.mark.parametrize(("folder", "shown"), [("two\nlines\x1b", r"two\nlines\x1b"), ("half \udcff", r"half \udcff")])
def test_a_folder_with_a_name_that_cannot_be_printed(place: Path, tmp_path: Path, folder: str, shown: str) -> None:
    try:
        shutil.copytree(place / "videos", tmp_path / folder)
    except OSError:
        pytest.skip("this file system has no such names")
    found = score(place, tmp_path / folder, out=tmp_path / "out")
    assert (found.model, found.source) == (shown, shown)
    assert found.metrics[0].summary.num_scored == 1
    assert RunResult.load(tmp_path / "out" / "open-domain.json").to_dict() == found.to_dict()
    again = score(place, tmp_path / folder, out=tmp_path / "out")
    assert again.metrics == found.metrics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": "gmescore"}, r"metrics must be a list \(each a text\) or None \(got 'gmescore'\)"),
        ({"metrics": 3}, "metrics must be a list"),
        ({"name": 5}, r"name must be a text or None \(got 5\)"),
        ({"metrics": [["gmescore"]]}, "metrics must be a list"),
        ({"ids": 3}, "ids must be a text, a list"),
        ({"category": 3}, "category must be a text, a list"),
        ({"options": {"motion_amplitude": {3: 1}}}, "options must be a mapping of a text to a mapping"),
        ({"metrics": []}, "name at least one metric"),
        ({"options": {"motion_amplitude": None}}, "options must be a mapping"),
        ({"options": ["motion_amplitude"]}, "options must be a mapping"),
        ({"options": {"gmescore": {}}}, "not among the metrics"),
        ({"metric_models": "gme"}, "'embedded' or a mapping"),
        ({"metrics": ["gmescore"], "metric_models": {"embedder": None}}, "metric_models must be a text, a mapping"),
        ({"metrics": ["gmescore"], "metric_models": {"embedder": "a\nb"}}, "the name of a model must be"),
        ({"metrics": ["gmescore"], "metric_models": {"embedder": ModelChoice("a\x07")}}, "the name of a model must be"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(place: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        score(place, **arguments)


def test_an_undecodable_folder_is_read_like_any_other(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    try:
        shutil.copytree(place / "videos", folder)
    except OSError:
        pytest.skip("this file system has no such names")
    values = [
        [outcome.value for outcome in score(place, videos).metrics[0].scores.values()]
        for videos in (folder, place / "videos")
    ]
    assert values[0] == values[1] != [None]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "60", True])
def test_the_time_limit_of_a_video_must_be_positive(seconds):
    with pytest.raises(ArgumentError, match="above 0"):
        Limits.for_videos(seconds)
    assert Limits.for_videos(90).group_s == 90


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resume": "always"}, r"resume must be 'auto', 'retry-failed' or 'never' \(got 'always'\)"),
        ({"limit": 0}, "limit must be a whole number of at least 1"),
        ({"ids": ["singleobj_9"]}, "no sample 'singleobj_9'"),
        ({"ids": ["faceobj_1"]}, "none of the 1 selected samples .* has a video"),
        ({"category": "singleobject"}, "no category 'singleobject'; did you mean"),
        ({"num_frames": 0}, "num_frames must be a whole number from 1"),
        ({"options": {"motion_amplitude": {"variant": 3}}}, "motion_amplitude's variant must be a text"),
    ],
)
def test_wrong_values_are_refused(place: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        score(place, **arguments)


def test_a_device_and_a_dtype_are_for_every_model_that_takes_them(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, dict[str, Any]] = {}

    def check_models(choices: dict[str, opens2v_hf.ModelChoice]) -> None:
        asked.update({role: {"name": choice.name, **choice.arguments} for role, choice in choices.items()})
        raise ModelError("far enough")

    monkeypatch.setattr("opens2v_hf.evaluation.passes.check_models", check_models)
    for metric in ("gmescore", "naturalscore", "nexusscore"):
        with pytest.raises(ModelError, match="far enough"):
            score(
                place,
                metrics=[metric],
                metric_models={}
                if metric == "naturalscore"
                else {"embedder": opens2v_hf.ModelChoice("e", {"dtype": "float64"})},
                device="cpu",
                dtype="bfloat16",
            )
    # what a choice says counts more, and a judge behind an endpoint has no device
    assert asked["embedder"] == {"name": "e", "device": "cpu", "dtype": "float64"}
    assert asked["judge"] == {"name": "openai:gpt-4o-2024-11-20"}
    # the detector computes in float32 and takes no dtype
    assert asked["detector"] == {"name": "BestWishYsh/OpenS2V-Weight", "device": "cpu"}


def test_a_folder_that_names_no_model_asks_for_a_name(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opens2v_hf.evaluation.videos.model_name", lambda path: None)
    with pytest.raises(ArgumentError, match=r"folder .*videos; give `name=`"):
        score(place)
    assert score(place, name="alpha").model == "alpha"
