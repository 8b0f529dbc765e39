import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opens2v_hf.models.yolo_world.boxes import cell_centres, decode, expected_distances, non_maximum_suppression, select
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.network import HeadOutput, Levels
from opens2v_hf.models.yolo_world.preprocess import fit


def naive_suppression(boxes, threshold):
    kept = []
    for i, (left, top, right, bottom) in enumerate(boxes):
        suppressed = False
        for j in kept:
            other = boxes[j]
            width = min(right, other[2]) - max(left, other[0])
            height = min(bottom, other[3]) - max(top, other[1])
            both = max(width, 0) * max(height, 0)
            either = (right - left) * (bottom - top) + (other[2] - other[0]) * (other[3] - other[1]) - both
            suppressed |= bool(either > 0 and both / either > threshold)
        if not suppressed:
            kept.append(i)
    return kept


def crowd(rng, count, size=640.0):
    corner = rng.uniform(-20, size, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, size / 4, (count, 2))], axis=1)


@pytest.mark.parametrize(("seed", "threshold"), [(0, 0.1), (0, 0.7), (1, 0.5), (3, 0.3)])
def test_suppression_equals_a_plain_loop(seed, threshold):
    boxes = crowd(np.random.default_rng(seed), 300, size=150.0 * (seed + 1))  # from heavy overlap to hardly any
    assert non_maximum_suppression(boxes, threshold).tolist() == naive_suppression(boxes.tolist(), threshold)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(0, 30), st.just(4)), elements=st.integers(0, 6)))
def test_suppression_equals_a_plain_loop_on_touching_and_flat_boxes(corners):
    boxes = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1)
    assert non_maximum_suppression(boxes.astype(float), 0.5).tolist() == naive_suppression(boxes.tolist(), 0.5)


def test_overlap_at_the_threshold_stays_and_above_it_goes():
    # the first IoU is 70 / 100, the same double as 0.7 and so not above it
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 7], [0, 0, 10, 7.5]], dtype=np.float64)
    assert non_maximum_suppression(boxes, 0.7).tolist() == [0, 1]
    # without + 1 the overlap of the first two is 0.5; with it 6 * 11 / 121 = 0.545
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], dtype=np.float32)
    assert non_maximum_suppression(boxes, 0.52).tolist() == [0, 1]


def test_a_suppressed_box_suppresses_nothing():
    # 1 overlaps 0 by 8/12 and 2 by 8/12; 2 overlaps 0 by 6/14
    boxes = np.array([[0, 0, 10, 1], [2, 0, 12, 1], [4, 0, 14, 1]], dtype=np.float64)
    assert non_maximum_suppression(boxes, 0.6).tolist() == [0, 2]


def test_suppression_stops_when_enough_are_kept():
    boxes = np.array([[i * 20, 0, i * 20 + 10, 10] for i in range(5)], dtype=np.float32)
    assert non_maximum_suppression(boxes, 0.7, max_kept=3).tolist() == [0, 1, 2]


def test_the_first_kept_boxes_are_the_same_wherever_it_stops():
    boxes = crowd(np.random.default_rng(9), 500, size=300.0)
    expected = naive_suppression(boxes.tolist(), 0.3)
    assert len(expected) > 150
    for max_kept in (1, 100, 150, 500):
        assert non_maximum_suppression(boxes, 0.3, max_kept=max_kept).tolist() == expected[:max_kept]


def test_suppression_of_nothing():
    assert non_maximum_suppression(np.zeros((0, 4), np.float32), 0.7).tolist() == []


def test_distances_are_the_mean_of_the_softmax_over_bins():
    bins = torch.zeros(1, 8, 1, 1, dtype=torch.float64)  # two bins a side
    bins[0, 1] = np.log(3.0)  # left: bin 1 three times as likely as bin 0
    bins[0, 6] = np.log(9.0)  # bottom: bin 0 nine times as likely as bin 1
    got = expected_distances(bins, 2).flatten().tolist()
    assert got == pytest.approx([0.75, 0.5, 0.5, 0.1], abs=1e-12)


