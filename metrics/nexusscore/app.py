"""NexusScore in the browser: a video and its reference pictures in, the score and the reasons for it out."""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.explain import explain, write_explanation
from opens2v_hf.run.explain_plots import draw
from opens2v_hf.run.explain_words import headline, reckonings, why
from opens2v_hf.run.explanation import Explanation
from opens2v_hf.run.metrics.nexus_reference import NexusReference
from opens2v_hf.run.metrics.nexusscore import NexusScore
from opens2v_hf.run.plots import to_png
from opens2v_hf.run.registry import METRICS, ModelChoice, load_model
from opens2v_hf.scores.nexus import VARIANTS

RELEASED = "released"
RELEASED_MODELS = METRICS["nexusscore"].models
ROLES = tuple(RELEASED_MODELS)
MODEL_SETS = [
    ("embedded: small, runs anywhere, not comparable with the leaderboard", EMBEDDED),
    ("released: the leaderboard's, needs a GPU", RELEASED),
]
MOST_REFERENCES = 5
FIRST_REFERENCES = 3
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# NexusScore

How faithfully a generated video shows the subjects of its reference pictures: a detector looks for each of them in
32 frames, and what it finds is compared with the picture and its label. Subject-consistency metric of
[OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.
"""
_COLUMNS = ["definition", "score", "how it comes about"]


def _on_a_space() -> bool:
    """Visitors of a Space choose among its models, and not among the folders of the machine it runs on."""
    return bool(os.environ.get("SPACE_ID"))


def chosen_models(model_set: str, *named: str | None) -> dict[str, str]:
    """Role to model: those that are named, the rest from the set.

    Raises:
        ArgumentError: a model is named on a Space, or there is no such set.
    """
    given = {role: name.strip() for role, name in zip(ROLES, named, strict=False) if name and name.strip()}
    if given and _on_a_space():
        raise ArgumentError(f"this Space offers no other {', '.join(given)}; choose a set of the list")
    if model_set not in (EMBEDDED, RELEASED):
        raise ArgumentError(f"there is no set of models {model_set!r}; choose one of the list")
    chosen = dict(RELEASED_MODELS) if model_set == RELEASED else dict.fromkeys(ROLES, EMBEDDED)
    return chosen | given


@functools.lru_cache(maxsize=1)
def load(*names: str) -> dict[str, Any]:
    """The three models in the order of `ROLES`, kept until others are asked for."""
    return {role: load_model(role, ModelChoice(name)) for role, name in zip(ROLES, names, strict=True)}


def references(pictures: list[str | None], labels: list[str | None], sample_id: str | None) -> NexusReference:
    """The references that a visitor filled in; empty places are skipped.

    Raises:
        ArgumentError: there is none, or a picture or label lacks the other.
    """
    given = []
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True), start=1):
        text = (label or "").strip()
        if picture and not text:
            raise ArgumentError(f"reference picture {number} has no label; say in a word or two what it shows")
        if text and not picture:
            raise ArgumentError(f"label {number} ({text}) has no picture; upload one, or empty the label")
        if picture:
            given.append((picture, text))
    if not given:
        raise ArgumentError("upload at least one reference picture and label it")
    images, texts = zip(*given, strict=True)
    return NexusReference(images, texts, (sample_id or "").strip() or None)


def score(
    video: str | None, variant: str, num_frames: float, sample_id: str, model_set: str, *rest: str | None
) -> Iterator[tuple[str, pd.DataFrame, Image.Image, str]]:
    """Score one uploaded video.

    Args:
        video: path of the upload.
        variant: definition of the score.
        num_frames: sampled evenly.
        sample_id: of the benchmark; may be empty.
        model_set: "embedded" or "released".
        *rest: names of detector, prompt encoder and embedder, each may be empty; `MOST_REFERENCES` pictures; as many
            labels.

    Yields:
        Once: the score and its reasons as Markdown, the score by definition, the picture, and the page as a file.
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    named, filled = rest[: len(ROLES)], list(rest[len(ROLES) :])
    try:
        reference = references(filled[:MOST_REFERENCES], filled[MOST_REFERENCES:], sample_id)
        names = chosen_models(model_set, *named)
        metric = NexusScore(**load(*names.values()), variant=variant, num_frames=int(num_frames))
        explanation = explain(metric, video, reference)
    except OpenS2VError as error:
        message = str(error)
        for upload in (video, *(path for path in filled[:MOST_REFERENCES] if path)):
            message = message.replace(upload, os.path.basename(upload))
        raise gr.Error(message, print_exception=False) from error
    # the page is copied when it is handed over, and need not stay
    with tempfile.TemporaryDirectory() as folder:
        page = write_explanation(explanation, folder)
        picture = Image.open(io.BytesIO(to_png(draw(explanation))))
        yield _words(explanation), _table(explanation), picture, gr.DownloadButton(value=str(page), visible=True)


def _words(explanation: Explanation) -> str:
    lines = [f"## {headline(explanation)}", *(f"- {_plain(sentence)}" for sentence in why(explanation))]
    if explanation.note:
        lines += ["", f"**Not comparable with the leaderboard:** {_plain(explanation.note)}."]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Labels are a visitor's words, and not Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#!|$~&" else sign for sign in text)


def _table(explanation: Explanation) -> pd.DataFrame:
    rows = [
        (found.variant, f"{found.value:.4f}", f"{found.derivation} ({found.remark})")
        for found in reckonings(explanation)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    pictures: list[gr.Image] = []
    labels: list[gr.Textbox] = []

    def reference_fields(first: int, last: int) -> None:
        with gr.Row():
            for number in range(first, last + 1):
                with gr.Column(min_width=120):
                    pictures.append(
                        gr.Image(label=f"Reference {number}", type="filepath", sources=["upload"], height=170)
                    )
                    labels.append(
                        gr.Textbox(label=f"Label {number}", placeholder="e.g. Cup", elem_id=f"label-{number}")
                    )

    with gr.Blocks(title="NexusScore", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2):
                video = gr.Video(label="Video", sources=["upload"], height=260)
                reference_fields(1, FIRST_REFERENCES)
                with gr.Accordion("More references", open=False):
                    reference_fields(FIRST_REFERENCES + 1, MOST_REFERENCES)
            with gr.Column(scale=1):
                model_set = gr.Radio(MODEL_SETS, value=EMBEDDED, label="Models")
                with gr.Accordion("Other models", open=False, visible=not _on_a_space()):
                    named = [
                        gr.Textbox(
                            label=role.replace("_", " ").capitalize(),
                            placeholder="Hub id or folder; empty: as chosen above",
                            elem_id=f"model-{role.replace('_', '-')}",
                        )
                        for role in ROLES
                    ]
                variant = gr.Radio(VARIANTS, value="released", label="Definition")
                num_frames = gr.Slider(1, 64, value=32, step=1, label="Frames", info="32, as released")
                sample_id = gr.Textbox(
                    label="Sample id",
                    placeholder="e.g. humanobj_3; may be empty",
                    info="Decides how labels of people are read",
                )
                button = gr.Button("Score", variant="primary")
        text = gr.Markdown(elem_id="verdict")
        table = gr.Dataframe(
            label="The score by definition",
            headers=_COLUMNS,
            wrap=True,
            interactive=False,
            column_widths=["12%", "10%", "78%"],
        )
        picture = gr.Image(
            label="What was found", show_label=False, type="pil", format="png", interactive=False, elem_id="picture"
        )
        page = gr.DownloadButton("Download as a page", visible=False)
        outputs = [text, table, picture, page]
        # An old score must not stand beside the error of a new one.
        cleared = button.click(
            lambda: ("", None, None, gr.DownloadButton(value=None, visible=False)),
            None, outputs, api_visibility="private",
        )  # fmt: skip
        inputs = [video, variant, num_frames, sample_id, model_set, *named, *pictures, *labels]
        cleared.then(score, inputs, outputs, api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
