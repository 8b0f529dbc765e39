"""The event loop that all requests share."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from opens2v_hf._util import event_loop


def test_threads_that_come_at_once_share_one_loop() -> None:
    event_loop._running_loop.cache_clear()
    barrier = threading.Barrier(8)

    def first_request(_: int) -> asyncio.AbstractEventLoop:
        barrier.wait()
        return event_loop.event_loop()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first_request, range(8)))) == 1


def test_a_coroutine_runs_within_a_running_loop() -> None:
    async def answer() -> int:
        return 3

    async def notebook() -> int:
        return event_loop.run_coroutine(answer())

    assert asyncio.run(notebook()) == 3
