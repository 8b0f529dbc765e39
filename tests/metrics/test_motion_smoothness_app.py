from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from helpers.tiny_q_align import save_tiny_q_align
from helpers.videos import encode, numbered_frames

gr = pytest.importorskip("gradio")

from opens2v_hf.errors import ArgumentError  # noqa: E402
from opens2v_hf.run.metrics.motion_smoothness import MotionSmoothness  # noqa: E402
from opens2v_hf.video.clip import Clip  # noqa: E402

APP = Path(__file__).resolve().parents[2] / "metrics" / "motion_smoothness" / "app.py"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("motion_smoothness_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(app, tmp_path):
    app.load.cache_clear()
    save_tiny_q_align(tmp_path / "model")
    return str(tmp_path / "model")


def test_the_interface_offers_the_embedded_and_the_released_scorer(app):
    demo = app.build()
    dropdown = next(block for block in demo.blocks.values() if isinstance(block, gr.Dropdown))
    assert [value for _, value in dropdown.choices] == ["embedded", "q-future/one-align"]
    assert "not comparable" in dropdown.choices[0][0]


def test_the_card_runs_this_app_with_this_gradio():
    import yaml

    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


def test_a_video_is_scored_and_its_frames_are_shown(app, model, tmp_path):
    video = encode(tmp_path / "v.mp4", numbered_frames(11))
    text, table = app.score(str(video), model)
    expected = MotionSmoothness.from_pretrained(model, device="cpu").score(Clip(video))
    assert f"MotionSmoothness {expected.value:.4f}" in text
    assert f"{len(expected.details['jump_frames'])} of 11 frames" in text
    assert "Not comparable with the leaderboard" in text
    assert table["frame"].tolist() == list(range(11))
    assert table["quality"].tolist() == pytest.approx(expected.details["frame_scores"])
    assert table["frame"][table["jump"] == "yes"].tolist() == expected.details["jump_frames"]


def test_bad_input_is_explained_in_the_page(app, model, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for arguments, message in (
        ((None, model), "Upload a video"),
        ((str(broken), "no-such-folder"), "neither a folder"),
        ((str(broken), model), r"^'?broken\.mp4"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(*arguments)


def test_a_public_space_reads_no_folder_of_its_machine(app, model, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "org/motion_smoothness")
    with pytest.raises(ArgumentError, match="choose one of the list"):
        app.load(model)
