"""Aesthetics in the browser: a video in, the score and every frame's rating out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.aesthetic import RELEASED_AESTHETIC_ENCODER, RELEASED_AESTHETIC_HEAD
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.metrics.aesthetics import Aesthetics
from opens2v_hf.run.metrics.base import answer, score_clip

RELEASED = "released"
MODELS = {EMBEDDED: (EMBEDDED, EMBEDDED), RELEASED: (RELEASED_AESTHETIC_ENCODER, RELEASED_AESTHETIC_HEAD)}
"""Encoder and head, by the name of the choice."""
CHOICES = [
    (f"{EMBEDDED}: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    ("released: CLIP ViT-L/14 and LAION's head, 1.2 GB", RELEASED),
]
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# Aesthetics

How beautiful the frames of a generated video are: the mean rating of 32 frames by LAION's aesthetic predictor.
Visual-quality column of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.
"""


@functools.lru_cache(maxsize=1)
def load(models: str) -> Aesthetics:
    """The metric with one of the choices of models, kept until another one is asked for.

    Raises:
        ArgumentError: there is no such choice.
    """
    if models not in MODELS:
        raise ArgumentError(f"there are no models {models!r}; choose one of {', '.join(MODELS)}")
    return Aesthetics.from_pretrained(*MODELS[models])


def score(video: str | None, models: str) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Returns:
        The score as Markdown, and a table with columns "frame" and "rating".
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    try:
        metric = load(models)
        outcome = score_clip(metric, video)
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    if outcome.value is None:
        raise gr.Error(outcome.reason.replace(video, os.path.basename(video)), print_exception=False)
    text = f"## Aesthetics {outcome.value:.3f}\n\nfrom {metric.sampling.count} frames, {models} models"
    if note := answer(metric, [outcome])["note"]:
        text += f"\n\n**Not comparable with the leaderboard:** {note}."
    table = {"frame": outcome.details["frame_indices"], "rating": outcome.details["ratings"]}
    return text, pd.DataFrame(table)


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    with gr.Blocks(title="Aesthetics", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                models = gr.Radio(CHOICES, value=EMBEDDED, label="Models")
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                plot = gr.LinePlot(x="frame", y="rating", title="Rating of each sampled frame")
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, plot], api_visibility="private")
        cleared.then(score, [video, models], [text, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
