"""MotionSmoothness in the browser: a video in, the score and the quality around every frame out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.q_align.scorer import RELEASED_QUALITY_SCORER
from opens2v_hf.run.metrics.base import answer, score_clip
from opens2v_hf.run.metrics.motion_smoothness import MotionSmoothness

SCORERS = [
    (f"{EMBEDDED}: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    (f"{RELEASED_QUALITY_SCORER}: the leaderboard's, needs a GPU", RELEASED_QUALITY_SCORER),
]
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# MotionSmoothness

How steady the quality of a video stays: three frames around every frame are rated by Q-Align, and the score is the
share of the frames at which the rating does not jump. Column of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292).
Higher is better.
"""


def _on_a_space() -> bool:
    """Visitors of a Space choose among its models, and not among the folders of the machine it runs on."""
    return bool(os.environ.get("SPACE_ID"))


@functools.lru_cache(maxsize=1)
def load(quality_scorer: str) -> MotionSmoothness:
    """The metric with a scorer, kept until another one is asked for."""
    if _on_a_space() and quality_scorer not in [value for _, value in SCORERS]:
        raise ArgumentError(f"this Space offers no scorer {quality_scorer!r}; choose one of the list")
    return MotionSmoothness.from_pretrained(quality_scorer)


def score(video: str | None, quality_scorer: str) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Returns:
        The score as Markdown, and a table with columns "frame", "quality" and "jump" ("yes" or "no").
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    try:
        metric = load(quality_scorer)
        outcome = score_clip(metric, video)
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    if outcome.value is None:
        raise gr.Error(outcome.reason.replace(video, os.path.basename(video)), print_exception=False)
    result = answer(metric, [outcome])
    qualities, jumps = outcome.details["frame_scores"], set(outcome.details["jump_frames"])
    text = (
        f"## MotionSmoothness {outcome.value:.4f}\n\n{len(jumps)} of {len(qualities)} frames touch a jump, "
        f"scorer `{quality_scorer}`"
    )
    if result["note"]:
        text += f"\n\n**Not comparable with the leaderboard:** {result['note']}."
    frames = range(len(qualities))
    beside = ["yes" if frame in jumps else "no" for frame in frames]
    return text, pd.DataFrame({"frame": frames, "quality": qualities, "jump": beside})


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    with gr.Blocks(title="MotionSmoothness", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                scorer = gr.Dropdown(
                    SCORERS,
                    value=EMBEDDED,
                    label="Quality scorer",
                    info="Choose one" if _on_a_space() else "Choose one, or type another Q-Align: Hub id or folder",
                    allow_custom_value=not _on_a_space(),
                )
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                plot = gr.ScatterPlot(
                    x="frame", y="quality", color="jump", y_lim=[0, 1], title="Quality around every frame"
                )
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, plot], api_visibility="private")
        cleared.then(score, [video, scorer], [text, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
