"""`opens2v calibrate`: the embedded models give the known numbers, and differences are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opens2v_hf.cli import main
from opens2v_hf.evaluation import calibrate
from opens2v_hf.evaluation.calibrate import Known, Measured, Verdict, known_numbers
from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS
from opens2v_hf.models.judge.editions import judge_edition

CHEAP = ("--models", "embedded", "--metrics", "motion_amplitude,aesthetics")


def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Replace the known numbers by a changed copy."""
    record = json.loads(calibrate._FILE.read_text())
    change(record)
    (tmp_path / "table.json").write_text(json.dumps(record))
    monkeypatch.setattr(calibrate, "_FILE", tmp_path / "table.json")


def test_this_installation_gives_the_known_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.json"
    assert main(["calibrate", *CHEAP, "--record", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in said if not line.startswith(" ")] == [
        ["motion_amplitude", "float32", "known"],
        ["aesthetics", "float32", "known"],
    ]
    rows = json.loads(out.read_text())
    assert [row["metric"] for row in rows] == ["motion_amplitude", "aesthetics"]
    assert rows[1]["models"] == {"aesthetic_encoder": "embedded", "aesthetic_head": "embedded"}
    assert rows[1]["tolerance"] == pytest.approx(0.003), "a thousandth of the range from 4 to 7"
    Known(**rows[0])


def test_half_precision_is_compared_with_float32(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--models", "embedded", "--metrics", "gmescore", "--precision", "bfloat16", "--json"]
    assert main(["calibrate", *words]) == 0
    full, half = json.loads(capsys.readouterr().out)["verdicts"]
    assert (full["measured"]["dtype"], full["from_full"]) == ("float32", None)
    gaps = [abs(full["measured"]["values"][i] - half["measured"]["values"][i]) for i in calibrate.GOLDEN_IDS]
    assert half["from_full"] == max(gaps)
    assert 0 < max(gaps) < 0.02
    assert (full["state"], half["state"]) == ("known", "known")


def test_a_number_that_differs_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(record: dict[str, Any]) -> None:
        [row] = [row for row in record["rows"] if row["metric"] == "motion_amplitude"]
        row["values"]["humanobj_1"] += 0.25

    table(tmp_path, monkeypatch, change)
    assert main(["calibrate", *CHEAP]) == 1
    said = capsys.readouterr().out
    assert "motion_amplitude    float32   differs" in said
    assert "0.25 from the value on CPU" in said


def test_other_golden_inputs_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table(tmp_path, monkeypatch, lambda record: record.update(inputs_sha256="0" * 64))
    assert main(["calibrate", *CHEAP]) == 1
    said = capsys.readouterr().out
    assert said.startswith("the golden inputs are rendered differently here")
    assert "motion_amplitude    float32   unknown" in said


def test_every_released_model_has_a_row() -> None:
    _, rows = known_numbers()
    filled = {row.metric for row in rows if row.values}
    assert filled == set(DEFAULT_METRICS), "by the embedded models"
    slots = [row for row in rows if not row.values]
    for name in DEFAULT_METRICS:
        entry = METRICS[name]
        if entry.roles and name != "naturalscore":  # gpt-4o answers otherwise every time
            assert any(row.metric == name and row.models == entry.models for row in slots), name
    judge = judge_edition("naturalscore-open-1")
    assert any(row.models == {"judge": judge.model} and row.revisions == {"judge": judge.revision} for row in slots)


def test_the_state_of_a_verdict() -> None:
    measured = Measured("gmescore", "float32", {}, {}, "cpu", {"humanobj_1": 0.5})
    known = Known("gmescore", {}, {}, "float32", "x", {}, {"humanobj_1": 0.4}, 0.1 + 1e-9)
    assert Verdict(measured, known, 0.1, None).state == "known"
    assert Verdict(measured, known, 0.2, None).state == "differs"
    assert Verdict(measured, None, None, None).state == "unknown"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("--metrics", "beauty"), "there is no metric 'beauty'", 2),
        ((*CHEAP, "--precision", "int8"), "precisions must be among float16, bfloat16", 2),
        (("--metrics", "gmescore", "--embedder", "no/such/folder", "--precision", "none"), "neither a folder", 1),
    ],
)
def test_wrong_arguments_are_refused(
    words: tuple[str, ...], said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", *words]) == code
    printed = capsys.readouterr()
    assert said in printed.out + printed.err


def test_a_missing_model_is_named_by_a_flag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["calibrate", "--metrics", "naturalscore"]) == 1
    said = capsys.readouterr().out
    assert "as --judge)" in said
    assert "`judge=" not in said
