import math

import numpy as np
import pytest
import torch

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.nexus import (
    NexusBox,
    Thresholds,
    Verdict,
    compared_label,
    coverage,
    judge,
    nexus_score,
    pixel_corners,
    released,
    released_v1_0,
    round_to,
    summarize_reference,
)

CORNERS = (0, 0, 10, 10)


def nexus_box(frame, reference, similarity, verdict=Verdict.KEPT, score=0.9):
    return NexusBox(frame, reference, (0.0, 0.0, 10.0, 10.0), score, similarity, 0.5, verdict)


@pytest.mark.parametrize(
    ("score", "image", "text", "verdict"),
    [
        (0.61, 0.4, 0.31, Verdict.KEPT),
        (0.60, 0.4, 0.31, Verdict.LOW_BOX_SCORE),  # strict
        (0.55, None, None, Verdict.LOW_BOX_SCORE),  # nothing else need be known
        (0.61, 0.4, 0.30, Verdict.LOW_TEXT_SIMILARITY),  # strict
        (0.61, 0.4, -0.9, Verdict.LOW_TEXT_SIMILARITY),
        (0.61, 0.4, math.nan, Verdict.LOW_TEXT_SIMILARITY),
        (0.61, 0.0, 0.31, Verdict.ZERO_IMAGE_SIMILARITY),
        (0.61, -0.0, 0.31, Verdict.ZERO_IMAGE_SIMILARITY),
        (0.61, -0.2, 0.31, Verdict.KEPT),
        (0.61, math.nan, 0.31, Verdict.KEPT),
    ],
)
def test_rules_of_a_box(score, image, text, verdict):
    assert judge(score, CORNERS, image, text, Thresholds()) is verdict


@pytest.mark.parametrize("corners", [(5, 5, 5, 10), (5, 5, 10, 5), (6, 5, 5, 10)])
def test_a_crop_without_a_pixel_is_dropped_with_its_reason(corners):
    assert judge(0.9, corners, None, None, Thresholds()) is Verdict.EMPTY_CROP


def test_a_similarity_that_is_needed_must_be_there():
    with pytest.raises(ArgumentError, match="both similarities"):
        judge(0.9, CORNERS, None, 0.4, Thresholds())


def test_half_precision_similarities_are_compared_in_half_precision():
    above = float(np.float16(0.3000488))  # what 0.30 is in float16
    half = Thresholds().rounded(box_dtype="float32", similarity_dtype="float16")
    assert judge(0.9, CORNERS, 0.4, above, half) is Verdict.LOW_TEXT_SIMILARITY
    assert judge(0.9, CORNERS, 0.4, float(np.nextafter(np.float16(above), np.float16(1))), half) is Verdict.KEPT
    # compared as plain numbers it would be kept
    assert judge(0.9, CORNERS, 0.4, above, Thresholds()) is Verdict.KEPT


def test_box_scores_are_compared_in_float32():
    at = float(np.float32(0.6))  # a little above 0.6
    single = Thresholds().rounded(box_dtype="float32", similarity_dtype="float32")
    assert judge(at, CORNERS, 0.4, 0.4, single) is Verdict.LOW_BOX_SCORE
    assert judge(at, CORNERS, 0.4, 0.4, Thresholds()) is Verdict.KEPT


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("value", [0.3, 0.6, 0.35, -0.1, 0.0, 1.0, 1.00390625, 1.01171875])
def test_rounding_is_the_dtype_s_own(dtype, value):
    assert round_to(value, dtype) == torch.tensor(value, dtype=torch.float64).to(getattr(torch, dtype)).item()


def test_no_other_dtype_is_known():
    with pytest.raises(ArgumentError, match="int8"):
        round_to(0.3, "int8")


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.6", None, True])
def test_thresholds_are_numbers(value):
    with pytest.raises(ArgumentError, match="finite number"):
        Thresholds(box_score=value)


@pytest.mark.parametrize(
    ("sample_id", "label", "text"),
    [
        ("singleface_3", "Man", None),
        ("multiface_1", "Woman", None),
        ("faceobj_14", "Cup", "Cup"),
        ("singlehuman_2", "Woman", "human"),
        ("humanobj_9", "Man", "human"),
        ("humanobj_9", "Bicycle", "Bicycle"),
        ("singleobj_1", "Man", "Man"),
        ("human_face_1", "Man", None),  # "face" wins
        ("singlehuman_2", "man", "man"),  # other spellings are no people
        ("singleface_3", "Person", "Person"),
        (None, "Man", "Man"),
    ],
)
def test_label_rules(sample_id, label, text):
    assert compared_label(sample_id, label) == text


