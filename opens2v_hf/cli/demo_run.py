"""The demo on synthetic data: a sample, simulated models, their scores, a report, a generator, a dataset."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from opens2v_hf._util.console import is_quiet
from opens2v_hf._util.files import write_errors
from opens2v_hf.data.benchmark.split import EvalSplit, open_split
from opens2v_hf.data.synthetic.dataset_layout import write_dataset
from opens2v_hf.data.synthetic.eval_layout import eval_ids
from opens2v_hf.data.synthetic.sample import SampleFolders, write_sample
from opens2v_hf.evaluation.api import score
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.thumbnails import find_thumbnails
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS, load_tasks
from opens2v_hf.models.hub import has_embedded
from opens2v_hf.pipeline.api import build
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.reports import plots
from opens2v_hf.reports.report import write_report
from opens2v_hf.reports.report_sections import Picture
from opens2v_hf.results.result import RunResult, notes
from opens2v_hf.results.table import format_text, wrapped
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

SPLIT = "open-domain"

_STRIP_FRAMES = linspace(8)
_QUICK = ("gmescore", "motion_amplitude")  # metrics that take a second for a video


def run_demo(
    folder: str | os.PathLike[str],
    *,
    per_category: int = 3,
    seed: int = 0,
    metrics: Sequence[str] | None = None,
    say: Callable[[str], object] = print,
    width: int | None = None,
) -> list[RunResult]:
    """Make the synthetic sample, stream it, score every simulated model with the embedded models, write a report.

    Args:
        folder: for `sample/`, `results/<model>/open-domain.json` and `report/`. Scores of an earlier demo of the same
            sample are not computed again.
        per_category: samples of each of the eight id prefixes.
        seed: of the sample.
        metrics: names of the metrics; by default all whose models are embedded.
        say: called with each line or table of output.
        width: of the terminal, at which tables and lines are wrapped; None for no limit.

    Returns:
        A result for each simulated model.

    Raises:
        ArgumentError: a number or seed out of range.
        ResultError: the folder cannot be written.
    """
    target = Path(folder)
    with write_errors(target):
        return _run_demo(target, per_category, seed, metrics, say, width)


def _run_demo(
    target: Path,
    per_category: int,
    seed: int,
    metrics: Sequence[str] | None,
    say: Callable[[str], object],
    width: int | None,
) -> list[RunResult]:
    say(f"making a synthetic sample in {target / 'sample'}")
    with tqdm(desc="sample", unit="file", disable=is_quiet() or not sys.stderr.isatty()) as bar:
        folders = write_sample(
            target / "sample", per_category=per_category, seed=seed, on_file=lambda path: bar.update()
        )
    _stream(folders.benchmark, lambda line: say(wrapped(line, width)))

    split = open_split(SPLIT, data_dir=str(folders.benchmark))
    names = tuple(embedded_metrics() if metrics is None else metrics)
    tasks = load_tasks(names, split, embedded=True)
    results, thumbnails = [], {}
    for model, videos in folders.videos.items():
        found = find_videos(str(videos), [sample.id for sample in split.samples])
        output = Output(target / "results" / model, SPLIT, overwrite=True)
        result = score_passes(
            Run(found, split.samples, model=model, split=SPLIT, benchmark=split.provenance),
            [MetricPass(names, lambda: tasks)],
            names,
            output=output,
        )
        results.append(result)
        thumbnails[model, SPLIT] = find_thumbnails(output.result)
    say(format_text(results, width=width))
    for note in notes(results):
        say(wrapped(f"note: {note}", width))
    page = write_report(
        results,
        target / "report",
        title="Simulated models on the synthetic sample",
        extra=[_strips(folders, split, per_category)],
        thumbnails=thumbnails,
        benchmarks=[split],
    )
    say(f"wrote {target / 'results'}\nwrote {page}")
    _from_a_name(target, folders.benchmark, names, lambda line: say(wrapped(line, width)))
    _from_videos(target, seed, say)
    return results


def _from_a_name(target: Path, benchmark: Path, metrics: Sequence[str], say: Callable[[str], object]) -> None:
    """From a model's name to its scorecard, with the tiny pipeline of random weights."""
    if find_spec("diffusers") is None:
        say("making videos needs diffusers: pip install 'opens2v-hf[generate]'")
        return
    quick = [name for name in _QUICK if name in metrics]
    say('score(model="embedded", limit=2) makes videos with a tiny pipeline of random weights, and scores them')
    result = score(
        model="embedded",
        split=SPLIT,
        data_dir=benchmark,
        out=target / "generated",
        metrics=quick,
        metric_models="embedded",
        limit=2,
    )
    if result.generation is not None:
        say(result.generation.describe())
    columns = result.scorecard().columns
    values = {name: columns[name].normalised for name in quick}
    shown = ", ".join(f"{name} {value:.2%}" for name, value in values.items() if value is not None)
    say(f"{shown}: the videos are noise, so these numbers only show that every step works")


