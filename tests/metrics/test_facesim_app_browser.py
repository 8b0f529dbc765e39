"""The Spaces of FaceSim as a visitor meets them."""

import re

import pytest
from helpers.browser import ROOT, Page, app_on_loopback

from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.video.writer import write_video

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SEED = 630_004
PICTURES = "[data-testid=image] img, .image-container img"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A video of two people, and a picture of each of them."""
    folder = tmp_path_factory.mktemp("facesim")
    scene = draw_scene(SEED, "multiface", num_subjects=2, num_frames=6)
    write_video(folder / "clip.mp4", simulate("perfect", scene), fps=scene.fps)
    for number, sprite in enumerate(scene.sprites):
        reference_picture(sprite, 112).save(folder / f"person{number}.png")
    return folder


def test_one_person_is_looked_for(driver, place):
    with app_on_loopback(ROOT / "metrics" / "facesim_cur" / "app.py", place / "cur.log") as address:
        page = Page(driver, address)
        page.upload(0, place / "clip.mp4", "video")
        page.upload(0, place / "person0.png", PICTURES)
        page.click("Score")
        text = page.wait_for_text("frames have a face")
        assert 0 <= float(re.search(r"FaceSim-Cur ([01]\.[0-9]{4})", text).group(1)) <= 1.001
        assert "Not comparable with the leaderboard" in text
        page.wait(lambda: page.find(".vega-embed canvas, .vega-embed svg") or None, "no plot")
        assert page.screenshot(place / "cur.png").stat().st_size > 30_000
        assert page.foreign_requests() == []


def test_everybody_is_looked_for(driver, place):
    with app_on_loopback(ROOT / "metrics" / "facesim_multi" / "app.py", place / "multi.log") as address:
        page = Page(driver, address)
        page.upload(0, place / "clip.mp4", "video")
        page.upload(0, place / "person0.png", PICTURES)
        page.click("Score")
        text = page.wait_for_text("FaceSim for several people 0.", "Person 1", "no such column")
        assert float(re.search(r"several people (0\.[0-9]{4}|1\.[0-9]{4})", text).group(1)) > 0.5
        page.wait(lambda: page.find(".vega-embed canvas, .vega-embed svg") or None, "no plot")
        assert page.screenshot(place / "multi.png").stat().st_size > 30_000
        assert page.foreign_requests() == []
