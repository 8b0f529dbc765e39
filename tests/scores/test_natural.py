from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opens2v_hf.errors import JudgeError
from opens2v_hf.scores.natural import expected_score, level_probabilities, mean_of_runs, read_score


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("4", 4),
        (" 5 \n", 5),
        ("1.", 1),
        ("**4**", 4),
        ('"3"', 3),
        ("`2`", 2),
        ("4/5", 4),
        ("4 / 5", 4),
        ("4 out of 5", 4),
        ("Score: 4", 4),
        ("score 4", 4),
        ("**Score:** 4", 4),
        ("Final score: 2/5.", 2),
        ("The overall rating is 3", 3),
        ("### Rating = 5", 5),
        ("Score: 4\nThe motion is smooth and nothing is out of place.", 4),
        ("The hands merge with the cup.\n\n2", 2),
        ('{"score": 4}', 4),
        ('{"reason": "the light is right", "rating": 5}', 5),
        ("```\n4\n```", 4),
        ('```json\n{"score": 4}\n```', 4),
        ('Here is my answer:\n```json\n{"score": 2, "reason": "the hands melt"}\n```\nI hope that helps.', 2),
        ("```text\nScore: 3\n```", 3),
        ("<think>It could be 3 or 4. The hands have 6 fingers.</think>\n\n2", 2),
        ("<think>\n</think>\n\nScore: 5/5", 5),
        ("<THINKING>maybe 1</THINKING>4", 4),
        ("two hands, 5 fingers each, so 4 or 5\n</think>\n5", 5),
        ("<think>" + "I see 3 people. " * 2000 + "</think>**4**", 4),
        ('<think>or 2?</think>```json\n{"rating": 3}\n```', 3),
    ],
)
def test_plain_statements_are_scores(reply: str, score: int) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    "reply",
    [
        "", "   \n", "0", "6", "10", "45", "-4", "+4", "4.5", "4.0", "4,5", "4½", "½", "7/10", "4/10", "4/5/5",
        "4-5", "3 or 4", "between 3 and 4", "Score: between 3 and 4", "Score: 3\nScore: 4", "Score: 4\nScore: 4",
        "4\n4", "4\n5", "Score: 4\nI could also give a 3.", "4\nIt might as well be five.", "Score: 3, or 4", "four",
        "IV", "４", "④", "٤", "I see 4 people.", "I cannot rate this video.", "Sorry, I can't help with that.",
        "Score: ", "Score: N/A", "4 stars", "4 5", "Score: 10", "Score: 0/5", "Score -4", "Score: -4", "1/2", "5%",
        "score4x", "nan", "inf", "1e0", "0x4", "1.\nThe hands are odd.", "#4", "[4]", "{", "{}", '{"score": 4.0}',
        '{"score": "4"}', '{"score": true}', '{"score": 4, "rating": 3}', '{"score": 4, "score": 3}',
        '{"score": 4, "confidence": 0.5}', '{"score": 9}', '{"score": 4, "note": "or 3"}', '{"score": [4]}',
        '{"score": NaN}', "{" * 5000, '{"score": {"score": 4}}', "Score: 99999999999999999999999", "4" * 30_000,
        "4" * 15_000, "<think>4", "<think>4</think>", "<think>it is a 4</think>", "</think>", "4</think>",
        "<think>a</think>4<think>", "3 ```json\n{\"score\": 4}\n```", "```\n3\n```\n```\n4\n```", "```\n```",
        '```json\n{"score": 3}\n```\n```json\n{"score": 4}\n```', '{"score": 4} or 3', '```json\n{"score": 4.5}\n```',
    ],
)  # fmt: skip
def test_everything_else_is_refused(reply: str) -> None:
    with pytest.raises(JudgeError):
        read_score(reply)


def test_a_refusal_says_what_the_judge_answered() -> None:
    with pytest.raises(JudgeError, match="I would rather not"):
        read_score("I would rather not")


def test_a_long_refusal_is_cut_in_the_message() -> None:
    with pytest.raises(JudgeError) as caught:
        read_score("no " * 1000)
    assert len(str(caught.value)) < 300


@given(st.text(max_size=60))
def test_any_text_is_a_level_or_refused(reply: str) -> None:
    try:
        score = read_score(reply)
    except JudgeError:
        return
    assert score in {1, 2, 3, 4, 5}


@given(st.text(alphabet="0123456789./ -\n", max_size=8))
def test_a_level_is_only_read_from_a_text_that_holds_it(reply: str) -> None:
    try:
        score = read_score(reply)
    except JudgeError:
        return
    numbers = "".join(character if character.isdigit() else " " for character in reply).split()
    assert [int(number) for number in numbers] in ([score], [score, 5])


def test_expectation_by_hand() -> None:
    # probabilities 0.1, 0.2, 0.3, 0.2, 0.2 after taking out what other tokens hold: 0.1+0.4+0.9+0.8+1.0
    logits = [math.log(p / 2) for p in (0.1, 0.2, 0.3, 0.2, 0.2)]
    assert expected_score(logits) == pytest.approx(3.2, abs=1e-12)
    assert level_probabilities(logits) == pytest.approx([0.1, 0.2, 0.3, 0.2, 0.2], abs=1e-12)


def test_expectation_of_huge_logits() -> None:
    assert expected_score([1e4, 0, 0, 0, 1e4]) == pytest.approx(3.0, abs=1e-12)
    assert expected_score([-1e30, -1e30, -1e30, -1e30, 0]) == 5.0


@pytest.mark.parametrize(
    "logits", [[], [0.0] * 4, [0.0] * 6, [0.0, 0.0, math.nan, 0.0, 0.0], [math.inf, 0.0, 0.0, 0.0, 0.0]]
)
def test_logits_that_are_none(logits: list[float]) -> None:
    with pytest.raises(JudgeError):
        expected_score(logits)


def test_runs_are_averaged_as_released() -> None:
    # the released scores of a demo video over three runs: 3, 4, 3
    assert mean_of_runs([3, 4, 3]) == pytest.approx(10 / 3, abs=1e-12)


def test_a_run_without_score_fails_the_video() -> None:
    with pytest.raises(JudgeError, match="2 of 3 runs"):
        mean_of_runs([4, None, 5])


def test_partial_runs_on_request() -> None:
    assert mean_of_runs([4, None, 5], allow_partial=True) == 4.5
    with pytest.raises(JudgeError, match="any of 2 runs"):
        mean_of_runs([None, None], allow_partial=True)
    with pytest.raises(JudgeError):
        mean_of_runs([], allow_partial=True)


@pytest.mark.parametrize("score", [0, 5.01, math.nan])
def test_a_score_out_of_range_is_a_mistake(score: float) -> None:
    with pytest.raises(ValueError, match=r"1\.\.5"):
        mean_of_runs([score])
