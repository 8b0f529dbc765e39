"""The Space of NaturalScore as a visitor meets it, with a judge on loopback."""

import pytest
from helpers.browser import ROOT, Page, app_on_loopback
from helpers.judge_endpoint import judge_endpoint, says
from helpers.videos import encode, numbered_frames

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

KEY = "sk-secret-of-this-test"


def test_a_judge_behind_an_api_rates_an_uploaded_video_with_the_visitors_key(driver, tmp_path):
    video = encode(tmp_path / "clip.mp4", numbered_frames(8))
    log = tmp_path / "app.log"
    app = ROOT / "metrics" / "naturalscore" / "app.py"
    with (
        judge_endpoint(says("4"), says("4"), says("2")) as endpoint,
        app_on_loopback(app, log, {"OPENAI_BASE_URL": endpoint.base_url, "OPENAI_API_KEY": ""}) as address,
    ):
        page = Page(driver, address)
        page.upload(0, video, "video")
        page.choose("Judge", "gpt-4o-2024-11-20 through the OpenAI API")
        page.wait(lambda: page.find("input[type=password]") or None, "no place for a key")
        page.type_into("input[type=password]", KEY)
        page.click("Score")
        text = page.wait_for_text("3.33 of 5")  # (4 + 4 + 2) / 3
        assert page.screenshot(tmp_path / "page.png").stat().st_size > 30_000
        assert page.foreign_requests() == []
        assert len(endpoint.requests) == 3
    assert KEY not in text
    assert KEY not in log.read_text()
