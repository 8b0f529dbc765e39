from datetime import date
from types import SimpleNamespace

import pytest

from opens2v_hf.cli import main
from opens2v_hf.evaluation import doctor
from opens2v_hf.metrics.registry import ROLES


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


def test_a_model_that_cannot_be_downloaded_is_not_said_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("opens2v_hf.models.hub.cached_commit", lambda *_, **__: None)
    monkeypatch.setattr("opens2v_hf.models.hub_access.hub_problem", lambda *_: "the Hub cannot be reached (no route)")
    main(["doctor"])
    printed = capsys.readouterr().out
    assert "q-future/one-align is not in the local cache, and the Hub cannot be reached (no route); give" in printed
    assert "downloaded when it is first used" not in printed


def test_a_missing_key_and_a_missing_decoder_are_reported(
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
        (date(2027, 1, 14), "MISSING", "was shut down by its maker on 2027-01-14;"),
    ],
)
def test_the_shutdown_of_the_released_judge_is_reported(
    today: date, sign: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    monkeypatch.setattr(doctor, "_today", lambda: today)
    main(["doctor"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if "judge of naturalscore" in line]
    assert line.startswith(sign)
    assert says in line


@pytest.mark.parametrize(
    ("free_bytes", "sign", "says"),
    [(64 << 30, "ok", "64 GiB free"), (7 << 30, "note", "7 GiB free; the released 7B models need some 32 GiB")],
)
def test_free_memory_is_compared_with_what_the_released_models_need(
    free_bytes: int, sign: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "free_memory_bytes", lambda: free_bytes)
    assert _line("memory", capsys) == (sign, says)


@pytest.mark.parametrize(("free_gb", "sign"), [(1000, "ok"), (10, "note")])
def test_free_disk_is_compared_with_what_is_left_to_download(
    free_gb: int, sign: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_gb * 10**9))
    monkeypatch.setattr("opens2v_hf.models.hub.cached_commit", lambda repo, filename: None)
    found = _line("disk", capsys)
    assert found[0] == sign
    assert f"{free_gb} GB free" in found[1]
    # 16.6 + 16.4 + 1.7 + 0.6 + 0.5 + 0.4 + 0.3 + 0.1 + 0.1
    assert "36.7 GB" in found[1]


@pytest.mark.parametrize(("token", "sign"), [(None, "note"), ("hf_secret_of_this_test", "ok")])
def test_a_token_is_reported_and_never_shown(
    token: str | None, sign: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: token)
    found = _line("Hub token", capsys)
    assert found[0] == sign
    assert "hf_secret" not in found[1]


@pytest.mark.parametrize(("problem", "sign"), [("", "ok"), ("the Hub answers 503", "note")])
def test_an_unreachable_hub_is_reported(
    problem: str, sign: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("opens2v_hf.models.hub_access.hub_problem", lambda *asked: problem)
    found = _line("Hub", capsys)
    assert found[0] == sign
    assert problem in found[1]


def test_every_role_but_the_judge_has_a_size() -> None:
    assert {name for name, role in ROLES.items() if role.download_gb > 0} == set(ROLES) - {"judge"}


def _line(topic: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Sign and text of a topic's line."""
    main(["doctor"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line[9:].startswith(f"{topic}  ")]
    assert len(lines) == 1
    return lines[0][:9].strip(), lines[0][9 + len(topic) :].strip()
