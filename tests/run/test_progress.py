from __future__ import annotations

from opens2v_hf.run.progress import Progress


def test_a_log_file_gets_some_ten_lines(capsys):
    with Progress(180, description="alpha", unit="score") as progress:
        for done in range(181):
            progress.update(done, done // 90)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "alpha: 18 of 180 scores"
    assert lines[-1] == "alpha: 180 of 180 scores, 2 failed"
    assert len(lines) == 10


def test_leaps_and_a_last_step_are_told_once(capsys):
    with Progress(25, description="alpha", unit="score") as progress:
        for done in (0, 1, 7, 7, 24, 25, 25):
            progress.update(done)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["7", "24", "25"]


def test_nothing_is_shown_where_another_process_speaks(capsys):
    with Progress(2, description="alpha", unit="score", shown=False) as progress:
        progress.update(2)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(4, description="alpha", unit="score") as progress:
        progress.update(2, 1)
        progress.update(4, 1)
    assert "4/4" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()
