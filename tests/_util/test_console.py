"""What is printed: on consoles of every encoding, and with hostile names."""

import ast
import errno
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.loopback_hub.fixture import Forks
from helpers.scorecards import full_result

from opens2v_hf._util.console import prepare_streams, say, say_json
from opens2v_hf._util.text import one_line, printable
from opens2v_hf.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\r\b\x00\x9b1m", "\\r\\x08\\x00\\x9b1m"),
        ("turned \u202e round", "turned \\u202e round"),
        ("half \udcff", "half \\udcff"),
        ("line\n\ttab", "line\n\ttab"),
        ("große ±0.5 猫", "große ±0.5 猫"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_within_a_line_has_no_line_end() -> None:
    assert one_line("a\nerror: b\t") == "a\\nerror: b\\t"


@pytest.mark.parametrize(
    ("encoding", "bytes_"),
    [
        ("ascii", b"+-0.5 -> gro\\xdfe \\u732b\n"),
        ("cp1252", "±0.5 -> große ".encode("cp1252") + b"\\u732b\n"),
        ("utf-8", "±0.5 → große 猫\n".encode()),
    ],
)
def test_every_encoding_gets_what_it_can_hold(encoding: str, bytes_: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    say("±0.5 → große 猫")
    stream.flush()
    assert stream.buffer.getvalue() == bytes_


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_output_on_a_full_disk_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["models"]) == 2
    expected = "opens2v models: cannot write to standard output: No space left on device\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("log", [Full(), None], ids=["full disk", "closed"])
def test_a_log_that_cannot_be_written_ends_no_run(
    log: io.StringIO | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", log)
    say("a remark", error=True)
    assert main(["models"]) == 0
    assert "a remark" not in capsys.readouterr().out


def test_closed_streams_are_opened_before_another_file_takes_their_numbers(tmp_path: Path) -> None:
    checks = "print(open(os.devnull).fileno() > 2, os.get_inheritable(2))"
    code = f"import os, sys; from opens2v_hf.cli import main; main(['models']); {checks}"
    path = tmp_path / "out"
    with path.open("w") as out:
        command = f'exec {sys.executable} -c "{code}" 2>&-'
        done = subprocess.run(["sh", "-c", command], stdout=out, check=False, env=dict(os.environ), cwd=ROOT)
    assert done.returncode == 0
    assert path.read_text().splitlines()[-1] == "True True"


def test_json_is_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    say_json({"model": "große 猫 \x1b[31m"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"model": "große 猫 \x1b[31m"}


def test_a_warning_of_a_log_is_escaped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    prepare_streams()
    logging.getLogger("opens2v_hf.test").warning("damaged: %s", "a\x1b[2J.jsonl")
    assert capsys.readouterr().err == "damaged: a\\x1b[2J.jsonl\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_comparison_is_printed_on_every_console(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [full_result(name).save(tmp_path / f"{number}.json") for number, name in enumerate(("große 猫", "beta"))]
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["compare", *map(str, files)]) == 0
    stream.flush()
    assert "beta" in stream.buffer.getvalue().decode(encoding)


def test_a_process_prints_a_comparison_in_the_encoding_of_its_environment(tmp_path: Path) -> None:
    files = [full_result(name).save(tmp_path / f"{number}.json") for number, name in enumerate(("große 猫", "beta"))]
    command = [sys.executable, "-m", "opens2v_hf", "compare", *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "beta" in done.stdout.decode("ascii")


def test_no_command_prints_by_another_way() -> None:
    found = []
    for file in sorted((ROOT / "opens2v_hf" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(f"{file.name}:{node.lineno}")
    assert found == []


def test_hiding_bars_costs_no_import_and_lasts(bare: Forks) -> None:
    """transformers takes half a second; it does as huggingface_hub does at the time when it is imported."""
    printed = bare.printed(
        f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from opens2v_hf._util.console import hide_bars
        hide_bars()
        print("transformers" in sys.modules)
        from huggingface_hub.utils import are_progress_bars_disabled
        from transformers.utils.logging import is_progress_bar_enabled
        print(are_progress_bars_disabled(), is_progress_bar_enabled())
        """,
        environment={**os.environ, "USE_TORCH": "0"},
    )
    assert printed.split() == ["False", "True", "False"]
