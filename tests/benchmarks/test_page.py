"""What the page of benchmarks says of ratios that fell, and the simulation of several processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module, writing into another folder, with committed ratios of two parts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import page

    committed = [
        {"script": "masks", "part": "masks: decode", "against": "pycocotools", "ratio": 2.0, "goal": 1.0},
        {"script": "runner", "part": "runner", "against": "bare calls", "ratio": 1.0, "goal": None},
    ]
    machine = {"date": "2026-01-01", "commit": "c", "cores": "2", "machine": "m", "python": "3"}
    machine |= dict.fromkeys(page.VERSIONS, "1")
    (tmp_path / "results.json").write_text(json.dumps({"ratios": committed, "machine": machine}))
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "page.png")
    monkeypatch.setattr(page, "machine", lambda: machine)
    monkeypatch.setattr(sys, "argv", ["page.py", "--only", "masks"])
    return page


def measure(page: Any, monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    found = [{"part": "masks: decode", "against": "pycocotools", "ratio": ratio, "goal": 1.0}]
    monkeypatch.setattr(page, "run", lambda _name, _options: found)
    page.main()


def test_a_ratio_that_fell_by_more_than_a_tenth_is_named(
    page: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as ended:
        measure(page, monkeypatch, 1.79)
    assert ended.value.code == 1
    assert "masks: decode against pycocotools: 1.79, was 2.00" in capsys.readouterr().out
    assert "| masks: decode | pycocotools | 1.79 | >= 1.00 |" in page.PAGE.read_text()
    assert "| runner | bare calls | 1.00 |" in page.PAGE.read_text(), "the others stay"
    assert page.PICTURE.stat().st_size > 1000


def test_a_smaller_loss_is_not_named(page: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    measure(page, monkeypatch, 1.81)
    assert "slower" not in capsys.readouterr().out


def test_a_goal_that_is_not_reached_is_marked(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        measure(page, monkeypatch, 0.5)
    assert "| masks: decode | pycocotools | 0.50 | >= 1.00 (not reached) |" in page.PAGE.read_text()


def test_what_to_know_of_a_ratio_is_said_whether_its_goal_is_reached_or_not(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "REMARKS", {"masks: dec": "read twice.", "shards": "not on this page."})
    for ratio in (2.0, 1.9):
        measure(page, monkeypatch, ratio)
        assert "\n\nOf masks: dec: read twice.\n" in page.PAGE.read_text()
        assert "not on this page" not in page.PAGE.read_text()


def test_the_simulated_makespan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scaling

    monkeypatch.setattr(scaling, "CLAIM_S", 0.0)
    monkeypatch.setattr(scaling, "END_S", 1.0)
    seconds = np.array([2.0, 3.0, 4.0, 7.0])
    # 7 | 4, then 3 | 7, then 2: 9 and 7; one process takes 16
    assert scaling.makespan([3, 2, 1, 0], seconds, 2) == 9.0 + 1.0
    assert scaling.makespan([3, 2, 1, 0], seconds, 1) == 16.0 + 1.0
    # 2 | 3, then 4 after 2, then 7 after 3
    assert scaling.makespan([0, 1, 2, 3], seconds, 2) == 10.0 + 1.0
