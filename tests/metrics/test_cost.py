from __future__ import annotations

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.metrics.cost import video_cost
from opens2v_hf.video.sampling import every, linspace


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
