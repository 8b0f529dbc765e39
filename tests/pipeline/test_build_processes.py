"""Builds by several processes, and builds that are killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers.build_stages import Log, Trip, files_of, usual, write_videos

from opens2v_hf._util.console import is_quiet
from opens2v_hf.errors import ArgumentError, ModelError, ProcessError
from opens2v_hf.models.hub_access import ModelUnavailableError
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.engines import local
from opens2v_hf.pipeline.engines.local import LocalEngine, _silent_end
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.stage import StageOutput

SMALL = BuildOptions(unit_files=2)


class Closed(Log):
    """Can be sent to another process, and not be opened there."""

    def __reduce__(self):
        return int, ("no number",)


class Broken(Log):
    """Fails as code fails that nobody has foreseen."""

    def __init__(self, at: str = ""):
        super().__init__("", name="broken")
        self.at = at

    def load(self):
        if not self.at:
            raise KeyError("weights")

    def __call__(self, clips):
        return StageOutput([None if clip.source.name == self.at else clip for clip in clips])


NAMES = [f"{letter}.mp4" for letter in "abcdefgh"]


def run_module(name: str, *arguments: object) -> str:
    """Run a helper in a process of its own, which may fork: this one has threads."""
    roots = f"{Path(__file__).parents[1]}{os.pathsep}{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-m", name, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos"), NAMES)


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> dict[str, bytes]:
    """By one process; what all others must come to."""
    folder = tmp_path_factory.mktemp("one")
    build_dataset(videos, folder, stages=usual(), options=SMALL)
    return files_of(folder)


def test_three_processes_give_the_same_bytes_as_one(videos, built, tmp_path):
    """Two do so in the next test, after one was killed."""
    log = tmp_path / "log"
    stages = usual(Log(str(log)))
    build = build_dataset(videos, tmp_path / "out", stages=stages, options=SMALL, engine=LocalEngine(3))
    assert build.is_complete
    assert set(Counter(log.read_text().split()).values()) == {1}
    assert len(log.read_text().split()) == 16
    assert files_of(tmp_path / "out") == built


def test_finished_units_survive_a_killed_process(videos, built, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    stages = usual(Log(str(log)), Trip("e.mp4", kill=True, once=str(tmp_path / "killed")))
    with pytest.raises(ProcessError, match=r"process \d of 2 died at clips-00002"):
        build_dataset(videos, out, stages=stages, options=SMALL, engine=LocalEngine(2))
    done = {path.name for path in (out / ".build").glob("clips-*.json")}
    build = build_dataset(videos, out, stages=stages, options=SMALL, engine=LocalEngine(2))
    assert build.is_complete
    assert files_of(out) == built
    counts = Counter(log.read_text().split())
    finished = {name for number, name in enumerate(NAMES) if f"clips-{number // 2:05d}.json" in done}
    assert {counts[id_] for id_ in counts if f"{id_.partition('_')[0]}.mp4" in finished} <= {1}


def test_an_unexpected_error_of_a_process_is_put_in_words_and_its_traceback_is_in_a_file(videos, tmp_path, capfd):
    out = tmp_path / "out"
    with pytest.raises(ProcessError, match=r"ValueError: invalid literal.*please report it with errors\.log"):
        build_dataset(videos, out, stages=usual(Closed("")), options=SMALL, engine=LocalEngine(2))
    assert "Traceback" not in "".join(capfd.readouterr())
    assert "Traceback" in (out / ".build/errors.log").read_text()


def test_an_interrupt_reaches_no_child_the_first_included():
    """In a fresh interpreter, where the first process starts that of `multiprocessing` as well."""
    script = """if True:
        import multiprocessing, signal
        from opens2v_hf.pipeline.engines.local import _no_interrupts
        child = multiprocessing.get_context("spawn").Process(target=signal.raise_signal, args=(signal.SIGINT,))
        with _no_interrupts():
            child.start()
        child.join()
        print(child.exitcode)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_processes_that_end_without_a_message():
    assert "ended with exit code 3. A Python script must" in str(_silent_end([-9, 3, 0]))
    assert "was killed; run the same command again" in str(_silent_end([0, -9]))


def test_an_unexpected_error_of_one_unit_costs_no_other(videos, tmp_path, capfd):
    out = tmp_path / "out"
    build = build_dataset(videos, out, stages=usual(Broken("c.mp4")), options=SMALL)
    assert list(build.failed) == ["clips-00001"]
    assert "an unexpected error (AttributeError" in build.failed["clips-00001"]
    assert build.rows["regular"] == 12  # two clips of each of the six files of the other units
    assert "Traceback" not in "".join(capfd.readouterr())
    assert "Traceback" in (out / ".build/errors.log").read_text()


def test_a_child_reports_an_error_that_is_not_made_from_its_message_alone(tmp_path, monkeypatch):
    def offline(job):
        raise ModelUnavailableError("embedder", "org/name", "there is no such repo")

    monkeypatch.setattr(local, "_share", offline)
    monkeypatch.setattr(local, "hide_bars", lambda: None)
    monkeypatch.setattr(local, "hide_bars_of_weights", lambda: None)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    local._child(pickle.dumps(None), str(tmp_path / "errors.log"), {}, is_quiet(), theirs)
    error = ours.recv()
    assert type(error) is ModelError
    assert "the embedder 'org/name' cannot be loaded" in str(error)


def test_a_stage_that_cannot_be_loaded_or_sent_is_named(videos, tmp_path):
    with pytest.raises(ModelError, match=r"the stage broken cannot be loaded \(KeyError: 'weights'\)"):
        build_dataset(videos, tmp_path / "one", stages=usual(Broken()), options=SMALL)
    held = Log("")
    held.file = sys.stdout
    with pytest.raises(ArgumentError, match=r"cannot be sent to other processes \(TypeError"):
        build_dataset(videos, tmp_path / "two", stages=usual(held), options=SMALL, engine=LocalEngine(2))


def test_a_file_that_crashes_processes_is_dropped(videos, tmp_path, monkeypatch):
    """Two have ended; then each file of the unit is read by a process of its own first."""
    out = tmp_path / "out"
    run_module("helpers.killed_builds", "--crash", videos, out)

    def reads(file):
        if file.name == "b.mp4":
            os.kill(os.getpid(), 11)

    monkeypatch.setattr("opens2v_hf.pipeline.engines.local._read_all", reads)
    build = build_dataset(videos, out, stages=usual(Trip("b.mp4", kill=True)), limit=3)
    assert build.rows["regular"] == 4
    assert build.stages[0].name == "input"
    assert build.stages[0].rules == {"crash": 1}
    note = json.loads((out / ".build/clips-00000.json").read_text())
    assert note["dropped"][0]["reason"] == "b.mp4: reading it ends a process by signal 11; re-encode it"


def test_a_build_that_is_killed_anywhere_resumes_to_the_same_bytes(videos, tmp_path):
    few = tmp_path / "videos"
    few.mkdir()
    for name in NAMES[:2]:
        (few / name).write_bytes((videos / name).read_bytes())
    digests = run_module("helpers.killed_builds", few, tmp_path / "out").split()
    assert len(digests) > 15  # a rename and a wait for each of six files, and for lines of the journal
    assert len(set(digests)) == 1
