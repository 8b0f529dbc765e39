from __future__ import annotations

import errno

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from opens2v_hf._util.retries import Retries, is_out_of_memory, may_pass
from opens2v_hf.errors import VideoError


def raised_from(cause: BaseException) -> VideoError:
    try:
        raise VideoError("cannot be read") from cause
    except VideoError as error:
        return error


def status(code: int) -> HfHubHTTPError:
    return HfHubHTTPError("no", response=httpx.Response(code, request=httpx.Request("GET", "http://hub")))


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EIO, "input/output error"), True),
        (OSError(errno.ESTALE, "stale file handle"), True),
        (OSError(errno.ENOSPC, "no space"), False),
        (FileNotFoundError(errno.ENOENT, "absent"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (httpx.ConnectError("down"), True),
        (httpx.ReadTimeout("slow"), True),
        (status(503), True),
        (status(429), True),
        (status(404), False),
        (status(401), False),
        (LocalEntryNotFoundError("neither in the cache nor to be had"), True),
        (OfflineModeIsEnabled("offline"), False),
        (MemoryError(), True),
        (OutOfMemoryError("CUDA out of memory"), True),
        (VideoError("broken"), False),
        (raised_from(OSError(errno.EIO, "input/output error")), True),
        (raised_from(ValueError("broken")), False),
        (ZeroDivisionError(), False),
    ],
)
def test_transient_errors(error: BaseException, expected: bool) -> None:
    assert may_pass(error) is expected


def test_a_lack_of_memory_is_known_wherever_it_comes_from() -> None:
    assert is_out_of_memory(raised_from(OutOfMemoryError()))
    assert not is_out_of_memory(raised_from(OSError(errno.EIO, "")))


def test_it_waits_longer_each_time_and_then_gives_up() -> None:
    waits: list[float] = []
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise ConnectionResetError(len(tries))

    with pytest.raises(ConnectionResetError) as caught:
        Retries(attempts=4, first_wait_s=1.0, sleep=waits.append).call(work)
    assert caught.value.args == (4,)
    assert [round(wait // power) for wait, power in zip(waits, (1, 2, 4), strict=True)] == [1, 1, 1]


def test_what_does_not_pass_is_raised_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(VideoError):
        Retries(sleep=waits.append).call(lambda: (_ for _ in ()).throw(VideoError("broken")))
    assert not waits
    assert Retries(sleep=waits.append).call(lambda: 3) == 3