def test_cells_are_counted_row_by_row_from_their_centres():
    like = torch.zeros((), dtype=torch.float64)
    assert cell_centres(2, 3, 8, like=like).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_decoding_puts_levels_in_order_of_their_strides():
    logits = Levels(*(torch.full((1, 1, side, side), float(side)) for side in (4, 2, 1)))
    bins = Levels(*(torch.zeros(1, 4 * 2, side, side) for side in (4, 2, 1)))  # every distance half a cell
    boxes, scores = decode(HeadOutput(logits, bins), reg_max=2)
    assert boxes.shape == (1, 21, 4)
    assert boxes[0, 0].tolist() == [0, 0, 8, 8]
    assert boxes[0, 5].tolist() == [8, 8, 16, 16]
    assert boxes[0, 16].tolist() == [0, 0, 16, 16]
    assert boxes[0, 20].tolist() == [0, 0, 32, 32]
    assert scores[0, [0, 16, 20], 0].tolist() == pytest.approx([1 / (1 + np.exp(-x)) for x in (4, 2, 1)], abs=1e-6)


def test_half_precision_outputs_are_decoded_in_float32():
    output = HeadOutput(
        Levels(*(torch.zeros(1, 1, side, side, dtype=torch.float16) for side in (4, 2, 1))),
        Levels(*(torch.zeros(1, 8, side, side, dtype=torch.float16) for side in (4, 2, 1))),
    )
    boxes, scores = decode(output, reg_max=2)
    assert boxes.dtype == scores.dtype == torch.float32


def released_order(boxes, scores, place, config):
    """The page's order of steps, one by one: suppress from 0.001 on, clamp, suppress again, and only then 0.5."""
    chosen = [i for i in np.argsort(-scores, kind="stable") if scores[i] > config.pre_score_threshold]
    mapped = (boxes[chosen] - np.array([place.left, place.top] * 2)) / np.array(place.scale * 2)
    kept = naive_suppression(mapped.tolist(), config.nms_iou)[: config.nms_max]
    mapped, left_scores = mapped[kept], scores[chosen][kept]
    mapped[:, [0, 2]] = np.minimum(np.maximum(mapped[:, [0, 2]], 0), place.frame_width)
    mapped[:, [1, 3]] = np.minimum(np.maximum(mapped[:, [1, 3]], 0), place.frame_height)
    kept = [i for i in naive_suppression(mapped.tolist(), config.nms_iou) if left_scores[i] > config.score_threshold]
    kept = kept[: config.max_detections]
    return mapped[kept], left_scores[kept]


@pytest.mark.parametrize("seed", range(2))
def test_dropping_low_scores_first_gives_the_boxes_of_the_released_order(seed):
    rng = np.random.default_rng(seed)
    boxes, scores = crowd(rng, 500), rng.uniform(0, 1, 500)
    boxes[:60] = boxes[0] + rng.uniform(-9, 9, (60, 4))  # a crowd around one place
    config = replace(YoloWorldConfig(), nms_max=120, max_detections=90)
    place = fit(360, 500, 640)
    expected_boxes, expected_scores = released_order(boxes, scores, place, config)
    found = select(torch.from_numpy(boxes), torch.from_numpy(scores), place, config)
    assert len(found) == len(expected_scores) == 90
    np.testing.assert_allclose(found.boxes, expected_boxes, atol=1e-9, rtol=0)
    np.testing.assert_array_equal(found.scores, expected_scores)


def test_clamping_makes_boxes_overlap_and_the_second_suppression_drops_them():
    # unclamped IoU 20/60; inside the 100 px frame both are 10 px wide
    boxes = torch.tensor([[90.0, 0, 130, 10], [90, 0, 110, 10]])
    place = fit(100, 100, 100)
    found = select(boxes, torch.tensor([0.9, 0.8]), place, YoloWorldConfig())
    assert found.boxes.tolist() == [[90, 0, 100, 10]]


def test_a_score_at_the_threshold_is_no_detection():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    found = select(boxes, torch.tensor([0.5, 0.5000001]), fit(64, 64, 64), YoloWorldConfig())
    assert found.boxes.tolist() == [[20, 20, 30, 30]]


def test_suppression_of_all_cells_of_a_640_px_frame_is_quick():
    boxes = crowd(np.random.default_rng(0), 8400).astype(np.float32)
    start = time.thread_time()
    non_maximum_suppression(boxes, 0.7, max_kept=300)
    # the forward pass that it follows takes half a second here
    assert time.thread_time() - start < 0.2
