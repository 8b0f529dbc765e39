"""The flow between frames is OpenCV's, with any number of threads."""

import cv2
import numpy as np
import pytest

from opens2v_hf.video.flow import farneback_flow


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_flow_of_every_pair_is_opencvs_to_the_bit(threads):
    frames = list(np.random.default_rng(0).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8))
    greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    expected = [
        cv2.calcOpticalFlowFarneback(
            greys[at], greys[at + 1], None, pyr_scale=0.5, levels=3, winsize=15, iterations=3, poly_n=5,
            poly_sigma=1.2, flags=0,
        )
        for at in range(5)
    ]  # fmt: skip
    found = list(farneback_flow(iter(frames), np.copy, threads=threads))
    assert len(found) == 5
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
