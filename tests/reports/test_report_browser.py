"""The report in a real Chromium: it runs nothing, fetches nothing, and fits a phone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.scorecards import full_result
from selenium.webdriver.support.ui import WebDriverWait

from opens2v_hf.evaluation.thumbnails import write_thumbnail
from opens2v_hf.reports.report import write_report

EVIL = "<script>document.title='run'</script><img src=http://127.0.0.1:9/x onerror=document.title='run'>"
OPEN_ALL = """
for (const details of document.querySelectorAll('details')) details.open = true;
for (const image of document.images) image.loading = 'eager';
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    names = ("a-model-with-a-very-long-name-that-has-no-end-at-all-or-so-it-seems", EVIL)
    results = [
        full_result(names[0], quality=0.6, failed=("singleobj_1",), absent=("multiface_2",)),
        full_result(names[1], quality=0.4),
    ]
    frames = np.full((4, 112, 168, 3), 180, np.uint8)
    found = {video.id: write_thumbnail(folder / "thumbnails", video.id, frames) for video in results[0].videos}
    return write_report(results, folder, title="Two models", thumbnails={(names[0], "open-domain"): found})


def _show(driver: Any, page: Path, width: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    driver.get(page.as_uri())
    wait = WebDriverWait(driver, 60, poll_frequency=0.1)
    wait.until(lambda _: driver.execute_script("return document.readyState === 'complete'"))
    driver.execute_script(OPEN_ALL)
    wait.until(lambda _: driver.execute_script("return [...document.images].every(image => image.complete)"))


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_every_picture_shows(driver: Any, page: Path, width: int) -> None:
    _show(driver, page, width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = driver.execute_script("return [...document.images].map(i => [i.naturalWidth, i.clientWidth, i.alt])")
    # totals, radar, columns, the companion metric, seven by category; two best and two worst in seven columns
    assert len(sizes) == 11 + 7 * 4
    assert all(natural > 0 and 0 < shown <= width and alt for natural, shown, alt in sizes)
    # what is wider than the screen scrolls in a place of its own, which the keyboard reaches
    tables = driver.execute_script(
        "return [...document.querySelectorAll('table')].map(t => [t.parentElement.className, t.parentElement.tabIndex])"
    )
    assert tables
    assert all(found == ["scroll", 0] for found in tables)
    too_wide = driver.execute_script(
        """return [...document.querySelectorAll('h1,h2,h3,h4,p,summary,figure,.card,.note')]
           .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent.slice(0, 60))"""
    )
    assert too_wide == []


@pytest.mark.browser
def test_names_run_nothing_and_nothing_is_fetched(driver: Any, page: Path) -> None:
    import json

    driver.get_log("performance")
    _show(driver, page, 1280)
    assert driver.title == "Two models"
    assert EVIL in driver.find_element("css selector", "body").text
    assert driver.find_elements("css selector", "body script") == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert page.as_uri() in asked
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}


@pytest.mark.browser
def test_text_has_enough_contrast(driver: Any, page: Path) -> None:
    """WCAG AA asks for a contrast of 4.5 between the two colours."""
    _show(driver, page, 1280)
    worst = driver.execute_script(
        """
        const light = c => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
        const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
        const parse = text => text.match(/[\\d.]+/g).map(Number);
        const behind = e => {
          for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
          }
          return [255, 255, 255];
        };
        const ratios = [...document.querySelectorAll('body *')]
          .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
          .map(e => {
            const a = luminance(parse(getComputedStyle(e).color)), b = luminance(behind(e));
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          });
        return [Math.min(...ratios), ratios.length];
        """
    )
    assert worst[1] > 100
    assert worst[0] >= 4.5
