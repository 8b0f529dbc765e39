"""Results that fill every column of the scorecard, for tests of what is done with them."""

import random
from collections.abc import Mapping

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.scorecard import COLUMNS

FACES = ("singleface", "singlehuman", "faceobj", "humanobj")


def full_result(
    model: str = "alpha",
    *,
    quality: float = 0.5,
    seed: int = 0,
    per_prefix: int = 4,
    failed: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    split: str = "open-domain",
    metrics: tuple[str, ...] = (*COLUMNS, "nexusscore_coverage"),
    embedded: bool = False,
    options: Mapping[str, object] | None = None,
    prompts_seed: int = 1,
) -> RunResult:
    """All metrics over `per_prefix` samples of each prefix: values around `quality` of each column's range.

    Each prompt has a difficulty of its own (by `prompts_seed`), which all models share; `seed` is the model's noise.
    """
    ids = [f"{prefix}_{number + 1}" for prefix in PREFIXES for number in range(per_prefix)]
    prompts, own = random.Random(prompts_seed), random.Random(f"{seed} {model}")
    difficulty = {sample_id: prompts.gauss(0.0, 0.12) for sample_id in ids}
    applies = {name: [i for i in ids if _applies(name, i)] for name in metrics}
    found = [i for i in ids if i not in absent]

    def score(name: str, sample_id: str) -> VideoScore:
        if sample_id not in applies[name]:
            return VideoScore.not_applicable(f"the benchmark defines no {name} for {sample_id}")
        if sample_id in failed:
            return VideoScore.failed(f"{sample_id}.mp4 is cut short")
        part = min(max(quality + difficulty[sample_id] + own.gauss(0.0, 0.05), 0.01), 0.99)
        column = COLUMNS.get(name)
        return VideoScore.scored(part if column is None else column.low + part * (column.high - column.low))

    return RunResult(
        model=model,
        split=split,
        benchmark={"source": "folder", "sha256": "0" * 64},
        source="videos",
        coverage=Coverage(
            len(ids),
            len(found),
            tuple(i for i in ids if i in absent),
            (),
            {name: tuple(applies[name]) for name in metrics if name in COLUMNS},
        ),
        videos=tuple(VideoRecord(i, f"{i}.mp4", "ab" * 32, i.rsplit("_", 1)[0], 16, 8.0, 168, 112) for i in found),
        metrics=tuple(
            MetricResult(
                name=name,
                models=(ModelInfo("embedder", "org/some-model", "c0ffee" * 6, "float32", "cpu", embedded),),
                options={"sampling": "linspace-32", **(options or {})},
                caveats=(),
                scores={i: score(name, i) for i in found},
            )
            for name in metrics
        ),
        package={"opens2v-hf": "0.1.0"},
        created_at="2026-01-01T00:00:00+00:00",
    )


def _applies(metric: str, sample_id: str) -> bool:
    if metric == "facesim_cur":
        return sample_id.startswith(FACES)
    return not (metric.startswith("nexusscore") and sample_id.startswith("singleface"))
