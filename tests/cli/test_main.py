import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from opens2v_hf._version import __version__
from opens2v_hf.cli import COMMANDS, main


def test_help_names_every_command_without_heavy_imports() -> None:
    code = (
        "import sys; from opens2v_hf.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: print('exit', end.code)\n"
        "print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in COMMANDS:
        assert re.search(rf"\n    {name}\s", done.stdout), name
    assert "exit 0\nFalse False\n" in done.stdout


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "opens2v_hf", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"opens2v-hf {__version__}"


@pytest.mark.parametrize("words", [[], ["dance"], ["score"]])
def test_wrong_use_ends_with_a_usage_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: opens2v" in capsys.readouterr().err


def test_an_error_is_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "absent.json", "--out", "nowhere"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("opens2v report: ")
    assert "absent.json" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "nosuch://x", "out"], "nosuch"),
        (["export", "nosuch://x", "out"], "nosuch"),
        (["show", "0", "--data-dir", "nosuch://x"], "nosuch"),
        (["show", "0", "--repo", "not a repo"], "org/name"),
        (["models", "a" * 5000], "org/name"),
        (["convert", "a\0b", "out"], "NUL"),
        (["build", "a" * 5000, "out", "--job", "cpu-basic"], "there is no such folder"),
        (["explain", "a" * 5000, "--out", "out"], "there is no video"),
        (["job", "status", "a" * 5000], "opens2v job: "),
        (["generate", "--model", "embedded", "--out", "out", "--generator-dtype", "float7"], "dtype"),
        (["generate", "--model", "python:no/file:f", "--out", "out"], ".py"),
        (["build", ".", "out", "--min-seconds", "-1"], "got -1.0"),
    ],
)
def test_wrong_input_is_one_line_with_its_cause(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "opens2v_hf", "validate", "absent.json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
