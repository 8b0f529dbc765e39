"""One self-contained HTML page about the results of one model or of several."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from opens2v_hf._version import __version__
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.reports.report_sections import Picture, section
from opens2v_hf.results import compare_text, table
from opens2v_hf.results.result import RunResult, notes
from opens2v_hf.scores.scorecard import COLUMNS

TITLE = "Subject-to-video scores"

MAX_LISTED = 200
"""Failures and missing samples that the page lists; it counts the others."""


def write_report(
    results: Sequence[RunResult],
    folder: str | os.PathLike[str],
    *,
    title: str = TITLE,
    version: str = "v1.1",
    extra: Sequence[Picture] = (),
    thumbnails: Mapping[tuple[str, str], Mapping[str, Path]] | None = None,
) -> Path:
    """Write `report.html`, which holds all that it shows, and its plots as PNG files beside it.

    Args:
        results: at least one; those of each split are shown together, best total first.
        folder: made if missing.
        title: of the page.
        version: of the weights.
        extra: further pictures, shown before the plots.
        thumbnails: (model, split) to sample id to JPEG file, see `find_thumbnails`.

    Returns:
        Path of the page.

    Raises:
        ArgumentError: no result, two of the same model and split, or an unknown version.
        ResultError: the folder cannot be written, or a thumbnail cannot be read.
    """
    if not results:
        raise ArgumentError("a report needs at least one result")
    by_split: dict[str, list[RunResult]] = {}
    for result in results:
        if result.model in (other.model for other in by_split.setdefault(result.split, [])):
            raise ArgumentError(
                f"each result of a split in a report needs its own model name, and {result.model!r} stands twice on "
                f"{result.split}; score one of them under another name"
            )
        by_split[result.split].append(result)
    sections = [
        section(
            split,
            group,
            version=version,
            thumbnails={model: found for (model, of_split), found in (thumbnails or {}).items() if of_split == split},
            prefix=f"{_slug(split)}-" if len(by_split) > 1 else "",
        )
        for split, group in by_split.items()
    ]
    page = _environment().get_template("report.html.j2").render(
        title=title,
        results=results,
        sections=sections,
        notes=notes(results),
        extra=extra,
        version=version,
        package_version=__version__,
        columns=COLUMNS,
        max_listed=MAX_LISTED,
        table=table,
        words=compare_text,
    )  # fmt: skip
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for picture in (p for one in sections for p in (*one.pictures, *one.category_pictures)):
            (target / picture.file_name).write_bytes(picture.png)
        (target / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"cannot write the report into {target}: {error.strerror}") from error
    return target / "report.html"


def _environment() -> jinja2.Environment:
    # Names of models, files and reasons come from outside: everything is escaped.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("opens2v_hf.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _slug(split: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", split.lower())[:40].strip("-") or "split"


def _breakable(name: str) -> Markup:
    """A name that a narrow column may break between its words; escaped."""
    return Markup("<wbr>").join(re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[_-])(?=[^_-])", name))
