"""The engine by itself: groups of units that are numbers, errors, or both."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opens2v_hf._util.retries import Retries
from opens2v_hf.errors import (
    ArgumentError,
    EndpointError,
    JudgeError,
    ResultError,
    SampleError,
    ServiceUnavailableError,
    VideoError,
)
from opens2v_hf.jobs import journal as journal_module
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import SINGLE, open_journal
from opens2v_hf.jobs.journal_files import journal_files, read_records
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.processes import SingleProcess
from opens2v_hf.jobs.run import run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import GroupOutcome, Unit

QUIET = Retries(sleep=lambda seconds: None)


class BrokenMessageError(Exception):
    def __str__(self) -> str:
        raise ValueError("no message")


class PanicException(BaseException):
    pass


class Numbers:
    """A group and its open form; each unit is a value or an error to raise."""

    check = None

    def __init__(self, name: str, **units: Any) -> None:
        self.name = self.key = name
        self.facts = {"of": name}
        self.unit_names = tuple(units)
        self.calls: list[str] = []
        self.opening: Exception | None = None
        self._units = units
        self.changes: list[bool] = []

    @property
    def units(self) -> list[Unit]:
        return [
            Unit(
                name, lambda name=name: f"{self.name}/{name}", self._work(name), service=name, required=name == "first"
            )
            for name in self._units
        ]

    def _work(self, name: str) -> Callable[[], Outcome]:
        def work() -> Outcome:
            self.calls.append(name)
            value = self._units[name]
            value = value.pop(0) if isinstance(value, list) else value
            if isinstance(value, BaseException):
                raise value
            return value if isinstance(value, Outcome) else Outcome(value)

        return work

    def cost(self) -> float:
        return 1.0

    def open(self) -> Numbers:
        if self.opening is not None:
            raise self.opening
        return self

    def prepare(self, names: Any) -> None:
        self.calls.append("prepare " + " ".join(names))

    def num_bytes(self) -> int:
        return 1

    def is_changed(self) -> bool:
        return bool(self.changes) and self.changes.pop(0)


def run(*groups: Numbers, folder: Path, **more: Any) -> list[GroupOutcome]:
    journal = open_journal(folder)
    try:
        done = run_units(
            groups,
            journal=journal,
            processes=SingleProcess(more.pop("show", lambda done, failed: None)),
            retries=QUIET,
            errors=ErrorLog(folder / "errors.log"),
            **more,
        )
    finally:
        journal.close()
    return [done[index] for index in range(len(groups))]


def test_finished_units_are_not_done_again(tmp_path: Path) -> None:
    first = Numbers("a", x=1, y=VideoError("broken"))
    (outcome,) = run(first, folder=tmp_path)
    assert outcome.units == {"x": Outcome(1), "y": Outcome(None, "broken")}
    again = Numbers("a", x=1, y=2)
    (outcome,) = run(again, folder=tmp_path)
    assert outcome.units == {"x": Outcome(1, known=True), "y": Outcome(None, "broken", known=True)}
    assert again.calls == []
    (outcome,) = run(again, folder=tmp_path, retry_failed=True)
    assert outcome.units == {"x": Outcome(1, known=True), "y": Outcome(2)}
    assert again.calls == ["prepare y", "y"]
    assert run(again, folder=tmp_path)[0].units["y"] == Outcome(2, known=True)


@pytest.mark.parametrize(
    ("error", "retry", "words"),
    [
        (VideoError("broken"), Retry.NEVER, "broken"),
        (JudgeError("no answer"), Retry.THIS_RUN, "no answer"),
        (EndpointError("no answer"), Retry.THIS_RUN, "no answer"),
        (SampleError("no picture"), Retry.THIS_RUN, "no picture"),
        (ConnectionResetError("reset"), Retry.THIS_RUN, "a, x: ConnectionResetError: reset"),
        (MemoryError(), Retry.NEXT_RUN, "a, x: there is not enough memory (MemoryError)"),
        (OverflowError("too big"), Retry.NEXT_RUN, "a, x: an unexpected error (OverflowError: too big)"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), Retry.NEXT_RUN, "unexpected error (UnicodeDecodeError: "),
        (RecursionError("deep"), Retry.NEXT_RUN, "unexpected error (RecursionError: deep)"),
        (SystemExit(3), Retry.NEXT_RUN, "a, x: an unexpected error (RuntimeError: the code called sys.exit(3))"),
        (BrokenMessageError(), Retry.NEXT_RUN, "a, x: an unexpected error (BrokenMessageError: "),
        (PanicException("index"), Retry.NEXT_RUN, "a, x: an unexpected error (RuntimeError: a library panicked: index"),
    ],
)
def test_an_error_fails_its_unit_only(
    tmp_path: Path, error: BaseException, retry: Retry, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gc.collect", lambda: 0)  # takes seconds after many tests
    (outcome, other) = run(Numbers("a", x=error, y=2), Numbers("b", x=3), folder=tmp_path)
    assert outcome.units["x"].retry is retry
    assert words in outcome.units["x"].reason
    assert outcome.units["y"] == Outcome(2)
    assert other.units["x"] == Outcome(3)
    unexpected = "unexpected" in words
    assert (tmp_path / "errors.log").exists() is unexpected
    if unexpected:
        log = (tmp_path / "errors.log").read_text()
        assert "a, x\nTraceback (most recent call last)" in log
        assert type(error).__name__ in log


@pytest.mark.parametrize("error", [ArgumentError("wrong"), ResultError("full"), KeyboardInterrupt()])
def test_an_error_of_the_caller_ends_the_run(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(Numbers("a", x=error), folder=tmp_path)


@pytest.mark.parametrize(
    ("error", "retry"),
    [(VideoError("gone"), Retry.NEXT_RUN), (OSError("gone"), Retry.NEXT_RUN), (ValueError("odd"), Retry.NEXT_RUN)],
)
def test_a_group_that_cannot_be_opened_fails_and_is_tried_by_the_next_run(
    tmp_path: Path, error: Exception, retry: Retry
) -> None:
    group = Numbers("a", x=1, y=2)
    group.opening = error
    (outcome, other) = run(group, Numbers("b", x=3), folder=tmp_path)
    assert {name: unit.retry for name, unit in outcome.units.items()} == {"x": retry, "y": retry}
    assert outcome.facts == {}
    assert other.units["x"] == Outcome(3)
    group.opening = None
    assert run(group, folder=tmp_path)[0].units["x"] == Outcome(1)


def test_units_after_a_failed_required_unit_fail_with_its_reason(tmp_path: Path) -> None:
    group = Numbers("a", first=VideoError("no header"), x=1, y=2)
    for _ in range(2):
        (outcome,) = run(group, folder=tmp_path)
        assert [unit.reason for unit in outcome.units.values()] == ["no header"] * 3
    assert group.calls.count("first") == 1
    assert "x" not in group.calls


def test_a_service_that_stopped_is_not_called_again_and_other_units_continue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    groups = [Numbers(name, x=ServiceUnavailableError("no answer five times"), y=2) for name in "abc"]
    with caplog.at_level(logging.WARNING):
        outcomes = run(*groups, folder=tmp_path)
    for outcome in outcomes:
        assert outcome.units == {"x": Outcome(None, "no answer five times", Retry.NEXT_RUN), "y": Outcome(2)}
    assert [group.calls.count("x") for group in groups] == [1, 0, 0]
    assert caplog.text.count("no answer five times") == 1
    again = Numbers("a", x=1, y=2)
    assert run(again, folder=tmp_path)[0].units["x"] == Outcome(1)


def test_a_transient_failure_is_retried_at_the_end_of_the_run(tmp_path: Path) -> None:
    shown: list[tuple[int, int]] = []
    first = Numbers("a", x=[JudgeError("busy"), 5])
    second = Numbers("b", x=6)
    outcomes = run(first, second, folder=tmp_path, show=lambda done, failed: shown.append((done, failed)))
    assert [outcome.units["x"] for outcome in outcomes] == [Outcome(5), Outcome(6)]
    assert shown[1] == (1, 1)
    assert shown[-1] == (2, 0)


def test_the_details_of_a_failure_that_is_retried_are_stored_and_the_unit_is_done_again(tmp_path: Path) -> None:
    failed = Outcome({"answer": "hm"}, "no score", Retry.THIS_RUN)
    (outcome,) = run(Numbers("a", x=[failed, failed]), folder=tmp_path)
    assert outcome.units["x"].failed
    stored = [record for path in journal_files(tmp_path) for record in read_records(path) if record.kind == "retried"]
    assert [(record.key, record.value["value"]) for record in stored] == [("a/x", {"answer": "hm"})] * 2
    again = Numbers("a", x=3)
    assert run(again, folder=tmp_path)[0].units["x"] == Outcome(3)
    assert again.calls == ["prepare x", "x"]


def test_an_input_that_changes_is_done_again_up_to_three_times(tmp_path: Path) -> None:
    group = Numbers("a", x=1, y=2)
    group.changes = [False, True]
    assert run(group, folder=tmp_path / "1")[0].units == {"x": Outcome(1), "y": Outcome(2)}
    assert group.calls.count("x") == 1
    group.changes = [True] * 9
    (outcome,) = run(group, folder=tmp_path / "2")
    assert "was changed 3 times" in outcome.units["x"].reason
    assert outcome.units["x"].retry is Retry.NEXT_RUN


def test_a_group_that_exceeds_its_time_limit_fails(tmp_path: Path) -> None:
    class SlowList(list[int]):
        def pop(self, index: Any = 0) -> int:
            time.sleep(30)
            return 1

    slow = Numbers("a", x=1, y=SlowList(), z=3)
    start = time.monotonic()
    (outcome, other) = run(slow, Numbers("b", x=3), folder=tmp_path, limits=Limits(group_s=1.0))
    assert time.monotonic() - start < 20
    assert outcome.units["x"] == Outcome(1)
    assert [outcome.units[name].retry for name in "yz"] == [Retry.NEXT_RUN] * 2
    assert "a was not finished within 1 s" in outcome.units["y"].reason
    assert other.units["x"] == Outcome(3)


def test_a_clock_that_goes_backwards_brings_no_failure_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(Numbers("a", x=VideoError("broken")), folder=tmp_path)
    run(Numbers("a", x=7), folder=tmp_path, retry_failed=True)
    older, newer = sorted(tmp_path.glob("*.jsonl"))
    newer.rename(tmp_path / f"0{newer.name}")  # as if it had been written before
    assert sorted(tmp_path.glob("*.jsonl"))[1] == older
    assert run(Numbers("a", x=8), folder=tmp_path)[0].units["x"] == Outcome(7, known=True)


def test_memory_that_ran_out_explains_the_attempt_in_which_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system counts the processes of all programs."""

    def at(oom_kills: int) -> None:
        monkeypatch.setattr(journal_module, "machine_state", lambda: {"boot": "1", "oom_kills": oom_kills})

    def begin(launch: str = SINGLE, rank: int = 0) -> None:
        open_journal(tmp_path, launch=launch, rank=rank).begin("group", "a.mp4")

    at(5)
    begin()  # killed from outside
    begin()  # the system ends it
    at(6)
    begin("launched", 0)  # killed from outside
    begin("launched", 1)
    at(7)  # of another program, or of one of these two
    reasons = [ending.reason for ending in open_journal(tmp_path).endings("group")]
    memory = "the system ended the process because memory ran out"
    assert reasons == ["", memory, memory, memory]
