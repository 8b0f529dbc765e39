"""Texts are packed and boxes mapped as counted by hand."""

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.text_detector.base import check_threshold, collect, unique_phrases, wordless
from opens2v_hf.models.text_detector.prompts import TextPrompt, map_boxes, pack_phrases

START, DOT, END = 101, 1012, 102


def pack(*lengths: int, max_tokens: int):
    ids = [[10 * (number + 1)] * length for number, length in enumerate(lengths)]
    return pack_phrases(ids, start=START, separator=DOT, end=END, max_tokens=max_tokens)


def test_phrases_are_joined_by_full_stops_and_their_tokens_are_known():
    [text], too_long = pack(2, 1, max_tokens=16)
    #                        0      1   2   3    4   5    6
    assert text.input_ids == (START, 10, 10, DOT, 20, DOT, END)
    assert text.spans == ((1, 3), (4, 5))
    assert text.phrases == (0, 1)
    assert too_long == []


@pytest.mark.parametrize(("max_tokens", "groups"), [(7, [(0, 1), (2,)]), (6, [(0,), (1, 2)]), (9, [(0, 1, 2)])])
def test_a_text_is_full_with_its_last_token(max_tokens, groups):
    # 2, 1 and 1 tokens with a full stop each, start and end: all three take 9, the first two 7, the last two 6
    texts, _ = pack(2, 1, 1, max_tokens=max_tokens)
    assert [text.phrases for text in texts] == groups
    assert all(len(text.input_ids) <= max_tokens for text in texts)


def test_a_phrase_longer_than_a_text_is_left_out_and_the_others_are_not():
    texts, too_long = pack(1, 5, 4, max_tokens=7)
    assert too_long == [1]
    assert [text.phrases for text in texts] == [(0,), (2,)]


PROMPT = TextPrompt((START, 10, 11, DOT, 20, DOT, END), (7, 9), ((1, 3), (4, 5)))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        #  start  10   11   dot  20   dot  end
        ((0.1, 0.9, 0.2, 0.1, 0.3, 0.1, 0.1), (7, 0.9)),
        ((0.1, 0.4, 0.2, 0.1, 0.6, 0.1, 0.1), (9, 0.6)),  # both phrases are above 0.25: the label would join them
        (
            (0.1, 0.1, 0.1, 0.1, 0.3, 0.8, 0.1),
            (9, 0.8),
        ),  # the best token is a full stop, as in a released label "dog ."
        ((0.1, 0.1, 0.2, 0.9, 0.2, 0.1, 0.1), "unmapped"),  # nothing but a full stop
        ((0.1, 0.2, 0.25, 0.1, 0.2, 0.1, 0.1), None),  # 0.25 is not above 0.25
    ],
)
def test_boxes_go_to_the_phrase_of_their_best_token(tokens, expected):
    padding = [0.99] * 3  # beyond the text, where there are no tokens
    found = map_boxes(np.array([[*tokens, *padding]]), PROMPT, box_threshold=0.25, text_threshold=0.25)
    assert found.num_unmapped == (expected == "unmapped")
    mapped = list(zip(found.phrases.tolist(), found.scores.tolist(), strict=True))
    assert mapped == ([expected] if isinstance(expected, tuple) else [])


def test_phrases_are_lower_case_without_the_marks_that_end_one():
    phrases = ["A St. Bernard", "dog?", "DOG", "...", " ", "x"]
    assert unique_phrases(phrases) == {"a st bernard": 0, "dog": 1, "x": 5}
    assert wordless(phrases) == [3, 4]


def test_boxes_are_cut_at_the_border_and_sorted():
    boxes = np.array([[-4, -4, 10, 300], [5, 5, 5, 9], [500, 0, 600, 9], [1, 2, 3, 4.5]])
    found = collect(boxes, np.array([0.2, 0.9, 0.9, 0.5]), np.array([0, 1, 2, 3]), size=(100, 200), num_unmapped=2)
    assert [(item.phrase_index, item.box_xyxy, item.score) for item in found] == [
        (3, (1.0, 2.0, 3.0, 4.5), 0.5),
        (0, (0.0, 0.0, 10.0, 100.0), 0.2),
    ]
    assert len(found) == 2
    assert found[1].phrase_index == 0
    assert found.num_unmapped == 2


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), True, "0.5"])
def test_thresholds_lie_in_0_to_1(value):
    with pytest.raises(ArgumentError, match="box_threshold must be a number from 0 to 1"):
        check_threshold(value, "box_threshold")
