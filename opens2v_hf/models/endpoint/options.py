"""Options of requests to a judge behind an endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from opens2v_hf._util.numbers import is_finite, is_whole
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX

BoundField = Literal["auto", "max_tokens", "max_completion_tokens"]

Reading = Literal["reply", "expectation"]
ImageFormat = Literal["jpeg", "png"]

_OWN_FIELDS = frozenset({"model", "messages", "stream", "n"})


@dataclass(frozen=True, kw_only=True)
class EndpointOptions:
    """Options of a judge behind an OpenAI-compatible endpoint.

    Attributes:
        base_url: up to and without "/chat/completions"; by default `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: by default `OPENAI_API_KEY`; without either no key is sent (many local servers want none). OpenAI's own
            endpoint wants one, and that it is missing shows at once.
        concurrency: requests at a time, over all threads.
        max_calls: budget in requests, retries included; None for no cap. Processes launched together divide it.
        max_tokens: budget in tokens as the endpoint reports them; None for no cap. Divided likewise.
        max_reply_attempts: replies requested until one is a score.
        max_attempts: requests sent for one reply until one gets through.
        timeout_s: for the whole of one attempt, from connecting to the last byte.
        max_wait_s: longest wait between two attempts; an endpoint that asks for more is given up.
        temperature: of the sampling; None for the endpoint's own. Some models refuse any other.
        top_p: likewise.
        seed: of the sampling, where the endpoint knows one.
        reasoning_effort: of a model that thinks first, e.g. "low"; None for the endpoint's own.
        max_reply_tokens: bound of one reply, thoughts included; None for none. "auto" begins with 64 and allows more
            when a reply was cut off.
        bound_field: the name of that bound in a request; "auto" is "max_tokens" until the model refuses it.
        image_detail: of the frames, "low", "high" or "auto"; None to leave it out.
        image_format: of the frames as they are sent, "jpeg" as released, or "png", which loses nothing.
        jpeg_quality: of the frames, 1..95.
        frames_first: send the frames before the rubric and not after it.
        reading: "reply": the score is what the reply says. "expectation": it is the mean of the digits 1 to 5 by the
            log-probabilities of the reply's first token, which the endpoint must give; one token is requested, at
            temperature 0, and runs are not repeated.
        top_logprobs: how many first tokens are requested then, 5 to 20; more is refused by most endpoints.
        extra_body: more fields of the request; they win over those made from the options above.

    Raises:
        ArgumentError: an option has no usable value.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    concurrency: int = 4
    max_calls: int | None = None
    max_tokens: int | None = None
    max_reply_attempts: int = 3
    max_attempts: int = 6
    timeout_s: float = 120.0
    max_wait_s: float = 120.0
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    max_reply_tokens: int | Literal["auto"] | None = "auto"
    bound_field: BoundField = "auto"
    image_detail: str | None = None
    image_format: ImageFormat = "jpeg"
    jpeg_quality: int = 95
    frames_first: bool = False
    reading: Reading = "reply"
    top_logprobs: int = 20
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("base_url", "api_key", "reasoning_effort", "image_detail"):
            _require(self, name, "a text", lambda value: value is None or isinstance(value, str))
        for name in ("concurrency", "max_reply_attempts", "max_attempts"):
            _require(self, name, "a whole number from 1", lambda value: is_whole(value, 1))
        for name in ("max_calls", "max_tokens"):
            _require(
                self,
                name,
                "a whole number from 1, or None for no cap",
                lambda value: value is None or is_whole(value, 1),
            )
        _require(self, "timeout_s", "a number of seconds above 0", lambda value: is_finite(value) and value > 0)
        _require(self, "max_wait_s", "a number of seconds from 0", lambda value: is_finite(value) and value >= 0)
        for name in ("temperature", "top_p"):
            _require(self, name, "a number from 0", lambda value: value is None or (is_finite(value) and value >= 0))
        _require(self, "seed", "a whole number", lambda value: value is None or is_whole(value))
        _require(
            self, "max_reply_tokens", "a whole number from 1, None or 'auto'",
            lambda value: value in (None, "auto") or is_whole(value, 1),
        )  # fmt: skip
        for name, words in (("bound_field", BoundField), ("image_format", ImageFormat), ("reading", Reading)):
            names = get_args(words)
            _require(self, name, f"one of {', '.join(names)}", lambda value, names=names: value in names)
        _require(self, "frames_first", "true or false", lambda value: isinstance(value, bool))
        _require(self, "top_logprobs", "a whole number in 5..20", lambda value: is_whole(value, 5, 20))
        _require(self, "jpeg_quality", "a whole number in 1..95", lambda value: is_whole(value, 1, 95))
        _check_extra(self.extra_body)

    @property
    def caps_reply(self) -> bool:
        """Whether requests hold a bound of the reply that is made from the options."""
        return self.max_reply_tokens is not None and not {"max_tokens", "max_completion_tokens"} & set(self.extra_body)

    def request_fields(self) -> dict[str, Any]:
        """The fields of a request, apart from the model, its messages and the bound of its reply."""
        named = {name: getattr(self, name) for name in ("temperature", "top_p", "seed", "reasoning_effort")}
        fields = {name: value for name, value in named.items() if value is not None}
        if self.reading == "expectation":
            fields = {"temperature": 0} | fields | {"logprobs": True, "top_logprobs": self.top_logprobs}
        return fields | dict(self.extra_body)


def known_options() -> list[str]:
    """The names of all options."""
    return [option.name for option in fields(EndpointOptions)]


def endpoint_model(
    role: str, model: str, options: EndpointOptions | None, given: Mapping[str, Any]
) -> tuple[str, EndpointOptions]:
    """The name of a model as its endpoint knows it, and the options with those that were given by name.

    Raises:
        ArgumentError: there is no name, or an option is unknown or has no usable value.
    """
    name = model.removeprefix(ENDPOINT_PREFIX).strip()
    if not name:
        raise ArgumentError(f"a {role} behind an endpoint is named {ENDPOINT_PREFIX}<model> (got {model!r})")
    known = known_options()
    if unknown := sorted(set(given) - set(known)):
        raise ArgumentError(f"the {role} {model!r} knows no {', '.join(unknown)}; its options are {', '.join(known)}")
    return name, replace(options or EndpointOptions(), **given)


def _require(options: EndpointOptions, name: str, what: str, is_usable: Any) -> None:
    value = getattr(options, name)
    if not is_usable(value):
        shown = "another type" if name == "api_key" else repr(value)[:80]
        raise ArgumentError(f"{name} must be {what} (got {shown})")


def _check_extra(values: Any) -> None:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ArgumentError(f"extra_body must be fields of the request by name (got {values!r:.80})")
    taken = sorted(_OWN_FIELDS & set(values))
    if taken:
        raise ArgumentError(f"extra_body may not set {', '.join(taken)}; the judge makes these fields itself")
    try:
        json.dumps(dict(values), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"extra_body cannot be written as JSON: {error}") from error
