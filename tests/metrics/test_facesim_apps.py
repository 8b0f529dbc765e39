import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.video.writer import write_video

gr = pytest.importorskip("gradio")

METRICS = Path(__file__).resolve().parents[2] / "metrics"
SEED = 630_004


def load_app(name):
    spec = importlib.util.spec_from_file_location(f"{name}_app", METRICS / name / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A video of two people, a picture of each of them, and one of nobody."""
    folder = tmp_path_factory.mktemp("apps")
    scene = draw_scene(SEED, "multiface", num_subjects=2, num_frames=6)
    write_video(folder / "clip.mp4", simulate("perfect", scene), fps=scene.fps)
    for number, sprite in enumerate(scene.sprites, start=1):
        reference_picture(sprite, 112).save(folder / f"person{number}.png")
    Image.fromarray(np.full((80, 80, 3), 255, np.uint8)).save(folder / "nobody.png")
    return folder


def test_the_space_of_one_person(place):
    app = load_app("facesim_cur")
    clip, picture = str(place / "clip.mp4"), str(place / "person1.png")
    text, table = app.score(clip, picture, "embedded")
    assert text.startswith("## FaceSim-Cur 0.")
    assert "of 32 frames have a face" in text
    assert "**Not comparable with the leaderboard:**" in text
    assert table["frame"].max() == 5
    assert table["similarity"].between(-1, 1).all()
    for video, chosen, models, message in (
        (None, picture, "embedded", "Upload a video"),
        (clip, None, "embedded", "Upload a video"),
        (clip, str(place / "nobody.png"), "embedded", r"reference picture nobody\.png"),
        (picture, picture, "embedded", "^'?person1"),
        (clip, picture, "others", "no set of models"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(video, chosen, models)
    assert app.build().title == "FaceSim-Cur"


def test_the_space_of_several_people(place):
    app = load_app("facesim_multi")
    clip = str(place / "clip.mp4")
    people = [str(place / f"person{number}.png") for number in (1, 2)]
    text, table, lines = app.score(clip, "embedded", people[0], None, people[1])
    value = float(text.splitlines()[0].rsplit(" ", 1)[1])
    assert table["person"].tolist() == ["Person 1", "Person 3"]
    assert value == pytest.approx(table["similarity"].astype(float).mean(), abs=2e-4)
    assert value > 0.5
    assert "the leaderboard has no such column" in text
    assert len(lines) == 2 * 32
    for video, pictures, message in (
        (None, people, "Upload a video"),
        (clip, [None], "Upload a video"),
        (clip, [str(place / "nobody.png")], r"reference picture nobody\.png"),
    ):
        with pytest.raises(gr.Error, match=message):
            app.score(video, "embedded", *pictures)
    assert app._plain("<b>_x_") == "\\<b\\>\\_x\\_"
    assert app.build().title == "FaceSim for several people"
