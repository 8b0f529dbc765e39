from __future__ import annotations

from pathlib import Path

import pytest
from helpers.fault_run import Runs, write_videos
from helpers.nexus_models import save_nexus_models

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.passes import groups_by_models, plan_passes
from opens2v_hf.models.roles import ModelChoice


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
    with pytest.raises(ArgumentError, match="model 'judge'"):
        plan_passes(["gmescore"], split, models={"judge": ModelChoice("embedded")}, memory="low")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux gives the peak of memory")
def test_low_memory_holds_the_models_of_one_group_at_a_time(tmp_path: Path, runs: Runs) -> None:
    videos = write_videos(tmp_path / "videos")

    def peak_mb(memory: str) -> float:
        job = {"videos": str(videos), "out": str(tmp_path / memory), "memory": memory, "pause_s": 0.0}
        assert runs.run({**job, "num_weights": 150_000_000, "peak": str(tmp_path / f"{memory}.txt")}) == 0
        return float((tmp_path / f"{memory}.txt").read_text())

    assert peak_mb("keep") > 430  # three metrics of 150 MB
    assert peak_mb("low") < 400  # one metric, then two
