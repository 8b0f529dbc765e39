from datetime import date

import pytest

from opens2v_hf.cli import main
from opens2v_hf.evaluation import doctor


@pytest.fixture(autouse=True)
def _long_before_the_judge_is_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_today", lambda: date(2026, 6, 1))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_it_names_versions_device_decoder_and_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for words in (
        "opens2v-hf",
        "torch",
        "device",
        "video decoder",
        "embedder of gmescore, nexusscore",
        "judge of naturalscore",
    ):
        assert words in printed
    assert "sk-secret" not in printed


def test_a_missing_key_and_a_missing_decoder_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    find_spec = doctor.importlib.util.find_spec
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "av" else find_spec(name))
    assert main(["doctor"]) == 1
    missing = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MISSING")]
    assert len(missing) == 2
    assert "pip install av" in missing[0]
    assert "OPENAI_API_KEY" in missing[1]


@pytest.mark.parametrize("missing", [(), ("decord",)])
def test_pyav_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: tuple[str, ...]
) -> None:
    find_spec = doctor.importlib.util.find_spec
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name in missing else find_spec(name))
    main(["doctor"])
    assert "PyAV is used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("today", "sign", "says"),
    [
        (date(2026, 12, 20), "note", "is shut down by its maker on 2027-01-14"),
        (date(2027, 1, 14), "MISSING", "was shut down by its maker on 2027-01-14; name another judge"),
    ],
)
def test_the_shutdown_of_the_released_judge_is_said(
    today: date, sign: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    monkeypatch.setattr(doctor, "_today", lambda: today)
    main(["doctor"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if "judge of naturalscore" in line]
    assert line.startswith(sign)
    assert says in line
