"""`opens2v explain`: the steps that lead to the NexusScore of a video."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import hide_bars, is_quiet, say
from opens2v_hf.cli.metric_options import parse_options
from opens2v_hf.cli.options import add, add_models, chosen_models, named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf._api import NEXUS_ROLES
    from opens2v_hf.scores.nexus import VARIANTS

    parser.add_argument("video", metavar="VIDEO", help="a video file")
    add(parser, "--out", required=True, help="folder of the page <id>.html")
    parser.add_argument(
        "--id",
        metavar="ID",
        help="of the sample (default: the file's name without its ending, unless --image is given)",
    )
    add(parser, "--split", "--data-dir", "--revision")
    parser.add_argument(
        "--image", action="append", default=[], metavar="FILE",
        help="reference picture in place of the benchmark's; may be repeated, each with its --label",
    )  # fmt: skip
    parser.add_argument(
        "--label", action="append", default=[], metavar="TEXT", help="of the --image with the same position"
    )
    add(parser, "--variant", default="released", choices=VARIANTS)
    add(parser, "--num-frames", "--backend", "--option")
    add_models(parser, NEXUS_ROLES)


def run(arguments: argparse.Namespace) -> int:
    """Write the page, print the reasons; 1 if scoring failed."""
    import opens2v_hf
    from opens2v_hf._api import NEXUS_ROLES
    from opens2v_hf.reports.explain import write_explanation
    from opens2v_hf.reports.explain_words import headline, why
    from opens2v_hf.scores.outcome import Status

    options, loading = parse_options(arguments.option, ["nexusscore"])
    hide_bars(downloads=is_quiet())
    explanation = opens2v_hf.explain(
        arguments.video,
        images=arguments.image,
        labels=arguments.label,
        metric_models=chosen_models(arguments, NEXUS_ROLES, loading=loading),
        options=options.get("nexusscore"),
        **named(
            arguments,
            *("id", "split", "data_dir", "revision", "variant", "num_frames", "device", "dtype", "backend"),
        ),
    )
    page = write_explanation(explanation, arguments.out)
    say(headline(explanation))
    for sentence in why(explanation):
        say(f"  {sentence}")
    if explanation.note:
        say(f"note: {explanation.note}")
    say(f"wrote {page}")
    return int(explanation.outcome.status is Status.FAILED)
