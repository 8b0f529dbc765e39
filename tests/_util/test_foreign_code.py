"""What code of others may do, and what may stop a program."""

import asyncio
import functools
import signal
import sys
from typing import Any

import pytest

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.jobs.overlap import StoppedError


class PanicException(BaseException):
    """As each library in Rust has one."""


class Odd(BaseException):
    """Of a user."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemExit(3), r"the code called sys\.exit\(3\)"),
        (SystemExit("bye"), r"the code called sys\.exit\('bye'\)"),
        (PanicException("index 3"), "a library panicked: index 3"),
        (asyncio.CancelledError(), "the code raised CancelledError"),
        (Odd("odd"), "the code raised Odd: odd"),
    ],
)
def test_ends_become_errors(error: BaseException, words: str) -> None:
    with pytest.raises(RuntimeError, match=words) as raised, ends_as_errors():
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), ValueError("x"), StoppedError()])
def test_what_stops_a_program_or_is_an_error_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, ends_as_errors():
        raise error
    assert raised.value is error


class Handler:
    """An object that is called."""

    def __call__(self, number: int, frame: object) -> None:
        sys.exit(143)


def once(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)
    sys.exit(143)


@pytest.mark.parametrize(
    "handler",
    [
        lambda number, frame: sys.exit(143),
        lambda *_: sys.exit(143),
        once,
        Handler(),
        Handler().__call__,
        functools.partial(lambda code, number, frame: sys.exit(code), 143),
    ],
)
def test_the_exit_of_a_handler_of_a_signal_passes(handler: Any) -> None:
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(SystemExit) as raised, ends_as_errors():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised.value.code == 143
