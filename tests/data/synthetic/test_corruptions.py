from __future__ import annotations

import numpy as np
import pytest

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS, corrupt
from opens2v_hf.data.synthetic.render import render_video
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.errors import ArgumentError

FRAMES = render_video(draw_scene(11, "singleobj", num_frames=4))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_only_the_affected_frames_change(kind: str) -> None:
    before = FRAMES.copy()
    broken = corrupt(FRAMES, kind, affected=[1, 3], strength=0.5, seed=0)
    assert broken.shape == FRAMES.shape
    assert broken.dtype == np.uint8
    changed = [bool((broken[index] != FRAMES[index]).any()) for index in range(4)]
    assert changed == [False, True, False, True]
    assert (before == FRAMES).all(), "the frames given are left as they are"


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_stronger_fault_changes_more(kind: str) -> None:
    def change(strength: float) -> float:
        # over several seeds, since where blocks and bands lie is chance
        broken = [corrupt(FRAMES, kind, affected=range(4), strength=strength, seed=seed) for seed in range(5)]
        return float(np.mean([np.abs(frames.astype(int) - FRAMES).mean() for frames in broken]))

    assert change(0.2) < change(0.9)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_seed_decides(kind: str) -> None:
    first, again, other = (
        corrupt(FRAMES, kind, affected=range(4), strength=0.8, seed=seed) for seed in ((3, 1), (3, 1), (3, 2))
    )
    assert (first == again).all()
    assert (first != other).any()


def test_noise_has_the_documented_deviation() -> None:
    grey = np.full((1, 200, 200, 3), 128, np.uint8)
    broken = corrupt(grey, "noise", affected=[0], strength=0.5, seed=0)
    assert broken.std() == pytest.approx(30.0, rel=0.02)


def test_channels_slip_apart_by_a_tenth_of_the_width() -> None:
    line = np.zeros((1, 10, 100, 3), np.uint8)
    line[0, :, 50] = 255
    broken = corrupt(line, "channels", affected=[0], strength=1.0, seed=0)
    columns = [int(broken[0, 0, :, channel].argmax()) for channel in range(3)]
    assert sorted(columns) == [40, 50, 60]
    assert columns[1] == 50


def test_torn_rows_keep_their_pixels() -> None:
    broken = corrupt(FRAMES, "tearing", affected=[0], strength=1.0, seed=5)[0]
    for torn, row in zip(broken, FRAMES[0], strict=True):
        assert sorted(map(tuple, torn.tolist())) == sorted(map(tuple, row.tolist()))


@pytest.mark.parametrize(("kind", "strength"), [("melting", 0.5), ("noise", 0.0), ("noise", 1.5)])
def test_bad_arguments_are_refused(kind: str, strength: float) -> None:
    with pytest.raises(ArgumentError):
        corrupt(FRAMES, kind, affected=[0], strength=strength, seed=0)
