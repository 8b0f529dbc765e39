"""Text of a comparison of two results: a summary and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opens2v_hf.results.table import PARTIAL_MARK, aligned, percent, wrapped
from opens2v_hf.scores.paired import ALPHA, Difference
from opens2v_hf.scores.scorecard import COLUMNS

if TYPE_CHECKING:
    from opens2v_hf.results.compare import ResultComparison

COMPANIONS_TITLE = "companion metrics, in their own units; no part of the total, and not the leaderboard's:"
"""Title of the table of metrics that fill no column."""


def signed(value: float) -> str:
    """A difference in a metric's own units.

    Example:
        >>> signed(0.03125), signed(-0.0)
        ('+0.0312', '+0.0000')
    """
    return f"{value + 0.0:+.4f}"


def signed_percent(value: float) -> str:
    """A difference of two values in 0..1, in percent points.

    Example:
        >>> signed_percent(0.0312), signed_percent(-0.2), signed_percent(-0.0)
        ('+3.12', '-20.00', '+0.00')
    """
    return f"{100 * value + 0.0:+.2f}"


def signed_interval(difference: Difference) -> str:
    """The interval of a difference in percent points, empty where there is none."""
    if difference.interval is None:
        return ""
    return f"[{signed_percent(difference.interval[0])}, {signed_percent(difference.interval[1])}]"


def format_p(p: float | None) -> str:
    """A p value with three decimals, empty where there is none.

    Example:
        >>> format_p(0.0312), format_p(0.0002), format_p(None)
        ('0.031', '<0.001', '')
    """
    if p is None:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def verdict(comparison: ResultComparison, difference: Difference, *, word: str = "better") -> str:
    """Which model is significantly better, by name; or that the difference is not significant.

    A difference without a p rests on fewer than two prompts. More of a companion metric is not always better, so its
    word is "higher".
    """
    if difference.p is None:
        return "too few prompts"
    if not difference.real:
        return "not significant"
    return f"{comparison.a if difference.difference > 0 else comparison.b} is {word}"


def summary(comparison: ResultComparison) -> str:
    """Which differences are significant, in a sentence or two."""
    better: dict[str, list[str]] = {comparison.a: [], comparison.b: []}
    for difference in comparison.paired.columns.values():
        if difference.real:
            better[comparison.a if difference.difference > 0 else comparison.b].append(difference.title)
    said = [f"{model} is better in {', '.join(titles)}" for model, titles in better.items() if titles]
    none = "no column differs significantly" if comparison.paired.columns else "no column is common to both"
    columns = "; ".join(said) if said else none
    total = comparison.paired.total
    if total is None:
        return f"{columns}."
    of = "the mean of the columns that both have" if comparison.paired.partial else "the total"
    if not total.real:
        return f"{columns}; {of} does not differ significantly."
    ahead = comparison.a if total.difference > 0 else comparison.b
    return f"{columns}; {ahead} is ahead in {of} by {abs(100 * total.difference):.2f} points."


def format_comparison(comparison: ResultComparison, *, width: int | None = None) -> str:
    """All of a comparison for a terminal.

    Args:
        comparison: of two results.
        width: of the terminal; wider tables continue below. By default there is no limit.
    """
    mark = PARTIAL_MARK if comparison.paired.partial else ""
    lines = [["", comparison.a, comparison.b, "difference", "95 % interval", "p", "p (Holm)", "prompts", ""]]
    for difference in comparison.differences:
        is_total = difference.name == "total"
        lines.append(
            [
                difference.title + (mark if is_total else ""),
                percent(difference.a),
                percent(difference.b),
                signed_percent(difference.difference),
                signed_interval(difference),
                format_p(difference.p),
                "" if is_total else format_p(difference.p_adjusted),
                str(difference.num_prompts),
                verdict(comparison, difference),
            ]
        )
    title = (
        f"{comparison.a} against {comparison.b} on {comparison.split}, in percent; {comparison.scoring} scoring, "
        f"weights of {comparison.version}, over the prompts that both have"
    )
    if max(len(comparison.seeds_a), len(comparison.seeds_b)) > 1:
        seeds = " and ".join(", ".join(map(str, of)) or "unknown" for of in (comparison.seeds_a, comparison.seeds_b))
        title += f"; each prompt is the mean over its seeds ({seeds}), companion metrics are of the first seed"
    text = [wrapped(title, width)]
    if comparison.paired.columns:
        text.append(aligned(lines, width))
    if comparison.paired.total is not None and comparison.paired.partial:
        lacking = ", ".join(COLUMNS[name].title for name in comparison.paired.missing_columns)
        remark = f"{PARTIAL_MARK} no total: not both have {lacking}; the mean of the other columns by their weights"
        text.append(wrapped(remark, width))
    if comparison.companions:
        text += ["", wrapped(COMPANIONS_TITLE, width), aligned(_companion_lines(comparison), width)]
    text += [
        "",
        wrapped(summary(comparison), width),
        f"(paired bootstrap over prompts; level {ALPHA}, columns corrected by Holm's method)",
    ]
    if any(comparison.prompts.values()):
        text += ["", "where the videos differ most, raw values:"]
        named = [["column", "prompt", comparison.a, comparison.b, "points"]]
        for name, prompts in comparison.prompts.items():
            named += [
                [
                    COLUMNS[name].title,
                    prompt.id,
                    f"{prompt.a:.4f}",
                    f"{prompt.b:.4f}",
                    signed_percent(prompt.difference),
                ]
                for prompt in prompts
            ]
        text.append(aligned(named, width))
    for model, ids in ((comparison.a, comparison.only_a), (comparison.b, comparison.only_b)):
        if ids:
            text.append(wrapped(f"only {model} has a video for {_some(ids)}", width))
    return "\n".join([*text, *(wrapped(f"warning: {warning}", width) for warning in comparison.warnings)])


def _companion_lines(comparison: ResultComparison) -> list[list[str]]:
    lines = [["", comparison.a, comparison.b, "difference", "95 % interval", "p", "p (Holm)", "prompts", ""]]
    for difference in comparison.companions.values():
        lines.append(
            [
                difference.title,
                f"{difference.a:.4f}",
                f"{difference.b:.4f}",
                signed(difference.difference),
                "" if difference.interval is None else f"[{', '.join(signed(end) for end in difference.interval)}]",
                format_p(difference.p),
                format_p(difference.p_adjusted),
                str(difference.num_prompts),
                verdict(comparison, difference, word="higher"),
            ]
        )
    return lines


def _some(ids: tuple[str, ...], most: int = 12) -> str:
    rest = f", ... and {len(ids) - most} more" if len(ids) > most else ""
    return f"{len(ids)} samples: {', '.join(ids[:most])}{rest}"