def _from_videos(target: Path, seed: int, say: Callable[[str], object]) -> None:
    """From ten videos to a dataset like OpenS2V-5M and the page of a sample."""
    from datasets import load_dataset

    from opens2v_hf.reports.sheet.show import DatasetLocation, fetch, write_sheet

    say("build(...) makes a dataset of ten synthetic videos: clips, captions, subjects with masks, pairs")
    made = write_dataset(target / "videos", clusters=2, clips_per_cluster=4, singles=2, seed=seed) / "videos"
    scenes = "scenedetect" if find_spec("scenedetect") else "none"
    dataset = target / "dataset"
    say(str(build(made, dataset, options=BuildOptions(models="embedded", min_seconds=1, scene_detector=scenes))))
    rows = load_dataset("opens2v-5m", split="train", data_dir=str(dataset), streaming=True)
    first = next(iter(rows.remove_columns(["video", "background"])))
    say(f'load_dataset("opens2v-5m", data_dir="{dataset}") gives {first["id"]}: "{first["caption"]}"')
    page = write_sheet(fetch(DatasetLocation(str(dataset)), first["id"]), target / "sample.html")
    say(f"wrote {page}")


def embedded_metrics() -> list[str]:
    """Names of the metrics whose models are all embedded."""
    return [name for name in DEFAULT_METRICS if all(has_embedded(role) for role in METRICS[name].roles)]


def _stream(benchmark: Path, say: Callable[[str], object]) -> None:
    """Stream the sample with `datasets` and print its first row."""
    from datasets import load_dataset

    rows = load_dataset("opens2v-eval", SPLIT, split="test", data_dir=str(benchmark), streaming=True)
    first = next(iter(rows))
    subjects = ", ".join(f"{subject['label']} {subject['image'].size}" for subject in first["subjects"])
    say(
        f'load_dataset("opens2v-eval", "{SPLIT}", streaming=True) gives {first["id"]}: "{first["prompt"]}" [{subjects}]'
    )


def _strips(folders: SampleFolders, split: EvalSplit, per_category: int) -> Picture:
    """Frames of one sample by each simulated model."""
    sample_id = next(i for i in eval_ids(per_category) if i.startswith("singleobj"))
    prompt = next(sample.prompt for sample in split.samples if sample.id == sample_id)
    figure = Figure(figsize=(11, 0.95 * len(folders.videos) + 0.6), layout="constrained")
    panels = figure.subplots(len(folders.videos), 1)
    for panel, (model, videos) in zip(np.atleast_1d(panels), folders.videos.items(), strict=True):
        frames = Clip(videos / f"{sample_id}.mp4", rules=(_STRIP_FRAMES,)).frames(_STRIP_FRAMES)
        panel.imshow(np.concatenate(list(frames), axis=1))
        panel.set_ylabel(model, rotation=0, ha="right", va="center")
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
    figure.suptitle(f"{sample_id}: {prompt}", fontsize=10)
    shows = f"Frames of the videos for the prompt: {prompt}"
    return Picture("What the simulated models show", plots.to_png(figure), shows)
