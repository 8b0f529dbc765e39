"""The page of `opens2v rate` as a rater meets it."""

import json
from pathlib import Path

import pytest
from helpers.browser import Page, app_on_loopback

from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated

pytest.importorskip("gradio")
pytestmark = pytest.mark.browser

IDS = ("singleobj_1", "singleface_1", "humanobj_1")
APP = """
from opens2v_hf.cli import main

main(["rate", "alpha", "beta", "--data-dir", "benchmark", "--rater", "ann", "--out", "ratings.jsonl"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rate")


@pytest.fixture(scope="module")
def page(folder, driver):
    write_eval(folder / "benchmark", per_category=1)
    for model, simulated in (("alpha", "perfect"), ("beta", "text_ignored")):
        write_generated(folder / model, simulated, ids=IDS, num_frames=8)
    app = folder / "app.py"
    app.write_text(f"import os\nos.chdir({str(folder)!r})\n{APP}")
    with app_on_loopback(app, folder / "app.log", {"TMPDIR": str(folder)}) as address:
        yield Page(driver, address)


def answers(folder: Path) -> list[dict[str, object]]:
    file = folder / "ratings.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def press(page, *keys: str) -> None:
    for key in keys:
        page.find("body")[0].send_keys(key)


def wait_for_place(page, place: str) -> None:
    page.wait(lambda: True if place in page.text() and not checked(page) else None, f"{place} does not appear")


def checked(page) -> list[str]:
    script = "return [...document.querySelectorAll('input:checked')].map(one => one.closest('[id]').id + one.value)"
    return page.driver.execute_script(script)


def wait_for_checked(page, number: int) -> None:
    page.wait(lambda: True if len(checked(page)) == number else None, f"{number} answers are not marked")


def test_a_pair_is_shown_blind(page, folder):
    wait_for_place(page, "Pair 1 of 3")
    script = "return [...document.querySelectorAll('video')].map(one => [one.readyState >= 2, one.duration])"
    page.wait(
        lambda: True if page.driver.execute_script(script) == [[True, 1.0]] * 2 else None, "a video does not play"
    )
    assert all(image.get_property("naturalWidth") for image in page.find("#pair img"))
    for width in (390, 1280):
        page.screenshot(folder / f"rate-{width}.png", width)
        assert page.overflow() <= 0
        assert page.low_contrast() == []
        left, right = (video.rect for video in page.find("video"))
        assert left["x"] + left["width"] <= right["x"]
        assert left["y"] == right["y"]
    source = page.driver.page_source
    assert "alpha" not in source
    assert "beta" not in source
    assert page.foreign_requests() == []


def test_keys_and_clicks_answer_and_every_answer_is_saved(page, folder):
    from selenium.webdriver.common.keys import Keys

    wait_for_place(page, "Pair 1 of 3")
    press(page, Keys.ENTER)
    page.wait(lambda: True if "rate both" in page.text() else None, "an empty answer is taken")
    assert answers(folder) == []
    press(page, Keys.ARROW_LEFT, "4")
    wait_for_checked(page, 2)
    press(page, "2", Keys.ARROW_RIGHT, "5")  # the other side is better after all, and the left one is a 5
    wait_for_checked(page, 3)
    press(page, Keys.ENTER)
    wait_for_place(page, "Pair 2 of 3")
    (first,) = answers(folder)
    assert (first["choice"], first["rating_left"], first["rating_right"]) == ("right", 5, 2)

    page.find("#choice input")[1].click()
    page.find("#rate-left input")[2].click()
    page.find("#rate-right input")[3].click()
    wait_for_checked(page, 3)
    page.click("Save")
    wait_for_place(page, "Pair 3 of 3")
    second = answers(folder)[1]
    assert (second["choice"], second["rating_left"], second["rating_right"]) == ("tie", 3, 4)

    page.open()  # as after a crash of the browser
    wait_for_place(page, "Pair 3 of 3")
    press(page, Keys.BACKSPACE)
    wait_for_place(page, "Pair 2 of 3")
    press(page, "s")
    wait_for_place(page, "Pair 3 of 3")
    assert [one["choice"] for one in answers(folder)] == ["right", "tie", "skip"]
    assert answers(folder)[2]["item"] == second["item"]
    press(page, "0", "1", "1")
    wait_for_checked(page, 3)
    press(page, Keys.ENTER)
    wait_for_place(page, "All 3 pairs are answered")
    # the skipped pair has no rows; of the two others each video has a rating and a choice
    assert len((folder / "ratings.csv").read_text().splitlines()) == 1 + 2 * 4
    assert {(one["left"], one["right"]) for one in answers(folder)} <= {("alpha", "beta"), ("beta", "alpha")}
