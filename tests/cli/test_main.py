import os
import re
import subprocess
import sys

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


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "opens2v_hf", "validate", "absent.json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
