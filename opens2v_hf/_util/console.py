"""Printing text from any source on a console of any encoding."""

from __future__ import annotations

import codecs
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from opens2v_hf._util.text import printable
from opens2v_hf.errors import ResultError

_ENCODING_ERRORS = "opens2v_hf.console"
_SUBSTITUTES = {"±": "+-", "×": "x", "–": "-", "—": "-", "…": "...", "→": "->", "’": "'", "“": '"', "”": '"'}
"""For letters of this package's own texts that an encoding lacks."""

_quiet = False


def say(text: object = "", *, error: bool = False) -> None:
    """Print a text, with control characters escaped, on standard output or on standard error.

    A stream that is closed gets nothing. Standard error that cannot be written, such as a log on a full disk, ends no
    run.

    Args:
        text: what is printed; names in it may come from anywhere.
        error: print on standard error.

    Raises:
        ResultError: standard output cannot be written.
        BrokenPipeError: its reader has ended.
    """
    line = printable(str(text))
    if error:
        if sys.stderr is not None:  # `print` would take standard output
            with suppress(OSError, ValueError):
                print(line, file=sys.stderr, flush=True)
    elif sys.stdout is not None:
        with _output_errors():
            print(line)


def flush_output() -> None:
    """Write what was printed on standard output.

    Raises:
        ResultError: see `say`, likewise BrokenPipeError.
    """
    if sys.stdout is not None:
        with _output_errors():
            sys.stdout.flush()


def drop_output() -> None:
    """Send the rest of standard output nowhere: Python would fail once more to write it when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise ResultError(f"cannot write to standard output: {error.strerror or error}") from error


def say_json(record: Any) -> None:
    """Print a record as JSON that every encoding can hold."""
    say(json.dumps(record, indent=2, allow_nan=False))


def set_quiet(quiet: bool) -> None:
    """Show no progress and no remarks from now on, or show them again."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether no progress is shown."""
    return _quiet


def remark(text: str) -> None:
    """Print a line about the work on standard error, unless it is quiet."""
    if not _quiet:
        say(text, error=True)


def hide_bars(*, downloads: bool = True) -> None:
    """Show no progress bars while weights are loaded.

    Args:
        downloads: show none of downloads either.
    """
    if downloads:
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
        if "transformers" not in sys.modules:
            return  # when it is imported it does as huggingface_hub does; the import takes half a second
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def terminal_width() -> int:
    """Columns of the terminal (or of COLUMNS), 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def prepare_streams() -> None:
    """Let nothing that is printed or logged fail by the console's encoding, and no log line hold control characters."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ENCODING_ERRORS)
    if logging.lastResort is not None:  # prints warnings where no handler is configured
        logging.lastResort.setFormatter(_PrintableFormatter())


def _open_closed() -> None:
    """Open standard streams that were closed: libraries print to them, and files would get their numbers and so that.

    The system gives the lowest free number to the next file that is opened, which may be a journal.
    """
    if sys.stdout is not None and sys.stderr is not None:
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # the same is true of processes that are started
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    shown = "".join(
        _SUBSTITUTES.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii") for letter in letters
    )
    return shown, error.end


codecs.register_error(_ENCODING_ERRORS, _substitute)
