"""The Spaces of MotionAmplitude, Aesthetics and the scorecard as a visitor meets them."""

import re
from pathlib import Path

import pytest
from helpers.browser import ROOT, Page, app_on_loopback
from helpers.composite import references_of

from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SAMPLE = "singleobj_1"
PLOT = ".vega-embed canvas, .vega-embed svg"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=(SAMPLE,), num_frames=8)
    return folder


@pytest.fixture
def visit(driver, place, request):
    name = request.param
    with app_on_loopback(ROOT / "metrics" / name / "app.py", place / f"{name}.log") as address:
        page = Page(driver, address)
        page.upload(0, place / "videos" / f"{SAMPLE}.mp4", "video")
        yield page
        assert page.foreign_requests() == []


@pytest.mark.parametrize("visit", ["motion_amplitude"], indirect=True)
def test_both_definitions_of_motion_are_shown(visit, place):
    visit.click("Score")
    text = visit.wait_for_text("MotionAmplitude 0.", "magnitude: 0.")
    assert "Not comparable" not in text
    visit.wait(lambda: visit.find(PLOT) or None, "no plot")
    assert visit.screenshot(place / "motion_amplitude.png").stat().st_size > 30_000


@pytest.mark.parametrize("visit", ["aesthetics"], indirect=True)
def test_the_embedded_models_rate_a_video(visit, place):
    visit.click("Score")
    text = visit.wait_for_text("from 32 frames, embedded models")
    assert 3 < float(re.search(r"Aesthetics ([0-9]\.[0-9]{3})", text).group(1)) < 8
    assert "Not comparable with the leaderboard" in text
    visit.wait(lambda: visit.find(PLOT) or None, "no plot")
    assert visit.screenshot(place / "aesthetics.png").stat().st_size > 30_000


@pytest.mark.parametrize("visit", ["opens2v_eval"], indirect=True)
def test_the_scorecard_of_a_video(visit, place):
    (reference,) = references_of(place / "benchmark", [SAMPLE])
    # people's columns say that they do not apply; their models need not be there
    for column in ("FaceSim", "MotionSmoothness", "NaturalScore"):
        if column in visit.text():
            visit.click(column)
    visit.type_into("#prompt :is(input, textarea)", reference["prompt"])
    visit.upload(0, Path(reference["images"][0]), "[data-testid=image] img, .image-container img")
    visit.type_into("#label-1 :is(input, textarea)", reference["labels"][0])
    visit.click("Score")
    text = visit.wait_for_text("Weighted mean of these columns", "MotionAmplitude")
    assert 0 < float(re.search(r"these columns: ([0-9.]+) %", text).group(1)) < 100
    assert "This is no total" in text
    assert "FaceSim" in text
    assert visit.screenshot(place / "opens2v_eval.png").stat().st_size > 50_000
