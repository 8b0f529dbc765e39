"""`opens2v explain`: why the NexusScore of a video is what it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from opens2v_hf.errors import ArgumentError

if TYPE_CHECKING:
    from opens2v_hf.run.metrics.nexus_reference import NexusReference

_ROLES = ("detector", "prompt_encoder", "embedder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.run.registry import METRICS
    from opens2v_hf.scores.nexus import VARIANTS

    parser.add_argument("video", metavar="VIDEO", help="a video file")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where <id>.html and <id>.png are written")
    parser.add_argument(
        "--id",
        metavar="ID",
        help="of the sample (default: the file's name without its ending, unless --image is given)",
    )
    parser.add_argument("--split", default="open-domain", choices=("open-domain", "human-domain", "single-domain"))
    parser.add_argument(
        "--data-dir", metavar="PLACE", help="folder or hf:// URL of the benchmark (default: its Hub repo)"
    )
    parser.add_argument("--revision", help="of the benchmark's Hub repo")
    parser.add_argument(
        "--image", action="append", default=[], metavar="FILE",
        help="a reference picture in place of the benchmark's; may be repeated, each with its --label",
    )  # fmt: skip
    parser.add_argument("--label", action="append", default=[], metavar="TEXT", help="of the --image in the same place")
    parser.add_argument("--variant", default="released", choices=VARIANTS, help="the definition that is explained")
    parser.add_argument("--num-frames", type=int, metavar="N", help="default: 32, as released")
    parser.add_argument("--backend", default="auto", choices=("auto", "decord", "pyav"), help="video decoder")

    models = parser.add_argument_group("models", "each a Hub id, a folder, or 'embedded'")
    models.add_argument(
        "--models",
        choices=("embedded",),
        help="the small models of this package for all roles not named below; not comparable with any leaderboard",
    )
    for role in _ROLES:
        flag = f"--{role.replace('_', '-')}"
        models.add_argument(flag, metavar="MODEL", help=f"default: {METRICS['nexusscore'].models[role]}")
        models.add_argument(f"{flag}-revision", metavar="REVISION")
    models.add_argument("--device", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    models.add_argument("--dtype", help="of the embedder (default: float16 on CUDA, else float32)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and the picture, print why; 1 where the video has no score because something failed."""
    from opens2v_hf.run.explain import explain, write_explanation
    from opens2v_hf.run.explain_words import headline, why
    from opens2v_hf.run.metrics.nexusscore import NexusScore
    from opens2v_hf.run.registry import load_metrics
    from opens2v_hf.scores.outcome import Status

    if not Path(arguments.video).is_file():
        raise ArgumentError(f"there is no video {arguments.video}; check the path")
    reference = _reference(arguments)
    options = {"variant": arguments.variant, "num_frames": arguments.num_frames}
    (metric,) = load_metrics(
        ["nexusscore"],
        models=_models(arguments),
        options={"nexusscore": {name: value for name, value in options.items() if value is not None}},
        embedded=arguments.models == "embedded",
    )
    explanation = explain(cast(NexusScore, metric), arguments.video, reference, backend=arguments.backend)
    page = write_explanation(explanation, arguments.out)
    print(headline(explanation))
    for sentence in why(explanation):
        print(f"  {sentence}")
    if explanation.note:
        print(f"note: {explanation.note}")
    print(f"wrote {page} and {page.with_suffix('.png').name}")
    return int(explanation.outcome.status is Status.FAILED)


def _reference(arguments: argparse.Namespace) -> NexusReference:
    from opens2v_hf.data.eval_split import open_split
    from opens2v_hf.run.metrics.nexus_reference import NexusReference
    from opens2v_hf.run.registry import METRICS

    if arguments.image or arguments.label:
        if len(arguments.image) != len(arguments.label):
            raise ArgumentError(
                f"each --image has one --label (got {len(arguments.image)} images, {len(arguments.label)} labels)"
            )
        return NexusReference(tuple(arguments.image), tuple(arguments.label), arguments.id)
    sample_id = arguments.id or Path(arguments.video).stem
    split = open_split(arguments.split, data_dir=arguments.data_dir, revision=arguments.revision)
    for sample in split.samples:
        if sample.id == sample_id:
            return METRICS["nexusscore"].reference(sample, split)
    raise ArgumentError(
        f"{arguments.split} has no sample {sample_id!r}; give --id, or reference pictures with --image and --label"
    )


def _models(arguments: argparse.Namespace) -> dict[str, Any]:
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.run.registry import METRICS, ModelChoice

    defaults: Mapping[str, str] = METRICS["nexusscore"].models
    choices = {}
    for role in _ROLES:
        name = getattr(arguments, role) or (EMBEDDED if arguments.models == EMBEDDED else defaults[role])
        said = {
            "revision": getattr(arguments, f"{role}_revision"),
            "device": arguments.device,
            "dtype": arguments.dtype if role == "embedder" else None,
        }
        choices[role] = ModelChoice(name, {key: value for key, value in said.items() if value is not None})
    return choices
