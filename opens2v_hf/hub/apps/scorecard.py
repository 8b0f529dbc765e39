"""The page of the scorecard: every column of the leaderboard for one video."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from opens2v_hf.data.benchmark.given_sample import given_samples
from opens2v_hf.evaluation.composite import metric_names, score_composite
from opens2v_hf.hub.apps import frame
from opens2v_hf.hub.apps.inputs import Models, Option, Pictures, Prompt
from opens2v_hf.hub.apps.metric import Page, Shown, load
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.roles import ROLES
from opens2v_hf.scores.scorecard import COLUMNS

SPLIT = "open-domain"
NAMES = tuple(metric_names(None, SPLIT))
_HEADINGS = ("column", "score", "normalised %", "weight", "remark")
_NO_KEY = "the released judge runs behind an API and needs your API key"


def scorecard_page(title: str, about: str) -> Page:
    """The page, see `Page` for the arguments."""
    titles = [(COLUMNS[name].title, name) for name in NAMES]
    inputs = (
        Prompt(),
        Pictures(most=3, first=3, least=0),
        Option("columns", lambda: gr.CheckboxGroup(titles, value=list(NAMES), label="Columns", elem_id="columns")),
        Models(NAMES, "the leaderboard's, need a GPU", keyed=frozenset({ROLES["judge"].released})),
    )
    view = lambda: gr.HTML(elem_id="columns-table", apply_default_css=False)  # noqa: E731
    return Page(title, about, inputs, score, (view,), [("humanobj_1", "perfect"), ("singleobj_1", "text_ignored")])


def score(video: str, given: Mapping[str, Any]) -> Shown:
    """Score a video with the chosen columns; see `opens2v_hf.hub.apps.metric.Score`."""
    names = metric_names(given["columns"], SPLIT)
    without_key = given["models"]["judge"].arguments.get("api_key") == ""
    computed = [name for name in names if not (name == "naturalscore" and without_key and len(names) > 1)]
    record = {"prompt": given["prompt"], "images": list(given["images"]), "labels": list(given["labels"])}
    samples = given_samples([record], split=SPLIT, metrics=computed)
    roles = {role for name in computed for role in METRICS[name].roles}
    chosen = {role: model for role, model in given["models"].items() if role in roles}
    result = score_composite(load(computed, chosen, {}), [video], samples, split=SPLIT)
    rows = [
        _row(name, result, video) if name in computed else (COLUMNS[name].title, "", "", "", _NO_KEY) for name in names
    ]
    card = result["scorecard"]
    table = frame.table(_HEADINGS, rows)
    if card["partial_total"] is None:
        return Shown("No column has a value", (), "", (table,))
    name = "Total" if not card["partial"] else "Weighted mean of these columns"
    lines = []
    if card["partial"]:
        missing = ", ".join(COLUMNS[name].title for name in card["missing_columns"])
        lines.append(f"This is not the total: {missing} have no value here.")
    return Shown(f"{name}: {100 * card['partial_total']:.2f} %", lines, result["note"], (table,))


def _row(name: str, result: Mapping[str, Any], path: str) -> Sequence[str]:
    found, column = result["columns"][name], result["scorecard"]["columns"][name]
    value, normalised = found["scores"][0], column["normalised"]
    return (
        column["title"],
        "" if value is None else f"{value:.4f}",
        "" if normalised is None else f"{100 * normalised:.2f}",
        f"{column['weight']:.2f}",
        found["reasons"][0].replace(path, os.path.basename(path)),
    )
