from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from opens2v_hf.run.team import costliest_first, gather


@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 3))
def test_who_is_free_takes_the_costliest_and_all_end_near_the_best_there_is(costs, num_processes):
    busy_until = [0] * num_processes
    for position in costliest_first(costs):
        busy_until[busy_until.index(min(busy_until))] += costs[position]

    # Graham 1969: longest processing time first stays within 4/3 - 1/(3m) of the best
    def longest(places: tuple[int, ...]) -> int:
        return max(
            sum(cost for cost, place in zip(costs, places, strict=True) if place == process)
            for process in range(num_processes)
        )

    best = min(longest(places) for places in itertools.product(range(num_processes), repeat=len(costs)))
    assert max(busy_until) <= (4 / 3 - 1 / (3 * num_processes)) * best + 1e-9


def test_a_lone_process_does_all_in_order_and_gets_what_json_gives_back(capsys):
    def unasked() -> list[int]:
        raise AssertionError("there is nobody to share with")

    with gather(unasked, num_items=3, num_units=3, description="test", unit="video") as team:
        assert (team.rank, team.count) == (0, 1)
        assert team.tell_all("hello", [1]) == [[1]]
        done = list(team.claim("videos", unasked))
        assert done == [0, 1, 2]
        team.hand_over("0", {"pair": (1, 2), 3: 0.1})
        team.hand_over("0", {"pair": (1, 2), 3: 0.2})
        team.report(3, 1)
        team.finish()
        assert team.take("0") == {"pair": [1, 2], "3": 0.2}
    assert capsys.readouterr().err == "test: 3 of 3 videos, 1 failed\n"
