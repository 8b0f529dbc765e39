"""The commands that pages show: run in this process, or held against the real parsers."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from opens2v_hf import cli
from opens2v_hf.data.synthetic.__main__ import main as write_sample

_EXIT = re.compile(r"# exits with (\d)")
_PROGRAMS: dict[tuple[str, ...], Callable[[list[str]], int]] = {
    ("opens2v",): cli.main,
    ("python", "-m", "opens2v_hf"): cli.main,
    ("python", "-m", "opens2v_hf.data.synthetic"): write_sample,
}
"""First words of a command to the function that is behind it."""


@dataclass(frozen=True)
class Command:
    """A command line of a page.

    Attributes:
        words: as a shell would hand them over, comments left out.
        exit_code: that the page says it has, by the comment `# exits with N`.
        shown: what the page says it prints; None where it says nothing.
    """

    words: tuple[str, ...]
    exit_code: int = 0
    shown: str | None = None


def commands_of(language: str, text: str) -> list[Command]:
    """The commands of a block: of "bash", where each line is one, or of "console", where those begin with `$ `."""
    if language == "bash":
        return [_command(line) for line in _joined(text) if shlex.split(line, comments=True)]
    found = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *rest = _joined(part)
        command = _command(line)
        shown = "\n".join(rest).strip()
        found.append(Command(command.words, command.exit_code, shown or None))
    return found


def _joined(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def _command(line: str) -> Command:
    said = _EXIT.search(line)
    return Command(tuple(shlex.split(line, comments=True)), int(said[1]) if said else 0)


def run(command: Command) -> tuple[int, str]:
    """Run a command of this package in this process; its exit code and what it printed.

    What went to standard error is given where the command failed, which is where a user reads it.

    Raises:
        ValueError: it is no command that a test can run.
    """
    for first, function in _PROGRAMS.items():
        if command.words[: len(first)] == first:
            out, err = StringIO(), StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                try:
                    code = function(list(command.words[len(first) :]))
                except SystemExit as stopped:
                    code = int(stopped.code or 0)
            return code, out.getvalue() + (err.getvalue() if code == 2 else "")
    raise ValueError(f"cannot run {shlex.join(command.words)}: mark its block with '# needs ...' in its first line")


def check(command: Command, root: Path) -> None:
    """Hold a command against the parser of its program, without running it.

    Raises:
        ValueError: the parser does not take it, or there is no parser for the program.
    """
    words = command.words
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))
        _require(set(words[1:]) <= targets, f"the Makefile has no {set(words[1:]) - targets}")
    elif words[:2] == ("pip", "install"):
        _check_requirements(words[2:], root)
    elif words[0] == "opens2v":
        _parse(words[1:])
    elif words[:2] == ("accelerate", "launch"):
        _check_launch(words[2:])
    elif words[0] == "python" and len(words) == 2:
        _require(words[1].endswith(".py"), f"python runs a script (got {words[1]})")
    else:
        raise ValueError(f"there is no parser for {shlex.join(words)}")


def _check_requirements(words: tuple[str, ...], root: Path) -> None:
    extras = set(tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for word in words:
        asked = re.fullmatch(r"(?:\.|opens2v-hf)(?:\[(?P<extras>[a-z,]+)\])?", word)
        _require(asked is not None, f"pip install {word}: it is not this package")
        names = set((asked["extras"] or "").split(",")) - {""} if asked else set()
        _require(names <= extras, f"this package has no extra {names - extras}")


def _check_launch(words: tuple[str, ...]) -> None:
    from accelerate.commands.launch import launch_command_parser

    launched = _quietly(launch_command_parser(), words)
    if launched.module:
        _require(launched.training_script == "opens2v_hf", f"-m {launched.training_script} is not this package")
        _parse(tuple(launched.training_script_args))
    else:
        _require(launched.training_script.endswith(".py"), f"accelerate runs a script (got {launched.training_script})")


def _parse(words: tuple[str, ...]) -> None:
    _require(bool(words) and words[0] in cli.COMMANDS, f"there is no command opens2v {' '.join(words[:1])}")
    _quietly(cli.command_parser(words[0]), words[1:])


def _quietly(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> argparse.Namespace:
    said = StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_args(list(words))
    except SystemExit as stopped:
        raise ValueError(f"{shlex.join(words)}: {said.getvalue().strip()}") from stopped


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
