"""OpenS2V-5M in the browser: one sample after another as it streams, with its masks, subjects, pairs and views."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# read when huggingface_hub is imported: what visitors name is read without the login of this machine
os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")

import gradio as gr

from opens2v_hf.errors import ArgumentError, OpenS2VError
from opens2v_hf.hub.apps import frame
from opens2v_hf.reports.sheet.browse import (
    SYNTHETIC,
    Browser,
    SampleFilter,
    default_dataset,
    location_of,
    synthetic_folder,
)
from opens2v_hf.reports.sheet.page import render_fragment
from opens2v_hf.reports.sheet.show import complete
from opens2v_hf.reports.sheet.shown import ShownClip
from opens2v_hf.video.writer import write_video

SCORES = (("aesthetic", 0.0, 10.0), ("technical", 0.0, 10.0), ("motion", 0.0, 1.0))
"""Columns with a slider, and its range; its lower end is no condition."""

LONGEST_S = 60.0

KEPT_S = 1800
"""Lifetime of a visitor's position in a dataset after the last click."""
MOST_CLIP_FRAMES = 200
SAMPLE_NOTE = "**This is a small synthetic sample, and not OpenS2V-5M.** Name a dataset above and press Open."

_INTRODUCTION = """
# OpenS2V-5M explorer

Samples of [OpenS2V-5M](https://huggingface.co/datasets/BestWishYsh/OpenS2V-5M), the training set for subject-to-video
generation, as they stream: only the samples that you open are downloaded.
"""


def _on_a_space() -> bool:
    """Whether this is a Space, whose visitors must not read files of its machine."""
    return bool(os.environ.get("SPACE_ID"))


def filter_of(
    tags: str, high_quality: bool, shortest: float | None, longest: float | None, *least: float
) -> SampleFilter:
    """The conditions of the filters; an unchanged filter is no condition, and neither is an empty field."""
    shortest, longest = shortest or 0, LONGEST_S if longest is None else longest
    return SampleFilter(
        tags=tuple(word.strip() for word in tags.split(",") if word.strip()),
        least={name: value for (name, low, _), value in zip(SCORES, least, strict=True) if value > low},
        duration_s=(shortest, longest) if shortest > 0 or longest < LONGEST_S else None,
        high_quality=high_quality,
    )


def open_dataset(dataset: str, with_pairs: bool, tags: str, *filters: float) -> tuple[Any, ...]:
    """Open a dataset and show its first sample that meets the conditions, or why there is none."""
    browser = None
    try:
        sample_filter = filter_of(tags, *filters)
        browser = Browser(location_of(dataset, hub_only=_on_a_space()), sample_filter, hub_only=_on_a_space())
        return browser, *_sheet(browser, browser.next(), with_pairs)
    except OpenS2VError as error:
        gr.Warning(html.escape(str(error)))
        return browser, "", str(error), None, ""


def step(browser: Browser | None, forwards: bool, with_pairs: bool) -> tuple[Any, ...]:
    """Show the next or previous sample, if there is one."""
    try:
        if browser is None:
            raise ArgumentError("open a dataset first")
        return _sheet(browser, browser.next() if forwards else browser.previous(), with_pairs)
    except OpenS2VError as error:
        gr.Warning(html.escape(str(error)))
        return (gr.skip(),) * 4


def _sheet(browser: Browser, row: Mapping[str, Any], with_pairs: bool) -> tuple[Any, ...]:
    """The sample's page, a line about it, its clip, and a note on a synthetic sample."""
    shown = complete(browser.location, row, most_pairs=None if with_pairs else 0)
    note = SAMPLE_NOTE if browser.location.data_dir == _synthetic() else ""
    line = f"Sample {browser.position + 1} of those that match: {row['part']}/{row['id']}"
    return render_fragment(shown), line, _clip(row, shown.clip), note


def _synthetic() -> str:
    return str(synthetic_folder())


def _clip(row: Mapping[str, Any], about: ShownClip | None) -> str | None:
    """The sample's part of its video as a file for the player; None, with the reason on the sheet, if unreadable."""
    if row["video"] is None or about is None:
        return None
    first, end = about.clip
    # replaced by the next one: gradio has its own copy, and one request is computed at a time
    path = Path(_folder().name) / "clip.mp4"
    try:
        write_video(path, row["video"].frames(range(first, min(end, first + MOST_CLIP_FRAMES))), fps=about.fps or 24)
    except OpenS2VError:
        return None
    return str(path)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="opens2v-explorer-")


def build() -> gr.Blocks:
    """The interface; it opens with the first sample of the default dataset."""
    default = os.environ.get("OPENS2V_EXPLORER_DATASET") or default_dataset()
    with gr.Blocks(title="OpenS2V-5M explorer", analytics_enabled=False, delete_cache=frame.DELETE_CACHE_S) as demo:
        browser = gr.State(time_to_live=KEPT_S)
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            dataset = gr.Textbox(
                default,
                label="Dataset",
                info=f"A repo on the Hub (org/name){'' if _on_a_space() else ', a folder'}, or {SYNTHETIC!r}",
                elem_id="dataset",
                scale=3,
            )
            tags = gr.Textbox(
                label="Tags", info="Words that must all occur, separated by commas", elem_id="tags", scale=2
            )
        with gr.Accordion("More filters", open=False):
            with gr.Row():
                least = [
                    gr.Slider(
                        low, high, low, step=(high - low) / 100, label=f"{name}, at least", elem_id=f"least-{name}"
                    )
                    for name, low, high in SCORES
                ]
            with gr.Row():
                shortest = gr.Number(0, minimum=0, label="Seconds, at least", elem_id="shortest")
                longest = gr.Number(LONGEST_S, minimum=0, label="Seconds, at most", elem_id="longest")
                quality = gr.Checkbox(label="Only samples of the authors' high-quality filter", elem_id="high-quality")
        with gr.Row():
            pairs = gr.Checkbox(True, label="With pairs and views")
            opening = gr.Button("Open", variant="primary")
            back = gr.Button("Previous")
            onwards = gr.Button("Next")
        line = gr.Textbox(show_label=False, interactive=False, container=False, elem_id="line")
        note = gr.Markdown(elem_id="note")
        clip = gr.Video(label="Clip", interactive=False, height=240, elem_id="clip")
        # every word in it is escaped by its template
        sheet = gr.HTML(elem_id="sheet", apply_default_css=False)
        shown = [sheet, line, clip, note]
        filters = [dataset, pairs, tags, quality, shortest, longest, *least]
        for event in (opening.click, dataset.submit, tags.submit, demo.load):
            event(open_dataset, filters, [browser, *shown], api_visibility="private")
        onwards.click(
            lambda opened, with_pairs: step(opened, True, with_pairs),
            [browser, pairs], shown, api_visibility="private",
        )  # fmt: skip
        back.click(
            lambda opened, with_pairs: step(opened, False, with_pairs),
            [browser, pairs], shown, api_visibility="private",
        )  # fmt: skip
    return demo


if __name__ == "__main__":
    # the page has no uploads
    frame.launch(build(), max_file_size=1)
