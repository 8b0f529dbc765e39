from __future__ import annotations

import itertools

import pytest
from helpers.videos import encode, numbered_frames
from hypothesis import given
from hypothesis import strategies as st

from opens2v_hf.run.assignment import assign, video_cost
from opens2v_hf.video.sampling import every, linspace


@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 3))
def test_loads_come_near_the_best_of_all_assignments(costs, num_processes):
    found = assign(costs, num_processes)
    assert sorted(itertools.chain.from_iterable(found)) == list(range(len(costs)))
    assert all(indices == sorted(indices) for indices in found)
    # Graham 1969: longest processing time first stays within 4/3 - 1/(3m) of the best
    worst = max(sum(costs[index] for index in indices) for indices in found)

    def heaviest(places: tuple[int, ...]) -> int:
        return max(
            sum(cost for cost, place in zip(costs, places, strict=True) if place == process)
            for process in range(num_processes)
        )

    best = min(heaviest(places) for places in itertools.product(range(num_processes), repeat=len(costs)))
    assert worst <= (4 / 3 - 1 / (3 * num_processes)) * best + 1e-9


def test_equal_videos_are_dealt_out_evenly():
    assert assign([1.0] * 7, 3) == [[0, 3, 6], [1, 4], [2, 5]]
    assert assign([0.0] * 4, 2) == [[0, 2], [1, 3]]


def test_there_may_be_fewer_videos_than_processes():
    assert assign([2.0], 3) == [[0], [], []]
    assert assign([], 2) == [[], []]


def test_a_video_costs_its_decoding_and_the_frames_that_models_see(tmp_path):
    video = encode(tmp_path / "a.mp4", numbered_frames(20, width=96, height=64))
    decoding = 20 * 96 * 64
    one_frame = 16 * 256 * 28 * 28  # the embedder scales a small frame up to 256 patches of 28 x 28
    assert video_cost(video, [linspace(4)]) == decoding + 4 * one_frame
    assert video_cost(video.read_bytes(), [linspace(32), every()]) == decoding + 40 * one_frame
    assert video_cost(video, []) == decoding


@pytest.mark.parametrize("content", [None, b"", b"no video"])
def test_what_is_no_video_costs_nothing(tmp_path, content):
    path = tmp_path / "b.mp4"
    if content is not None:
        path.write_bytes(content)
    assert video_cost(path, [linspace(4)]) == 0
