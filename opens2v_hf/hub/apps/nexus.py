"""The page of NexusScore: the score, its definitions as a table, and the explanation as a page."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from opens2v_hf._util.temporary import TemporaryFolder
from opens2v_hf.hub.apps import frame
from opens2v_hf.hub.apps.inputs import Models, Option, Pictures
from opens2v_hf.hub.apps.metric import Page, Shown, load
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.reports.explain import explain, write_explanation
from opens2v_hf.reports.explain_words import headline, variant_explanations, why
from opens2v_hf.reports.explanation import Explanation
from opens2v_hf.scores.nexus import VARIANTS

_HEADINGS = ("definition", "score", "derivation", "remark")
_INPUTS = (
    Pictures(most=5, first=3),
    Option("variant", lambda: gr.Radio(list(VARIANTS), value="released", label="Definition")),
    Option("num_frames", lambda: gr.Slider(1, 64, value=32, step=1, label="Frames", info="32, as released")),
    Option(
        "id",
        lambda: gr.Textbox(
            label="Sample id", placeholder="e.g. humanobj_3; may be empty", info="Decides how labels of people are read"
        ),
    ),
    Models(["nexusscore"], "the leaderboard's, needs a GPU"),
)


def nexus_page(title: str, about: str) -> Page:
    """The page, see `Page` for the arguments."""
    views = (
        lambda: gr.HTML(elem_id="definitions", apply_default_css=False),
        lambda: gr.HTML(elem_id="explanation", apply_default_css=False),
        lambda: gr.DownloadButton("Download as a page", visible=False),
    )
    return Page(title, about, _INPUTS, score, views, [("singleobj_1", "perfect"), ("multiobject_1", "wrong_subject")])


def score(video: str, given: Mapping[str, Any]) -> Shown:
    """Score a video and explain the score; see `opens2v_hf.hub.apps.metric.Score`."""
    reference = NexusReference(given["images"], given["labels"], (given["id"] or "").strip() or None)
    options = {"variant": given["variant"], "num_frames": int(given["num_frames"])}
    (metric,) = load(["nexusscore"], given["models"], {"nexusscore": options})
    explanation = explain(metric, video, reference)  # type: ignore[arg-type]
    rows = [(one.variant, f"{one.value:.4f}", one.derivation, one.remark) for one in variant_explanations(explanation)]
    page = _write(explanation)
    # sandboxed: the page has no script, and its styles must not reach the rest of the Space
    inline = Markup('<iframe sandbox title="Explanation" srcdoc="{}"></iframe>').format(page.read_text("utf-8"))
    download = gr.DownloadButton(value=str(page), visible=True)
    lines = ["\n".join(f"- {frame.plain(sentence)}" for sentence in why(explanation))]
    return Shown(
        frame.plain(headline(explanation)),
        lines,
        explanation.note,
        (frame.table(_HEADINGS, rows), str(inline), download),
    )


def _write(explanation: Explanation) -> Path:
    """The page as a file. The one before is deleted: gradio has its own copy, and one request is computed at a time."""
    target = _folder().path / "page"
    shutil.rmtree(target, ignore_errors=True)
    return write_explanation(explanation, target)


@cache
def _folder() -> TemporaryFolder:
    return TemporaryFolder("explanation")
