from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.videos import encode, numbered_frames

gr = pytest.importorskip("gradio")

from opens2v_hf.errors import ArgumentError  # noqa: E402
from opens2v_hf.run.metrics.gmescore import GmeScore  # noqa: E402
from opens2v_hf.video.clip import Clip  # noqa: E402

APP = Path(__file__).resolve().parents[2] / "metrics" / "gmescore" / "app.py"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("gmescore_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(app, tmp_path):
    app.load.cache_clear()
    return str(save_tiny_qwen2vl(tmp_path / "model"))


def test_the_interface_offers_the_embedded_and_the_released_embedder(app):
    demo = app.build()
    dropdown = next(block for block in demo.blocks.values() if isinstance(block, gr.Dropdown))
    values = [value for _, value in dropdown.choices]
    assert values[:2] == ["embedded", "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"]
    assert "not comparable" in dropdown.choices[0][0]


def test_the_card_runs_this_app_with_this_gradio(app):
    import yaml

    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


def test_a_video_is_scored_and_its_frames_are_shown(app, model, tmp_path):
    video = encode(tmp_path / "v.mp4", numbered_frames(40))
    text, table = app.score(str(video), "a number", model)
    metric = GmeScore.from_pretrained(model, device="cpu")
    expected = metric.score(Clip(video), "a number")
    assert f"{expected.value:.4f}" in text
    assert "Not comparable with the leaderboard" in text
    assert table["frame"].tolist() == list(expected.details["frame_indices"])
    assert table["similarity"].tolist() == pytest.approx(expected.details["similarities"], abs=1e-5)


def test_bad_input_is_explained_in_the_page(app, model, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    video = encode(tmp_path / "v.mp4", numbered_frames(4))
    for arguments, message in (
        ((None, "a prompt", model), "Upload a video"),
        ((str(video), " ", model), "empty"),
        ((str(video), "a prompt", "no-such-folder"), "neither a folder"),
        ((str(broken), "a prompt", model), r"^'?broken\.mp4"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(*arguments)


def test_a_public_space_reads_no_folder_of_its_machine(app, model, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "org/gmescore")
    with pytest.raises(ArgumentError, match="choose one of the list"):
        app.load(model)
