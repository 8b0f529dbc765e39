"""GmeScore in the browser: a video and its prompt in, the score and every frame's similarity out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.gme import RELEASED_EMBEDDER
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.metrics.base import answer, score_clip
from opens2v_hf.run.metrics.gmescore import GmeScore, checked_prompt

EMBEDDERS = [
    (f"{EMBEDDED}: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    (f"{RELEASED_EMBEDDER}: the leaderboard's, needs a GPU", RELEASED_EMBEDDER),
    ("Alibaba-NLP/gme-Qwen2-VL-2B-Instruct: smaller, not the leaderboard's", "Alibaba-NLP/gme-Qwen2-VL-2B-Instruct"),
]
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# GmeScore

How well a generated video shows what its prompt says: the mean similarity of the prompt and 32 frames, embedded by
GME. Text-relevance metric of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.
"""


def _on_a_space() -> bool:
    """Visitors of a Space choose among its models, and not among the folders of the machine it runs on."""
    return bool(os.environ.get("SPACE_ID"))


@functools.lru_cache(maxsize=1)
def load(embedder: str) -> GmeScore:
    """The metric with an embedder, kept until another one is asked for."""
    if _on_a_space() and embedder not in [value for _, value in EMBEDDERS]:
        raise ArgumentError(f"this Space offers no embedder {embedder!r}; choose one of the list")
    return GmeScore.from_pretrained(embedder)


def score(video: str | None, prompt: str, embedder: str) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Returns:
        The score as Markdown, and a table with columns "frame" and "similarity".
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    try:
        checked_prompt(prompt)
        metric = load(embedder)
        outcome = score_clip(metric, video, prompt)
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    if outcome.value is None:
        raise gr.Error(outcome.reason.replace(video, os.path.basename(video)), print_exception=False)
    result = answer(metric, [outcome])
    text = f"## GmeScore {outcome.value:.4f}\n\nfrom {metric.sampling.count} frames, embedder `{embedder}`"
    if result["note"]:
        text += f"\n\n**Not comparable with the leaderboard:** {result['note']}."
    table = {"frame": outcome.details["frame_indices"], "similarity": outcome.details["similarities"]}
    return text, pd.DataFrame(table)


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    with gr.Blocks(title="GmeScore", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                prompt = gr.Textbox(label="Prompt", lines=4, placeholder="The text that the video was generated from")
                embedder = gr.Dropdown(
                    EMBEDDERS,
                    value=EMBEDDED,
                    label="Embedder",
                    info="Choose one" if _on_a_space() else "Choose one, or type another GME model: Hub id or folder",
                    allow_custom_value=not _on_a_space(),
                )
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                plot = gr.LinePlot(x="frame", y="similarity", title="Similarity of each sampled frame and the prompt")
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, plot], api_visibility="private")
        cleared.then(score, [video, prompt, embedder], [text, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
