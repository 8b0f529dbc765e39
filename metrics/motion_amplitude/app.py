"""MotionAmplitude in the browser: a video in, the score and the motion between its frames out."""

from __future__ import annotations

import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import OpenS2VError
from opens2v_hf.run.metrics.base import answer, score_clip
from opens2v_hf.run.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.scores.motion_amplitude import MAGNITUDE, RELEASED

DEFINITIONS = [
    ("released: the leaderboard's; opposite motions cancel", RELEASED),
    ("magnitude: length of the motion; not the leaderboard's", MAGNITUDE),
]
UNITS = {RELEASED: "pixels per frame", MAGNITUDE: "diagonals of the picture per second"}
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# MotionAmplitude

How much moves in a generated video: the optical flow between all consecutive frames. Motion column of
[OpenS2V-Eval](https://arxiv.org/abs/2505.20292). No model takes part.
"""
_LINES = {"pair_means": "signed mean", "pair_lengths": "length"}


def score(video: str | None, variant: str) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Returns:
        The score as Markdown, and a table with columns "frame", "pixels per frame" and "what".
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    try:
        metric = MotionAmplitude(variant=variant)
        outcome = score_clip(metric, video)
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    if outcome.value is None:
        raise gr.Error(outcome.reason.replace(video, os.path.basename(video)), print_exception=False)
    by_variant = outcome.details["variants"]
    other = next(name for name in by_variant if name != variant)
    lines = [
        f"## MotionAmplitude {outcome.value:.4f}",
        f"in {UNITS[variant]}; {other}: {by_variant[other]:.4f} {UNITS[other]}",
    ]
    if note := answer(metric, [outcome])["note"]:
        lines.append(f"**Not comparable with the leaderboard:** {note}.")
    table = [
        {"frame": frame, "pixels per frame": value, "what": what}
        for key, what in _LINES.items()
        for frame, value in enumerate(outcome.details[key], start=1)
    ]
    return "\n\n".join(lines), pd.DataFrame(table)


def build() -> gr.Blocks:
    """The interface."""
    with gr.Blocks(title="MotionAmplitude", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                variant = gr.Radio(DEFINITIONS, value=RELEASED, label="Definition")
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                plot = gr.LinePlot(
                    x="frame", y="pixels per frame", color="what", title="Flow from the frame before to each frame"
                )
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, plot], api_visibility="private")
        cleared.then(score, [video, variant], [text, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
