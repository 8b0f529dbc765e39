"""The explorer as a visitor meets it, without a network."""

import os
from runpy import run_path
from unittest.mock import patch

import pytest
from helpers.browser import ROOT, Page, app_on_loopback

from opens2v_hf.data.synthetic.dataset_plan import plan_dataset
from opens2v_hf.data.synthetic.scenes import caption
from opens2v_hf.reports.sheet.browse import SampleFilter

pytest.importorskip("gradio")
pytestmark = pytest.mark.browser

FILES = plan_dataset()
CLIPS = [clip for part in ("dataset1", "dataset2") for file in FILES for clip in file.clips if clip.part == part]
WHOLE_LINE = "const line = document.querySelector('#line textarea'); return line.scrollHeight <= line.clientHeight + 1"
IDS = [clip.id for clip in CLIPS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explorer")


@pytest.fixture(scope="module")
def page(folder, driver):
    with app_on_loopback(ROOT / "spaces" / "explorer" / "app.py", folder / "app.log") as address:
        yield Page(driver, address)


def line(page) -> str:
    (field,) = page.find("#line textarea, #line input")
    return field.get_property("value")


def wait_for_sample(page, number: int, sample_id: str) -> None:
    """Wait until that sample and its page are shown."""
    expected = f"Sample {number} of those that match: "
    page.wait(
        lambda: True if line(page).startswith(expected) and line(page).endswith(sample_id) else None,
        f"sample {number}, {sample_id}, did not appear",
    )
    page.wait(lambda: True if [heading.text for heading in page.find("#sheet h2")] == [sample_id] else None, "no sheet")
    page.wait(
        lambda: True if all(image.get_property("naturalWidth") for image in page.find("#sheet img")) else None,
        "an image of the sheet does not load",
    )


def test_an_empty_field_is_no_condition():
    with patch.dict(os.environ):  # the Space sets a switch of the Hub's client
        filter_of = run_path(str(ROOT / "spaces" / "explorer" / "app.py"))["filter_of"]
    assert filter_of("", False, None, None, 0.0, 0.0, 0.0) == SampleFilter()
    assert filter_of("", False, 2.0, None, 0.0, 0.0, 0.0).duration_s == (2.0, 60.0)


def test_it_opens_with_the_synthetic_sample(page, folder):
    wait_for_sample(page, 1, IDS[0])
    (dataset,) = page.find("#dataset textarea, #dataset input")
    assert dataset.get_property("value") == "synthetic"
    assert "This is a small synthetic sample" in page.text()
    page.wait(
        lambda: True if any(video.get_property("duration") == 2.5 for video in page.find("#clip video")) else None,
        "the clip is not there, or is not the 20 frames at 8 fps that the sample has of its file",
    )
    for width in (390, 1280):
        page.resize(width)
        page.wait(lambda: True if page.driver.execute_script(WHOLE_LINE) else None, "the line is cut")
        page.screenshot(folder / f"first-{width}.png", width)
        assert page.overflow() <= 0
        assert page.low_contrast() == []
    assert len(page.find("#sheet svg image")) == 1
    assert len(page.find("#sheet img")) > 8
    assert caption(CLIPS[0].scene) in page.text()
    assert page.find("input[type=file]") == []
    assert page.foreign_requests() == []


def test_next_and_previous(page):
    wait_for_sample(page, 1, IDS[0])
    page.click("Next")
    wait_for_sample(page, 2, IDS[1])
    page.click("Previous")
    wait_for_sample(page, 1, IDS[0])
    page.click("Previous")
    page.wait(lambda: True if "this is the first sample" in page.text() else None, "no message")
    wait_for_sample(page, 1, IDS[0])


def test_tags(page):
    page.click("With pairs and views")  # quicker without
    word = next(file.clips[0] for file in FILES).scene.background.name.partition(" ")[2]
    fitting = [
        clip.id
        for part in ("dataset1", "dataset2")
        for file in FILES
        for clip in file.clips
        if clip.part == part and clip.scene.background.name.endswith(word)
    ]
    assert 0 < len(fitting) < len(IDS)
    page.type_into("#tags textarea, #tags input", "unicorn")
    page.click("Open")
    page.wait(lambda: True if "there is no such sample" in page.text() else None, "no message")

    # now no sample is shown, so that the one waited for cannot be the one from before
    page.type_into("#tags textarea, #tags input", word)
    page.click("Open")
    wait_for_sample(page, 1, fitting[0])
    if len(fitting) > 1:
        page.click("Next")
        wait_for_sample(page, 2, fitting[1])


def test_a_score_filter_and_a_malformed_dataset(page, folder):
    page.type_into("#tags textarea, #tags input", "")
    page.click("More filters")
    page.wait(lambda: page.find("#least-aesthetic input[type=number]") or None, "the filters did not open")
    page.type_into("#least-aesthetic input[type=number]", "9.5")
    page.click("Open")
    page.wait(lambda: True if "there is no such sample" in page.text() else None, "no message")
    page.type_into("#least-aesthetic input[type=number]", "0")
    page.type_into("#dataset textarea, #dataset input", "nowhere")
    page.click("Open")
    page.wait(lambda: True if "the dataset must be a repo" in page.text() else None, "no message")
    assert page.screenshot(folder / "filters.png").stat().st_size > 50_000
