"""The scorecard in the browser: a video, its prompt and references in, every column out."""

from __future__ import annotations

import functools
import os

import gradio as gr
import pandas as pd

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.kept_models import KeptModels
from opens2v_hf.run.metrics.composite import load_composite, metric_names, score_composite
from opens2v_hf.run.metrics.given_sample import given_samples
from opens2v_hf.scores.scorecard import COLUMNS

SPLIT = "open-domain"
RELEASED = "released"
MODEL_SETS = {EMBEDDED: EMBEDDED, RELEASED: None}
"""What `models` is, by the name of the choice."""
CHOICES = [
    (f"{EMBEDDED}: small, run anywhere, not comparable with the leaderboard", EMBEDDED),
    ("released: the leaderboard's, need a GPU", RELEASED),
]
ASKED_ELSEWHERE = "naturalscore"
"""Column whose released judge is asked over a network, with a key that visitors do not have here."""
MOST_REFERENCES = 3
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

_INTRODUCTION = """
# OpenS2V-Eval scorecard

Every column of the leaderboard of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292) for one video of subject-to-video
generation. Give the prompt and, for the columns about subjects and people, the reference pictures with their labels.
"""
_HEADER = ["column", "score", "normalised %", "weight", "remark"]


def columns_of(models: str) -> list[str]:
    """The columns that are offered with a choice of models.

    Raises:
        ArgumentError: there is no such choice.
    """
    if models not in MODEL_SETS:
        raise ArgumentError(f"there are no models {models!r}; choose one of {', '.join(MODEL_SETS)}")
    return [name for name in metric_names(None, SPLIT) if models == EMBEDDED or name != ASKED_ELSEWHERE]


@functools.lru_cache(maxsize=1)
def kept_models() -> KeptModels:
    """The models of this page."""
    return KeptModels()


def score(
    video: str | None, prompt: str, models: str, columns: list[str], *references: str | None
) -> tuple[str, pd.DataFrame]:
    """Score one uploaded video.

    Args:
        video: its file.
        prompt: that it was generated from.
        models: one of `MODEL_SETS`.
        columns: to compute.
        *references: the files of the pictures, then their labels.

    Returns:
        The weighted mean as Markdown, and a table of the columns.
    """
    if video is None:
        raise gr.Error("Upload a video first.", print_exception=False)
    pictures, labels = references[:MOST_REFERENCES], references[MOST_REFERENCES:]
    given = [pair for pair in zip(pictures, labels, strict=True) if pair[0] is not None]
    record = {
        "prompt": prompt,
        "images": [picture for picture, _ in given],
        "labels": [(label or "").strip() for _, label in given],
    }
    try:
        offered = columns_of(models)
        names = metric_names([name for name in columns if name in offered], SPLIT)
        samples = given_samples([record], split=SPLIT, metrics=names)
        metrics = load_composite(names, kept_models(), models=MODEL_SETS[models])
        result = score_composite(metrics, [video], samples, split=SPLIT)
    except OpenS2VError as error:
        raise gr.Error(str(error), print_exception=False) from error
    table = [_row(name, result, os.path.basename(video), video) for name in names]
    card = result["scorecard"]
    if card["partial_total"] is None:
        return "**No column has a value.**", pd.DataFrame(table, columns=_HEADER)
    heading = "Total" if not card["partial"] else "Weighted mean of these columns"
    lines = [f"## {heading}: {100 * card['partial_total']:.2f} %"]
    if card["partial"]:
        missing = ", ".join(COLUMNS[name].title for name in card["missing_columns"])
        lines.append(f"This is no total: {missing} have no value here.")
    lines.append(f"**Not comparable with the leaderboard:** {result['note']}.")
    return "\n\n".join(lines), pd.DataFrame(table, columns=_HEADER)


def _row(name: str, result: dict, file_name: str, path: str) -> list[str]:
    answer, column = result["columns"][name], result["scorecard"]["columns"][name]
    value, normalised = answer["scores"][0], column["normalised"]
    return [
        column["title"],
        "" if value is None else f"{value:.4f}",
        "" if normalised is None else f"{100 * normalised:.2f}",
        f"{column['weight']:.2f}",
        answer["reasons"][0].replace(path, file_name),
    ]


def build() -> gr.Blocks:
    """The interface; nothing is loaded before the first video is scored."""
    with gr.Blocks(title="OpenS2V-Eval scorecard", analytics_enabled=False) as demo:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                prompt = gr.Textbox(
                    label="Prompt", lines=3, placeholder="The text that the video was generated from", elem_id="prompt"
                )
                pictures, labels = [], []
                for number in range(1, MOST_REFERENCES + 1):
                    with gr.Row():
                        pictures.append(
                            gr.Image(label=f"Reference {number}", type="filepath", sources=["upload"], height=160)
                        )
                        labels.append(
                            gr.Textbox(
                                label=f"Label {number}",
                                placeholder="Man, Woman, Cup, Dog, ...",
                                elem_id=f"label-{number}",
                            )
                        )
                models = gr.Radio(CHOICES, value=EMBEDDED, label="Models")
                columns = gr.CheckboxGroup(
                    [(COLUMNS[name].title, name) for name in columns_of(EMBEDDED)],
                    value=columns_of(EMBEDDED),
                    label="Columns",
                    info="NaturalScore is computed here with the embedded judge alone",
                )
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                text = gr.Markdown()
                table = gr.Dataframe(headers=_HEADER, label="Columns", interactive=False, wrap=True)
        # An old score must not stand beside the error of a new one.
        cleared = button.click(lambda: ("", None), None, [text, table], api_visibility="private")
        cleared.then(score, [video, prompt, models, columns, *pictures, *labels], [text, table], api_name="score")
    return demo


if __name__ == "__main__":
    build().launch(theme=THEME)
