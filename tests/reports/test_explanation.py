import math

import pytest
from helpers.explanations import CUP_FRAMES, FRAMES_WITH_BOX, NUM_FRAMES, box, hand_made, hand_made_boxes

from opens2v_hf.reports.explanation import Moment, Seen, timeline
from opens2v_hf.scores.nexus import Verdict
from opens2v_hf.scores.outcome import VideoScore


def test_each_frame_is_found_dropped_or_absent() -> None:
    found = [Moment(Seen.FOUND, similarity=value, score=0.9) for value in CUP_FRAMES]
    assert list(timeline(hand_made_boxes(), 0, num_frames=NUM_FRAMES)) == found + [Moment(Seen.ABSENT)] * 4
    assert [moment.seen for moment in timeline(hand_made_boxes(), 1, num_frames=NUM_FRAMES)] == [
        Seen.ABSENT, Seen.DROPPED, Seen.ABSENT, Seen.ABSENT, Seen.DROPPED, Seen.DROPPED, Seen.ABSENT, Seen.ABSENT,
    ]  # fmt: skip


def test_a_frame_with_a_kept_box_is_found_whatever_else_is_dropped_in_it() -> None:
    boxes = [box(0, 0, Verdict.LOW_TEXT_SIMILARITY, score=0.95, g_i=0.99), box(0, 0, g_i=0.2), box(0, 0, g_i=0.4)]
    assert timeline(boxes, 0, num_frames=1) == (Moment(Seen.FOUND, similarity=0.4, score=0.9),)


def test_the_rule_of_a_dropped_frame_is_that_of_its_best_scored_box() -> None:
    moment = timeline(hand_made_boxes(), 1, num_frames=NUM_FRAMES)[5]
    assert (moment.rule, moment.score, moment.similarity) == (Verdict.LOW_TEXT_SIMILARITY, 0.8, None)


@pytest.mark.parametrize("lost", [None, math.nan])
def test_a_kept_box_whose_similarity_is_no_number_is_found_without_one(lost: float | None) -> None:
    (moment,) = timeline([box(0, 0, g_i=lost)], 0, num_frames=1)
    assert (moment.seen, moment.similarity) == (Seen.FOUND, None)


def test_scores_by_every_definition_are_those_worked_out_by_hand() -> None:
    # kept: 0.8 + 0.9 + 0.7 + 0.6 = 3.0, mean 0.75; 6 frames and 7 pairs with a box; 8 frames x 2 references
    explanation = hand_made()
    assert explanation.frames_with_box == FRAMES_WITH_BOX
    expected = {"released": 0.75 / 6, "v1.0": 0.75 / 7, "coverage": 3.0 / 16}
    assert explanation.scores == pytest.approx(expected)


def test_a_video_without_a_score_has_none_by_any_definition() -> None:
    assert hand_made(outcome=VideoScore.failed("broken")).scores == {}
    assert hand_made(outcome=VideoScore.not_applicable("no reference")).scores == {}


def test_the_best_frame_of_a_reference_and_its_time() -> None:
    explanation = hand_made()
    cup, dog = explanation.references
    assert cup.best == (1, 0.9)
    assert dog.best is None
    assert explanation.seconds(1) == pytest.approx(0.25)  # frame 3 at 12 frames a second
    assert dog.verdicts == {Verdict.LOW_BOX_SCORE: 1, Verdict.LOW_TEXT_SIMILARITY: 2, Verdict.EMPTY_CROP: 1}


def test_boxes_of_a_frame_of_the_video() -> None:
    explanation = hand_made()
    assert [found.reference for found in explanation.boxes_of(3)] == [0, 1]
    assert explanation.boxes_of(4) == []  # was not sampled


def test_a_skipped_reference_has_no_timeline() -> None:
    explanation = hand_made(labels=("Cup", "Man"), texts=("Cup", None))
    assert explanation.references[1].timeline == ()
    assert [reference.label for reference in explanation.searched] == ["Cup"]
    assert explanation.scores["coverage"] == pytest.approx(3.0 / 8)
