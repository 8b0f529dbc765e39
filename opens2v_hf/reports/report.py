"""One self-contained HTML page about the results of one model or of several."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import check_no_url
from opens2v_hf._version import __version__
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.reports.page import environment
from opens2v_hf.reports.plots import own_units
from opens2v_hf.reports.report_sections import Picture, section
from opens2v_hf.results import compare_text, table
from opens2v_hf.results.result import RunResult, notes
from opens2v_hf.scores.scorecard import COLUMNS
from opens2v_hf.scores.seeds import SeedScores, SeedSpread

TITLE = "Subject-to-video scores"

MAX_LISTED = 200
"""Failures and missing samples that the page lists; it counts the others."""


@checked
def write_report(
    results: Sequence[RunResult],
    folder: str | os.PathLike[str],
    *,
    title: str = TITLE,
    version: str = "v1.1",
    extra: Sequence[Picture] = (),
    thumbnails: Mapping[tuple[str, str], Mapping[str, Path]] | None = None,
    benchmarks: Sequence[EvalSplit] = (),
) -> Path:
    """Write `report.html`, a self-contained page, and its plots as PNG files next to it.

    Args:
        results: at least one; those on the same prompts of a split are in one section, best total first.
        folder: made if missing.
        title: of the page.
        version: of the weights.
        extra: further pictures, shown before the plots.
        thumbnails: (model, split) to sample id to JPEG file, see `find_thumbnails`.
        benchmarks: splits that were scored: prompts and reference pictures of the best and worst videos are shown.

    Raises:
        ArgumentError: no result, two of the same model and split, an unknown version, or a benchmark that no
            result was scored on.
        ResultError: the folder cannot be written, or a thumbnail cannot be read.
        SampleError: a reference picture is missing or cannot be downloaded.
        ImageError: a reference picture cannot be read.
    """
    check_no_url(folder)
    if not results:
        raise ArgumentError("a report needs at least one result")
    groups: dict[str, dict[str, list[RunResult]]] = {}  # split, then sha256 of the prompts: others are other tasks
    for result in results:
        of_split = groups.setdefault(result.split, {})
        if result.model in (other.model for group in of_split.values() for other in group):
            raise ArgumentError(
                f"each result of a split in a report must have its own model name (got {result.model!r} twice on "
                f"{result.split}); score one of them under another name"
            )
        of_split.setdefault(str(result.benchmark.get("sha256", "unknown")), []).append(result)
    for benchmark in benchmarks:
        if benchmark.provenance["sha256"] not in groups.get(benchmark.name, {}):
            raise ArgumentError(
                f"no result was scored on the prompts of {benchmark.name} in {benchmark.provenance['source']}: give "
                "the benchmark that the results were scored on"
            )
    num_sections = sum(len(of_split) for of_split in groups.values())
    sections = [
        section(
            split,
            group,
            version=version,
            thumbnails={model: found for (model, of), found in (thumbnails or {}).items() if of == split},
            prefix="" if num_sections == 1 else f"{_slug(split)}-" + (f"{number}-" if len(of_split) > 1 else ""),
            title=f"{split}, prompts {digest[:8]}" if len(of_split) > 1 else split,
            benchmark=next((b for b in benchmarks if (b.name, b.provenance["sha256"]) == (split, digest)), None),
        )
        for split, of_split in groups.items()
        for number, (digest, group) in enumerate(of_split.items(), start=1)
    ]
    page = environment().get_template("report.html.j2").render(
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
        own_units=own_units,
        seed_lines=_seed_lines,
    )  # fmt: skip
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for picture in (p for one in sections for p in (*one.pictures, *one.category_pictures)):
            (target / picture.file_name).write_bytes(picture.png)
        (target / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write the report into {target}: {error.strerror}") from error
    return target / "report.html"


def _seed_lines(seeds: SeedScores) -> list[tuple[str, SeedSpread]]:
    return [("Total", seeds.total), *((COLUMNS[name].title, spread) for name, spread in seeds.columns.items())]


def _slug(split: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", split.lower())[:40].strip("-") or "split"
