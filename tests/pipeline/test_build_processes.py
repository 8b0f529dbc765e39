"""Builds by several processes, and builds that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers import killed_builds
from helpers.build_stages import Log, Trip, files_of, usual, write_videos

from opens2v_hf.errors import ProcessError
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.engines.local import LocalEngine
from opens2v_hf.pipeline.options import BuildOptions

SMALL = BuildOptions(unit_files=2)
NAMES = [f"{letter}.mp4" for letter in "abcdefgh"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos"), NAMES)


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> dict[str, bytes]:
    """By one process; what all others must come to."""
    folder = tmp_path_factory.mktemp("one")
    build_dataset(videos, folder, stages=usual(), options=SMALL)
    return files_of(folder)


@pytest.mark.parametrize("count", [2, 4])
def test_any_number_of_processes_gives_the_same_bytes(videos, built, tmp_path, count):
    log = tmp_path / "log"
    stages = usual(Log(str(log)))
    build = build_dataset(videos, tmp_path / "out", stages=stages, options=SMALL, engine=LocalEngine(count))
    assert build.is_complete
    assert set(Counter(log.read_text().split()).values()) == {1}
    assert len(log.read_text().split()) == 16
    assert files_of(tmp_path / "out") == built


def test_a_process_that_is_killed_costs_nothing_that_is_done(videos, built, tmp_path):
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


def test_a_file_at_which_processes_end_is_left_out(videos, tmp_path, monkeypatch):
    """Two have ended; then each file of the unit is read by a process of its own first."""
    out = tmp_path / "out"
    script = (
        "import sys; from pathlib import Path; from helpers.build_stages import *; "
        "from opens2v_hf.pipeline.api import build_dataset; "
        "build_dataset(sys.argv[1], sys.argv[2], stages=usual(Trip('b.mp4', kill=True)), limit=3)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}{os.pathsep}{Path(__file__).parents[2]}"}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script, videos, out], env=environment, capture_output=True)
        assert done.returncode == -9

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
    for name in NAMES[:3]:
        (few / name).write_bytes((videos / name).read_bytes())
    roots = f"{Path(killed_builds.__file__).parents[1]}{os.pathsep}{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-m", "helpers.killed_builds", few, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    digests = done.stdout.split()
    assert len(digests) > 15  # a rename and a wait for each of six files, and for lines of the journal
    assert len(set(digests)) == 1
