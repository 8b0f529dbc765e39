from __future__ import annotations

import threading
import time

import pytest

from opens2v_hf.jobs.time_limit import TimeLimited, TimeLimitError


def test_a_call_returns_the_value_or_raises_the_error_of_the_work():
    caller = TimeLimited()
    assert caller.call(lambda: 3, 10) == 3
    with pytest.raises(KeyError, match="no"):
        caller.call(lambda: {}["no"], 10)
    first, second = (caller.call(threading.get_ident, 10) for _ in range(2))
    assert first == second != threading.get_ident()
    caller.close()


def test_a_call_that_hangs_is_abandoned():
    caller = TimeLimited()
    released = threading.Event()
    start = time.monotonic()
    with pytest.raises(TimeLimitError):
        caller.call(released.wait, 0.1)
    assert time.monotonic() - start < 5
    assert caller.call(lambda: "done", 10) == "done"
    released.set()
    caller.close()
    with pytest.raises(TimeLimitError):
        caller.call(lambda: time.sleep(1), -1.0)
