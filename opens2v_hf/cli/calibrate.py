"""`opens2v calibrate`: scores of golden inputs, compared with the numbers of the same models on other machines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import hide_bars, is_quiet, remark, say, say_json
from opens2v_hf.cli.options import add, add_models, chosen_models, names_of

if TYPE_CHECKING:
    from opens2v_hf.evaluation.calibrate import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.metrics.arguments import COMPOSITE, roles_of

    add(parser, "--metrics", help="names of metrics, with commas between them (default: as `opens2v score`)")
    parser.add_argument(
        "--precision", metavar="A,B", default="float16,bfloat16",
        help="compared with float32, for networks that take a dtype; none to leave it out (default: float16,bfloat16)",
    )  # fmt: skip
    parser.add_argument("--record", metavar="FILE", help="JSON file for the measured numbers, as rows of known numbers")
    add_models(parser, roles_of(COMPOSITE))
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Score, compare, print; 1 if a number differs, a model fails, or the golden inputs are rendered differently."""
    from dataclasses import asdict

    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.evaluation.calibrate import as_row, calibrate
    from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.results.result import write_json

    hide_bars(downloads=is_quiet())
    names = names_of(arguments.metrics) or list(DEFAULT_METRICS)
    roles = list(dict.fromkeys(role for name in names if name in METRICS for role in METRICS[name].roles))
    chosen = chosen_models(arguments, roles)
    models = EMBEDDED if arguments.models == EMBEDDED and not _named(arguments, roles) else chosen
    precisions = [] if arguments.precision == "none" else names_of(arguments.precision) or []
    if arguments.dtype is not None:
        precisions = [arguments.dtype] if arguments.dtype != "float32" else []
    same, verdicts = calibrate(names, models, device=arguments.device, precisions=precisions)
    if arguments.json:
        say_json({"golden": same, "verdicts": [{**asdict(one), "state": one.state} for one in verdicts]})
    else:
        say(in_flags(_text(same, verdicts), arguments.parser))
    if arguments.record:
        write_json(Path(arguments.record), [as_row(one.measured) for one in verdicts if not one.measured.problem])
        remark(f"wrote {arguments.record}")
    return int(not same or any(one.state in ("differs", "failed") for one in verdicts))


def _named(arguments: argparse.Namespace, roles: Sequence[str]) -> bool:
    return any(getattr(arguments, role) for role in roles)


def _text(same: bool, verdicts: Sequence[Verdict]) -> str:
    lines = []
    if not same:
        lines.append(
            "the golden inputs are rendered differently here (another Pillow, OpenCV or numpy); nothing is comparable"
        )
    for one in verdicts:
        made = one.measured
        values = ", ".join(f"{name} {_number(value)}" for name, value in made.values.items())
        lines.append(f"{made.metric:<18}  {made.dtype:<8}  {one.state:<8}  {values or made.problem}")
        if one.known is not None and one.difference is not None:
            known = one.known
            lines.append(f"    {one.difference:.2g} from the value on {known.hardware} (tolerance {known.tolerance:g})")
        if one.from_full is not None:
            lines.append(f"    {one.from_full:.2g} from float32 on this device")
        if made.problem and values:
            lines.append(f"    {made.problem}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"
