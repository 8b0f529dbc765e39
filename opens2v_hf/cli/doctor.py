"""`opens2v doctor`: a check of the installation, and an estimate of a run."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add, names_of
from opens2v_hf.errors import ArgumentError

_SIGNS = {"ok": "ok     ", "missing": "MISSING", "note": "note   "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.evaluation.cost_constants import GPUS

    group = parser.add_argument_group("estimate", "seconds, memory and dollars of a run, instead of the list")
    group.add_argument("--estimate", action="store_true", help="print the estimate of scoring a split")
    add(group, "--split")
    group.add_argument("--gpu", metavar="GPU", help=f"{', '.join(GPUS)} (default: that of this machine)")
    group.add_argument("--num-gpus", type=int, default=1, metavar="N", help="that share the videos (default: 1)")
    group.add_argument("--cores", type=int, default=8, metavar="N", help="of the processor (default: 8)")
    add(group, "--metrics")
    group.add_argument("--frames", type=int, default=121, metavar="N", help="of a video (default: 121)")
    group.add_argument("--width", type=int, default=1280, metavar="N", help="in pixels (default: 1280)")
    group.add_argument("--height", type=int, default=720, metavar="N", help="in pixels (default: 720)")
    group.add_argument("--judge", metavar="MODEL", help="of NaturalScore (default: the released one, by its price)")
    add(group, "--model")
    group.add_argument("--measured", metavar="RUN", help="--out of a run whose measured seconds replace formulas")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings or the estimate; 1 if something is missing."""
    import opens2v_hf

    if arguments.estimate:
        return _estimate(arguments)
    findings = opens2v_hf.doctor()
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        say(f"{_SIGNS[finding.state]}  {finding.topic.ljust(width)}  {finding.text}")
    return int(any(finding.state == "missing" for finding in findings))


def _estimate(arguments: argparse.Namespace) -> int:
    from opens2v_hf.evaluation.cost_formulas import VideoShape
    from opens2v_hf.evaluation.cost_model import estimate, format_estimate, gpu_here
    from opens2v_hf.evaluation.timings import measured_seconds
    from opens2v_hf.generators.recipe import Recipe

    gpu = arguments.gpu or gpu_here()
    if gpu is None:
        raise ArgumentError("this machine has no GPU with known figures; name one with `gpu=`")
    shape = VideoShape(arguments.frames, arguments.width, arguments.height)
    made = estimate(
        arguments.split,
        gpu,
        metrics=names_of(arguments.metrics),
        shape=shape,
        judge=arguments.judge,
        model=arguments.model,
        recipe=Recipe(width=shape.width, height=shape.height, num_frames=shape.num_frames),
        cores=arguments.cores,
        num_gpus=arguments.num_gpus,
        measured=measured_seconds(arguments.measured, arguments.split) if arguments.measured else None,
    )
    say(format_estimate(made))
    return 0
