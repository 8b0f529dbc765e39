import pytest
from helpers.explanations import box, hand_made

from opens2v_hf.reports.explain_words import headline, rule_words, variant_explanations, why
from opens2v_hf.scores.nexus import Thresholds, Verdict
from opens2v_hf.scores.outcome import VideoScore


def _all(explanation) -> str:
    return " ".join(why(explanation))


def test_the_headline_names_the_definition_and_the_value() -> None:
    assert headline(hand_made()) == "NexusScore (released) 0.1250"
    assert headline(hand_made(outcome=VideoScore.failed("x"))) == "No NexusScore: it failed"
    assert headline(hand_made(outcome=VideoScore.not_applicable("x"))) == "No NexusScore: it does not apply"


def test_every_definition_is_explained_with_its_numbers() -> None:
    explained = {found.variant: found for found in variant_explanations(hand_made())}
    assert explained["released"].derivation == (
        "the mean similarity of 4 kept boxes, 0.7500, divided by the 6 frames with any box"
    )
    assert "divided by the 7 pairs of frame and reference" in explained["v1.0"].derivation
    assert explained["coverage"].derivation == (
        "the sum of 4 best kept similarities, 3.0000, divided by 8 frames × 2 references"
    )
    assert explained["coverage"].value == pytest.approx(0.1875)
    assert variant_explanations(hand_made(outcome=VideoScore.failed("x"))) == []


@pytest.mark.parametrize(("variant", "value", "number"), [("released", 0.125, "6 frames"), ("coverage", 0.1875, "×")])
def test_the_first_sentence_derives_the_score_that_was_asked_for(variant: str, value: float, number: str) -> None:
    first = why(hand_made(variant=variant, outcome=VideoScore.scored(value)))[0]
    assert first.startswith(f"{value:.4f} ({variant}) is the ")
    assert number in first


def test_gaps_are_explained_with_their_effect_on_the_released_definition() -> None:
    words = _all(hand_made())
    assert "2 frames of 8 are without any box" in words
    assert "divides by the 6 others only, so these gaps raise the score" in words
    assert "gives 0.1875" in words
    assert "2 frames have boxes of which none is kept" in words


def test_no_gap_is_mentioned_if_every_frame_has_a_box() -> None:
    words = _all(hand_made([box(frame, 0) for frame in range(8)], labels=("Cup",)))
    assert "without any box" not in words
    assert "none is kept" not in words
    assert "Reference 1 (Cup) was found in 8 of 8 frames" in words


def test_each_reference_is_explained_with_its_rules() -> None:
    cup, dog = why(hand_made())[-2:]
    assert cup == (
        "Reference 1 (Cup) was found in 4 of 8 frames, most like its picture in frame 3 (0.25 s) with similarity "
        "0.900. In 4 frames it was not detected."
    )
    assert dog.startswith("Reference 2 (Dog) was found in 0 of 8 frames. In 5 frames it was not detected. In 3 frames")
    assert "1 because the detector's score is not above 0.6" in dog
    assert "1 because the box has no pixel" in dog
    assert "2 because the similarity with the label is not above 0.3" in dog


def test_rules_are_explained_with_their_thresholds() -> None:
    bounds = Thresholds(0.75, -0.1)
    assert rule_words(Verdict.LOW_BOX_SCORE, bounds).endswith("not above 0.75")
    assert rule_words(Verdict.LOW_TEXT_SIMILARITY, bounds).endswith("not above -0.1")
    assert "exactly 0" in rule_words(Verdict.ZERO_IMAGE_SIMILARITY, bounds)


def test_a_score_of_0_is_explained_by_its_cause() -> None:
    nothing = _all(hand_made([], outcome=VideoScore.scored(0.0)))
    assert "In none of the 8 frames did the detector find anything" in nothing
    assert "Reference 2 (Dog) was not detected in any of 8 frames." in nothing
    dropped = hand_made([box(0, 0, Verdict.LOW_BOX_SCORE, score=0.55)], outcome=VideoScore.scored(0.0))
    assert "The detector gave 1 box, and the rules drop every one, so the score is 0." in _all(dropped)
    assert {found.derivation for found in variant_explanations(dropped)} == {"0 because no box is kept"}


def test_labels_of_people_are_explained_as_the_rules_read_them() -> None:
    read = _all(hand_made(labels=("Man", "Dog"), texts=("human", "Dog"), sample_id="humanobj_1"))
    assert "Reference 1 (Man), read as 'human', was found in 4 of 8 frames" in read
    skipped = _all(hand_made(labels=("Cup", "Man"), texts=("Cup", None), sample_id="faceobj_1"))
    assert "Reference 2 (Man) was not searched for" in skipped
    assert "'face' (faceobj_1)" in skipped


def test_a_missing_score_has_its_reason_and_is_not_0() -> None:
    words = _all(hand_made([], outcome=VideoScore.not_applicable("no reference is left"), texts=(None, None)))
    assert "does not apply: no reference is left." in words
    assert "does not count as 0" in words
    assert "There is no score: broken file." in _all(hand_made([], outcome=VideoScore.failed("broken file")))
