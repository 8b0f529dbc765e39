from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from helpers.composite import references_of

from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.kept_models import KeptModels
from opens2v_hf.run.metrics.composite import load_composite, score_composite
from opens2v_hf.run.metrics.given_sample import given_samples

gr = pytest.importorskip("gradio")

APP = Path(__file__).resolve().parents[2] / "metrics" / "opens2v_eval" / "app.py"
COLUMNS = ["nexusscore", "gmescore", "motion_amplitude"]


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("opens2v_eval_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return references_of(write_eval(tmp_path_factory.mktemp("benchmark"), per_category=1), ["singleobj_1"])[0]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    (path,) = write_generated(tmp_path_factory.mktemp("videos"), "perfect", ids=["singleobj_1"], num_frames=4)
    return str(path)


def test_the_card_runs_this_app_with_this_gradio():
    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


def test_what_is_offered(app):
    blocks = app.build().blocks.values()
    radio = next(block for block in blocks if isinstance(block, gr.Radio))
    assert [value for _, value in radio.choices] == ["embedded", "released"]
    boxes = next(block for block in blocks if isinstance(block, gr.CheckboxGroup))
    assert {"gmescore", "naturalscore", "nexusscore"} <= {value for _, value in boxes.choices}
    # nobody's key pays for visitors
    assert "naturalscore" not in app.columns_of("released")


def test_a_video_is_scored_by_every_column_that_is_asked_for(app, video, reference):
    given = (
        reference["prompt"],
        "embedded",
        COLUMNS,
        reference["images"][0],
        None,
        None,
        reference["labels"][0],
        "",
        "",
    )
    text, table = app.score(video, *given)
    samples = given_samples([{**reference, "id": None}], split="open-domain", metrics=COLUMNS)
    wanted = score_composite(load_composite(COLUMNS, KeptModels(), models="embedded"), [video], samples)
    assert table["column"].tolist() == ["NexusScore", "GmeScore", "MotionAmplitude"]
    assert table["score"].tolist() == [f"{wanted['columns'][name]['scores'][0]:.4f}" for name in COLUMNS]
    normalised = [wanted["scorecard"]["columns"][name]["normalised"] for name in COLUMNS]
    assert table["normalised %"].tolist() == [f"{100 * value:.2f}" for value in normalised]
    mean = (0.20 * normalised[0] + 0.12 * normalised[1] + 0.02 * normalised[2]) / 0.34
    assert f"Weighted mean of these columns: {100 * mean:.2f} %" in text
    assert "This is no total" in text
    assert "Not comparable with the leaderboard" in text


def test_a_column_without_what_it_needs_says_so(app, video):
    text, table = app.score(video, "a prompt", "embedded", ["nexusscore"], *[None] * 3, "", "", "")
    assert table["score"].tolist() == [""]
    assert "does not apply" in table["remark"][0]
    assert "No column has a value" in text


def test_bad_input_is_explained_in_the_page(app, video, reference, tmp_path):
    none = (None,) * 3 + ("",) * 3
    for arguments, message in (
        ((None, "a prompt", "embedded", COLUMNS, *none), "Upload a video"),
        ((video, " ", "embedded", COLUMNS, *none), "references"),
        ((video, "a prompt", "embedded", [], *none), "at least one metric"),
        ((video, "a prompt", "/some/folder", COLUMNS, *none), "choose one of"),
        ((video, "a prompt", "embedded", ["nexusscore"], reference["images"][0], *[None] * 2, "", "", ""), "no label"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(*arguments)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    _, table = app.score(str(broken), "a prompt", "embedded", ["motion_amplitude"], *none)
    assert table["remark"][0].startswith("broken.mp4")
    with pytest.raises(ArgumentError, match="choose one of"):
        app.columns_of("org/other")
