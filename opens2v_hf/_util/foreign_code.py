"""Code of users and of libraries that ends in another way than by an `Exception`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
    trace = error.__traceback__
    while trace is not None:
        if _is_handler(trace.tb_frame):
            return True
        trace = trace.tb_next
    return False


def _is_handler(frame: FrameType) -> bool:
    # It is given the frame that it interrupts, which is its caller. `signal.getsignal` knows only the one of now, and
    # many set another before they exit.
    given = (each for value in frame.f_locals.values() for each in (value if isinstance(value, tuple) else (value,)))
    return any(each is frame.f_back for each in given if isinstance(each, FrameType))
