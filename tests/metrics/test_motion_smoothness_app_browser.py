"""The Space of MotionSmoothness as a visitor meets it."""

import re

import pytest
from helpers.browser import ROOT, Page, app_on_loopback
from helpers.videos import encode, numbered_frames

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_the_embedded_scorer_scores_an_uploaded_video(driver, tmp_path):
    video = encode(tmp_path / "clip.mp4", numbered_frames(8))
    with app_on_loopback(ROOT / "metrics" / "motion_smoothness" / "app.py", tmp_path / "app.log") as address:
        page = Page(driver, address)
        page.upload(0, video, "video")
        page.click("Score")
        text = page.wait_for_text("of 8 frames touch a jump")
        assert 0 <= float(re.search(r"MotionSmoothness ([01]\.[0-9]{4})", text).group(1)) <= 1
        assert "Not comparable with the leaderboard" in text
        page.wait(lambda: page.find(".vega-embed canvas, .vega-embed svg") or None, "no plot")
        assert page.screenshot(tmp_path / "page.png").stat().st_size > 30_000
        assert page.foreign_requests() == []
