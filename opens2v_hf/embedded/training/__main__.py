"""Train and measure the embedded models: `make embedded`, or python -m opens2v_hf.embedded.training --out FOLDER.

Training all of them takes some two and a half hours of two cores. The same machine and number of threads give the same
bytes; other machines differ in the last bits, which is why the weights are committed. FOLDER/measured.json has for each
model its figures on held-out scenes, the sha256 of its files and the versions of the libraries; `--evaluate-only`
measures weights that exist, and trains nothing.

The committed weights were not made in one run of this command. By the scripts and stages below: aesthetics, the judge,
the quality scorer, the text detector, the segmenter. The others were made before some changes of their scripts:

- embedder: the same stages, before the training loop became one function for all scripts;
- detector: three runs of 700 steps at a learning rate of 3e-3, then 600 and 500 at 2e-3; in the first two, environments
  were targets, too;
- faces: the same numbers of steps, in float32 throughout, where the script now trains in half precision.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from opens2v_hf.embedded.training.detector_evaluation import evaluate_detector
from opens2v_hf.embedded.training.embedder_evaluation import evaluate_embedder
from opens2v_hf.embedded.training.faces_evaluation import evaluate_faces
from opens2v_hf.embedded.training.held_out_videos import evaluate_aesthetics, evaluate_judge, evaluate_quality_scorer
from opens2v_hf.embedded.training.segmenter_evaluation import evaluate_segmenter
from opens2v_hf.embedded.training.text_detector_evaluation import evaluate_text_detector

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
MEASURED = "measured.json"
_LIBRARIES = ("torch", "transformers", "numpy", "av")


@dataclass(frozen=True)
class Recipe:
    """The functions that train and measure the models of one training script.

    Attributes:
        folders: that the script writes below --out; if there is one only, the script's --out is that folder.
        stages: arguments of each run; every run starts from the weights of the one before. `{out}` is the folder of all
            models, for a training that starts from another model.
        evaluate: from the folders, in their order, to figures on held-out scenes.
    """

    folders: tuple[str, ...]
    stages: tuple[str, ...]
    evaluate: Callable[..., dict[str, float]]


RECIPES = {
    "aesthetics": Recipe(("aesthetic_encoder", "aesthetic_head"), ("--seed 0 --steps 700",), evaluate_aesthetics),
    "faces": Recipe(
        ("face_detector", "face_embedder"), ("--seed 0 --steps 1500 --embedder-steps 500",), evaluate_faces
    ),
    "embedder": Recipe(
        ("embedder",),
        (
            # A margin for what is nearly right is only learnt by a network that tells scenes apart.
            "--seed 0 --steps 600 --margin-weight 0 --label-weight 1",
            "--seed 1 --steps 350 --learning-rate 1.2e-3",
            "--seed 2 --steps 400 --learning-rate 1e-3",
        ),
        evaluate_embedder,
    ),
    "detector": Recipe(("detector", "prompt_encoder"), ("--seed 0 --steps 1800",), evaluate_detector),
    "judge": Recipe(
        ("judge",),
        (
            "--seed 0 --steps 600",
            "--seed 1 --steps 650 --learning-rate 1.5e-3",
            "--seed 2 --steps 500 --learning-rate 1e-3",
        ),
        evaluate_judge,
    ),
    "quality_scorer": Recipe(
        ("quality_scorer",),
        ("--seed 0 --steps 900", "--seed 1 --steps 400 --learning-rate 1e-3 --steady 4"),
        evaluate_quality_scorer,
    ),
    "text_detector": Recipe(
        ("text_detector",),
        (
            "--seed 0 --steps 360 --detector {out}/detector --prompt-encoder {out}/prompt_encoder",
            "--seed 1 --steps 300",
            "--seed 2 --steps 480",
        ),
        evaluate_text_detector,
    ),
    "segmenter": Recipe(
        # finer masks at the end, at twice the price of a step
        ("segmenter",),
        ("--seed 0 --steps 2500", "--seed 1 --steps 1800 --image-size 384"),
        evaluate_segmenter,
    ),
}
"""The training scripts of this folder, in the order in which they run."""


def train(name: str, out: Path) -> dict[str, float]:
    """Run all stages of a recipe; the last one's folders go to `out`.

    Returns:
        Figure on held-out scenes by its name, of the last stage.
    """
    recipe = RECIPES[name]
    script: Any = import_module(f"{__package__}.{name}")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        start: list[str] = []
        for number, arguments in enumerate(recipe.stages):
            trained = Path(temporary, str(number))
            given = [word.replace("{out}", str(out)) for word in arguments.split()]
            figures = script.main(["--out", str(trained), *given, *start])
            start = ["--start-from", str(trained)]
        for folder in recipe.folders:
            shutil.rmtree(out / folder, ignore_errors=True)
            shutil.copytree(trained if len(recipe.folders) == 1 else trained / folder, out / folder)
    return figures


def measured(name: str, out: Path, figures: dict[str, float]) -> dict[str, Any]:
    """The entry of one recipe in `MEASURED`: figures, digests of its models' files, versions."""
    files = sorted(path for folder in RECIPES[name].folders for path in (out / folder).iterdir())
    return {
        "figures": {key: round(float(value), 4) for key, value in figures.items()},
        "sha256": {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "measured_with": {library: metadata.version(library) for library in _LIBRARIES}
        | {"machine": platform.machine()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the embedded models from nothing, and measure them.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder to write (default: the package's own)")
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="MODEL")
    parser.add_argument("--evaluate-only", action="store_true", help="measure the weights in --out, train nothing")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    report = options.out / MEASURED
    for name in options.only:
        recipe = RECIPES[name]
        if options.evaluate_only:
            figures = recipe.evaluate(*(options.out / folder for folder in recipe.folders))
        else:
            figures = train(name, options.out)
        # after each model, so that an interrupted run has those before
        known = json.loads(report.read_text()) if report.is_file() else {}
        known[name] = measured(name, options.out, figures)
        report.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
