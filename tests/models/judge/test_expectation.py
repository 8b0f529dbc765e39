"""A judge behind an endpoint that is read as the expectation over the digits, from the log-probabilities it sends."""

from __future__ import annotations

import io
import json
import math
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from helpers.judge_endpoint import Behaviour, completion, judge_endpoint, raw, says_token
from PIL import Image

from opens2v_hf.errors import ArgumentError, JudgeError
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.scores.natural import read_listed

RUBRIC = Rubric("test", "How real is it, from 1 to 5?")
FRAMES = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 12, 3), dtype=np.uint8)) for seed in (0, 1)]


def judge(url: str, **options: Any) -> EndpointJudge:
    return EndpointJudge("m", base_url=url, reading="expectation", sleep=lambda _: None, **options)


def test_the_score_is_the_mean_of_the_digits_by_their_probabilities() -> None:
    listed = {"4": math.log(0.5), "3": math.log(0.3), "2": math.log(0.1), "Four": math.log(0.1)}
    with judge_endpoint(says_token(listed)) as endpoint:
        [rating, again] = judge(endpoint.base_url).rate(FRAMES, RUBRIC, runs=2)
    assert rating == again
    assert rating.score == pytest.approx((4 * 0.5 + 3 * 0.3 + 2 * 0.1) / 0.9)
    assert rating.details["digit_mass"] == pytest.approx(0.9)
    assert rating.details["probabilities"]["3"] == pytest.approx(1 / 3)
    assert rating.details["logprobs"] == listed, "what it was read from is kept"
    assert rating.problems == ("",), "one token was asked for; that the reply ends there is no fault"
    [first, _] = endpoint.requests
    assert (first["logprobs"], first["top_logprobs"], first["max_tokens"], first["temperature"]) == (True, 20, 1, 0)


def test_what_a_digit_outside_the_list_can_change_is_bounded() -> None:
    # listed 0.7 + 0.2; 1, 2 and 3 share at most 0.1, which moves the mean from 4.2222 towards 1
    read = read_listed({"4": math.log(0.7), "5": math.log(0.2)})
    score = (4 * 0.7 + 5 * 0.2) / 0.9
    worst = (4 * 0.7 + 5 * 0.2 + 1 * 0.1) / 1.0
    assert read.uncertainty == pytest.approx(score - worst)
    # below the least likely listed token, each of them has at most its probability
    read = read_listed({"4": math.log(0.7), "5": math.log(0.2), "x": math.log(0.01)})
    worst = (4 * 0.7 + 5 * 0.2 + 1 * 0.03) / 0.93
    assert read.uncertainty == pytest.approx(score - worst)


def test_frames_without_loss_before_the_rubric() -> None:
    with judge_endpoint(says_token({"5": 0.0})) as endpoint:
        client = judge(endpoint.base_url, image_format="png", frames_first=True)
        client.rate(FRAMES, RUBRIC)
    [request] = endpoint.requests
    content = request["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    sent = np.asarray(Image.open(io.BytesIO(b64decode(data))))
    np.testing.assert_array_equal(sent, np.asarray(FRAMES[1]))
    assert client.options["frames_first"] is True
    assert client.options["image_format"] == "png"
    assert client.deterministic is True


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says_token({"I": -0.1, "The": -3.0}), "none of the digits 1 to 5 is among"),
        (raw(json.dumps(completion("4")).encode()), "gives no log-probabilities"),
    ],
)
def test_an_answer_without_a_digit_is_no_score(answer: Behaviour, words: str) -> None:
    with judge_endpoint(answer) as endpoint:
        [rating] = judge(endpoint.base_url, max_reply_attempts=1).rate(FRAMES, RUBRIC)
    assert rating.score is None
    assert words in rating.error


def test_unusable_values() -> None:
    with pytest.raises(JudgeError):
        read_listed({})
    for wrong in ({"reading": "mean"}, {"image_format": "gif"}, {"top_logprobs": 4}, {"frames_first": 1}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            EndpointJudge("m", base_url="http://127.0.0.1:9/v1", **wrong)
