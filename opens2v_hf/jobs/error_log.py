"""Tracebacks of unexpected errors, in a file instead of on the terminal."""

from __future__ import annotations

import logging
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

_LOGGER = logging.getLogger(__name__)


class ErrorLog:
    """Appends tracebacks to a file, which is created with the first one.

    Args:
        path: of the file, which several processes may share; None to send tracebacks to `logging` at level DEBUG.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def write(self, what: str, error: BaseException) -> None:
        """Add the traceback of an error that was raised during `what`."""
        trace = "".join(traceback.format_exception(error))
        if self.path is None:
            _LOGGER.debug("%s: unexpected error\n%s", what, trace)
            return
        text = f"{datetime.now(UTC).isoformat(timespec='seconds')} process {os.getpid()}, {what}\n{trace}\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:  # one write, so that processes do not mix their lines
                file.write(text.encode("utf-8", "replace"))
        except OSError as failure:  # the run continues without the log: the reason of the unit names the error
            _LOGGER.warning("cannot write %s: %s", self.path, failure.strerror)

    @property
    def advice(self) -> str:
        """Advice for an unexpected error; the end of its reason."""
        return f"please report it with {self.path.name}" if self.path is not None else "please report it"
