"""FaceSim for several people in the browser: a video and a picture of each person in, what each frame shows out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.metrics.base import answer, score_clip
from opens2v_hf.run.metrics.face_reference import FaceReference
from opens2v_hf.run.metrics.facesim_multi import FaceSimMulti
from opens2v_hf.run.registry import ModelChoice, load_metrics

RELEASED = "released"
MODEL_SETS = [
    ("embedded: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    ("released: InsightFace and CurricularFace, those of the leaderboard's FaceSim-Cur", RELEASED),
]
MOST_PEOPLE = 5
FIRST_PEOPLE = 2
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# FaceSim for several people

How much a generated video shows all its reference people, each with a face of their own: in every frame faces are
assigned to people, one to one and optimally. Beside the FaceSim-Cur of
[OpenS2V-Eval](https://arxiv.org/abs/2505.20292), which looks at one face only. Higher is better.
"""
_COLUMNS = ["person", "similarity", "frames with a face"]


@functools.lru_cache(maxsize=1)
def load(model_set: str) -> FaceSimMulti:
    """The metric with a set of models, kept until the other one is asked for.

    Raises:
        ArgumentError: there is no such set.
    """
    if model_set not in (EMBEDDED, RELEASED):
        raise ArgumentError(f"there is no set of models {model_set!r}; choose one of the list")
    chosen = dict.fromkeys(("face_detector", "face_embedder"), ModelChoice(EMBEDDED)) if model_set == EMBEDDED else {}
    (metric,) = load_metrics(["facesim_multi"], models=chosen)
    return metric


def score(video: str | None, model_set: str, *pictures: str | None) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Score one uploaded video.

    Args:
        video: path of the upload.
        model_set: "embedded" or "released".
        *pictures: one of each person; empty places are skipped.

    Returns:
        The score as Markdown, a table with what was found of each person, and one with columns "frame", "similarity"
        and "person".
    """
    given = {f"Person {number}": picture for number, picture in enumerate(pictures, start=1) if picture}
    if video is None or not given:
        raise gr.Error("Upload a video and a picture of each person first.", print_exception=False)
    try:
        metric = load(model_set)
        outcome = score_clip(metric, video, FaceReference(tuple(given.values()), tuple(given)))
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    reason = outcome.reason
    for upload in (video, *given.values()):
        reason = reason.replace(upload, os.path.basename(upload))
    if outcome.value is None:
        raise gr.Error(reason, print_exception=False)
    text = f"## FaceSim for several people {outcome.value:.4f}\n\nfrom {metric.sampling.count} frames"
    if reason:
        text += f"; {_plain(reason)}"
    text += f"\n\n**Not comparable with the leaderboard:** {answer(metric, [outcome])['note']}."
    details = outcome.details
    people = [(one["label"], f"{one['similarity']:.4f}", one["frames_found"]) for one in details["references"]]
    lines = [
        (frame, similarity, one["label"])
        for frame, row in zip(details["frame_indices"], details["similarities"], strict=True)
        for one, similarity in zip(details["references"], row, strict=True)
    ]
    return text, pd.DataFrame(people, columns=_COLUMNS), pd.DataFrame(lines, columns=["frame", "similarity", "person"])


def _plain(text: str) -> str:
    """Names of files are a visitor's words, and not Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#!|$~&" else sign for sign in text)


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    pictures: list[gr.Image] = []

    def fields(first: int, last: int) -> None:
        with gr.Row():
            for number in range(first, last + 1):
                pictures.append(
                    gr.Image(label=f"Person {number}", type="filepath", sources=["upload"], height=170, min_width=120)
                )

    with gr.Blocks(title="FaceSim for several people", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                fields(1, FIRST_PEOPLE)
                with gr.Accordion("More people", open=False):
                    fields(FIRST_PEOPLE + 1, MOST_PEOPLE)
                model_set = gr.Radio(MODEL_SETS, value=EMBEDDED, label="Models")
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                table = gr.Dataframe(label="What was found of each person", headers=_COLUMNS, interactive=False)
                plot = gr.LinePlot(
                    x="frame",
                    y="similarity",
                    color="person",
                    title="Similarity of the face that stands for each person",
                )
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None, None), None, [text, table, plot], api_visibility="private")
        cleared.then(score, [video, model_set, *pictures], [text, table, plot], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
