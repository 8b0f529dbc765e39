"""`opens2v_hf.score`: the videos of a model, all metrics, one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opens2v_hf.data.eval_split import open_split
from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.fields import as_line
from opens2v_hf.run.output import Output
from opens2v_hf.run.passes import Memory, plan_passes
from opens2v_hf.run.registry import METRICS, ModelChoice
from opens2v_hf.run.result import RunResult
from opens2v_hf.run.scoring import Run, score_passes
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
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    fresh: bool = False,
    retry_failed: bool = False,
    memory: Memory = "keep",
) -> RunResult:
    """Score the videos of a model on a split of OpenS2V-Eval.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result.

    With `out`, every score is written down as soon as it is there. The same call after a crash, or after whatever else
    ended it, goes on from there, with any number of processes, and comes to the same result. What has changed since
    (a video, a prompt or picture, a model's revision, an option, a library) is scored anew, and nothing else.

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
        out: folder for `<split>.json` (the result), `<split>.journal/` and `<split>.thumbnails/`; nothing is written
            by default. One run at a time can use it.
        overwrite: replace a result in `out` that this run does not go on from: another model's, one without a
            journal, or one with more metrics.
        fresh: forget what earlier runs in `out` finished, and score everything anew.
        retry_failed: try again also what failed in earlier runs for a reason that lies in the video. Other failures
            (no answer from a judge, a download that broke off) are tried again anyway.
        memory: "keep" loads all models together and decodes each video once; "low" loads one group of models after
            another, lets go of each, and decodes each video once for each group.

    Returns:
        Values for every video, what each mean rests on, and what everything was made with.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SampleError: the benchmark's files are missing or malformed.
        ModelError: a model cannot be loaded.
        ResultError: another run uses `out`, or it cannot be written (a full disk); what is finished is kept.
        ProcessError: the videos were shared, and a process failed or died.

    A video that is broken or cannot be rated raises nothing: it is in the result as failed, with its reason.
    """
    opened = open_split(split, data_dir=None if data_dir is None else os.fspath(data_dir), revision=revision)
    found = find_videos(os.fspath(videos), [sample.id for sample in opened.samples], revision=videos_revision)
    if isinstance(metrics, str):
        raise ArgumentError(f"metrics is a list of names (got {metrics!r}); write [{metrics!r}]")
    names = tuple(dict.fromkeys(METRICS if metrics is None else metrics))
    passes = plan_passes(
        names, opened, models=_choices(models), options=options, embedded=models == "embedded", memory=memory
    )
    run = Run(
        found,
        opened.samples,
        model=name or as_line(Path(os.fspath(videos)).resolve().name),
        split=split,
        benchmark=opened.provenance,
        backend=backend,
        distributed=distributed,
    )
    output = None
    if out is not None:
        output = Output(out, split, overwrite=overwrite, fresh=fresh, retry_failed=retry_failed)
    return score_passes(run, passes, names, output=output, known_metrics=tuple(METRICS))


def _choices(
    models: str | Mapping[str, str | os.PathLike[str] | ModelChoice] | None,
) -> dict[str, ModelChoice]:
    if models is None or models == "embedded":
        return {}
    if not isinstance(models, Mapping):
        raise ArgumentError(f"models is 'embedded' or a mapping of role to model (got {models!r})")
    for role, choice in models.items():
        if not isinstance(choice, str | os.PathLike | ModelChoice):
            raise ArgumentError(f"the model of {role!r} is named, or given as a ModelChoice (got {choice!r})")
    return {role: choice if isinstance(choice, ModelChoice) else ModelChoice(choice) for role, choice in models.items()}
