"""Messages that name flags of the command line in place of Python arguments."""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from opens2v_hf._util.console import say
from opens2v_hf.models.endpoint.lifetimes import ShutdownWarning
from opens2v_hf.models.endpoint.options import known_options

_ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)=([^`\n]*)`")


@contextmanager
def plain_warnings(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Print this package's warnings in one line and with the command's flags while the block runs."""
    show = warnings.showwarning

    def show_plainly(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, ShutdownWarning):
            say(f"warning: {in_flags(str(message), parser)}", error=True)
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show_plainly
        yield


def in_flags(text: str, parser: argparse.ArgumentParser) -> str:
    """Replace Python arguments in a message, `` `name=value` ``, by flags of a command.

    An argument without a flag of the command is unchanged.

    Args:
        text: of an error or of a reason.
        parser: of the command that the user gave.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument("--judge"), parser.add_argument("--overwrite", action="store_true")
        >>> in_flags("give `judge='org/model'`, or `overwrite=True`; not `other=`", parser)
        'give --judge org/model, or --overwrite; not `other=`'
    """
    flags = {action.dest: action for action in parser._actions if action.option_strings}

    def flag(argument: re.Match[str]) -> str:
        name, value = argument[1], argument[2].strip("'\"")
        action = flags.get(name) or flags.get(f"judge_{name}")
        if action is not None:
            return " ".join([action.option_strings[-1], *([value] if value and action.nargs != 0 else [])])
        if "judge" in flags and "option" in flags and name in known_options():
            return f"--option judge.{name}={value}"
        return argument[0]

    return _ARGUMENT.sub(flag, text)
