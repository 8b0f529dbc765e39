"""Scoring the videos of further seeds, each as a separate run in a subfolder of the first seed's run."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import replace

from opens2v_hf._util.files import check_no_url
from opens2v_hf.evaluation.generated import described, only_made
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.generators.files import seed_folder
from opens2v_hf.generators.outcome import GenerationRun
from opens2v_hf.results.columns import column_values
from opens2v_hf.scores.seeds import SeedValues


def name_of_seed(model: str, seed: int) -> str:
    """The name of the result of a further seed.

    Example:
        >>> name_of_seed("vace-1.3b", 43)
        'vace-1.3b, seed 43'
    """
    return f"{model}, seed {seed}"


def outputs_of_seeds(
    out: str | os.PathLike[str], split: str, seeds: Sequence[int], *, resume: str, partial: bool
) -> dict[int, Output]:
    """Seed to output; the first seed comes first."""
    check_no_url(out)
    return {
        seed: Output(
            seed_folder(out, seed, seeds),
            split,
            fresh=resume == "never",
            retry_failed=resume == "retry-failed",
            partial=partial,
        )
        for seed in seeds
    }


def loaded_once(passes: Sequence[MetricPass]) -> list[MetricPass]:
    """The same passes for several runs; the models of a single pass stay loaded from one run to the next."""
    if len(passes) != 1:
        return list(passes)
    return [replace(passes[0], load=functools.cache(passes[0].load))]


def score_other_seeds(
    first: Run,
    made: GenerationRun,
    passes: Sequence[MetricPass],
    metrics: Sequence[str],
    *,
    out: str | os.PathLike[str],
    outputs: dict[int, Output],
) -> dict[int, SeedValues]:
    """Score the videos of all seeds but the first.

    Args:
        first: the run of the first seed; the other runs have the same samples.
        made: the videos of all seeds.
        passes: the metrics.
        metrics: their names.
        out: of the first seed's run.
        outputs: from `outputs_of_seeds`.

    Returns:
        Seed to column to sample id to raw value.
    """
    values: dict[int, SeedValues] = {}
    ids = [sample.id for sample in first.samples]
    for seed, run in made.others.items():
        folder = seed_folder(out, seed, made.settings.seeds) / "videos"
        of_seed = replace(
            first,
            found=only_made(find_videos(os.fspath(folder), ids), run),
            model=name_of_seed(first.model, seed),
            generation=described(run),
        )
        values[seed] = column_values(score_passes(of_seed, passes, metrics, output=outputs[seed]))
    return values