def test_corners_are_rounded_half_to_even():
    assert pixel_corners((0.5, 1.5, 2.5, 3.5)) == (0, 2, 2, 4)
    assert pixel_corners(np.array([-0.5, -1.5, 10.49, 10.51], np.float32)) == (0, -2, 10, 11)


def test_released_is_the_mean_over_kept_boxes_divided_by_frames_with_any_box():
    boxes = [
        nexus_box(0, 0, 0.4),
        nexus_box(0, 0, 0.6),
        nexus_box(0, 1, 0.8),
        nexus_box(3, 1, 0.9, Verdict.LOW_TEXT_SIMILARITY),
        nexus_box(5, 0, None, Verdict.LOW_BOX_SCORE, score=0.55),  # counts towards the frames
    ]
    assert released(boxes) == pytest.approx(0.6 / 3, abs=1e-15)  # frames 0, 3 and 5
    assert released_v1_0(boxes) == pytest.approx(0.6 / 4, abs=1e-15)  # (0, 0), (0, 1), (3, 1), (5, 0)


def test_negative_similarities_pull_the_mean_down():
    assert released([nexus_box(0, 0, 0.5), nexus_box(1, 0, -0.1)]) == pytest.approx(0.2 / 2, abs=1e-15)


def test_a_similarity_that_is_no_number_makes_the_score_none():
    boxes = [nexus_box(0, 0, 0.5), nexus_box(0, 0, math.nan), nexus_box(0, 0, 0.7)]
    assert math.isnan(released(boxes))
    assert math.isnan(coverage(boxes, num_frames=1, references=[0]))


@pytest.mark.parametrize("boxes", [[], [nexus_box(0, 0, 0.0, Verdict.ZERO_IMAGE_SIMILARITY)]])
def test_nothing_kept_scores_zero(boxes):
    for variant in ("released", "v1.0", "coverage"):
        assert nexus_score(variant, boxes, num_frames=4, references=[0]) == 0.0


def test_released_rewards_flicker_and_coverage_does_not():
    steady = [nexus_box(frame, 0, 1.0) for frame in range(32)]
    flicker = [nexus_box(7, 0, 0.6)]
    assert released(steady) == 1 / 32  # 62.5 % of the leaderboard's range [0, 0.05]
    assert released(flicker) == 0.6  # beyond it
    assert coverage(steady, num_frames=32, references=[0]) == 1.0
    assert coverage(flicker, num_frames=32, references=[0]) == pytest.approx(0.6 / 32, abs=1e-15)


def test_coverage_takes_the_best_of_every_frame_and_reference():
    boxes = [
        nexus_box(0, 0, 0.2),
        nexus_box(0, 0, 0.8),
        nexus_box(0, 0, 0.9, Verdict.LOW_TEXT_SIMILARITY),
        nexus_box(1, 2, -0.4),
    ]
    # frames 0, 1 and references 0, 2: 0.8, 0, 0, -0.4
    assert coverage(boxes, num_frames=2, references=[0, 2]) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize("arguments", [{"num_frames": 0, "references": [0]}, {"num_frames": 2, "references": []}])
def test_coverage_of_nothing_is_refused(arguments):
    with pytest.raises(ArgumentError, match="a frame and a reference"):
        coverage([], **arguments)


def test_variants_are_known_by_name():
    with pytest.raises(ArgumentError, match=r"released, v1\.0, coverage"):
        nexus_score("v2", [], num_frames=1, references=[0])


def test_a_reference_s_summary_counts_what_each_rule_dropped():
    boxes = [
        nexus_box(0, 1, 0.2),
        nexus_box(0, 1, 0.7),
        nexus_box(0, 1, None, Verdict.LOW_BOX_SCORE),
        nexus_box(2, 1, 0.5, Verdict.LOW_TEXT_SIMILARITY),
        nexus_box(2, 1, 0.0, Verdict.ZERO_IMAGE_SIMILARITY),
        nexus_box(2, 1, None, Verdict.EMPTY_CROP),
        nexus_box(2, 0, 0.99),  # another reference
        nexus_box(3, 1, -0.1),
    ]
    summary = summarize_reference(boxes, 1, "Cup", num_frames=4)
    assert summary.to_dict() == {
        "reference": 1,
        "label": "Cup",
        "num_boxes": 7,
        "frames_detected": 3,
        "frames_found": 2,
        "best_similarity": 0.7,
        "best_similarities": [0.7, None, None, -0.1],
        "dropped": {
            "low_box_score": 1,
            "empty_crop": 1,
            "low_text_similarity": 1,
            "zero_image_similarity": 1,
        },
    }
