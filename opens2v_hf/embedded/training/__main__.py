"""Train every embedded model from nothing: `make embedded`, or python -m opens2v_hf.embedded.training --out FOLDER.

The committed weights come from exactly this command, with the seeds and steps below. It takes some two and a half hours
of two cores. The same machine and number of threads give the same bytes; other machines differ in the last bits, which
is why the weights are committed. What each model reaches on held-out scenes is written to FOLDER/measured.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


@dataclass(frozen=True)
class Recipe:
    """How one training script is run.

    Attributes:
        folders: what it writes below --out; where there is one only, the script's --out is that folder.
        stages: arguments of each run; every run goes on from the weights of the one before. `{out}` is the folder of
            all models, for one that goes on from another.
    """

    folders: tuple[str, ...]
    stages: tuple[str, ...]


RECIPES = {
    "aesthetics": Recipe(("aesthetic_encoder", "aesthetic_head"), ("--seed 0 --steps 700",)),
    "faces": Recipe(("face_detector", "face_embedder"), ("--seed 0 --steps 1500 --embedder-steps 500",)),
    "embedder": Recipe(
        ("embedder",),
        (
            # A margin for what is nearly right is only learnt by a network that tells scenes apart.
            "--seed 0 --steps 600 --margin-weight 0 --label-weight 1",
            "--seed 1 --steps 350 --learning-rate 1.2e-3",
            "--seed 2 --steps 400 --learning-rate 1e-3",
        ),
    ),
    "detector": Recipe(("detector", "prompt_encoder"), ("--seed 0 --steps 1800",)),
    "judge": Recipe(("judge",), ("--seed 0 --steps 600", "--seed 1 --steps 650 --learning-rate 1.5e-3")),
    "quality_scorer": Recipe(
        ("quality_scorer",), ("--seed 0 --steps 900", "--seed 1 --steps 400 --learning-rate 1e-3 --steady 4")
    ),
    "text_detector": Recipe(
        ("text_detector",),
        (
            "--seed 0 --steps 360 --detector {out}/detector --prompt-encoder {out}/prompt_encoder",
            "--seed 1 --steps 300",
        ),
    ),
    "segmenter": Recipe(
        # finer masks at the end, at twice the price of a step
        ("segmenter",),
        ("--seed 0 --steps 2500", "--seed 1 --steps 1800 --image-size 384"),
    ),
}
"""The training scripts of this folder, in the order in which they run."""


def train(name: str, out: Path) -> dict[str, float]:
    """Run all stages of a recipe; the last one's folders go to `out`.

    Returns:
        Figure on held-out scenes by its name, of the last stage.
    """
    recipe = RECIPES[name]
    script: Any = importlib.import_module(f"{__package__}.{name}")
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
    return {key: round(float(value), 4) for key, value in figures.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the embedded models from nothing.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder to write (default: the package's own)")
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="MODEL")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    report = options.out / "measured.json"
    for name in options.only:
        started = time.monotonic()
        figures = train(name, options.out)
        known = json.loads(report.read_text()) if report.is_file() else {}
        known[name] = {
            "figures": figures,
            "stages": list(RECIPES[name].stages),
            "minutes": round((time.monotonic() - started) / 60, 1),
            "made_with": {
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "numpy": np.__version__,
                "machine": platform.machine(),
            },
        }
        report.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
