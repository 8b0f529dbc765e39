"""The content of the report's section on one split."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from markupsafe import Markup

from opens2v_hf.data.benchmark.sample import Subject
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ResultError
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.reports import plots
from opens2v_hf.reports.page import data_url, jpeg_url
from opens2v_hf.results import table
from opens2v_hf.results.compare import ResultComparison, compare_results
from opens2v_hf.results.compare_text import signed_percent, summary
from opens2v_hf.results.extremes import ScoredVideo, extremes
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import Status
from opens2v_hf.scores.scorecard import COLUMNS, SPLITS, weights

MAX_MATRIX_MODELS = 8
"""With more than these the page has no matrix of all pairs."""

TOP_PROMPTS = 3
"""Named for each column of a comparison."""

MAX_THUMBNAIL_BYTES = 200_000
REFERENCE_PX = 112
"""Longer side of the reference pictures."""

_RADAR_COLUMNS = 3


@dataclass(frozen=True)
class Picture:
    """A picture of the page."""

    title: str  # its heading
    png: bytes  # the bytes of a PNG file
    alt: str = ""  # its content as text, for screen readers
    file_name: str = ""  # of the PNG file that is also written; empty for none
    in_page: bytes = b""  # as `png`, without the legend, which the page has once for all pictures; by default `png`

    @property
    def url(self) -> Markup:
        """The picture as a data URL."""
        encoded = base64.b64encode(self.in_page or self.png).decode("ascii")
        return Markup(f"data:image/png;base64,{encoded}")  # noqa: S704 - base64 only


@dataclass(frozen=True)
class ShownVideo:
    """A video among the best or worst."""

    id: str  # of its sample
    percent: str  # of the column's range
    raw: str  # in the metric's own units
    thumbnail: str  # data URL of a picture of its frames; empty for none
    prompt: str  # of the sample; empty without a benchmark
    references: tuple[tuple[str, Markup], ...]  # labels and data URLs of the reference pictures


@dataclass(frozen=True)
class ShownExtremes:
    """One column's best and worst videos of one model."""

    title: str
    best: list[ShownVideo]
    worst: list[ShownVideo]


@dataclass(frozen=True)
class MatrixCell:
    """One model's total less another's."""

    text: str  # signed percent points; empty if the two cannot be compared
    real: bool  # whether the difference is significant
    ahead: bool  # whether it is above 0


@dataclass(frozen=True)
class Section:
    """All about the results on the same prompts of one split."""

    split: str  # its name
    title: str  # its name, and which prompts where the page has several versions of them
    results: list[RunResult]  # best first
    color_of: dict[str, str]  # model to its colour in the pictures
    rows: list[table.Row]  # models, best first
    columns: list[str]  # names of the columns shown
    weights: dict[str, float]  # of the columns that count towards the total; empty for a split without a leaderboard
    extras: list[str]  # names of the companion metrics, which are in no total
    partial_notes: list[str]  # why totals are missing, and whose
    best: dict[str, set[str]]  # column, "total" or metric to the models that have its highest value
    pictures: list[Picture]  # totals, radar, columns
    category_pictures: list[Picture]  # one a column
    comparisons: list[ResultComparison]  # of neighbours in rank
    summaries: list[str]  # a sentence for each comparison, in the same order
    matrix: list[list[MatrixCell | None]]  # row of models by column of models; empty for one model or too many
    extremes: dict[str, list[ShownExtremes]]  # model to its best and worst videos
    unscored: list[dict[str, str]]  # videos that failed: model, metric, sample, reason


