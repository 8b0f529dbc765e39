from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import every, linspace

LOSSLESS = {"qp": "0"}


def texture(width=160, height=96, seed=0):
    """A smooth random picture, grey so that no weight of a colour matters."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    grey = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    return np.repeat(grey[..., None], 3, axis=2)


def panning(dx, dy, count=6):
    """A window that slides over a larger picture, so that the picture in it moves by (dx, dy) a frame."""
    large = texture(320, 256)
    for number in range(count):
        x, y = 80 - dx * number, 80 - dy * number
        yield large[y : y + 96, x : x + 160]


def score(path, **options):
    metric = MotionAmplitude(**options)
    return metric.score(Clip(path, rules=(metric.sampling,)))


def test_the_released_number_of_a_real_video(shared_data):
    released = json.loads((shared_data / "eval-demo" / "scores" / "motion_amplitude.json").read_text())
    outcome = score(shared_data / "eval-demo" / "videos" / "faceobj_14.mp4")
    assert outcome.value == pytest.approx(released["faceobj_14"]["motion_fb"], abs=1e-6)
    assert len(outcome.details["pair_means"]) == 68


def test_a_picture_that_slides_moves_as_far_as_it_slides(tmp_path):
    path = encode(tmp_path / "v.mp4", panning(3, 1), fps=12, options=LOSSLESS)
    outcome = score(path)
    # the mean of both components of (3, 1); borders, where pictures come into sight, are estimated less well
    assert outcome.value == pytest.approx(2.0, rel=0.1)
    wanted = np.hypot(3, 1) * 12 / np.hypot(160, 96)
    assert outcome.variants["magnitude"] == pytest.approx(wanted, rel=0.1)
    assert score(path, variant="magnitude").value == outcome.variants["magnitude"]


def test_the_same_video_has_the_same_score_to_the_last_bit(tmp_path):
    path = encode(tmp_path / "v.mp4", panning(3, 1, count=4))
    kept = []  # moves what comes later to other places in memory
    outcomes = []
    for size in range(1, 9):
        kept.append(np.empty(1013 * size, np.uint8))
        outcomes.append(score(path).to_dict())
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_to_and_fro_cancels_in_the_released_score_only(tmp_path):
    there = list(panning(3, 1))
    outcome = score(encode(tmp_path / "v.mp4", [*there, *reversed(there[:-1])], options=LOSSLESS))
    assert outcome.value < 0.1
    assert outcome.variants["magnitude"] > 0.3


def test_a_still_does_not_move(tmp_path):
    outcome = score(encode(tmp_path / "v.mp4", [texture()] * 4, options=LOSSLESS))
    assert outcome.value == pytest.approx(0, abs=1e-3)
    assert outcome.variants["magnitude"] == pytest.approx(0, abs=1e-3)


def test_colours_are_greyed_with_the_weights_of_bgr(tmp_path):
    """A pattern in red alone is faint with them (0.114), and one in blue is bright (0.299)."""
    seen = []

    def grey(frame, code):
        seen.append(convert(frame, code))
        return seen[-1]

    convert = cv2.cvtColor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opens2v_hf.video.flow.cv2.cvtColor", grey)
        frames = [np.full((64, 96, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200))]
        score(encode(tmp_path / "v.mp4", frames, options=LOSSLESS))
    red, blue = (float(frame.mean()) for frame in seen)
    assert red == pytest.approx(0.114 * 200, abs=4)
    assert blue == pytest.approx(0.299 * 200, abs=4)


def test_one_decode_serves_the_frames_of_other_metrics(tmp_path):
    path = encode(tmp_path / "v.mp4", numbered_frames(9))
    clip = Clip(path, rules=(every(), linspace(3)))
    assert MotionAmplitude().score(clip).status is Status.SCORED
    path.unlink()  # nothing is read again
    assert clip.frames(linspace(3)).shape == (3, 64, 96, 3)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [([texture()], r"v\.mp4: .*at least two"), ([texture(640, 32)] * 2, r"v\.mp4: .*too flat")],
)
def test_what_has_no_motion_fails_with_its_reason(tmp_path, frames, reason):
    outcome = score(encode(tmp_path / "v.mp4", frames))
    assert outcome.status is Status.FAILED
    assert re.search(reason, outcome.reason)


def test_a_broken_video_fails_with_its_reason(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    outcome = score(tmp_path / "broken.mp4")
    assert outcome.status is Status.FAILED
    assert "broken.mp4" in outcome.reason


def test_tiny_frames_have_a_score(tmp_path):
    outcome = score(encode(tmp_path / "v.mp4", [np.full((2, 2, 3), level, np.uint8) for level in (0, 255)]))
    assert outcome.status is Status.SCORED


def test_only_the_released_definition_is_without_caveats():
    assert MotionAmplitude().caveats == ()
    (caveat,) = MotionAmplitude(variant="magnitude").caveats
    assert "magnitude" in caveat
    with pytest.raises(ArgumentError, match="MotionAmplitude has the variants released, magnitude"):
        MotionAmplitude(variant="none")


@pytest.mark.parametrize(("variant", "other"), [("released", "magnitude"), ("magnitude", "released")])
def test_the_other_definition_stands_beside(tmp_path, variant, other):
    metric = MotionAmplitude(variant=variant)
    assert (metric.name, metric.companion.name) == ("motion_amplitude", f"motion_amplitude_{other}")
    assert metric.companion.variant == other
    path = encode(tmp_path / "v.mp4", panning(3, 1))
    assert score(path, variant=variant).by_variant(other).value == score(path, variant=other).value
