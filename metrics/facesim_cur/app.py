"""FaceSim-Cur in the browser: a video and a picture of a person in, the score and every frame's similarity out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.metrics.base import answer, score_clip
from opens2v_hf.run.metrics.face_reference import FaceReference
from opens2v_hf.run.metrics.facesim_cur import FaceSimCur
from opens2v_hf.run.registry import ModelChoice, load_metrics

RELEASED = "released"
MODEL_SETS = [
    ("embedded: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    ("released: InsightFace and CurricularFace, the leaderboard's", RELEASED),
]
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# FaceSim-Cur

How much the face in a generated video is that of its reference person: the mean similarity over 32 frames, by
CurricularFace. Identity metric of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.
"""


@functools.lru_cache(maxsize=1)
def load(model_set: str) -> FaceSimCur:
    """The metric with a set of models, kept until the other one is asked for.

    Raises:
        ArgumentError: there is no such set.
    """
    if model_set not in (EMBEDDED, RELEASED):
        raise ArgumentError(f"there is no set of models {model_set!r}; choose one of the list")
    chosen = dict.fromkeys(("face_detector", "face_embedder"), ModelChoice(EMBEDDED)) if model_set == EMBEDDED else {}
    (metric,) = load_metrics(["facesim_cur"], models=chosen)
    return metric


def score(video: str | None, picture: str | None, model_set: str) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Returns:
        The score as Markdown, and a table with columns "frame" and "similarity", of the frames with a face.
    """
    if video is None or picture is None:
        raise gr.Error("Upload a video and a picture of the person first.", print_exception=False)
    try:
        metric = load(model_set)
        outcome = score_clip(metric, video, FaceReference((picture,), ("Person",)))
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    if outcome.value is None:
        message = outcome.reason
        for upload in (video, picture):
            message = message.replace(upload, os.path.basename(upload))
        raise gr.Error(message, print_exception=False)
    result = answer(metric, [outcome])
    details = outcome.details
    text = (
        f"## FaceSim-Cur {outcome.value:.4f}\n\n{details['frames_with_face']} of {metric.sampling.count} frames have a "
        f"face, {details['frames_counted']} count"
    )
    if outcome.reason:
        text += f": {outcome.reason}"
    if result["note"]:
        text += f"\n\n**Not comparable with the leaderboard:** {result['note']}."
    rows = [
        (frame, cosine)
        for frame, cosine in zip(details["frame_indices"], details["cosines"], strict=True)
        if cosine is not None
    ]
    return text, pd.DataFrame(rows, columns=["frame", "similarity"])


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    with gr.Blocks(title="FaceSim-Cur", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                picture = gr.Image(label="Picture of the person", type="filepath", sources=["upload"], height=220)
                model_set = gr.Radio(MODEL_SETS, value=EMBEDDED, label="Models")
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                plot = gr.LinePlot(x="frame", y="similarity", title="Similarity of each frame's face and the person's")
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, plot], api_visibility="private")
        cleared.then(score, [video, picture, model_set], [text, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
