"""Agreement with human ratings, as text and as a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ResultError
from opens2v_hf.reports.page import environment
from opens2v_hf.results.agreement import Agreement, Estimate, RaterAgreement
from opens2v_hf.results.ratings import KEYS
from opens2v_hf.scores.agreement import mean_rating

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = ("#1d4ed8", "#b45309", "#047857", "#be185d", "#6d28d9", "#0e7490", "#4d7c0f", "#9f1239")
_WIDTH, _HEIGHT, _MARGIN = 640, 420, 64  # of the scatter plot, in units of its view box


def number(estimate: Estimate | float | None) -> str:
    """A statistic with its interval, "undefined" where there is none.

    Example:
        >>> number(Estimate(0.61294, 0.5512, 0.6724))
        '0.613 [0.551, 0.672]'
    """
    if estimate is None or (isinstance(estimate, Estimate) and estimate.value is None):
        return "undefined"
    if not isinstance(estimate, Estimate):
        return f"{estimate:.3f}"
    interval = "" if estimate.low is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f}{interval}"


def rater_rows(raters: RaterAgreement) -> list[tuple[str, str]]:
    """Label and value of each statistic of the raters."""
    return [
        ("rater against rater (Spearman)", number(raters.pairwise)),
        ("rater against the mean of the others", number(raters.leave_one_out)),
        ("Krippendorff's alpha, ordinal", number(raters.alpha)),
    ]


def metric_rows(found: Agreement) -> list[tuple[str, str]]:
    """Label and value of each statistic of the scores."""
    rows = [
        ("Spearman with the mean rating", number(found.spearman)),
        ("Kendall's tau-b", number(found.kendall)),
        (
            f"pairwise accuracy ({found.num_pairs} pairs of one item; "
            f"{found.num_tied_pairs} tied by the raters left out)",
            number(found.pairwise_accuracy),
        ),
        ("Spearman for each model, Fisher mean", number(found.fisher_mean)),
        ("Spearman within each item, mean", number(found.within_items)),
        (f"Spearman of the {found.num_models} models' means", number(found.model_means)),
        ("Spearman of the items' means", number(found.item_means)),
    ]
    if found.given is not None:
        rows.append((f"partial Spearman given {found.given}", number(found.partial)))
    return rows


def format_raters(raters: RaterAgreement) -> str:
    """Lines for a terminal."""
    return _lines(f"{raters.num_raters} raters, {raters.num_rows} rows", rater_rows(raters))


def format_agreement(found: Agreement) -> str:
    """Lines for a terminal."""
    head = f"{found.name}: {found.num_rows} rows ({found.num_items} items, {found.num_models} models)"
    if found.num_unrated or found.num_unscored:
        head += f"; {found.num_unscored} ratings without a score, {found.num_unrated} scores without a rating"
    per_model = [(f"  {model}", number(value)) for model, value in found.per_model.items()]
    raters = found.raters
    return "\n\n".join(
        [
            _lines(head, metric_rows(found)),
            _lines("Spearman within each model", per_model),
            _lines(f"the human ceiling ({raters.num_raters} raters, {raters.num_rows} rows)", rater_rows(raters)),
        ]
    )


@checked
def write_agreement_page(
    found: Agreement, scores: pd.DataFrame, ratings: pd.DataFrame, path: str | os.PathLike[str]
) -> None:
    """Write a self-contained HTML page: the statistics, a scatter plot, the worst disagreements.

    Raises:
        ResultError: the file cannot be written.
    """
    rated = ratings[KEYS].assign(rating=mean_rating(ratings.drop(columns=KEYS).to_numpy(float).T))
    rows = scores.merge(rated.dropna(subset=["rating"]), on=KEYS)
    colours = {model: _COLOURS[number % len(_COLOURS)] for number, model in enumerate(found.per_model)}
    page = (
        environment()
        .get_template("agreement.html.j2")
        .render(
            found=found,
            metric_rows=metric_rows(found),
            rater_rows=rater_rows(found.raters),
            number=number,
            points=_points(rows, colours),
            colours=colours,
            width=_WIDTH,
            height=_HEIGHT,
            margin=_MARGIN,
            ranges={key: (rows[key].min(), rows[key].max()) for key in ("score", "rating")},
        )
    )
    try:
        Path(path).write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror or error}") from error


def _points(rows: pd.DataFrame, colours: dict[str, str]) -> list[tuple[float, float, str, str]]:
    """x, y, colour and title of each row. Equal ratings are spread by up to 2 % so that points do not hide others."""
    spread = ((rows.index.to_numpy() * 0.618034) % 1.0 - 0.5) * 0.04
    x = _MARGIN + (_unit(rows["rating"]) * 0.96 + 0.02 + spread) * (_WIDTH - 2 * _MARGIN)
    y = _HEIGHT - _MARGIN - _unit(rows["score"]) * (_HEIGHT - 2 * _MARGIN)
    titles = [f"{row.model}, {row.item}: score {row.score:.4g}, rating {row.rating:.3g}" for row in rows.itertuples()]
    return list(zip(x.round(1), y.round(1), rows["model"].map(colours), titles, strict=True))


def _unit(values: pd.Series) -> pd.Series:
    size = values.max() - values.min()
    return (values - values.min()) / size if size else values * 0 + 0.5


def _lines(head: str, rows: list[tuple[str, str]]) -> str:
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join([head, *(f"  {label:<{width}}  {value}" for label, value in rows)])
