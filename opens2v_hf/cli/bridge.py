"""`opens2v bridge`: agreement of two judges, or two editions, on the same videos."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opens2v_hf._util.console import say, say_json
from opens2v_hf.cli.options import add

if TYPE_CHECKING:
    from opens2v_hf.results.agreement import Estimate
    from opens2v_hf.results.bridge import Bridge, Pairing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    what = "a result of `opens2v score`, a folder of results, or a table (.csv, .parquet) with item, model and --column"
    parser.add_argument("a", metavar="A", help=f"scores of the judge to be replaced: {what}")
    parser.add_argument("b", metavar="B", help="scores of the judge that may replace it, likewise")
    add(
        parser,
        "--column",
        default="naturalscore",
        help="column of the tables, or metric of the results (default: naturalscore)",
    )
    parser.add_argument(
        "--tolerance", type=float, metavar="T",
        help="test whether B can replace A: largest bias that does not matter, in units of the scores",
    )  # fmt: skip
    add(parser, "--reduce", "--resamples", "--seed", "--json")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; 1 if a tolerance is given and B cannot replace A."""
    from opens2v_hf.results.bridge import bridge, load_side

    sides = [load_side(path, arguments.column, reduce=arguments.reduce) for path in (arguments.a, arguments.b)]
    found = bridge(*sides, tolerance=arguments.tolerance, resamples=arguments.resamples, seed=arguments.seed)
    if arguments.json:
        say_json(found.to_dict())
    else:
        say(_text(found))
    return int(found.verdict is not None and found.verdict.answer != "yes")


def _text(found: Bridge) -> str:
    lines = [f"A: {found.a}", f"B: {found.b}", ""]
    overall = found.overall
    lines += [
        f"{overall.num_videos} videos of {overall.num_models} models; B minus A:",
        f"  bias                     {_estimate(overall.bias)}",
        f"  limits of agreement      {_number(overall.lower_limit)} to {_number(overall.upper_limit)} (95 % of videos)",
        f"  B = slope * A + shift    slope {_estimate(overall.slope)}, shift {_estimate(overall.intercept)}",
        f"  Spearman, videos         {_estimate(overall.spearman)}",
        f"  Kendall's tau-b, videos  {_estimate(found.kendall)}",
    ]
    if found.model_rank is not None:
        lines.append(f"  Spearman, model means    {found.model_rank:.3f}")
    lines += _table("category", found.by_category)
    if len(found.model_means) > 1:
        width = max(len(model) for model in found.model_means)
        lines += ["", f"  {'model':<{width}}  mean by A  mean by B"]
        lines += [f"  {model:<{width}}  {a:9.3f}  {b:9.3f}" for model, (a, b) in found.model_means.items()]
    lines.append("")
    for count, what in (
        (found.num_only_a, "videos that only A has scored"),
        (found.num_only_b, "videos that only B has scored"),
        (found.num_other_videos, "pairs whose video files differ, left out"),
    ):
        if count:
            lines.append(f"note: {count} {what}")
    lines += [f"note: {warning}" for warning in found.warnings]
    if found.verdict is not None:
        lines.append(f"can B replace A at a tolerance of {found.verdict.tolerance:g}? {found.verdict.answer}")
        lines += [f"  {reason}" for reason in found.verdict.reasons]
    return "\n".join(lines).rstrip()


def _table(title: str, rows: Mapping[str, Pairing]) -> list[str]:
    if not rows:
        return []
    width = max(map(len, (title, *rows)))
    lines = ["", f"  {title:<{width}}  videos  bias                      slope                    Spearman"]
    for name, one in rows.items():
        cells = "  ".join(f"{_estimate(value):<24}" for value in (one.bias, one.slope, one.spearman))
        lines.append(f"  {name:<{width}}  {one.num_videos:6}  {cells}".rstrip())
    return lines


def _number(estimate: Estimate) -> str:
    return "undefined" if estimate.value is None else f"{estimate.value:.3f}"


def _estimate(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None:
        return _number(estimate)
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
