import time
from typing import Any

import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.metrics.each_video import for_each_video


def square_all(work: Any, items: list[Any], **options: Any) -> list[Any]:
    return for_each_video(
        work,
        items,
        name=str,
        cost=float,
        setting=list,
        failed=lambda item, reason: f"{item} failed: {reason}",
        description="test",
        **options,
    )


@pytest.mark.parametrize("error", [ZeroDivisionError("a fault"), MemoryError("no room"), OSError("bad disk")])
def test_an_unexpected_error_costs_its_item_only(error: Exception) -> None:
    def work(item: int) -> int:
        if item == 2:
            raise error
        return item * item

    first, second, third = square_all(work, [1, 2, 3])
    assert (first, third) == (1, 9)
    assert second.startswith("2 failed: 2, score: ")
    assert str(error) in second


def test_an_item_that_hangs_fails_and_the_others_are_done() -> None:
    def work(item: int) -> int:
        if item == 1:
            time.sleep(20)
        return item * item

    start = time.monotonic()
    first, second = square_all(work, [1, 2], limits=Limits(group_s=0.5))
    assert time.monotonic() - start < 10
    assert first.startswith("1 failed: 1 was not finished within")
    assert second == 4


def test_wrong_use_ends_the_work() -> None:
    def work(item: int) -> int:
        raise ModelError("the weights are gone")

    with pytest.raises(ModelError, match=r"^the weights are gone$"):
        square_all(work, [1, 2])
