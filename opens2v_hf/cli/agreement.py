"""`opens2v agreement`: a metric or a judge against human ratings."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "scores", nargs="*", metavar="SCORES",
        help="tables (.csv, .parquet) with the columns item, model and --column, or results of `opens2v score`; "
        "without any, the agreement of the raters alone",
    )  # fmt: skip
    parser.add_argument(
        "ratings", metavar="RATINGS",
        help="table with item, model, rater, rating (and dimension), or item, model and a column for each rater; or a "
        "folder of ImagenHub",
    )  # fmt: skip
    add(parser, "--column")
    parser.add_argument("--dimension", metavar="NAME", help="name of the rated dimension, if there are several")
    add(parser, "--reduce")
    parser.add_argument("--given", metavar="NAME", help="another column; what the scores add to it is printed")
    add(parser, "--resamples", "--seed", "--json")
    add(parser, "--out", metavar="FILE", help="HTML page to write, with scatter plots")


def run(arguments: argparse.Namespace) -> int:
    """Compute, print, write the page."""
    import json

    from opens2v_hf.errors import ArgumentError
    from opens2v_hf.reports.agreement import format_agreement, format_raters, write_agreement_page
    from opens2v_hf.results.agreement import agreement, rater_agreement
    from opens2v_hf.results.ratings import load_ratings, load_scores

    bootstrap = {"resamples": arguments.resamples, "seed": arguments.seed}
    if arguments.resamples < 0:
        raise ArgumentError(f"--resamples must be at least 0 (got {arguments.resamples})")
    ratings = load_ratings(arguments.ratings, dimension=arguments.dimension)
    if not arguments.scores:
        if arguments.column or arguments.given or arguments.out:
            raise ArgumentError("--column, --given and --out need a file of scores before the ratings")
        raters = rater_agreement(ratings, **bootstrap)
        say(json.dumps(vars(raters), default=vars, indent=2) if arguments.json else format_raters(raters))
        return 0
    if not arguments.column:
        raise ArgumentError("--column must name the scores: a column of the tables, or a metric of the results")
    scores = load_scores(arguments.scores, arguments.column, reduce=arguments.reduce)
    given = load_scores(arguments.scores, arguments.given, reduce=arguments.reduce) if arguments.given else None
    found = agreement(
        scores, ratings, name=arguments.column, given=given, given_name=arguments.given or "given", **bootstrap
    )
    say(json.dumps(found.to_dict(), indent=2, allow_nan=False) if arguments.json else format_agreement(found))
    if arguments.out:
        write_agreement_page(found, scores, ratings, arguments.out)
    return 0
