"""Work done ahead by threads comes in the order of its items, and no more of them are taken than is said."""

import threading

import pytest

from opens2v_hf._util.threads import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_have_the_order_of_the_items_whichever_is_finished_first(threads):
    second_is_done = threading.Event()

    def work(number):
        if number == 0 and threads > 1:
            assert second_is_done.wait(10)
        if number == 1:
            second_is_done.set()
        return number * number

    assert list(in_order(work, range(7), threads=threads)) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_when_its_result_is_due(threads):
    results = in_order(lambda number: 6 // number, [3, 2, 0, 1], threads=threads)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_few_items_are_taken_ahead_and_none_after_the_caller_stops():
    taken, done = [], []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(done.append, items(), threads=3)
    next(results)
    assert len(taken) == 4
    results.close()
    assert len(done) <= 4


def test_one_thread_is_the_callers():
    (name,) = set(in_order(lambda _: threading.current_thread(), range(3), threads=1))
    assert name is threading.current_thread()
