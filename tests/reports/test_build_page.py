"""The page about a build: its numbers against the notes, and how it looks in a browser."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.browser import _CONTRAST
from helpers.reported_build import reported_build
from PIL import Image

from opens2v_hf.errors import ResultError
from opens2v_hf.masks.rle import encode
from opens2v_hf.reports import build_page
from opens2v_hf.reports.build_figures import DrawnSubject, Threshold, drawn, histogram
from opens2v_hf.reports.build_page import write_build_report
from opens2v_hf.reports.sheet.page import COLORS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reported_build(tmp_path_factory.mktemp("build"), clusters=1)


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    return write_build_report(folder)


class Texts(HTMLParser):
    """The words of a page, and what it would load."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.tags: Counter[str] = Counter()
        self._hidden = False
        self.feed(page.read_text("utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._hidden = tag in ("style", "title")
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def test_every_stage_has_its_clips_and_every_rule_its_count(folder: Path, page: Path) -> None:
    text = Texts(page).text
    notes = [json.loads(path.read_text()) for path in sorted((folder / ".build").glob("clips-*.json"))]
    taken: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for note in notes:
        for stage in note["stages"]:
            taken[stage["name"]] += stage["taken"]
            kept[stage["name"]] += stage["kept"]
        rules.update(entry["rule"] for entry in note["dropped"])
    assert {"unreadable", "too_short", "no_caption", "too_large"} <= set(rules)
    for name in taken:
        assert f"{name} {taken[name]} → {kept[name]}" in text
    for rule, count in rules.items():
        assert f"{count} {rule}" in text
    assert f"subjects and tags: {rules['too_large']} too_large" in text


def test_notes_thresholds_and_costs_are_shown(page: Path) -> None:
    text = Texts(page).text
    for words in (
        "1 file held what another one holds: z copy.mp4 = synthetic00000_part1.mp4",
        "1 file has no ending of a video and was ignored",
        "broken.mp4: cannot be read as a video",
        "low motion 0.01", "min text similarity 0.2",
        "made by painter", "1 perhaps paid", "HTTP 500: <b>busy</b>", "vectors by the embedded embedder",
        "no price is known for painter",
    ):  # fmt: skip
        assert words in text


def test_it_loads_nothing_and_shows_no_path(folder: Path, page: Path) -> None:
    texts = Texts(page)
    assert texts.tags["img"] >= 8
    assert all(address.startswith("data:image/") for address in texts.loaded)
    assert texts.tags["script"] == 0
    assert str(folder) not in page.read_text("utf-8")
    assert str(folder.parent) not in page.read_text("utf-8")


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_can_be_read(driver: Any, page: Path, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(driver, 60, poll_frequency=0.1)
    wait.until(lambda _: driver.execute_script("return document.readyState === 'complete' && document.images.length"))
    driver.execute_script(
        "for (const part of document.querySelectorAll('details')) part.open = true;"
        "for (const image of document.images) image.loading = 'eager';"
    )
    wait.until(lambda _: driver.execute_script("return [...document.images].every(image => image.complete)"))
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = driver.execute_script("return [...document.images].map(i => [i.naturalWidth, i.clientWidth])")
    assert all(natural > 0 and shown > 0 for natural, shown in sizes)
    assert driver.execute_script(_CONTRAST, 4.5) == []


def test_a_folder_without_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="holds no dataset of `opens2v build`"):
        write_build_report(tmp_path)


def test_a_histogram_counts_each_value_once_in_its_bin() -> None:
    found = histogram("x", [0.0, 0.1, 12.0, 24.0], [24.0, float("nan")], [Threshold(6.0, "min")])
    assert found is not None
    assert (found.num_kept, found.num_dropped, found.low, found.high, found.median) == (4, 1, 0.0, 24.0, 6.05)
    # 24 bins of width 1; the highest bin has two values and takes 92 of the 96 units
    assert [bar.kept for bar in found.bars] == [92.0, *[0] * 11, 46.0, *[0] * 10, 46.0]
    assert [bar.dropped for bar in found.bars] == [*[0] * 23, 46.0]
    assert [(round(x), bound.rule) for x, bound in found.thresholds] == [(80, "min")]


def test_histograms_of_nothing_of_one_value_and_of_far_thresholds() -> None:
    assert histogram("x", [], [float("inf")]) is None
    one = histogram("x", [3.0, 3.0], [])
    assert (one.low, one.high) == (2.5, 3.5)
    far = histogram("x", [1.0], [], [Threshold(9.0, "min")])
    assert (far.low, far.high) == (1.0, 9.0)


def test_a_frame_is_drawn_with_its_boxes_and_masks() -> None:
    import base64
    import io

    frame = np.full((60, 80, 3), 255, np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 10:30] = True
    subjects = [
        DrawnSubject("one", (10.0, 20.0, 30.0, 40.0), encode(mask)),
        DrawnSubject("two", (50.0, 5.0, 70.0, 25.0), None),
        DrawnSubject("three", (50.0, 40.0, float("nan"), 50.0), encode(mask[:30])),
    ]
    picture = Image.open(io.BytesIO(base64.b64decode(drawn(frame, subjects).partition(",")[2]))).convert("RGB")
    assert picture.size == (80, 60)

    def near(place: tuple[int, int], color: tuple[int, int, int]) -> bool:
        return max(abs(a - b) for a, b in zip(picture.getpixel(place), color, strict=True)) < 60

    first, second = (tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in COLORS[:2])
    assert near((10, 30), first)
    assert near((50, 15), second)
    assert near((60, 15), (255, 255, 255))
    tinted = picture.getpixel((20, 30))
    assert tinted[2] > tinted[0] + 40  # the mask is blended in blue


def test_dropped_files_and_clips_are_named() -> None:
    file = {"clip_id": "beach_part1", "file": "beach_part1.mp4", "stage": "probe", "rule": "unreadable", "subject": ""}
    clip = {"clip_id": "beach_part1_part0-95", "file": "beach_part1.mp4", "stage": "detect", "rule": "small"}
    names = build_page._dropped_names([{"dropped": [file, {**clip, "subject": ""}, {**clip, "subject": "dog"}]}])
    assert names == {
        ("probe", "unreadable"): ["beach_part1.mp4"],
        ("detect", "small"): ["beach_part1_part0-95", "beach_part1_part0-95: dog"],
    }
