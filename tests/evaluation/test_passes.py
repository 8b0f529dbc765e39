from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.fault_run import write_videos
from helpers.nexus_models import save_nexus_models

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.passes import groups_by_models, plan_passes
from opens2v_hf.models.roles import ModelChoice

TESTS = Path(__file__).resolve().parents[1]


def test_metrics_that_share_a_model_stay_together() -> None:
    roles = {"a": ("x",), "b": ("y",), "c": ("z", "w"), "d": ("y", "w"), "e": ()}
    # b and d share y, d and c share w
    assert groups_by_models(roles) == [("a", "e"), ("b", "c", "d")]


def test_metrics_without_models_make_one_group() -> None:
    assert groups_by_models({"a": (), "b": ()}) == [("a", "b")]


def test_each_group_gets_its_own_models_and_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")  # where no key is needed
    write_eval(tmp_path / "benchmark", per_category=1)
    split = open_split("open-domain", data_dir=str(tmp_path / "benchmark"))
    folders = save_nexus_models(tmp_path / "models")
    models = {role: ModelChoice(folder, {"device": "cpu"}) for role, folder in folders.items()}
    names = ["nexusscore", "motion_amplitude", "naturalscore", "gmescore"]
    passes = plan_passes(
        names,
        split,
        models=models,
        options={"gmescore": {"num_frames": 3}, "naturalscore": {"runs": 2}},
        memory="low",
    )
    assert [part.names for part in passes] == [("nexusscore", "motion_amplitude", "gmescore"), ("naturalscore",)]
    nexus, motion, gme = (task.metric for task in passes[0].load())
    assert nexus.embedder is gme.embedder
    assert gme.sampling.count == 3
    assert motion.models == ()
    assert [part.names for part in plan_passes(names, split, models=models)] == [tuple(names)]


def test_wrong_requests_are_refused_before_models_are_loaded(tmp_path: Path) -> None:
    write_eval(tmp_path, per_category=1)
    split = open_split("open-domain", data_dir=str(tmp_path))
    with pytest.raises(ArgumentError, match="memory must be one of keep, low"):
        plan_passes(["gmescore"], split, memory="some")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="no option colour"):
        plan_passes(["gmescore", "naturalscore"], split, options={"naturalscore": {"colour": 1}}, memory="low")
    with pytest.raises(ArgumentError, match="has use for a model 'judge'"):
        plan_passes(["gmescore"], split, models={"judge": ModelChoice("embedded")}, memory="low")


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from helpers.fault_run import RULES, Cheap, find_videos, samples, SPLIT
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.metrics.apply import MetricTask

class Heavy(Cheap):
    pass

def load(names):
    tasks = []
    for name in names:
        metric = Heavy(name, RULES[name], Path(sys.argv[1]).parent / "log")
        metric.weights = np.ones(150_000_000, np.uint8)
        tasks.append(MetricTask(metric, lambda sample: None))
    return tasks

names = tuple(RULES)
groups = [names] if sys.argv[2] == "keep" else [(name,) for name in names]
split = samples()
run = Run(find_videos(sys.argv[1], [sample.id for sample in split]), split, "m", SPLIT, {}, "pyav")

def peak_kib():
    # of this program alone, where getrusage counts what the process was before it became this program
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

before = peak_kib()
score_passes(run, [MetricPass(group, lambda group=group: load(group)) for group in groups], names)
print(peak_kib() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells the peak of its memory on Linux alone")
def test_low_memory_holds_the_models_of_one_group_at_a_time(tmp_path: Path) -> None:
    videos = write_videos(tmp_path / "videos")

    def peak_mb(memory: str) -> float:
        printed = subprocess.run(
            [sys.executable, "-c", PEAK, str(videos), memory],
            env={"PYTHONPATH": ":".join([str(TESTS), *sys.path]), "PATH": ""},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        return int(printed) / 1000

    assert peak_mb("keep") > 430  # three times 150 MB
    assert peak_mb("low") < 340  # once, and what scoring itself takes