def section(
    split: str,
    results: Sequence[RunResult],
    *,
    version: str,
    thumbnails: Mapping[str, Mapping[str, Path]],
    prefix: str,
    title: str,
    benchmark: EvalSplit | None,
) -> Section:
    """Compute the section of one split.

    Args:
        split: of all `results`.
        results: each of another model.
        version: of the weights.
        thumbnails: model to sample id to picture file.
        prefix: of the names of picture files.
        title: of the section.
        benchmark: for the prompts and reference pictures of the best and worst videos.

    Raises:
        ResultError: a thumbnail cannot be read.
        SampleError: a reference picture is missing or cannot be downloaded.
        ImageError: a reference picture cannot be read.
    """
    rows = table.rows(results, version=version)
    of_model = {result.model: result for result in results}
    ranked = [of_model[one.model] for one in rows]
    compared = _comparisons(ranked, version)
    neighbours = [compared[pair] for a, b in pairwise(ranked) if (pair := (a.model, b.model)) in compared]
    drawn, by_category = _pictures(rows, prefix)
    return Section(
        split=split,
        title=title,
        results=ranked,
        color_of=plots.colors([one.model for one in rows]),
        rows=rows,
        columns=table.shown_columns(rows),
        weights=weights(version, split) if split in SPLITS else {},
        extras=table.extra_names(rows),
        partial_notes=_partial_notes(rows),
        best=_best(rows),
        pictures=drawn,
        category_pictures=by_category,
        comparisons=neighbours,
        summaries=[summary(comparison) for comparison in neighbours],
        matrix=_matrix(ranked, compared),
        extremes=_extremes_by_model(ranked, thumbnails, benchmark),
        unscored=[
            {"model": result.model, "metric": metric.name, "sample": sample_id, "reason": score.reason}
            for result in ranked
            for metric in result.metrics
            for sample_id, score in metric.scores.items()
            if score.status is Status.FAILED
        ],
    )


def _comparisons(ranked: Sequence[RunResult], version: str) -> dict[tuple[str, str], ResultComparison]:
    """Pairs of models, the better one first: all of a few models, neighbours of many."""
    pairs = combinations(ranked, 2) if len(ranked) <= MAX_MATRIX_MODELS else pairwise(ranked)
    compared = {}
    for a, b in pairs:
        try:
            compared[a.model, b.model] = compare_results(a, b, version=version, top=TOP_PROMPTS)
        except ResultError:  # nothing in common: the pair has no cell and no table
            continue
    return compared


def _matrix(
    ranked: Sequence[RunResult], compared: Mapping[tuple[str, str], ResultComparison]
) -> list[list[MatrixCell | None]]:
    """None on the diagonal."""
    if not 2 <= len(ranked) <= MAX_MATRIX_MODELS:
        return []

    def cell(a: str, b: str) -> MatrixCell | None:
        if a == b:
            return None
        sign = 1 if (a, b) in compared else -1
        comparison = compared.get((a, b)) or compared.get((b, a))
        total = None if comparison is None else comparison.paired.total
        if comparison is None or total is None:
            return MatrixCell("", False, False)
        mark = table.PARTIAL_MARK if comparison.paired.partial else ""
        difference = sign * total.difference
        return MatrixCell(f"{signed_percent(difference)}{mark}", total.real, difference > 0)

    return [[cell(a.model, b.model) for b in ranked] for a in ranked]


def _partial_notes(rows: Sequence[table.Row]) -> list[str]:
    cards = [(one.model, one.card) for one in rows if one.card is not None and one.card.partial]
    if len(rows) == 1:
        return [table.partial_note(card) for _, card in cards]
    models: dict[str, list[str]] = {}
    for model, card in cards:
        weight = f"{100 * card.weight_present:.0f} % of the weight"
        why = f"{table.partial_note(card).partition('; ')[0]}; the number is the mean of the rest ({weight})"
        models.setdefault(why, []).append(model)
    return [f"{', '.join(named)}: {why}" for why, named in models.items()]


def _best(rows: Sequence[table.Row]) -> dict[str, set[str]]:
    values: dict[str, dict[str, float | None]] = {"total": {}}
    for one in rows:
        if one.card is not None:
            values["total"][one.model] = one.card.total
            for name, column in one.card.columns.items():
                values.setdefault(name, {})[one.model] = column.normalised
        for name, summary_of in one.extras.items():
            values.setdefault(name, {})[one.model] = summary_of.mean
    best = {}
    for name, by_model in values.items():
        highest = max((value for value in by_model.values() if value is not None), default=None)
        best[name] = {model for model, value in by_model.items() if value is not None and value == highest}
    return best if len(rows) > 1 else {name: set() for name in best}


