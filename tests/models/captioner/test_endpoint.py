"""A captioner behind an endpoint: what is sent, and what becomes of each kind of reply."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from helpers.judge_endpoint import Behaviour, fails, judge_endpoint, raw, says
from PIL import Image

from opens2v_hf.errors import ArgumentError, CaptionError, ServiceUnavailableError
from opens2v_hf.models.captioner.endpoint import EndpointCaptioner
from opens2v_hf.models.captioner.loading import check_captioner, load_captioner

KEY = "sk-test-0123456789abcdef"
FRAMES = [np.full((24, 32, 3), shade, np.uint8) for shade in (10, 230)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def ask(*script: Behaviour, frames: list[np.ndarray] = FRAMES, **options: Any) -> tuple[str, Any]:
    with judge_endpoint(*script) as endpoint:
        given = {"api_key": KEY, "sleep": lambda seconds: None, "timeout_s": 5.0} | options
        captioner = load_captioner("openai:vlm", base_url=endpoint.base_url, **given)
        try:
            return captioner.caption(frames, "What happens?"), endpoint
        except (CaptionError, ServiceUnavailableError) as error:
            return f"{type(error).__name__}: {error}", endpoint


def test_frames_and_prompt_are_sent_in_one_user_turn_and_the_text_comes_back() -> None:
    text, endpoint = ask(says("  A dog runs. \n"), temperature=0.0, seed=3)
    assert text == "A dog runs."
    [request] = endpoint.requests
    assert {name: request[name] for name in ("model", "temperature", "seed", "max_tokens")} == {
        "model": "vlm", "temperature": 0.0, "seed": 3, "max_tokens": 1024,
    }  # fmt: skip
    [turn] = request["messages"]
    assert turn["role"] == "user"
    assert turn["content"][0] == {"type": "text", "text": "What happens?"}
    shades = []
    for part in turn["content"][1:]:
        data = base64.b64decode(part["image_url"]["url"].removeprefix("data:image/jpeg;base64,"))
        shades.append(np.asarray(Image.open(io.BytesIO(data))).mean())
    assert shades == pytest.approx([10, 230], abs=2)
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_a_question_about_a_text_has_no_pictures() -> None:
    text, endpoint = ask(says('{"subject": ["dog"]}'), frames=[])
    assert text == '{"subject": ["dog"]}'
    assert len(endpoint.requests[0]["messages"][0]["content"]) == 1


def test_empty_and_cut_off_replies_are_asked_for_again_with_more_room() -> None:
    text, endpoint = ask(says(" "), says("A dog", finish_reason="length"), says("A dog runs."))
    assert text == "A dog runs."
    assert [request["max_tokens"] for request in endpoint.requests] == [1024, 1024, 4096]


def test_no_answer_after_all_attempts_is_no_caption() -> None:
    text, endpoint = ask(says(""), max_reply_attempts=2)
    assert text == "CaptionError: 2 replies and none is an answer; the last: the reply is empty"
    assert len(endpoint.requests) == 2


def test_a_refusal_is_no_caption() -> None:
    text, _ = ask(says(None, refusal="I cannot describe this."), max_reply_attempts=1)
    assert text.startswith("CaptionError: ")
    assert "the model refused to answer" in text


def test_a_refused_picture_is_asked_once() -> None:
    text, endpoint = ask(fails(400, "the image is not allowed"))
    assert text.startswith("CaptionError: ")
    assert "the image is not allowed" in text
    assert len(endpoint.requests) == 1


def test_the_other_name_of_the_bound_is_tried_where_the_model_wants_it() -> None:
    text, endpoint = ask(fails(400, "use max_completion_tokens instead"), says("A dog runs."))
    assert text == "A dog runs."
    assert "max_tokens" not in endpoint.requests[1]
    assert endpoint.requests[1]["max_completion_tokens"] == 4096


def test_a_refused_key_stops_all_calls_and_is_not_shown() -> None:
    text, _ = ask(raw(f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode(), status=401))
    assert text.startswith(("ServiceUnavailableError", "CaptionError", "JudgeStoppedError"))
    assert KEY not in text


def test_what_cannot_be_asked_is_refused_before_any_call() -> None:
    with pytest.raises(ArgumentError, match=r"a captioner that runs here \(a Hub id or folder as `captioner=`\)"):
        check_captioner("openai:gpt-4o")
    with pytest.raises(ArgumentError, match="knows no nonsense"):
        EndpointCaptioner("vlm", api_key=KEY, nonsense=1)
    with pytest.raises(ArgumentError, match="has no revision"):
        load_captioner("openai:vlm", revision="main", api_key=KEY)
    with pytest.raises(ArgumentError, match="openai:<model>"):
        EndpointCaptioner("openai:", api_key=KEY)


def test_provenance_has_no_key() -> None:
    captioner = EndpointCaptioner("openai:vlm", base_url="http://localhost:1/v1", api_key=KEY)
    assert captioner.info.name == "openai:vlm"
    assert captioner.options["url"] == "http://localhost:1/v1/chat/completions"
    assert KEY not in repr(captioner.options)
