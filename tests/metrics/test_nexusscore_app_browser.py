"""The Space of NexusScore as a visitor meets it."""

import re
from pathlib import Path

import pytest
from helpers.browser import ROOT, Page, app_on_loopback
from helpers.nexus_models import save_nexus_models

from opens2v_hf.data.eval_split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SAMPLE = "singleobj_1"
ROLES = ("detector", "prompt_encoder", "embedder")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A synthetic sample, and what a simulated model that makes no fault generates for it."""
    folder = tmp_path_factory.mktemp("browser")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=(SAMPLE,), num_frames=8)
    save_nexus_models(folder / "models")
    return folder


@pytest.fixture(scope="module")
def address(place):
    with app_on_loopback(ROOT / "metrics" / "nexusscore" / "app.py", place / "app.log") as served:
        yield served


@pytest.fixture
def page(driver, address):
    return Page(driver, address)


def _fill_in(page: Page, place: Path) -> str:
    """Upload the video and its reference picture, and label it; gives the label."""
    split = open_split("open-domain", data_dir=str(place / "benchmark"))
    (subject,) = next(sample.subjects for sample in split.samples if sample.id == SAMPLE)
    page.upload(0, place / "videos" / f"{SAMPLE}.mp4", "video")
    page.upload(0, split.picture_path(subject), "[data-testid=image] img, .image-container img")
    page.type_into("#label-1 :is(input, textarea)", subject.label)
    return subject.label


def test_the_embedded_set_finds_the_subject_and_shows_it(page, place, downloads):
    label = _fill_in(page, place)
    page.click("Score")
    text = page.wait_for_text("NexusScore (released)", "Download as a page")
    value = float(re.search(r"NexusScore \(released\) ([0-9.]+)", text).group(1))
    assert value > 0
    assert "Not comparable with the leaderboard" in text
    assert f"Reference 1 ({label}) was found in" in text
    assert "coverage" in text
    (picture,) = page.wait(lambda: page.find("#picture img") or None, "no picture")
    assert page.wait(lambda: picture.get_property("naturalWidth") or None, "an empty picture") > 1000
    page.click("Download as a page")
    saved = downloads / f"{SAMPLE}.html"
    page.wait(lambda: saved.is_file() or None, "the page was not downloaded")
    assert f"NexusScore (released) {value:.4f}" in saved.read_text(encoding="utf-8")
    assert page.screenshot(place / "embedded.png").stat().st_size > 50_000
    assert page.foreign_requests() == []


def test_other_models_by_folder_and_an_error_in_words(page, place):
    page.click("Score")
    page.wait_for_text("Upload a video first")
    _fill_in(page, place)
    page.click("Other models")
    for role in ROLES:
        page.type_into(f"#model-{role.replace('_', '-')} :is(input, textarea)", str(place / "models" / role))
    page.click("coverage")
    page.click("Score")
    text = page.wait_for_text("NexusScore (coverage)", "the leaderboard's is")
    assert page.screenshot(place / "other.png").stat().st_size > 50_000
    assert "embedded models, which only know" not in text
