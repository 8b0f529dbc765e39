"""Code of users and of libraries that ends in another way than by an `Exception`."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

_PANIC = "PanicException"  # each library in Rust has a class of its own, which cannot be imported
_OWN = __name__.partition(".")[0]


@contextmanager
def ends_as_errors() -> Iterator[None]:
    """Turn what is no `Exception` into a RuntimeError, so that one item does not end the work on all.

    That is a panic of a library in Rust (tokenizers, safetensors, hf_xet), `sys.exit` within a function that is called,
    the cancellation of a task, and what else inherits from BaseException. An interrupt passes, and so do a SystemExit
    that the handler of a signal raises, which is how programs are stopped, and this package's own.

    Raises:
        RuntimeError: for each of these; everything else passes.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception | KeyboardInterrupt | GeneratorExit) or _is_own(error) or _is_of_signal(error):
            raise
        raise RuntimeError(_words(error)) from error


def _words(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the code called sys.exit({error.code!r})"
    if type(error).__name__ == _PANIC:
        return f"a library panicked: {error}"
    return f"the code raised {type(error).__name__}: {error}"


def _is_own(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == _OWN


def _is_of_signal(error: BaseException) -> bool:
    """Whether a handler of a signal raised it, which may come at any line."""
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _code(handler: object) -> CodeType | None:
    if isinstance(handler, functools.partial):
        return _code(handler.func)
    if callable(handler) and not hasattr(handler, "__code__"):  # an object that can be called
        handler = type(handler).__call__
    return getattr(handler, "__code__", None)
