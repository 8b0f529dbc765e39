"""Which errors are transient, and retries of work that fails with one."""

from __future__ import annotations

import errno
import gc
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from opens2v_hf.errors import ServiceUnavailableError

_Result = TypeVar("_Result")

_PASSING_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        "EAGAIN", "EBUSY", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "EINTR", "EIO", "EMFILE",
        "ENETDOWN", "ENETRESET", "ENETUNREACH", "ENFILE", "ENOBUFS", "ENOMEM", "EPIPE", "ESTALE", "ETIMEDOUT",
    )
    if hasattr(errno, name)
)  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")
_PASSING_STATUSES = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Retries:
    """Number and timing of attempts at work that fails with a transient error.

    Attributes:
        attempts: in all, from 1.
        first_wait_s: before the second attempt; each later wait is twice as long, and some jitter is added.
        sleep: waits some seconds.
    """

    attempts: int = 3
    first_wait_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, work: Callable[[], _Result]) -> _Result:
        """Do the work; after a transient error, wait and do it again. The last error is raised."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_pass),
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=tenacity.wait_exponential_jitter(initial=self.first_wait_s, jitter=self.first_wait_s / 4),
            sleep=self.sleep,
            before_sleep=_make_room,
            reraise=True,
        )
        return retrying(work)


def may_pass(error: BaseException) -> bool:
    """Whether the same work may succeed a little later: the network, a file server, or memory was at fault.

    An error that another one was raised from counts by that one as well.

    Example:
        >>> may_pass(ConnectionResetError()), may_pass(FileNotFoundError()), may_pass(ValueError())
        (True, False, False)
    """
    if isinstance(error, ServiceUnavailableError):  # it comes after many attempts
        return False
    return any(_is_passing(one) for one in _chain(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this machine or its GPU had no memory left."""
    return any(_is_lack_of_memory(one) for one in _chain(error))


def free_memory() -> None:
    """Give back what no one refers to any more, that of a GPU as well."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _make_room(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if error is not None and is_out_of_memory(error):
        free_memory()


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__


def _is_passing(error: BaseException) -> bool:
    name = type(error).__name__
    if name == "OfflineModeIsEnabled":  # it calls itself a ConnectionError
        return False
    if name == "LocalEntryNotFoundError":  # not in the cache, and the Hub gave no answer; a FileNotFoundError
        return True
    if _is_lack_of_memory(error):
        return True
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return status in _PASSING_STATUSES or status >= 500
    if type(error).__module__.partition(".")[0] in ("httpx", "httpcore"):
        return True
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNOS


def _is_lack_of_memory(error: BaseException) -> bool:
    # torch's class by its name, so that a run without torch does not import it
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Seconds to wait by a `Retry-After` header, given as seconds or as an HTTP date.

    Returns:
        At least 0; None where there is no header or it makes no sense.

    Example:
        >>> retry_after_s("7", 0.0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 50.0), retry_after_s("soon", 0.0)
        (7.0, 10.0, None)
    """
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None
