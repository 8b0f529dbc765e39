"""A captioner behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.errors import CaptionError, EndpointError
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.endpoint.chat import ChatClient
from opens2v_hf.models.endpoint.client import RefusedError
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.models.endpoint.options import EndpointOptions, endpoint_model
from opens2v_hf.models.endpoint.request import ReplyBound, chat_request, user_turn
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture

_REPLY_TOKENS = (1024, 4096, 16384)
"""Bounds on a reply's tokens, one after the other, where the user sets none."""


class EndpointCaptioner:
    """Asks a model behind an endpoint; may be used by several threads.

    An empty or cut-off reply is requested again, up to `max_reply_attempts` times. A refused request, as for what a
    picture shows, is not: that clip has no caption.

    Args:
        model: as the endpoint knows it, with or without "openai:" before it.
        options: how it is asked.
        sleep: waits some seconds between attempts; by default in a way that Ctrl-C ends.
        **given: options by name, which replace those in `options`.

    Raises:
        ArgumentError: an option is unknown or has no usable value, or the key is missing.
    """

    def __init__(
        self,
        model: str,
        options: EndpointOptions | None = None,
        *,
        sleep: Callable[[float], None] | None = None,
        **given: Any,
    ) -> None:
        self._model, self._options = endpoint_model("captioner", model, options, given)
        self.budget = Budget.of_this_process(self._options.max_calls, self._options.max_tokens)
        self._client = ChatClient(self._options, budget=self.budget, role="captioner", sleep=sleep)
        self._bound = ReplyBound(self._options, _REPLY_TOKENS)

    @property
    def info(self) -> ModelInfo:
        """The model's name; an endpoint gives no revision."""
        return ModelInfo(role="captioner", name=ENDPOINT_PREFIX + self._model)

    @property
    def options(self) -> dict[str, Any]:
        """URL and settings of the requests, without the key."""
        return {
            "url": self._client.url,
            "request": self._options.request_fields(),
            "image_detail": self._options.image_detail,
            "jpeg_quality": self._options.jpeg_quality,
        }

    def caption(self, frames: Sequence[np.ndarray], prompt: str) -> str:
        """See `Captioner.caption`."""
        for frame in frames:
            check_picture(frame)
        messages = user_turn(prompt, [Image.fromarray(frame) for frame in frames], self._options)
        problem = ""
        remaining = self._options.max_reply_attempts
        while remaining:
            bound = self._bound.now()
            try:
                reply = self._client.complete(chat_request(self._model, messages, bound, self._options), _forget)
            except RefusedError as refusal:
                if self._bound.renamed(bound, refusal):
                    continue
                raise CaptionError(str(refusal)) from refusal
            except EndpointError as error:
                raise CaptionError(str(error)) from error
            remaining -= 1
            if reply.cut_off:
                self._bound.widen(bound)
            text = reply.text.strip()
            if text and not reply.problem:
                return text
            problem = reply.problem or "the reply is empty"
        raise CaptionError(f"{self._options.max_reply_attempts} replies and none is an answer; the last: {problem}")


def _forget(_reply: str, _problem: str) -> None:
    """Raw replies of a captioner are not stored."""
