"""Parts of the pages of single metrics below the score: lines of text, plots and tables of the details."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
import pandas as pd

from opens2v_hf.hub.apps.frame import plain, table
from opens2v_hf.metrics.base import Metric
from opens2v_hf.scores.motion_amplitude import MAGNITUDE, RELEASED
from opens2v_hf.scores.outcome import VideoScore

_UNITS = {RELEASED: "pixels per frame", MAGNITUDE: "diagonals of the picture per second"}


def line_plot(y: str, title: str, color: str | None = None) -> Callable[[], Any]:
    """A line over the column "frame", or one for each value of the column `color`."""
    # a caption, since a title is cut off on a phone
    return lambda: gr.LinePlot(x="frame", y=y, caption=title, color=color, elem_id="plot")


def jump_plot() -> Any:
    """A point for each frame, those next to a jump in another colour."""
    return gr.ScatterPlot(
        x="frame", y="quality", color="jump", y_lim=[0, 1], caption="Quality around every frame", elem_id="plot"
    )


def html_table() -> Any:
    """A table, see `opens2v_hf.hub.apps.frame.table`."""
    return gr.HTML(elem_id="details", apply_default_css=False)


def per_frame(name: str, key: str) -> Callable[[Mapping[str, Any]], pd.DataFrame]:
    """Columns "frame" and `name`, the latter from the details' `key`, without the frames that have no value."""
    return lambda details: pd.DataFrame(
        [pair for pair in zip(details["frame_indices"], details[key], strict=True) if pair[1] is not None],
        columns=["frame", name],
    )


def people_lines(metric: Metric[Any], outcome: VideoScore, found: str = "a face") -> list[str]:
    """The results of each person, as a list."""
    people = [
        f"- {plain(one['label'])}: similarity {one['similarity']:.4f}, {found} in {one['frames_found']} frames"
        for one in outcome.references
    ]
    return [f"from {len(outcome.details['frame_indices'])} frames", "\n".join(people)]


def subject_lines(metric: Metric[Any], outcome: VideoScore) -> list[str]:
    """The results of each subject, as a list."""
    return people_lines(metric, outcome, "found")


def copy_lines(metric: Metric[Any], outcome: VideoScore) -> list[str]:
    """In how many frames a subject was compared with its picture and views."""
    return [
        f"{plain(one['label'])}: compared in {one['frames_compared']} of {len(outcome.details['frame_indices'])} frames"
        for one in outcome.references
    ]


def copy_points(details: Mapping[str, Any]) -> pd.DataFrame:
    """Columns "frame" and "excess" of the first subject, for the frames in which it was found."""
    pairs = zip(details["frame_indices"], details["excesses"][0], strict=True)
    return pd.DataFrame([pair for pair in pairs if pair[1] is not None], columns=["frame", "excess"])


def people_points(details: Mapping[str, Any]) -> pd.DataFrame:
    """Columns "frame", "similarity" and "reference"."""
    rows = [
        (frame, similarity, one["label"])
        for frame, row in zip(details["frame_indices"], details["similarities"], strict=True)
        for one, similarity in zip(details["references"], row, strict=True)
    ]
    return pd.DataFrame(rows, columns=["frame", "similarity", "reference"])


def motion_lines(metric: Metric[Any], outcome: VideoScore) -> list[str]:
    """The unit of the score, and the score by the other definition."""
    chosen = metric.options["variant"]
    others = [f"{name}: {value:.4f} {_UNITS[name]}" for name, value in outcome.variants.items() if name != chosen]
    return [f"in {_UNITS[chosen]}; {'; '.join(others)}"]


def motion_points(details: Mapping[str, Any]) -> pd.DataFrame:
    """Columns "frame", "pixels per frame" and "what"; a frame's motion is that since the frame before it."""
    rows = [
        (frame, value, what)
        for key, what in (("pair_means", "signed mean"), ("pair_lengths", "length"))
        for frame, value in enumerate(details[key], start=1)
    ]
    return pd.DataFrame(rows, columns=["frame", "pixels per frame", "what"])


def jump_lines(metric: Metric[Any], outcome: VideoScore) -> list[str]:
    """Number of frames next to a jump."""
    jumps, frames = len(outcome.details["jump_frames"]), len(outcome.details["frame_scores"])
    return [f"{jumps} of {frames} frames touch a jump, scorer `{metric.models[0].name}`"]


def jump_points(details: Mapping[str, Any]) -> pd.DataFrame:
    """Columns "frame", "quality" and "jump" ("yes" or "no")."""
    jumps = set(details["jump_frames"])
    rows = [
        (frame, quality, "yes" if frame in jumps else "no") for frame, quality in enumerate(details["frame_scores"])
    ]
    return pd.DataFrame(rows, columns=["frame", "quality", "jump"])


def replies(details: Mapping[str, Any]) -> str:
    """The answers of the judge in each run, as a table."""
    rows: list[Sequence[object]] = [
        (run, "" if one["score"] is None else f"{one['score']:.2f}", one.get("error") or one["reply"])
        for run, one in enumerate(details["runs"], start=1)
    ]
    return table(("run", "score", "reply"), rows)
