"""Static overlays on moving pictures that are drawn here, and on the real clips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline import overlays
from opens2v_hf.pipeline.overlays import OverlayRules, best_crop, find_overlays, find_static

HEIGHT, WIDTH, COUNT = 180, 320, 12
RULES = OverlayRules()


def moving(step: int = 7, seed: int = 0, count: int = COUNT) -> np.ndarray:
    """A camera that pans over a picture with detail of many sizes: uint8 [count, 180, 320]."""
    canvas = np.zeros((HEIGHT, WIDTH + count * abs(step)), np.float32)
    for sigma in (1.5, 4, 12):
        layer = cv2.GaussianBlur(
            np.random.default_rng(seed).normal(size=canvas.shape).astype(np.float32), (0, 0), sigma
        )
        canvas += layer / layer.std()
    canvas = np.clip(128 + 30 * canvas, 0, 255).astype(np.uint8)
    return np.stack([canvas[:, number * step : number * step + WIDTH] for number in range(count)])


def drawn(
    frames: np.ndarray, text: str, origin: tuple[int, int], *, scale: float = 0.6, alpha: float = 1.0, width: int = 1
):
    """The frames with a white text whose lower left corner is `origin`, and the box of its pixels."""
    mask = np.zeros(frames.shape[1:], np.uint8)
    cv2.putText(mask, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)
    ys, xs = np.nonzero(mask)
    share = alpha * mask / 255.0
    return (frames * (1 - share) + 255 * share).astype(np.uint8), (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def assert_covers(found: tuple[int, int, int, int], truth: tuple[int, int, int, int], slack: int = 6) -> None:
    grown = (truth[0] - slack, truth[1] - slack, truth[2] + slack, truth[3] + slack)
    assert grown[0] <= found[0] <= truth[0] + 1
    assert grown[1] <= found[1] <= truth[1] + 1
    assert truth[2] - 1 <= found[2] <= grown[2]
    assert truth[3] - 1 <= found[3] <= grown[3]


def test_a_line_of_subtitles_is_one_overlay() -> None:
    frames, truth = drawn(moving(), "who are you talking to", (40, 168))

    (found,) = find_static(frames, RULES)

    assert_covers(found, truth)


def test_a_half_transparent_logo_in_a_corner_and_a_subtitle_are_two() -> None:
    frames, logo = drawn(moving(seed=1), "TV8", (262, 26), scale=0.7, alpha=0.6, width=2)
    frames, line = drawn(frames, "a line of words", (60, 166))

    found = find_static(frames, RULES)

    assert len(found) == 2
    assert_covers(found[0], line)
    assert_covers(found[1], logo)


def test_a_subtitle_in_a_black_bar_is_found() -> None:
    frames = moving(seed=2)
    frames[:, 150:] = 16
    frames, truth = drawn(frames, "words below it", (60, 170))

    (found,) = find_static(frames, RULES)

    assert_covers(found, truth)


def test_other_static_or_moving_regions_are_no_overlay() -> None:
    pan = moving(seed=3)
    still = np.repeat(drawn(pan[:1], "a sign on a wall", (40, 168))[0], COUNT, axis=0)
    with_the_scene = np.stack(
        [drawn(pan[[number]], "a passing van", (20 + 7 * number, 168))[0][0] for number in range(COUNT)]
    )
    in_the_middle = drawn(pan, "a poster", (90, 95))[0]
    post = pan.copy()
    post[:, 20:, 18:26] = 250
    changing = np.stack([drawn(pan[[number]], "abcdefghijklmnop"[number:], (40, 168))[0][0] for number in range(COUNT)])

    for frames in (pan, still, with_the_scene, in_the_middle, post, changing):
        assert find_static(frames, RULES) == []


def test_subtitles_that_change_are_one_overlay_and_a_logo_another() -> None:
    frames = moving(3, seed=1, count=34)
    one, above = drawn(frames[:17], "who are you talking to", (40, 168))
    other, below = drawn(frames[17:], "nobody. go to sleep", (60, 168))
    frames, logo = drawn(np.concatenate([one, other]), "TV8", (262, 26), scale=0.7, alpha=0.6, width=2)

    lines, corner = find_overlays(frames, RULES)

    assert_covers(
        lines, (min(above[0], below[0]), min(above[1], below[1]), max(above[2], below[2]), max(above[3], below[3]))
    )
    assert_covers(corner, logo)
    assert len(find_overlays(frames[::3], OverlayRules(changing=False))) == 1, "the logo alone"


def still(seed: int = 6, count: int = 34) -> np.ndarray:
    """A picture that does not move, with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(scale=2, size=(count, HEIGHT, WIDTH))
    return np.clip(moving(seed=seed, count=1) + noise, 0, 255).astype(np.uint8)


