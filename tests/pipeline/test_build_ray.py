"""Builds on a Ray of this machine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from helpers.build_stages import Describe, Log, Trip, files_of, usual, write_videos

from opens2v_hf.errors import ArgumentError, ModelError, ProcessError
from opens2v_hf.models.hub_access import ModelUnavailableError
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.engines.pools import Segment, check_room, pool_sizes, segments_of
from opens2v_hf.pipeline.engines.ray import RayEngine, _Worker, connected
from opens2v_hf.pipeline.inputs import list_input
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.readers import VideoFiles
from opens2v_hf.pipeline.stage import Resources, StageOutput
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.unit_work import UnitWork
from opens2v_hf.pipeline.units import BuildUnit

SMALL = BuildOptions(unit_files=1)
NAMES = [f"{letter}.mp4" for letter in "abcd"]


class NoModel(Describe):
    """Fails as code fails that nobody has foreseen."""

    def load(self):
        raise KeyError("weights")


class Odd(Log):
    """Returns something else than clips."""

    def __call__(self, clips):
        return StageOutput([None])


class Slow(Log):
    """So slow that a driver can be killed meanwhile."""

    def __call__(self, clips):
        time.sleep(0.2)
        return super().__call__(clips)


def needs(name: str, cpus: float = 1.0, gpus: float = 0.0) -> Describe:
    return Describe(name=name, resources=Resources(cpus, gpus))


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos"), NAMES)


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> dict[str, bytes]:
    """By the local engine, without the clips of b.mp4."""
    folder = tmp_path_factory.mktemp("one")
    build_dataset(videos, folder, stages=usual(Trip("b.mp4")), options=SMALL)
    return files_of(folder)


@pytest.fixture(scope="module")
def cluster():
    """One Ray for all tests, as an engine starts it; other processes connect to it by its address."""
    pytest.importorskip("ray")
    here = Path(__file__)
    roots = os.pathsep.join([str(here.parents[2]), str(here.parents[1]), str(here.parent)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", roots)
        # these would be of no use: they start without the environment that the workers of an engine have
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        with connected(None, num_cpus=4) as ray:
            yield ray.get_runtime_context().gcs_address


def test_the_same_bytes_though_a_worker_is_killed_and_a_clip_fails(cluster, videos, built, tmp_path):
    stages = usual(Trip("b.mp4"), Trip("c.mp4", kill=True, once=str(tmp_path / "killed"), name="kill"))
    build = build_dataset(videos, tmp_path / "out", stages=stages, options=SMALL, engine=RayEngine(workers=2))
    assert (tmp_path / "killed").exists()
    assert build.is_complete
    assert build.rows["regular"] == 6
    assert {stage.name: stage.rules for stage in build.stages if stage.rules} == {"trip": {"error": 2}}
    assert files_of(tmp_path / "out") == built


def test_a_model_that_cannot_be_loaded_ends_the_build(cluster, videos, tmp_path):
    with pytest.raises(ModelError, match=r"the stage describe cannot be loaded \(KeyError: 'weights'\)"):
        build_dataset(videos, tmp_path / "no", stages=[Probe(), NoModel()], engine=RayEngine(workers=1))
    assert not list((tmp_path / "no/.build").glob("ray-*"))
    assert "Traceback" in (tmp_path / "no/.build/errors.log").read_text()


def worker_of(folder: Path, *stages) -> _Worker:
    """In this process."""
    cloudpickle = pytest.importorskip("ray").cloudpickle
    (folder / ".build").mkdir(exist_ok=True)
    (folder / ".build/mark").touch()
    work = UnitWork(folder, stages, VideoFiles(14, None), "recipe")
    return _Worker(cloudpickle.dumps(work), str(folder), "mark", True, True)


@pytest.mark.parametrize(("damaged", "kind"), [(False, "AttributeError"), (True, "UnpicklingError")])
def test_an_unexpected_error_of_a_worker_is_that_of_one_unit(videos, tmp_path, damaged, kind):
    worker = worker_of(tmp_path, Probe(), Odd(""))
    unit = BuildUnit("clips-00000", list_input(videos).files[:1])
    state = b"damaged" if damaged else pickle.dumps((unit, None))
    row = worker({"unit": unit.name, "state": state, "error": "", "kind": ""})
    assert row["error"].startswith(f"clips-00000: an unexpected error ({kind}")
    assert row["kind"] == ""
    assert "Traceback" in (tmp_path / ".build/errors.log").read_text()


class Exits(Describe):
    """A script that ends its process."""

    def load(self):
        sys.exit(3)


class Offline(Describe):
    """Its model is a class of error that other processes do not make from a text."""

    def load(self):
        raise ModelUnavailableError("embedder", "org/name", "there is no such repo")


@pytest.mark.parametrize(
    ("stage", "message"),
    [(Exits(), "cannot be loaded (RuntimeError: the code called sys.exit(3))"), (Offline(), "there is no such repo")],
)
def test_a_worker_that_cannot_load_gives_an_error_of_the_package(tmp_path, stage, message):
    row = worker_of(tmp_path, stage)({"unit": "clips-00000", "state": b"", "error": "", "kind": ""})
    assert message in row["error"]
    assert row["kind"] == "ModelError"


def test_errors_of_ray_are_put_in_words(cluster, videos, tmp_path, monkeypatch):
    from ray.data import Dataset
    from ray.data.exceptions import ExecutionTimeoutError  # no `RayError`

    held = Log("")
    held.file = sys.stdout
    with pytest.raises(ArgumentError, match=r"cannot be sent to workers \(TypeError"):
        build_dataset(videos, tmp_path / "held", stages=usual(held), options=SMALL, engine=RayEngine(workers=1))

    def stalls(*_):
        raise ExecutionTimeoutError("no progress\n")

    monkeypatch.setattr(Dataset, "iter_rows", stalls)
    with pytest.raises(ProcessError, match=r"Ray gave up \(no progress\); .*the same command resumes"):
        build_dataset(videos, tmp_path / "late", stages=usual(), options=SMALL, engine=RayEngine(workers=1))
    assert "ExecutionTimeoutError" in (tmp_path / "late/.build/errors.log").read_text()
    assert not [path for out in ("held", "late") for path in (tmp_path / out / ".build").glob("ray-*")]


def test_too_few_cpus_are_an_error_and_no_wait(cluster, videos, tmp_path):
    with pytest.raises(ArgumentError, match="has 4 CPUs, and 5 are needed: 4 x probe"):
        build_dataset(videos, tmp_path / "out", stages=usual(), engine=RayEngine(workers=4))
    stages = [Probe(), Describe(resources=Resources(gpus=1.0))]
    with pytest.raises(ArgumentError, match=r"has 0 GPUs, and 1 are needed: 1 x probe, 1 x describe"):
        build_dataset(videos, tmp_path / "gpu", stages=stages, engine=RayEngine())


def test_a_driver_that_is_killed_finishes_each_unit_once(cluster, videos, built, tmp_path):
    """The second run does what the first has not; nothing that was done is done again."""
    log = tmp_path / "log"
    script = (
        "import sys; from helpers.build_stages import usual, Trip; from test_build_ray import *; "
        "build_dataset(sys.argv[1], sys.argv[2], stages=usual(Trip('b.mp4'), Slow(sys.argv[3])), options=SMALL, "
        "engine=RayEngine(sys.argv[4], workers=1))"
    )
    command = [sys.executable, "-c", script, str(videos), str(tmp_path / "out"), str(log), cluster]
    first = subprocess.Popen(command, start_new_session=True)
    notes = tmp_path / "out" / ".build"
    until = time.monotonic() + 600
    while not list(notes.glob("clips-*.json")) and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    first.kill()
    first.wait()
    done = {path.stem for path in notes.glob("clips-*.json")}
    assert done
    subprocess.run(command, check=True, timeout=600)
    assert files_of(tmp_path / "out") == built
    counts = Counter(log.read_text().split())
    finished = [f"{name[0]}_part" for number, name in enumerate(NAMES) if f"clips-{number:05d}" in done]
    assert all(count == 1 for id_, count in counts.items() if id_.startswith(tuple(finished)))


def test_stages_without_a_gpu_share_a_worker():
    stages = [needs("a"), needs("b", cpus=2), needs("c", gpus=1), needs("d", gpus=0.5), needs("e")]
    found = [(segment.name, segment.cpus, segment.gpus) for segment in segments_of(stages)]
    assert found == [("a+b", 2, 0), ("c", 1, 1), ("d", 1, 0.5), ("e", 1, 0)]


def test_workers_go_to_what_takes_longest():
    segments = [
        Segment((needs("fast"),), 1, 0),
        Segment((needs("slow", gpus=1),), 1, 1),
        Segment((needs("mid"),), 1, 0),
    ]
    seconds = {"fast": 1.0, "slow": 100.0, "mid": 6.6}
    # 12 CPUs, one of them Ray's, three for the GPUs: "mid" with 1 to 7 workers takes 6.6, 3.3, 2.2, 1.65, 1.32, 1.1 and
    # 0.94, "fast" with one 1.0
    assert pool_sizes(segments, 12, 3, seconds=seconds) == [1, 3, 7]
    assert pool_sizes(segments, 12, 3, seconds=seconds, most=2) == [2, 2, 2]
    with pytest.raises(ArgumentError, match="has 3 CPUs, and 4 are needed"):
        check_room(segments, [1, 1, 1], 3, 1)
