"""The body of a chat completion's request: pictures, text, and the bound on the reply."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from opens2v_hf._util.data_url import picture_url
from opens2v_hf.models.endpoint.client import RefusedError
from opens2v_hf.models.endpoint.options import EndpointOptions

if TYPE_CHECKING:
    from PIL import Image


class Bound(NamedTuple):
    """The bound on a reply's tokens in one request.

    Attributes:
        field: its name in the request.
        tokens: its value; None where the request has none.
    """

    field: str
    tokens: int | None


class ReplyBound:
    """Bound on the tokens of a reply, adapted when the endpoint refuses its name or cuts a reply off.

    Args:
        options: see `EndpointOptions`: whether there is a bound, and which the user sets.
        steps: bounds, one after the other, where the user sets none.
    """

    def __init__(self, options: EndpointOptions, steps: Sequence[int]) -> None:
        self._options = options
        self._steps = steps
        self._field = "max_tokens" if options.bound_field == "auto" else options.bound_field
        self._step = 0
        self._lock = threading.Lock()

    def now(self) -> Bound:
        """The bound that requests have now."""
        if not self._options.caps_reply:
            return Bound(self._field, None)
        tokens = self._options.max_reply_tokens
        return Bound(self._field, self._steps[self._step] if tokens == "auto" else tokens)

    def renamed(self, used: Bound, refusal: RefusedError) -> bool:
        """Whether the refused request may pass with the other name for the bound."""
        if used.tokens is None or self._options.bound_field != "auto" or used.field != "max_tokens":
            return False
        if refusal.param != "max_tokens" and "max_completion_tokens" not in refusal.said:
            return False
        with self._lock:
            self._field = "max_completion_tokens"
            # such models think first, and their thoughts count
            self._step = max(self._step, min(1, len(self._steps) - 1))
        return True

    def widen(self, used: Bound) -> None:
        """Allow more, after a reply under `used` was cut off."""
        with self._lock:
            if self.now() == used:  # no other thread has done so
                self._step = min(self._step + 1, len(self._steps) - 1)


def user_turn(text: str, pictures: Sequence[Image.Image], options: EndpointOptions) -> bytes:
    """The messages of a request as JSON: the text and then the pictures, or as `options.frames_first` says."""
    # The text comes first, as released: what all requests begin with is what endpoints cache.
    text_parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    detail = {} if options.image_detail is None else {"detail": options.image_detail}
    image_parts = [
        {"type": "image_url", "image_url": {"url": _data_url(picture, options), **detail}} for picture in pictures
    ]
    content = [*image_parts, *text_parts] if options.frames_first else [*text_parts, *image_parts]
    return json.dumps([{"role": "user", "content": content}]).encode()


def chat_request(model: str, messages: bytes, bound: Bound, options: EndpointOptions) -> bytes:
    """The whole body; `messages` as `user_turn` makes them."""
    limit = {} if bound.tokens is None else {bound.field: bound.tokens}
    fields = {"model": model} | limit | options.request_fields()
    return b'{"messages": ' + messages + b", " + json.dumps(fields).encode()[1:]


def _data_url(picture: Image.Image, options: EndpointOptions) -> str:
    quality = {"quality": options.jpeg_quality} if options.image_format == "jpeg" else {}
    return picture_url(picture.convert("RGB"), options.image_format, **quality)
