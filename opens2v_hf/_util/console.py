"""Printing text from any source on a console of any encoding."""

from __future__ import annotations

import codecs
import json
import logging
import shutil
import sys
from typing import Any

from opens2v_hf._util.text import printable

_ENCODING_ERRORS = "opens2v_hf.console"
_SUBSTITUTES = {"±": "+-", "×": "x", "–": "-", "—": "-", "…": "...", "→": "->", "’": "'", "“": '"', "”": '"'}
"""For letters of this package's own texts that an encoding lacks."""

_quiet = False


def say(text: object = "", *, error: bool = False) -> None:
    """Print a text, with control characters escaped, on standard output or on standard error.

    Args:
        text: what is printed; names in it may come from anywhere.
        error: print on standard error.
    """
    stream = sys.stderr if error else sys.stdout
    print(printable(str(text)), file=stream, flush=error)


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
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ENCODING_ERRORS)
    if logging.lastResort is not None:  # prints warnings where no handler is configured
        logging.lastResort.setFormatter(_PrintableFormatter())


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
