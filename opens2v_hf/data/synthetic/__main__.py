"""`python -m opens2v_hf.data.synthetic --out DIR`: writes the synthetic sample."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from opens2v_hf._util.console import say
from opens2v_hf.data.synthetic.eval_layout import PER_CATEGORY
from opens2v_hf.data.synthetic.sample import write_sample
from opens2v_hf.errors import OpenS2VError


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the sample and prints its folders; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m opens2v_hf.data.synthetic",
        description="Write a synthetic sample: benchmark, videos of simulated models, dataset.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="0 to 99; another seed, other scenes (default: 0)")
    parser.add_argument(
        "--per-category", type=int, default=PER_CATEGORY, help=f"ids of each prefix (default: {PER_CATEGORY})"
    )
    options = parser.parse_args(arguments)
    try:
        with tqdm(unit=" files", desc="writing", mininterval=0.5) as progress:
            folders = write_sample(
                options.out,
                per_category=options.per_category,
                seed=options.seed,
                on_file=lambda path: progress.update(),
            )
    except (OpenS2VError, OSError) as error:
        say(f"error: {error}", error=True)
        return 2
    say(f"benchmark  {folders.benchmark}")
    for model, folder in folders.videos.items():
        say(f"videos     {folder}  ({model})")
    say(f"dataset    {folders.dataset}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
