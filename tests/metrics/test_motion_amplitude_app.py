from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from helpers.videos import encode, numbered_frames

gr = pytest.importorskip("gradio")

from opens2v_hf.run.metrics.motion_amplitude import MotionAmplitude  # noqa: E402
from opens2v_hf.video.clip import Clip  # noqa: E402

APP = Path(__file__).resolve().parents[2] / "metrics" / "motion_amplitude" / "app.py"


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("motion_amplitude_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_card_runs_this_app_with_this_gradio():
    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


def test_both_definitions_are_offered_and_shown(app, tmp_path):
    radio = next(block for block in app.build().blocks.values() if isinstance(block, gr.Radio))
    assert [value for _, value in radio.choices] == ["released", "magnitude"]
    video = encode(tmp_path / "v.mp4", numbered_frames(6))
    wanted = MotionAmplitude().score(Clip(video, rules=(MotionAmplitude.sampling,)))
    magnitude = wanted.details["variants"]["magnitude"]
    text, table = app.score(str(video), "released")
    assert text.startswith(f"## MotionAmplitude {wanted.value:.4f}")
    assert f"magnitude: {magnitude:.4f} diagonals" in text
    assert "Not comparable" not in text
    assert table["pixels per frame"].tolist() == [*wanted.details["pair_means"], *wanted.details["pair_lengths"]]
    assert table["frame"].tolist() == [1, 2, 3, 4, 5] * 2
    text, _ = app.score(str(video), "magnitude")
    assert text.startswith(f"## MotionAmplitude {magnitude:.4f}")
    assert "Not comparable with the leaderboard" in text


def test_bad_input_is_explained_in_the_page(app, tmp_path):
    one = encode(tmp_path / "one.mp4", numbered_frames(1))
    for arguments, message in (
        ((None, "released"), "Upload a video"),
        ((str(one), "released"), r"^'?one\.mp4: .*at least two"),
        ((str(one), "other"), "unknown variant"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(*arguments)
