from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import signal
import threading
import time
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from helpers.judge_endpoint import (
    Behaviour,
    completion,
    drips,
    drips_headers,
    fails,
    hangs,
    judge_endpoint,
    never,
    raw,
    resets,
    says,
    truncated,
)  # fmt: skip
from PIL import Image

from opens2v_hf._util.retries import retry_after_s
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.judge.base import Rating
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.models.judge.rubric import Rubric

KEY = "sk-test-0123456789abcdef"
RUBRIC = Rubric("test", "Rate it from 1 to 5.")
FRAMES = [Image.fromarray(np.full((24, 32, 3), shade, np.uint8)) for shade in (10, 120, 230)]


class Waits(list):
    """Records what would have been waited."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def ask(*script: Behaviour, runs: int = 1, **options: Any) -> tuple[list[Rating], Any, Waits]:
    waits = Waits()
    with judge_endpoint(*script) as endpoint:
        options = {"api_key": KEY, "sleep": waits, "timeout_s": 5.0} | options
        judge = EndpointJudge("openai:gpt-test", base_url=endpoint.base_url, **options)
        ratings = judge.rate(FRAMES, RUBRIC, runs=runs)
    return ratings, endpoint, waits


def test_one_call_holds_the_rubric_and_all_frames_in_order() -> None:
    [rating], endpoint, waits = ask(says("4"))
    assert rating.score == 4
    assert rating.reply == "4"
    assert waits == []
    assert endpoint.paths == ["/v1/chat/completions"]
    [request] = endpoint.requests
    assert request["model"] == "gpt-test"
    [message] = request["messages"]
    assert message["content"][0] == {"type": "text", "text": RUBRIC.text}
    shades = []
    for part in message["content"][1:]:
        assert part["type"] == "image_url"
        kind, _, data = part["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (picture.format, picture.size) == ("JPEG", (32, 24))
        shades.append(np.asarray(picture).mean())
    assert shades == pytest.approx([10, 120, 230], abs=2)


def test_three_runs_are_three_calls_with_a_rating_each() -> None:
    ratings, endpoint, _ = ask(says("3"), says("4"), says("5"), runs=3, concurrency=1)
    assert [rating.score for rating in ratings] == [3, 4, 5]
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fails(429), id="429"),
        pytest.param(fails(500), id="500"),
        pytest.param(fails(503), id="503"),
        pytest.param(fails(408), id="408"),
        pytest.param(resets, id="reset"),
        pytest.param(truncated, id="truncated"),
        pytest.param(raw(b'{"choices": ['), id="malformed"),
        pytest.param(raw(b"<html>hello</html>", content_type="text/html"), id="html"),
        pytest.param(raw(b""), id="empty-body"),
        pytest.param(raw(b"[" * 100_000), id="deep"),
        pytest.param(raw(b'"5"'), id="no-object"),
        pytest.param(raw(b'{"choices": []}'), id="no-choices"),
        pytest.param(raw(b'{"choices": [5]}'), id="choice-is-number"),
        pytest.param(raw(b'{"choices": [{"message": null}]}'), id="no-message"),
        pytest.param(raw(b'{"error": {"message": "overloaded"}}'), id="error-with-200"),
        pytest.param(raw(b"\xff\xfe\xfd"), id="no-text"),
        pytest.param(raw(b"not gzip", Content_Encoding="gzip"), id="bad-gzip"),
        pytest.param(raw(b" " * (1 << 20) + json.dumps(completion("5")).encode()), id="huge"),
        pytest.param(
            raw(gzip.compress(b" " * (50 << 20) + json.dumps(completion("5")).encode()), Content_Encoding="gzip"),
            id="gzip-bomb",
        ),
        pytest.param(
            raw(gzip.compress(gzip.compress(json.dumps(completion("5")).encode())), Content_Encoding="gzip, gzip"),
            id="packed-twice",
        ),
    ],
)
def test_transient_failures_are_retried(fault: Behaviour) -> None:
    [rating], endpoint, waits = ask(fault, says("2"))
    assert rating.score == 2
    assert len(endpoint.requests) == 2
    assert len(waits) == 1
    assert len(rating.replies) == 2, "what came instead of a reply is kept"


def test_an_endpoint_that_never_recovers_fails_the_rating_after_bounded_attempts() -> None:
    [rating], endpoint, waits = ask(fails(500, "the kitchen burns"), max_attempts=4)
    assert rating.score is None
    assert "500" in rating.error
    assert "the kitchen burns" in rating.error
    assert not rating.stopped
    assert len(endpoint.requests) == 4
    assert len(rating.replies) == 4
    # 1, 2, 4 s and up to one second of jitter
    assert all(base <= wait <= base + 1 for base, wait in zip((1, 2, 4), waits, strict=True))


def test_backoff_is_bounded() -> None:
    _, _, waits = ask(fails(500), max_attempts=6, max_wait_s=3.0)
    assert max(waits) <= 3.0


def test_retry_after_in_seconds_is_honoured() -> None:
    [rating], _, waits = ask(fails(429, Retry_After="17"), says("5"))
    assert rating.score == 5
    assert waits == [17.0]


def test_retry_after_as_a_date_is_honoured() -> None:
    now = 1_700_000_000.0
    header = formatdate(now + 30, usegmt=True)
    [rating], _, waits = ask(fails(503, Retry_After=header), says("5"), now=lambda: now)
    assert rating.score == 5
    assert waits == [30.0]


def test_a_retry_after_beyond_max_wait_is_not_waited_for() -> None:
    [rating], endpoint, waits = ask(fails(429, Retry_After="86400"), says("5"))
    assert rating.score is None
    assert "86400" in rating.error
    assert waits == []
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("header", ["soon", "", "-5", "1e400", "nan", "Thu, 99 Foo 2020 00:00:00 GMT", "9" * 400])
def test_a_retry_after_without_sense_is_ignored(header: str) -> None:
    assert retry_after_s(header, 0.0) is None


def test_a_past_retry_after_date_is_no_wait() -> None:
    assert retry_after_s("Thu, 01 Jan 1970 00:00:10 GMT", 50.0) == 0.0


def test_a_timeout_is_retried_and_named() -> None:
    [rating], endpoint, _ = ask(hangs(10), hangs(10), says("3"), timeout_s=1)
    assert rating.score == 3
    assert len(endpoint.requests) == 3
    [rating], _, _ = ask(hangs(10), timeout_s=0.2, max_attempts=2)
    assert "no reply within 0.2 s" in rating.error


def test_a_reply_that_drips_times_out_as_a_whole() -> None:
    [rating], _, _ = ask(drips(20), says("3"), timeout_s=1)
    assert rating.score == 3


@pytest.mark.parametrize(
    "silence",
    [pytest.param(drips(60), id="body"), pytest.param(drips_headers(60), id="headers"), pytest.param(never, id="none")],
)
def test_the_time_limit_is_that_of_a_whole_attempt(silence: Behaviour) -> None:
    began = time.monotonic()
    [rating], endpoint, _ = ask(silence, timeout_s=1, max_attempts=2)
    assert time.monotonic() - began < 5
    assert len(endpoint.requests) == 2
    assert "no reply within 1 s" in rating.error


def test_a_refused_connection_is_retried() -> None:
    with judge_endpoint(says("1")) as endpoint:
        gone = endpoint.base_url
    waits = Waits()
    judge = EndpointJudge("gpt-test", base_url=gone, sleep=waits, max_attempts=3)
    [rating] = judge.rate(FRAMES, RUBRIC)
    assert rating.score is None
    assert gone in rating.error
    assert len(waits) == 2


@pytest.mark.parametrize(
    "silence",
    [pytest.param(fails(503, "down"), id="503"), pytest.param(resets, id="reset"), pytest.param(never, id="none")],
)
def test_after_three_calls_in_a_row_without_an_answer_no_call_is_made(silence: Behaviour) -> None:
    waits = Waits()
    with judge_endpoint(silence) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=waits, timeout_s=1, max_attempts=4)
        ratings = [judge.rate(FRAMES, RUBRIC)[0] for _ in range(5)]
    # four attempts for the first call; then the service is in doubt, and a call is one attempt
    assert len(endpoint.requests) == 4 + 1 + 1
    assert len(waits) == 3
    assert [rating.stopped for rating in ratings] == [False, False, True, True, True]
    assert "3 calls in a row" in ratings[2].error
    assert "not called again in this run" in ratings[4].error
    assert ratings[4].replies == ()


@pytest.mark.parametrize("silence", [pytest.param(never, id="request"), pytest.param(fails(503), id="wait")])
def test_ctrl_c_ends_requests_and_waits(silence: Behaviour) -> None:
    with judge_endpoint(silence) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, max_wait_s=60.0)
        threading.Timer(1.5, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            judge.rate(FRAMES, RUBRIC, runs=2)
        assert time.monotonic() - began < 20
        asked = len(endpoint.requests)
        assert judge.rate(FRAMES, RUBRIC)[0].stopped
        assert len(endpoint.requests) == asked


def test_an_answer_between_failures_keeps_the_judge_going() -> None:
    down, up = fails(503), says("4")
    with judge_endpoint(down, down, up, down, down, up) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits(), max_attempts=1)
        ratings = [judge.rate(FRAMES, RUBRIC)[0] for _ in range(6)]
    assert [rating.score for rating in ratings] == [None, None, 4, None, None, 4]
    assert not any(rating.stopped for rating in ratings)


def test_runs_that_wait_for_a_retry_give_up_when_others_found_the_judge_dead() -> None:
    ratings, endpoint, _ = ask(fails(500), runs=8, concurrency=8, max_attempts=2)
    assert all(rating.score is None for rating in ratings)
    assert any(rating.stopped for rating in ratings)
    assert len(endpoint.requests) <= 16


def test_a_long_retry_after_for_every_call_stops_as_well() -> None:
    with judge_endpoint(fails(429, Retry_After="86400")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits())
        ratings = [judge.rate(FRAMES, RUBRIC)[0] for _ in range(5)]
    assert len(endpoint.requests) == 3
    assert ratings[-1].stopped


def other(shade: int) -> list[Image.Image]:
    return [Image.new("RGB", (32, 24), (shade, shade, shade))]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_of_every_request_stops_after_the_first_few_with_the_servers_words(status: int) -> None:
    with judge_endpoint(fails(status, "temperature must be 1")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits(), concurrency=1)
        ratings = [judge.rate(other(shade), RUBRIC, runs=2)[0] for shade in range(0, 100, 10)]
    # the same request twice counts once: three videos
    assert len(endpoint.requests) == 3 + 2
    assert [rating.stopped for rating in ratings] == [False, False, *[True] * 8]
    assert "temperature must be 1" in ratings[-1].error
    assert str(status) in ratings[-1].error


def test_refusals_of_single_videos_stop_nothing_where_others_were_rated() -> None:
    refusal = fails(400, "content policy")
    with judge_endpoint(says("4"), refusal, refusal, refusal, refusal, says("5")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits())
        ratings = [judge.rate(other(shade), RUBRIC)[0] for shade in range(0, 60, 10)]
    assert [rating.score for rating in ratings] == [4, None, None, None, None, 5]
    assert not any(rating.stopped for rating in ratings)


def test_a_single_404_of_a_judge_that_has_answered_stops_nothing() -> None:
    gone = fails(404, "no route")
    with judge_endpoint(says("4"), gone, says("5"), gone) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits())
        ratings = [judge.rate(other(shade), RUBRIC)[0] for shade in range(0, 80, 10)]
    assert [rating.score for rating in ratings[:4]] == [4, None, 5, None]
    assert [rating.stopped for rating in ratings] == [False] * 5 + [True] * 3
    assert len(endpoint.requests) == 6


def refuses(field: str, message: str) -> Behaviour:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": field, "code": "unsupported"}}
    return raw(json.dumps(body).encode(), status=400)


NO_MAX_TOKENS = refuses(
    "max_tokens",
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
)


def test_a_model_that_refuses_max_tokens_is_asked_with_the_other_name_from_then_on() -> None:
    def behave(handler: Any) -> None:
        (NO_MAX_TOKENS if "max_tokens" in handler.endpoint.requests[-1] else says("4"))(handler)

    with judge_endpoint(behave) as endpoint:
        judge = EndpointJudge("o-test", base_url=endpoint.base_url, sleep=Waits(), concurrency=1, max_reply_attempts=1)
        before = json.dumps(judge.options)
        ratings = judge.rate(FRAMES, RUBRIC, runs=2) + judge.rate(other(9), RUBRIC)
        assert json.dumps(judge.options) == before, "a run's setting must not change while it runs"
    assert [rating.score for rating in ratings] == [4, 4, 4]
    assert [request.get("max_tokens") for request in endpoint.requests] == [64, None, None, None]
    assert all(request["max_completion_tokens"] >= 4096 for request in endpoint.requests[1:])


def test_a_refused_temperature_is_never_dropped_in_silence() -> None:
    said = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    [rating], endpoint, _ = ask(refuses("temperature", said), temperature=0.0)
    assert said in rating.error
    assert len(endpoint.requests) == 1


def test_a_reply_that_was_cut_off_is_allowed_more_tokens() -> None:
    cut = says("<think>Let me see, 3 or", finish_reason="length")
    [rating], endpoint, _ = ask(cut, cut, says("<think>3 or 4?</think>\n4"))
    assert rating.score == 4
    assert [request["max_tokens"] for request in endpoint.requests] == [64, 4096, 16384]
    assert rating.replies[0] == "<think>Let me see, 3 or"
    assert rating.reply == "<think>3 or 4?</think>\n4", "the raw reply is kept, thoughts and all"


def test_a_bound_that_the_user_set_stays() -> None:
    cut = says("4", finish_reason="length")
    [rating], endpoint, _ = ask(cut, max_reply_tokens=100, bound_field="max_completion_tokens")
    assert rating.score is None
    assert "max_reply_tokens" in rating.error
    assert [request["max_completion_tokens"] for request in endpoint.requests] == [100, 100, 100]
    _, endpoint, _ = ask(says("4"), extra_body={"max_completion_tokens": 9})
    assert (endpoint.requests[0].get("max_tokens"), endpoint.requests[0]["max_completion_tokens"]) == (None, 9)


def test_a_model_that_thinks_first_is_asked_for_its_effort() -> None:
    [rating], endpoint, _ = ask(
        says([{"type": "thinking", "text": "2 or 3"}, {"type": "text", "text": "Score: 3"}]),
        reasoning_effort="low", seed=3, top_p=0.5, image_detail="low",
    )  # fmt: skip
    assert rating.score == 3
    [request] = endpoint.requests
    assert (request["reasoning_effort"], request["seed"], request["top_p"]) == ("low", 3, 0.5)
    assert request["messages"][0]["content"][1]["image_url"]["detail"] == "low"


def test_an_unknown_host_fails_the_rating() -> None:
    judge = EndpointJudge("gpt-test", base_url=f"http://{'a' * 70}.invalid/v1", sleep=Waits(), max_attempts=1)
    [rating] = judge.rate(FRAMES, RUBRIC)
    assert "the connection failed" in rating.error


@pytest.mark.parametrize(
    "no_score",
    [
        pytest.param(says("I'm sorry, I can't help with that."), id="refusal-text"),
        pytest.param(says(None, refusal="I will not."), id="refusal-field"),
        pytest.param(says(""), id="empty"),
        pytest.param(says(None), id="null"),
        pytest.param(says({"score": 4}), id="object"),
        pytest.param(says("It is between 3 and 4."), id="between"),
        pytest.param(says("7"), id="out-of-range"),
        pytest.param(says("4.5"), id="fraction"),
        pytest.param(says("4", finish_reason="length"), id="cut-off"),
        pytest.param(says("4", finish_reason="content_filter"), id="filtered"),
    ],
)
def test_a_reply_that_is_no_score_is_asked_for_again_and_never_guessed(no_score: Behaviour) -> None:
    [rating], endpoint, waits = ask(no_score, says("2"))
    assert rating.score == 2
    assert len(rating.replies) == 2
    assert rating.replies[1] == rating.reply == "2"
    assert waits == [], "a reply that is no score needs no wait"
    [rating], endpoint, _ = ask(no_score, max_reply_attempts=3)
    assert rating.score is None
    assert len(endpoint.requests) == len(rating.replies) == 3
    assert "3 replies" in rating.error
    assert not rating.stopped


def test_content_in_parts_is_read() -> None:
    [rating], _, _ = ask(says([{"type": "text", "text": "Score: "}, {"type": "text", "text": "4"}]))
    assert rating.score == 4


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "OPENAI_API_KEY"), (402, "credit"), (403, "key"), (404, "base URL"), (405, "base URL")]
)
def test_permanent_failures_stop_all_calls_at_once(status: int, hint: str) -> None:
    waits = Waits()
    with judge_endpoint(fails(status, f"Incorrect API key provided: {KEY}"), says("5")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, api_key=KEY, sleep=waits)
        [first] = judge.rate(FRAMES, RUBRIC)
        [second] = judge.rate(FRAMES, RUBRIC)
    assert first.score is None
    assert second.score is None
    assert first.stopped
    assert second.stopped
    assert hint in first.error
    assert str(status) in first.error
    assert second.error == first.error
    assert len(endpoint.requests) == 1
    assert waits == []


def test_an_empty_account_is_not_asked_again() -> None:
    [rating], endpoint, _ = ask(raw(b'{"error": {"code": "insufficient_quota"}}', status=429), says("5"))
    assert rating.stopped
    assert "quota" in rating.error
    assert len(endpoint.requests) == 1


def test_a_redirect_is_not_followed() -> None:
    [rating], endpoint, _ = ask(raw(b"", status=307, Location="http://127.0.0.1:1/steal"), says("5"))
    assert rating.stopped
    assert "redirect" in rating.error
    assert len(endpoint.requests) == 1


def test_a_refused_request_fails_this_video_only() -> None:
    with judge_endpoint(fails(400, "image too large"), says("5")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, sleep=Waits())
        [first] = judge.rate(FRAMES, RUBRIC)
        [second] = judge.rate(FRAMES, RUBRIC)
    assert first.score is None
    assert "image too large" in first.error
    assert not first.stopped
    assert second.score == 5


def test_the_budget_in_calls_stops_with_a_clear_message() -> None:
    with judge_endpoint(says("5")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, max_calls=4, concurrency=1)
        first = judge.rate(FRAMES, RUBRIC, runs=3)
        second = judge.rate(FRAMES, RUBRIC, runs=3)
    assert [rating.score for rating in first] == [5, 5, 5]
    assert [rating.score for rating in second] == [5, None, None]
    assert "budget of 4 calls" in second[1].error
    assert second[1].stopped
    assert len(endpoint.requests) == 4


def test_retries_count_towards_the_budget() -> None:
    [rating], endpoint, _ = ask(fails(500), max_calls=2)
    assert len(endpoint.requests) == 2
    assert "budget of 2 calls" in rating.error


def test_concurrent_runs_never_pass_the_budget() -> None:
    ratings, endpoint, _ = ask(says("5"), runs=8, max_calls=5, concurrency=8)
    assert sorted(rating.score is None for rating in ratings) == [False] * 5 + [True] * 3
    assert len(endpoint.requests) == 5


def test_the_budget_in_tokens() -> None:
    ratings, endpoint, _ = ask(says("5", tokens=60), runs=3, max_tokens=100, concurrency=1)
    # 60 < 100, then 120 >= 100
    assert [rating.score for rating in ratings] == [5, 5, None]
    assert "100 tokens" in ratings[2].error
    assert "120 used" in ratings[2].error
    assert len(endpoint.requests) == 2


def test_a_budget_in_tokens_needs_an_endpoint_that_reports_them() -> None:
    [rating], _, _ = ask(says("5", tokens=None), max_tokens=100)
    assert rating.stopped
    assert "max_calls" in rating.error
    [rating], _, _ = ask(says("5", tokens=None), max_calls=100)
    assert rating.score == 5


@pytest.mark.parametrize("concurrency", [1, 2])
def test_no_more_requests_at_a_time_than_allowed_over_all_threads(concurrency: int) -> None:
    all_sent = threading.Event()

    def holds(handler: Any) -> None:
        if handler.endpoint.most_at_a_time == concurrency:
            all_sent.set()
        all_sent.wait(60)  # a busy machine may take long to send the second one
        hangs(0.05)(handler)

    with judge_endpoint(holds) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, concurrency=concurrency)
        threads = [threading.Thread(target=judge.rate, args=(FRAMES, RUBRIC), kwargs={"runs": 3}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(endpoint.requests) == 9
    assert endpoint.most_at_a_time == concurrency


def test_waiting_for_a_retry_blocks_no_other_request() -> None:
    waiting, may_go_on = threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        waiting.set()
        may_go_on.wait(10)

    with judge_endpoint(fails(500), says("5")) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, concurrency=1, sleep=sleep)
        slow = threading.Thread(target=judge.rate, args=(FRAMES, RUBRIC))
        slow.start()
        assert waiting.wait(10)
        [rating] = judge.rate(FRAMES, RUBRIC)
        may_go_on.set()
        slow.join()
    assert rating.score == 5
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("leak", "level"),
    [
        pytest.param(says(f"your key is {KEY}"), logging.DEBUG, id="reply"),
        pytest.param(says(None, refusal=f"{KEY} may not"), logging.DEBUG, id="refusal"),
        pytest.param(fails(401, f"Incorrect API key provided: {KEY}"), logging.DEBUG, id="401"),
        pytest.param(fails(400, f"bad {KEY}"), logging.DEBUG, id="400"),
        pytest.param(fails(500, f"oops {KEY}"), logging.DEBUG, id="500"),
        pytest.param(resets, logging.DEBUG, id="reset"),
        pytest.param(truncated, logging.DEBUG, id="truncated"),
        # httpcore's debug log prints the headers that an endpoint sends; these endpoints put the key there themselves
        pytest.param(raw(f"{KEY}".encode(), content_type=f"text/{KEY}"), logging.INFO, id="content-type"),
        pytest.param(raw(b"", status=307, Location=f"http://127.0.0.1:1/{KEY}"), logging.INFO, id="redirect"),
    ],
)
def test_the_key_is_sent_and_shown_nowhere(leak: Behaviour, level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level)
    with judge_endpoint(leak) as endpoint:
        judge = EndpointJudge("gpt-test", base_url=endpoint.base_url, api_key=KEY, sleep=Waits(), max_attempts=2)
        ratings = judge.rate(FRAMES, RUBRIC)
        shown = [
            repr(ratings), json.dumps([rating.to_dict() for rating in ratings]), repr(judge), repr(judge.info),
            json.dumps(judge.options), repr(judge._client), repr(judge._options), caplog.text,
        ]  # fmt: skip
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert not [text for text in shown if KEY in text]


def test_the_key_and_the_url_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with judge_endpoint(says("3")) as endpoint:
        monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url + "/")
        [rating] = EndpointJudge("gpt-test").rate(FRAMES, RUBRIC)
    assert rating.score == 3
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent() -> None:
    with judge_endpoint(says("3")) as endpoint:
        EndpointJudge("gpt-test", base_url=endpoint.base_url).rate(FRAMES, RUBRIC)
    assert "Authorization" not in endpoint.headers[0]


@pytest.mark.parametrize("key", ["sk-secret with space", "sk-secret\nInjected: yes", "sk-secret-ä"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        EndpointJudge("gpt-test", api_key=key)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://host/v1",
        "host/v1",
        "https://",
        "http://user:hunter22@host/v1",
        "https://host/v1?key=hunter22",
        "http://[::1/v1",
    ],
)
def test_a_base_url_that_is_none_is_refused_without_showing_credentials(base_url: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        EndpointJudge("gpt-test", base_url=base_url)
    assert "hunter22" not in str(caught.value)
    assert "https://host/v1" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0}, {"max_reply_attempts": 0}, {"max_attempts": 0}, {"timeout_s": 0}, {"max_wait_s": -1},
        {"jpeg_quality": 0}, {"max_calls": 0}, {"max_tokens": -5}, {"max_calls": 1.5}, {"max_calls": True},
        {"extra_body": {"model": "other"}}, {"extra_body": {"seed": {1}}}, {"colour": 1}, {"temperature": "hot"},
        {"timeout_s": float("nan")}, {"max_reply_tokens": 0}, {"bound_field": "tokens"}, {"seed": 1.5},
        {"reasoning_effort": 3}, {"base_url": 7}, {"extra_body": "seed"}, {"concurrency": True},
    ],
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        EndpointJudge("gpt-test", **options)


def test_a_judge_needs_a_name_frames_and_runs() -> None:
    with pytest.raises(ArgumentError, match="openai:"):
        EndpointJudge("openai:")
    judge = EndpointJudge("gpt-test", base_url="http://127.0.0.1:9/v1")
    for frames, runs in (([], 1), (FRAMES, 0)):
        with pytest.raises(ArgumentError, match="at least one"):
            judge.rate(frames, RUBRIC, runs=runs)


def test_the_request_can_be_shaped() -> None:
    _, endpoint, _ = ask(says("3"), temperature=0.0, max_reply_tokens=None, extra_body={"seed": 7})
    assert endpoint.requests[0]["temperature"] == 0.0
    assert endpoint.requests[0]["seed"] == 7
    assert "max_tokens" not in endpoint.requests[0]


def test_provenance_names_the_model_and_no_folder() -> None:
    [rating], _, _ = ask(says("3"))
    assert rating.details["answered_by"] == "gpt-4o-2024-11-20"
    judge = EndpointJudge("openai:gpt-test", base_url="http://127.0.0.1:9/v1/")
    assert (judge.info.role, judge.info.name) == ("judge", "openai:gpt-test")
    assert (judge.info.revision, judge.info.device, judge.info.embedded) == (None, None, False)
    assert judge.options["url"] == "http://127.0.0.1:9/v1/chat/completions"
