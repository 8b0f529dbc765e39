import importlib.util
from pathlib import Path

import numpy as np
import pytest
from helpers.explanations import hand_made
from helpers.nexus_models import save_nexus_models
from helpers.videos import encode, numbered_frames
from PIL import Image

gr = pytest.importorskip("gradio")

from opens2v_hf.errors import ArgumentError  # noqa: E402

APP = Path(__file__).resolve().parents[2] / "metrics" / "nexusscore" / "app.py"
NOTHING = (None,) * 4


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("nexusscore_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tuple(save_nexus_models(tmp_path_factory.mktemp("models")).values())


@pytest.fixture
def video(tmp_path):
    return str(encode(tmp_path / "clip.mp4", numbered_frames(6)))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cup.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    return str(path)


def test_a_video_is_scored_with_its_reasons_picture_and_page(app, models, video, picture):
    given = (video, "coverage", 4, "", "embedded", *models, picture, *NOTHING, "Cup_*", *NOTHING)
    answers = app.score(*given)
    text, table, drawn, download = next(answers)
    page = Path(download.value["path"] if isinstance(download.value, dict) else download.value)
    assert page.name == "clip.html"
    assert "Cup_*" in page.read_text()
    assert list(answers) == []
    assert text.startswith("## NexusScore (coverage) ")
    assert "Reference 1 \\(Cup\\_\\*\\)" in text
    assert "**Not comparable with the leaderboard:**" in text
    assert table["definition"].tolist() == ["released", "v1.0", "coverage"]
    value = text.splitlines()[0].rsplit(" ", 1)[1]
    assert table["score"].tolist()[3] == value
    assert drawn.size[0] > 1000


def test_bad_input_is_explained_in_the_page(app, models, video, picture, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for uploaded, pictures, labels, message in (
        (None, (picture, *NOTHING), ("Cup", *NOTHING), "Upload a video"),
        (video, (None, *NOTHING), ("", *NOTHING), "at least one reference picture"),
        (video, (None, picture, *NOTHING[1:]), ("", " ", *NOTHING[1:]), "picture 2 has no label"),
        (video, (picture, *NOTHING), ("Cup", "Dog", *NOTHING[1:]), r"label 2 \(Dog\) has no picture"),
        (str(broken), (picture, *NOTHING), ("Cup", *NOTHING), r"^'?broken\.mp4"),
        (video, (str(broken), *NOTHING), ("Cup", *NOTHING), r"^'?broken\.mp4"),
    ):
        with pytest.raises(gr.Error, match=message):
            next(app.score(uploaded, "released", 4, "", "embedded", *models, *pictures, *labels))


def test_labels_are_no_markup_on_the_page(app):
    text = app._words(hand_made(labels=("<img src=x onerror=alert(1)>", "[a](javascript:b)")))
    assert "<img" not in text.replace("\\<img", "")
    assert "](" not in text.replace("\\](", "")


def test_the_set_of_models_and_the_models_named_beside_it(app, monkeypatch):
    assert set(app.chosen_models("embedded", "", None, " ").values()) == {"embedded"}
    released = app.chosen_models("released", "", "", "some/embedder")
    assert released["detector"] == "BestWishYsh/OpenS2V-Weight"
    assert released["embedder"] == "some/embedder"
    with pytest.raises(ArgumentError, match="no set"):
        app.chosen_models("/etc")
    monkeypatch.setenv("SPACE_ID", "org/nexusscore")
    with pytest.raises(ArgumentError, match="this Space offers no other detector"):
        app.chosen_models("embedded", "/some/folder", "", "")


def test_the_page_asks_for_no_font_and_no_statistics_of_another_server(app):
    assert app.THEME._stylesheets == []
    assert app.build().analytics_enabled is False


def test_the_card_runs_this_app_with_this_gradio():
    import yaml

    _, front, _ = (APP.parent / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"
