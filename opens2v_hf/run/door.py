"""`opens2v_hf.score`: the videos of a model, all metrics, one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opens2v_hf.data.eval_split import open_split
from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.registry import METRICS, ModelChoice, load_tasks
from opens2v_hf.run.result import RunResult
from opens2v_hf.run.scoring import score_found
from opens2v_hf.run.videos import find_videos
from opens2v_hf.video.reader import Backend


def score(
    videos: str | os.PathLike[str],
    *,
    split: str = "open-domain",
    metrics: Sequence[str] | None = None,
    models: str | Mapping[str, str | os.PathLike[str] | ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    name: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    videos_revision: str | None = None,
    backend: Backend = "auto",
    distributed: bool = True,
) -> RunResult:
    """Score the videos of a model on a split of OpenS2V-Eval.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result.

    Args:
        videos: a folder of `<id>.mp4` files, or a Hub dataset repo that holds them ("org/name").
        split: "open-domain", "human-domain" or "single-domain".
        metrics: names of the metrics; all of them by default.
        models: "embedded" for the small models of this package throughout, or role to model ("embedder", "judge", ...),
            each a Hub id, a folder, "embedded", "openai:<model>" or a `ModelChoice` with loading arguments. What is not
            named is the released one.
        options: metric name to its options, e.g. {"naturalscore": {"protocol": "full"}}.
        name: of the model, for tables; the last part of `videos` by default.
        data_dir: folder or hf:// URL of the benchmark; upstream's Hub repo by default.
        revision: of the benchmark's Hub repo.
        videos_revision: of the Hub repo of videos.
        backend: of the video reader: "auto", "decord" or "pyav".
        distributed: False to score all videos in this process, whatever was launched.

    Returns:
        Values for every video, what each mean rests on, and what everything was made with.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SampleError: the benchmark's files are missing or malformed.
        ModelError: a model cannot be loaded.
        ProcessError: the videos were shared, and a process failed or died.

    A video that is broken or cannot be rated raises nothing: it is in the result as failed, with its reason.
    """
    opened = open_split(split, data_dir=None if data_dir is None else os.fspath(data_dir), revision=revision)
    found = find_videos(os.fspath(videos), [sample.id for sample in opened.samples], revision=videos_revision)
    tasks = load_tasks(
        list(METRICS) if metrics is None else metrics,
        opened,
        models=_choices(models),
        options=options,
        embedded=models == "embedded",
    )
    return score_found(
        found,
        opened.samples,
        tasks,
        model=name or Path(os.fspath(videos)).resolve().name,
        split=split,
        benchmark=opened.provenance,
        backend=backend,
        distributed=distributed,
    )


def _choices(
    models: str | Mapping[str, str | os.PathLike[str] | ModelChoice] | None,
) -> dict[str, ModelChoice]:
    if models is None or models == "embedded":
        return {}
    if not isinstance(models, Mapping):
        raise ArgumentError(f"models is 'embedded' or a mapping of role to model (got {models!r})")
    return {role: choice if isinstance(choice, ModelChoice) else ModelChoice(choice) for role, choice in models.items()}
