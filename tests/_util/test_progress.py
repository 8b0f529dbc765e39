from __future__ import annotations

import io
import sys

import pytest

from opens2v_hf._util.console import set_quiet
from opens2v_hf._util.progress import Progress


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_every_15_seconds_with_rate_and_remaining_time(capsys) -> None:
    clock = Clock()
    with Progress(100, description="alpha", unit="score", clock=clock) as progress:
        for done in range(1, 101):
            clock.now = done * 2.0
            progress.update(done, done // 50)
    lines = capsys.readouterr().err.splitlines()
    # the first video says how long all will take: 99 scores of 2 s are 198 s
    assert lines[0] == "alpha: 1 of 100 scores, 2 s, 2.0 s/score, about 3 min 18 s left"
    assert lines[1] == "alpha: 9 of 100 scores, 18 s, 2.0 s/score, about 3 min 2 s left"
    assert lines[-1] == "alpha: 100 of 100 scores, 2 failed, 3 min 20 s"
    assert len(lines) == 1 + 200 // 16 + 1


def test_a_short_run_prints_no_line(capsys) -> None:
    clock = Clock()
    with Progress(4, description="alpha", unit="score", clock=clock) as progress:
        for done in (1, 2, 3, 4):
            clock.now += 0.5
            progress.update(done)
    assert capsys.readouterr().err == ""


def test_what_a_journal_gives_at_once_does_not_make_the_rest_look_quick(capsys) -> None:
    clock = Clock()
    with Progress(200, description="alpha", unit="score", clock=clock) as progress:
        for done in range(1, 101):  # all in the first tenth of a second
            clock.now += 0.001
            progress.update(done)
        for done in range(101, 141):
            clock.now += 30.0
            progress.update(done)
    # the last updates took 30 s each; 60 are left
    assert capsys.readouterr().err.splitlines()[-1].endswith("30.0 s/score, about 30 min 0 s left")


def test_nothing_is_shown_if_not_shown_or_quiet(capsys, monkeypatch) -> None:
    clock = Clock()
    for shown, quiet in ((False, False), (True, True)):
        monkeypatch.setattr("opens2v_hf._util.console._quiet", quiet)
        with Progress(2, description="alpha", unit="score", shown=shown, clock=clock) as progress:
            clock.now += 60
            progress.update(2)
    set_quiet(False)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(4, description="alpha", unit="score") as progress:
        progress.update(2, 1)
        progress.update(4, 1)
    assert "4/4" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()


def test_bytes_have_a_prefix_and_those_of_an_earlier_run_do_not_count_for_the_rate(capsys) -> None:
    clock = Clock()
    with Progress(10_000_000, description="converting", unit="B", initial=4_000_000, clock=clock) as progress:
        clock.now = 20.0
        progress.advance(1_000_000)
    # 1 MB in 20 s is 50 kB/s; the 5 MB that are left take 100 s
    assert capsys.readouterr().err == "converting: 5.00MB of 10.0MB, 20 s, 50.0kB/s, about 1 min 40 s left\n"
