"""One self-contained HTML page about the results of one model or of several."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.run import plots, table
from opens2v_hf.run.result import RunResult, notes
from opens2v_hf.scores.outcome import Status


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        title: its heading.
        png: the bytes of a PNG file.
    """

    title: str
    png: bytes

    @property
    def base64(self) -> str:
        """The picture as it stands in a data URL."""
        return base64.b64encode(self.png).decode("ascii")


def write_report(
    results: Sequence[RunResult],
    folder: str | os.PathLike[str],
    *,
    title: str = "Subject-to-video scores",
    extra: Sequence[Picture] = (),
) -> Path:
    """Write `report.html` and its pictures as PNG files.

    Args:
        results: at least one; the table is sorted by the first metric of the first.
        folder: made if missing.
        title: of the page.
        extra: further pictures, shown before the plots.

    Returns:
        Path of the page.

    Raises:
        ArgumentError: no result, or two of the same model name.
        ResultError: the folder cannot be written.
    """
    if not results:
        raise ArgumentError("a report needs at least one result")
    names = [result.model for result in results]
    if len(set(names)) < len(names):
        raise ArgumentError(f"each result in a report needs its own model name (got {', '.join(names)})")
    drawn = _plots(results)
    page = _environment().get_template("report.html.j2").render(
        title=title,
        results=results,
        splits=list(dict.fromkeys(result.split for result in results)),
        notes=notes(results),
        metrics=table.metric_names(results),
        rows=table.rows(results),
        format_value=table.format_value,
        pictures=[*extra, *drawn.values()],
        unscored=_unscored(results),
    )  # fmt: skip
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file_name, picture in drawn.items():
            (target / file_name).write_bytes(picture.png)
        (target / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"cannot write the report into {target}: {error.strerror}") from error
    return target / "report.html"


def _environment() -> jinja2.Environment:
    # Names of models, files and reasons come from outside: everything is escaped.
    return jinja2.Environment(
        loader=jinja2.PackageLoader("opens2v_hf.run"), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _plots(results: Sequence[RunResult]) -> dict[str, Picture]:
    drawn = {"metrics.png": Picture("Metrics", plots.to_png(plots.metric_bars(results)))}
    for name in table.metric_names(results):
        drawn[f"categories-{name}.png"] = Picture(
            f"{name} by category", plots.to_png(plots.category_bars(results, name))
        )
    return drawn


def _unscored(results: Sequence[RunResult]) -> list[Mapping[str, str]]:
    return [
        {"model": result.model, "metric": metric.name, "sample": sample_id, "reason": score.reason}
        for result in results
        for metric in result.metrics
        for sample_id, score in metric.scores.items()
        if score.status is Status.FAILED
    ]
