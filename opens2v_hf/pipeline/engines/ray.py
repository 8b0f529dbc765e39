"""Process units on a cluster: Ray Data schedules them, a row for each unit; the shards are those of other engines."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opens2v_hf import errors
from opens2v_hf._util.console import hide_bars
from opens2v_hf._util.progress import Progress
from opens2v_hf.errors import (
    ArgumentError,
    MissingDependencyError,
    ModelError,
    OpenS2VError,
    ProcessError,
    ResultError,
    ServiceUnavailableError,
)
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.pipeline.apply import UnitResult, apply_stages
from opens2v_hf.pipeline.engines.outcome import EngineResult, plain_error
from opens2v_hf.pipeline.engines.pools import Segment, check_room, pool_sizes, segments_of
from opens2v_hf.pipeline.unit_work import UnitWork
from opens2v_hf.pipeline.units import ERRORS, WORK_FOLDER, BuildUnit, read_note

_OBJECT_STORE_BYTES = 256 << 20  # rows hold records, no pictures
_CONCERNS_ALL = (ArgumentError, MissingDependencyError, ModelError, ResultError)


@dataclass(frozen=True)
class RayEngine:
    """Does units on the workers of a Ray cluster.

    The dataset's folder must be one that all nodes see under the same absolute path, the input as well (or a URL), and
    this package must be installed on all of them.

    Attributes:
        address: of a running cluster, e.g. "auto" or "ray://head:10001"; None to start Ray on this machine, or to use
            the one that this process is connected to.
        workers: of each segment of stages; None for as many as there is room for, divided by what stages took in the
            units that are done.
        num_cpus: of a Ray that is started on this machine; None for its cores.
        unit_timeout_s: seconds without any progress after which the run ends.
    """

    address: str | None = None
    workers: int | None = None
    num_cpus: int | None = None
    unit_timeout_s: float = 12 * 3600.0

    def run(self, work: UnitWork, units: Sequence[BuildUnit], *, total: int | None = None) -> EngineResult:
        """See `LocalEngine.run`.

        Raises:
            ArgumentError: there are too few CPUs or GPUs for a worker of each segment.
            MissingDependencyError: Ray is not installed.
            OpenS2VError: an option cannot be used, or nothing can be written. Finished units remain.
            ProcessError: Ray gave up. Likewise.
        """
        if self.workers is not None and self.workers < 1:
            raise ArgumentError(f"there is at least one worker (got workers={self.workers!r})")
        if not units:
            return EngineResult()
        with connected(self.address, self.num_cpus) as ray:
            segments = segments_of(work.stages)
            sizes = self._sizes(ray, segments, work)
            count = len(units) if total is None else total
            with Progress(count, description="building", unit="unit", initial=count - len(units)) as progress:
                return self._run(ray, work, units, segments, sizes, progress)

    def _sizes(self, ray: Any, segments: Sequence[Segment], work: UnitWork) -> list[int]:
        there = ray.cluster_resources()
        cpus, gpus = there.get("CPU", 0.0), there.get("GPU", 0.0)
        if self.workers is not None:
            sizes = [self.workers] * len(segments)
            check_room(segments, sizes, cpus, gpus)
            return sizes
        return pool_sizes(segments, cpus, gpus, seconds=measured_seconds(work.folder))

    def _run(
        self,
        ray: Any,
        work: UnitWork,
        units: Sequence[BuildUnit],
        segments: Sequence[Segment],
        sizes: Sequence[int],
        progress: Progress,
    ) -> EngineResult:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = self.unit_timeout_s
        parts = [_pickled(ray, replace(work, stages=segment.stages)) for segment in segments]
        rows = [{"unit": unit.name, "state": pickle.dumps((unit, None)), "error": "", "kind": ""} for unit in units]
        mark = work.folder / WORK_FOLDER / f"ray-{secrets.token_hex(8)}"
        mark.touch()
        done: list[str] = []
        failed: dict[str, str] = {}
        try:
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
            for index, (segment, part, size) in enumerate(zip(segments, parts, sizes, strict=True)):
                ends = (index == 0, index == len(segments) - 1)
                dataset = dataset.map(
                    _Worker,
                    fn_constructor_args=(part, str(work.folder), mark.name, *ends),
                    compute=ray.data.ActorPoolStrategy(size=size),
                    num_cpus=segment.cpus,
                    num_gpus=segment.gpus or None,
                )
            for row in dataset.iter_rows():
                if row["kind"]:
                    raise getattr(errors, row["kind"])(row["error"])
                if row["error"]:
                    failed[row["unit"]] = row["error"]
                else:
                    done.append(row["unit"])
                progress.advance(1)
        except OpenS2VError:
            raise
        except Exception as error:  # some of Ray Data's own errors are no `RayError`
            ErrorLog(work.folder / ERRORS).write("Ray", error)
            lines = [*str(error).strip().splitlines(), ""]
            last = next((line for line in reversed(lines) if line.strip()), type(error).__name__)
            raise ProcessError(
                f"Ray gave up ({last.strip()}); the traceback is in {ERRORS}. Finished units remain, and the same "
                "command resumes from there"
            ) from error
        finally:
            mark.unlink(missing_ok=True)
        return EngineResult(tuple(done), failed)


def _pickled(ray: Any, part: UnitWork) -> bytes:
    try:
        pickled: bytes = ray.cloudpickle.dumps(part)
    except Exception as error:  # a stage may hold anything
        raise ArgumentError(
            f"the stages cannot be sent to workers ({type(error).__name__}: {error}); let them open what they need in "
            "`load`"
        ) from error
    return pickled


class _Worker:
    """Applies the stages of one segment to units, with its models loaded once.

    Nothing may leave it: Ray starts a worker whose constructor fails again and again, and gives up with all units for
    an error with one row.
    """

    def __init__(self, part: bytes, folder: str, mark: str, first: bool, last: bool) -> None:
        self._first, self._last = first, last
        self._log = ErrorLog(Path(folder, ERRORS))
        self._fault: OpenS2VError | None = None
        try:
            hide_bars()
            if not Path(folder, WORK_FOLDER, mark).exists():
                raise ResultError(
                    f"{folder} is not there on a node of the cluster; choose a folder that all nodes see under the "
                    "same path"
                )
            from ray import cloudpickle  # a stage may be a class of the user's script, which `pickle` cannot carry

            self._work: UnitWork = cloudpickle.loads(part)
            self._work.load()
        except OpenS2VError as error:
            self._fault = error
        except (Exception, SystemExit) as error:  # e.g. the module of a user's stage is missing on this node
            self._log.write("a worker that loads its stages", error)
            self._fault = ModelError(
                f"a worker cannot load its stages ({type(error).__name__}: {error}); the traceback is in {ERRORS}"
            )

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if row["error"]:
            return dict(row)
        if self._fault is not None:
            return _failed(row, self._fault)
        try:
            return {**row, "state": self._next_state(row["state"])}
        except ServiceUnavailableError as error:  # other units of this worker would wait for it as well
            self._fault = error
            return _failed(row, error)
        except OpenS2VError as error:
            return _failed(row, error)
        except (Exception, SystemExit) as error:  # any error costs this unit only
            self._log.write(row["unit"], error)
            reason = f"{row['unit']}: an unexpected error ({type(error).__name__}: {error}); {self._log.advice}"
            return _failed(row, ProcessError(reason))

    def _next_state(self, state: bytes) -> bytes:
        """What the next segment takes; empty after the last one, which writes the shard."""
        unit, before = pickle.loads(state)  # noqa: S301 - from the driver or another worker
        result: UnitResult = apply_stages((), self._work.stages, self._work.begin(unit) if self._first else before)
        if not self._last:
            return pickle.dumps((unit, result))
        self._work.finish(unit, result)
        return b""


def _failed(row: Mapping[str, Any], error: OpenS2VError) -> dict[str, Any]:
    plain = plain_error(error)
    kind = type(plain).__name__ if isinstance(plain, _CONCERNS_ALL) else ""
    return {**row, "state": b"", "error": str(plain), "kind": kind}


def measured_seconds(folder: Path) -> dict[str, float]:
    """Stage -> seconds that it took in the units of a dataset that are done."""
    seconds: dict[str, float] = {}
    for path in sorted((folder / WORK_FOLDER).glob("clips-*.json")):
        note = read_note(folder, BuildUnit(path.stem, ()))
        for step in note["stages"] if note is not None else ():
            seconds[step["name"]] = seconds.get(step["name"], 0.0) + step["seconds"]
    return seconds


@contextmanager
def _silent_driver() -> Iterator[None]:
    """Ray writes remarks on the actors of Ray Data to the terminal of a process that was connected outside of this."""
    name = "RAY_BACKEND_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ.setdefault(name, "fatal")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


@contextmanager
def connected(address: str | None, num_cpus: int | None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster, to a Ray that this process has already, or to one that is started here.

    Raises:
        MissingDependencyError: Ray is not installed.
        ProcessError: the cluster cannot be reached.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            f"building on a cluster needs Ray ({error}): pip install 'opens2v-hf[ray]'"
        ) from error
    if ray.is_initialized():
        yield ray
        return
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):  # its plans of execution; the file of the session has them
            handler.setLevel(logging.ERROR)
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is not None:
        settings["address"] = address
    else:
        # workers do not see what this process has added to its path
        paths = os.pathsep.join(path for path in sys.path if path)
        settings |= {
            "num_cpus": num_cpus,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "runtime_env": {"env_vars": {"PYTHONPATH": paths}},
        }
    try:
        with _silent_driver():
            ray.init(**settings)
    except Exception as error:  # of Ray, of the network, or of the system
        where = f"the Ray cluster {address}" if address else "Ray on this machine"
        raise ProcessError(f"cannot reach {where}: {error}; check that it runs and its version") from error
    try:
        yield ray
    finally:
        ray.shutdown()