def test_subtitles_that_change_are_found_on_a_picture_that_is_still() -> None:
    frames = still()
    one, above = drawn(frames[:17], "who are you talking to", (40, 168))
    other, below = drawn(frames[17:], "nobody. go to sleep", (60, 168))
    truth = (min(above[0], below[0]), min(above[1], below[1]), max(above[2], below[2]), max(above[3], below[3]))

    (found,) = find_overlays(np.concatenate([one, other]), RULES)
    assert_covers(found, truth)

    (found,) = find_overlays(np.concatenate([frames[:10], one[:14], frames[24:]]), RULES)
    assert_covers(found, above)


def test_what_changes_on_a_still_picture_without_being_a_line_at_its_border_is_no_overlay() -> None:
    frames = still()
    sign = np.concatenate([frames[:17], drawn(frames[17:], "a sign is lit once", (40, 168))[0]])
    middle = [
        drawn(frames[part], words, (40, 95))[0] for part, words in ((slice(17), "on air"), (slice(17, 34), "off"))
    ]
    clock = [drawn(frames[part], words, (260, 168))[0] for part, words in ((slice(17), "1:2"), (slice(17, 34), "3:4"))]
    lights_out = np.concatenate([frames[:17], frames[17:] // 3])

    for changed in (frames, sign, np.concatenate(middle), np.concatenate(clock), lights_out):
        assert find_overlays(changed, RULES) == []


def test_static_overlays_of_a_short_clip_are_searched_in_twelve_frames_at_least() -> None:
    for count in (12, 20):
        frames, truth = drawn(moving(seed=1, count=count), "who are you talking to", (40, 168))
        (found,) = find_overlays(frames[RULES.positions(count)], RULES)
        assert_covers(found, truth)


def test_a_static_overlay_that_reaches_beyond_the_lines_is_part_of_them(monkeypatch) -> None:
    lines, static = [(40, 150, 160, 160), (10, 10, 60, 20)], [(30, 140, 100, 165), (200, 20, 220, 30)]
    monkeypatch.setattr(overlays, "find_changing", lambda *_: lines)
    monkeypatch.setattr(overlays, "find_static", lambda *_: static)
    found = find_overlays(np.zeros((34, HEIGHT, WIDTH), np.uint8), RULES)
    assert found == [(30, 140, 160, 165), (10, 10, 60, 20), (200, 20, 220, 30)]


def test_text_of_a_moment_and_text_that_moves_with_the_scene_do_not_change() -> None:
    pan = moving(3, seed=5, count=34)
    moment = np.concatenate([drawn(pan[:12], "a sign on a wall", (40, 168))[0], pan[12:]])
    elsewhere = np.concatenate([moment[:20], drawn(pan[20:], "another sign", (40, 30))[0]])
    passing = np.stack([drawn(pan[[number]], "a passing van", (140 - 3 * number, 168))[0][0] for number in range(34)])
    still = np.concatenate([np.repeat(drawn(pan[:1], words, (40, 168))[0], 17, axis=0) for words in ("one", "two")])

    for frames in (pan, moment, elsewhere, passing, still):
        assert find_overlays(frames, RULES) == []


def test_the_crop_cuts_where_it_costs_least() -> None:
    # a corner logo of 20 x 9 in 100 x 50: its rows cost 9 of 50, its columns 20 of 100;
    # with a subtitle at the bottom, rows of a logo of 20 x 10 cost 10 of 42, its columns 20 of 100
    assert best_crop((0, 0, 100, 50), [(0, 0, 20, 9)]) == (0, 9, 100, 50)
    assert best_crop((0, 0, 100, 50), [(0, 0, 20, 10), (30, 42, 70, 48)]) == (20, 0, 100, 42)
    assert best_crop((0, 0, 100, 50), [(0, 0, 15, 10), (30, 42, 70, 48)]) == (15, 0, 100, 42)
    assert best_crop((10, 10, 20, 20), [(0, 0, 100, 100)]) == (10, 10, 10, 10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_loss": 1.5}, r"max_loss of overlays must be a number in 0\.\.1 \(got 1\.5\)"),
        ({"num_frames": 2}, "num_frames must be a whole number from 3"),
        ({"maxloss": 0.1}, "the rules of overlays are num_frames, .*got 'maxloss'"),
        ({"changing": 1}, "changing must be true or false"),
        ("yes", "must be true, false or a mapping"),
    ],
)
def test_rules_that_cannot_be_used(given: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        OverlayRules.of(given)
