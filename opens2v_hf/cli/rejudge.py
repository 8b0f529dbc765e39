"""`opens2v rejudge`: scores from the stored answers of a judge, parsed by this version."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import remark, say, say_json
from opens2v_hf.cli.options import add

if TYPE_CHECKING:
    from opens2v_hf.results.rejudge import Rejudged
    from opens2v_hf.results.result import RunResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("result", metavar="RUN", help="result of `opens2v score`: a JSON file or its folder")
    add(
        parser, "--out", metavar="FILE",
        help="file for the result with the new scores; RUN's own file to change its journal as well, from which "
        "`opens2v score` resumes (default: only print the changes)",
    )  # fmt: skip
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Parse the answers, print the changes, and write the result if `--out` is given."""
    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.results.reading import result_file
    from opens2v_hf.results.rejudge import METRIC, rejudge
    from opens2v_hf.results.result import RunResult

    source = result_file(arguments.result)
    before = RunResult.load(source)
    found = rejudge(before)
    means = [one.metric(METRIC).summary.mean for one in (before, found.result)]
    if arguments.json:
        say_json({**found.to_dict(), "mean_before": means[0], "mean_after": means[1]})
    else:
        for change in found.changes:
            why = f" ({in_flags(change.reason, arguments.parser)})" if change.reason else ""
            say(f"{change.id}: {_number(change.before)} -> {_number(change.after)}{why}")
        say(
            f"{found.num_read} videos with stored answers were parsed again, {len(found.changes)} have another score"
            + (f"; {found.num_without} videos without a stored answer are unchanged" if found.num_without else "")
        )
        say(f"mean of {METRIC}: {_number(means[0])} -> {_number(means[1])}")
    if any(METRIC in values for values in before.other_seeds.values()):
        remark("the scores of other seeds are as before; read their results, in the folders seed-<n>, again as well")
    if arguments.out:
        for text in _written(Path(arguments.out), source, before, found):
            remark(text)
    return 0


def _written(out: Path, source: Path, before: RunResult, found: Rejudged) -> Iterator[str]:
    """Write the result and, if it replaces that of a run, its journal; yields what was done."""
    from opens2v_hf.results.file_names import PARTIAL_ENDING
    from opens2v_hf.results.rejudge import update_journal

    journal = source.with_name(f"{source.name.removesuffix(PARTIAL_ENDING).removesuffix('.json')}.journal")
    is_source = out.exists() and out.samefile(source)
    if is_source and journal.is_dir():  # before the result: after a kill in between the run gives the new scores
        yield f"changed {update_journal(journal, before, found.result)} scores in {journal}"
    found.result.save(out)
    yield f"wrote {out}"
    if not is_source and journal.is_dir():
        yield (
            f"{journal} has the scores as before, so `opens2v score` into {source.parent} gives them again; to change "
            f"them there, use --out {source}"
        )


def _number(value: float | None) -> str:
    return "no score" if value is None else f"{value:.4f}"