def _pictures(rows: Sequence[table.Row], prefix: str) -> tuple[list[Picture], list[Picture]]:
    color_of = plots.colors([one.model for one in rows])
    columns, extras = table.shown_columns(rows), table.extra_names(rows)
    shown: list[Picture] = []
    if any(one.card and one.card.partial_total is not None for one in rows):
        partial = any(one.card and one.card.partial for one in rows)
        title = "Totals of the columns that are there" if partial else "Totals"
        shown.append(
            _picture(title, plots.total_bars(rows, color_of), _values_in_words(rows, _total), f"{prefix}totals.png")
        )
    if len(columns) >= _RADAR_COLUMNS:
        words = _values_in_words(
            rows[: plots.MAX_RADAR_MODELS], lambda one: ", ".join(_column(one, name) for name in columns)
        )
        title = "Profile" if len(rows) <= plots.MAX_RADAR_MODELS else f"Profiles of the first {plots.MAX_RADAR_MODELS}"
        shown.append(_picture(title, plots.radar(rows, color_of), words, f"{prefix}radar.png"))
    if columns:
        words = _values_in_words(rows, lambda one: ", ".join(_column(one, name) for name in columns))
        shown.append(_picture("Columns", plots.column_bars(rows, color_of), words, f"{prefix}columns.png"))
    for name in extras:
        words = _values_in_words(rows, _extra(name))
        shown.append(_picture(name, plots.extra_bars(rows, name, color_of), words, f"{prefix}{name}.png"))
    by_category = [
        _picture(
            COLUMNS[name].title,
            plots.category_bars(rows, name, color_of),
            _values_in_words(rows, _categories(name)),
            f"{prefix}categories-{name}.png",
        )
        for name in columns
    ]
    return shown, by_category


def _picture(title: str, figure: plots.Figure, words: str, file_name: str) -> Picture:
    png = plots.to_png(figure)
    return Picture(title, png, f"{title}. {words}", file_name, plots.without_legend(figure, png))


def _values_in_words(rows: Sequence[table.Row], of: Callable[[table.Row], str]) -> str:
    return " ".join(f"{one.model}: {of(one)}." for one in rows)


def _total(one: table.Row) -> str:
    return "none" if one.card is None else table.percent(one.card.partial_total)


def _column(one: table.Row, name: str) -> str:
    column = one.card.columns.get(name) if one.card else None
    return f"{COLUMNS[name].title} {table.percent(column.normalised if column else None)}"


def _extra(name: str) -> Callable[[table.Row], str]:
    return lambda one: plots.own_units(one.extras[name].mean if name in one.extras else None)


def _categories(name: str) -> Callable[[table.Row], str]:
    def words(one: table.Row) -> str:
        column = one.card.columns.get(name) if one.card else None
        by_category = column.by_category if column else {}
        return ", ".join(f"{category} {table.percent(score.normalised)}" for category, score in by_category.items())

    return words


def _extremes_by_model(
    ranked: Sequence[RunResult], thumbnails: Mapping[str, Mapping[str, Path]], benchmark: EvalSplit | None
) -> dict[str, list[ShownExtremes]]:
    most = 3 if len(ranked) == 1 else 2 if len(ranked) <= 3 else 1
    found = {result.model: extremes(result, most=most) for result in ranked}
    shown = {video.id for columns in found.values() for one in columns for video in (*one.best, *one.worst)}
    samples = {} if benchmark is None else {one.id: one for one in benchmark.samples if one.id in shown}
    references = {
        sample.id: tuple((one.label, _reference(benchmark, one)) for one in sample.subjects)
        for sample in samples.values()
        if benchmark is not None
    }

    def listed(model: str, videos: Sequence[ScoredVideo]) -> list[ShownVideo]:
        return [
            ShownVideo(
                one.id,
                table.percent(one.normalised),
                plots.own_units(one.raw),
                _thumbnail(thumbnails.get(model, {}).get(one.id)),
                samples[one.id].prompt if one.id in samples else "",
                references.get(one.id, ()),
            )
            for one in videos
        ]

    return {
        model: [
            ShownExtremes(COLUMNS[one.column].title, listed(model, one.best), listed(model, one.worst))
            for one in columns
        ]
        for model, columns in found.items()
    }


def _reference(benchmark: EvalSplit, subject: Subject) -> Markup:
    picture = load_picture(benchmark.picture_path(subject))
    picture.thumbnail((REFERENCE_PX, REFERENCE_PX))
    return data_url(picture)


def _thumbnail(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_THUMBNAIL_BYTES else b""
    except OSError as error:
        raise ResultError(f"cannot read the thumbnail {path}: {error.strerror}") from error
    return jpeg_url(data) if data.startswith(b"\xff\xd8\xff") else ""
