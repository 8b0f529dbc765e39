"""Reading an input in a child process, to learn whether it is what ended earlier processes."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

_ASKED_TO_END = {-getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)}
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def fault_of_child(check: Callable[[], None] | None, seconds: float) -> str:
    """Run a check in a child process: "" if it returned or raised, or words that say how it ended the child.

    Args:
        check: to run; None for no check.
        seconds: time limit; a child that exceeds it is killed, and the answer is "".
    """
    if check is None:
        return ""
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=partial(_check_quietly, check, sender, os.getpid()), daemon=True)
    with receiver:
        try:
            with sender, warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the child only reads, in threads of its own
                child.start()
        except OSError:  # no process or memory is left for it, which says nothing about the input
            return ""
        try:
            child.join(seconds)
            is_slow = child.is_alive()  # if the input is at fault, the time limit of the group reports it
        finally:  # also after Ctrl-C
            child.kill()
            child.join()
        if is_slow or child.exitcode in _ASKED_TO_END or _is_over(receiver):
            return ""
    if child.exitcode < 0:
        return f"reading it ends a process by signal {-child.exitcode}"
    return f"reading it ends a process with exit code {child.exitcode}"


def _check_quietly(check: Callable[[], None], answer: Connection, parent: int) -> None:
    _end_with(parent)
    faulthandler.disable()  # it would write to the file that says why the parent ended
    with suppress(BaseException):  # only the end of the process matters here; an exception becomes an outcome elsewhere
        check()
    answer.send_bytes(b"over")  # code that calls `_exit` does not get here


def _end_with(parent: int) -> None:
    """Let this process end when its parent is killed: it holds the parent's locks."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # which was killed before the call
            os._exit(1)


def _is_over(receiver: Connection) -> bool:
    try:
        return receiver.poll() and bool(receiver.recv_bytes())
    except (EOFError, OSError):
        return False
