from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.judge.loading import load_judge


def test_the_prefix_decides_for_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    judge = load_judge("openai:gpt-4o-2024-11-20", max_calls=3, now=lambda: 0.0)
    assert judge.info.name == "openai:gpt-4o-2024-11-20"
    assert judge.options["url"] == "https://api.openai.com/v1/chat/completions"
    assert not judge.deterministic


def test_a_missing_key_shows_before_anything_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ArgumentError, match="set OPENAI_API_KEY"):
        load_judge()
    # servers of one's own need none
    assert load_judge("openai:own", base_url="http://127.0.0.1:9/v1").info.name == "openai:own"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert load_judge().info.name == "openai:gpt-4o-2024-11-20"


def test_a_folder_is_run_here(tmp_path: Path) -> None:
    judge = load_judge(save_tiny_qwen2vl(tmp_path / "tiny"), device="cpu", dtype="float32")
    assert judge.deterministic
    assert judge.info.device == "cpu"


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("openai:gpt-4o", {"device": "cpu"}, "device"),
        ("openai:gpt-4o", {"revision": "main"}, "revision"),
        ("openai:gpt-4o", {"maxcalls": 5}, "max_calls"),
        ("org/model", {"max_calls": 5}, "max_calls"),
        ("org/model", {"base_url": "http://127.0.0.1/v1"}, "base_url"),
    ],
)
def test_options_of_the_other_kind_are_refused(name: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        load_judge(name, **options)  # type: ignore[arg-type]


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(ModelError, match="embedded"):
        load_judge("/nowhere/at/all")


def test_asking_an_endpoint_loads_no_torch() -> None:
    code = (
        "import sys; from opens2v_hf.models.judge.loading import load_judge; "
        "load_judge('openai:own', base_url='http://127.0.0.1:9/v1'); "
        "print([name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
