"""`opens2v score`: the videos of a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.run.registry import METRICS, ROLES
    from opens2v_hf.scores.nexus import VARIANTS

    parser.add_argument("videos", metavar="VIDEOS", help="folder of <id>.mp4 files, or Hub dataset repo (org/name)")
    parser.add_argument("--split", default="open-domain", choices=("open-domain", "human-domain", "single-domain"))
    parser.add_argument(
        "--metrics", default=",".join(METRICS), metavar="A,B", help=f"comma-separated (default: {','.join(METRICS)})"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="gets <split>.json and the journal from which the same command goes on after it was stopped or killed",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a <split>.json that this run does not go on from: another model's, or one with more metrics",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="forget what earlier runs finished there, and score everything anew"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="try again also what failed for a reason that lies in the video"
    )
    parser.add_argument("--name", help="of the model, for tables (default: the last part of VIDEOS)")
    parser.add_argument(
        "--data-dir", metavar="PLACE", help="folder or hf:// URL of the benchmark (default: its Hub repo)"
    )
    parser.add_argument("--revision", help="of the benchmark's Hub repo")
    parser.add_argument("--videos-revision", help="of the Hub repo of videos")
    parser.add_argument("--backend", default="auto", choices=("auto", "decord", "pyav"), help="video decoder")

    models = parser.add_argument_group("models", "each a Hub id, a folder, or 'embedded'")
    models.add_argument(
        "--models",
        choices=("embedded",),
        help="the small models of this package for all roles not named below; not comparable with any leaderboard",
    )
    for name, role in ROLES.items():
        flag = f"--{name.replace('_', '-')}"
        also = f"also {role.also}; " if role.also else ""
        models.add_argument(flag, metavar="MODEL", help=f"{also}default: {role.released}")
        models.add_argument(f"{flag}-revision", metavar="REVISION")
    models.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    models.add_argument(
        "--dtype",
        help="of the networks that take one: float16, bfloat16, float32 (default: float16 on CUDA, else float32)",
    )
    models.add_argument(
        "--memory",
        default="keep",
        choices=("keep", "low"),
        help="low: load one group of models after another, and decode the videos once for each (default: keep)",
    )
    models.add_argument("--batch-tokens", type=int, metavar="N", help="tokens computed at a time; bounds memory")

    natural = parser.add_argument_group("naturalscore")
    natural.add_argument("--judge-base-url", metavar="URL", help="of an OpenAI-compatible endpoint")
    natural.add_argument("--judge-concurrency", type=int, metavar="N", help="requests at a time")
    natural.add_argument("--judge-max-calls", type=int, metavar="N", help="stop asking after so many requests")
    natural.add_argument(
        "--judge-option", action="append", default=[], metavar="NAME=VALUE",
        help="of asking the judge, e.g. reasoning_effort=low or max_reply_tokens=4000; may be repeated",
    )  # fmt: skip
    natural.add_argument("--protocol", choices=("released", "full"), help="frames and rubric (default: released)")
    natural.add_argument("--runs", type=int, metavar="N", help="how often the judge is asked (default: 3, as released)")
    natural.add_argument("--rubric", metavar="FILE", help="a text file to use instead of this project's own rubric")

    looking = ", ".join(name for name, entry in METRICS.items() if "num_frames" in entry.options)
    frames = parser.add_argument_group(looking)
    frames.add_argument("--num-frames", type=int, metavar="N", help="default: 32, as released")

    nexus = parser.add_argument_group("nexusscore")
    nexus.add_argument("--variant", choices=VARIANTS, help="definition of the score (default: released)")
    nexus.add_argument("--mixed-precision", choices=("no", "fp16", "bf16"), help="of the detector (default: no)")


def run(arguments: argparse.Namespace) -> int:
    """Score, write the result, print a table; 1 where a video failed or is missing.

    Of several processes under `accelerate launch` the main one writes, prints and has the exit code.
    """
    import opens2v_hf
    from opens2v_hf import processes
    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.run.result import notes
    from opens2v_hf.run.table import format_text

    if not processes.is_main_process():
        _hide_progress()
    metrics = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
    try:
        result = opens2v_hf.score(
            arguments.videos,
            split=arguments.split,
            metrics=metrics,
            models=_models(arguments, metrics),
            options=_options(arguments, metrics),
            name=arguments.name,
            data_dir=arguments.data_dir,
            revision=arguments.revision,
            videos_revision=arguments.videos_revision,
            backend=arguments.backend,
            out=arguments.out,
            overwrite=arguments.overwrite,
            fresh=arguments.fresh,
            retry_failed=arguments.retry_failed,
            memory=arguments.memory,
        )
    except KeyboardInterrupt:
        print(f"what was finished is kept in {arguments.out}; the same command goes on from there", file=sys.stderr)
        raise
    if not processes.is_main_process():
        return 0
    print(format_text([result]))
    for note in notes([result]):
        print(f"note: {note}")
    _print_list("without a video", result.coverage.missing)
    _print_list("files of no sample of this split", result.coverage.unknown)
    failures = [
        f"{metric.name} {sample_id}: {in_flags(score.reason, arguments.parser)}"
        for metric in result.metrics
        for sample_id, score in metric.scores.items()
        if score.status == "failed"
    ]
    _print_list("not scored", failures, separator="\n  ")
    print(f"wrote {Path(arguments.out) / arguments.split}.json")
    return int(bool(failures or result.coverage.missing))


def _hide_progress() -> None:
    """Keep the bars of downloads and of loading weights to the main process."""
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bars()
    disable_progress_bar()


def _print_list(title: str, items: Sequence[str], *, separator: str = ", ", most: int = 12) -> None:
    if items:
        shown = separator.join(items[:most])
        rest = f"{separator}... and {len(items) - most} more" if len(items) > most else ""
        print(f"{title} ({len(items)}):{separator if separator != ', ' else ' '}{shown}{rest}")


def _models(arguments: argparse.Namespace, metrics: Sequence[str]) -> Any:
    """What the user said of each role that the metrics need."""
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.models.judge.options import options_from_words
    from opens2v_hf.run.registry import METRICS, ROLES, ModelChoice

    roles = {role: ROLES[role] for name in metrics if name in METRICS for role in METRICS[name].roles}
    choices = {}
    for name, role in roles.items():
        chosen = getattr(arguments, name) or (EMBEDDED if arguments.models == EMBEDDED else role.released)
        loading = {"revision": getattr(arguments, f"{name}_revision")}
        loading |= {argument: getattr(arguments, argument) for argument in role.arguments}
        if name == "judge" and chosen.startswith("openai:"):
            loading = {
                "revision": arguments.judge_revision,
                "base_url": arguments.judge_base_url,
                "concurrency": arguments.judge_concurrency,
                "max_calls": arguments.judge_max_calls,
            }
        if name == "judge":
            loading |= options_from_words(arguments.judge_option)
        choices[name] = ModelChoice(chosen, _given(loading))
    return choices


def _options(arguments: argparse.Namespace, metrics: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What the user said of the metrics' own options, for those asked for."""
    from opens2v_hf.run.registry import METRICS

    own = {
        "naturalscore": {"protocol": arguments.protocol, "runs": arguments.runs, "rubric": arguments.rubric},
        "nexusscore": {"variant": arguments.variant},
    }
    found = {}
    for name in metrics:
        takes_frames = name in METRICS and "num_frames" in METRICS[name].options
        frames = {"num_frames": arguments.num_frames} if takes_frames else {}
        found[name] = _given({**frames, **own.get(name, {})})
    return {name: options for name, options in found.items() if options}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
