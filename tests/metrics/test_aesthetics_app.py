from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from helpers.videos import encode, numbered_frames

gr = pytest.importorskip("gradio")

from opens2v_hf.errors import ArgumentError  # noqa: E402
from opens2v_hf.run.metrics.aesthetics import Aesthetics  # noqa: E402
from opens2v_hf.video.clip import Clip  # noqa: E402

APP = Path(__file__).resolve().parents[2] / "metrics" / "aesthetics" / "app.py"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("aesthetics_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_interface_offers_the_embedded_and_the_released_models(app):
    radio = next(block for block in app.build().blocks.values() if isinstance(block, gr.Radio))
    assert [value for _, value in radio.choices] == ["embedded", "released"]
    assert "not comparable" in radio.choices[0][0]
    assert app.MODELS["released"] == ("openai/clip-vit-large-patch14", "BestWishYsh/OpenS2V-Weight")


def test_the_card_runs_this_app_with_this_gradio():
    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


def test_a_video_is_scored_and_its_frames_are_shown(app, tmp_path):
    video = encode(tmp_path / "v.mp4", numbered_frames(40))
    text, table = app.score(str(video), "embedded")
    expected = Aesthetics.from_pretrained("embedded", "embedded", device="cpu").score(Clip(video))
    assert f"{expected.value:.3f}" in text
    assert "Not comparable with the leaderboard" in text
    assert table["frame"].tolist() == list(expected.details["frame_indices"])
    assert table["rating"].tolist() == pytest.approx(expected.details["ratings"], abs=1e-4)


def test_bad_input_is_explained_in_the_page(app, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(gr.Error, match="Upload a video"):
        app.score(None, "embedded")
    with pytest.raises(gr.Error, match=r"^'?broken\.mp4"):
        app.score(str(broken), "embedded")
    with pytest.raises(gr.Error, match="choose one of"):
        app.score(str(broken), "/some/folder")
    with pytest.raises(ArgumentError, match="choose one of"):
        app.load("org/other")
