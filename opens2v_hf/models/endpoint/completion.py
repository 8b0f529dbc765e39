"""Reading the body of a chat completion."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from opens2v_hf.models.endpoint.answers import read_json, token_count

CUT_OFF = "the reply was cut off; allow more with `max_reply_tokens=`"
"""`ChatReply.problem` of a reply that ended at the bound on its tokens."""

_TEXT_PARTS = (None, "text", "output_text")


@dataclass(frozen=True)
class ChatReply:
    """Answer of the model.

    Attributes:
        text: the message, or the refusal where there is no message.
        problem: why the text cannot be taken for a whole answer (a refusal, a cut-off reply); empty otherwise.
        model: as the endpoint names the model that answered; empty where it does not say.
        cut_off: whether the reply ended at the bound on its tokens.
        first_token: the likeliest first tokens of the reply to their log-probabilities; None where the endpoint gives
            none.
        input_tokens: of the request, as the endpoint reports them; None where it does not.
        output_tokens: of the reply, likewise.
    """

    text: str
    problem: str
    model: str
    cut_off: bool = False
    first_token: Mapping[str, float] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


def read_completion(content: bytes) -> tuple[ChatReply, int | None]:
    """Read the body of a chat completion: the reply and its tokens.

    Raises:
        ValueError: it is none.
    """
    record = read_json(content)
    choices = record.get("choices") if isinstance(record, Mapping) else None
    if not isinstance(choices, list):
        raise ValueError("it has no list of choices")
    if not choices:
        raise ValueError("its list of choices is empty")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise ValueError("its first choice has no message")
    usage = record.get("usage")
    counts = [token_count(usage, name) for name in ("total_tokens", "prompt_tokens", "completion_tokens")]
    model = record.get("model")
    reply = _reply(message, choice.get("finish_reason"), model if isinstance(model, str) else "")
    first_token = _first_token(choice.get("logprobs"))
    return replace(reply, first_token=first_token, input_tokens=counts[1], output_tokens=counts[2]), counts[0]


def read_error(text: str) -> tuple[str, str]:
    """The message of an error of OpenAI's form, and the parameter that it blames.

    Returns:
        The text itself and an empty name where it has another form.

    Example:
        >>> read_error('{"error": {"message": "no such value", "param": "temperature"}}')
        ('no such value', 'temperature')
        >>> read_error("Bad Gateway")
        ('Bad Gateway', '')
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return text, ""
    error = record.get("error", record) if isinstance(record, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
        return text, ""
    param = error.get("param")
    return error["message"], param if isinstance(param, str) else ""


def _reply(message: Mapping[str, Any], finish_reason: Any, model: str) -> ChatReply:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return ChatReply(refusal, "the model refused to answer", model)
    content = message.get("content")
    if isinstance(content, list):  # parts of other types hold what the model thought
        parts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS]
        content = "".join(part for part in parts if isinstance(part, str))
    text = content if isinstance(content, str) else ""
    if finish_reason == "length":
        return ChatReply(text, CUT_OFF, model, cut_off=True)
    if finish_reason == "content_filter":
        return ChatReply(text, "the reply was withheld by a content filter", model)
    return ChatReply(text, "", model)


def _first_token(logprobs: Any) -> dict[str, float] | None:
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    first = content[0] if isinstance(content, list) and content else None
    listed = first.get("top_logprobs") if isinstance(first, Mapping) else None
    if not isinstance(listed, list):
        return None
    found: dict[str, float] = {}
    for entry in listed:
        token, value = (entry.get("token"), entry.get("logprob")) if isinstance(entry, Mapping) else (None, None)
        if not isinstance(token, str) or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if math.isfinite(value):
            found[token] = max(found.get(token, -math.inf), float(value))
    return found or None
