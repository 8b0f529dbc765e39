"""A judge behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from opens2v_hf.errors import ArgumentError, JudgeError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating
from opens2v_hf.models.judge.budget import Budget, JudgeStoppedError
from opens2v_hf.models.judge.chat import ChatClient
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.scores.natural import read_score

if TYPE_CHECKING:
    from PIL import Image

PREFIX = "openai:"
"""Of the name of a judge that is asked through an endpoint."""


class EndpointJudge:
    """Asks a model behind an OpenAI-compatible endpoint: all frames of a video in one call, as released.

    A reply that is no score (see `opens2v_hf.scores.natural.read_score`) is asked for again; when none of
    `max_reply_attempts` is one, the run has no score. Nothing that an endpoint does raises from `rate`: the rating says
    what happened. May be used by several threads.

    Args:
        model: as the endpoint knows it, e.g. "gpt-4o-2024-11-20", with or without "openai:" before it.
        base_url: of the endpoint; see `ChatClient`.
        api_key: see `ChatClient`.
        concurrency: requests at a time, over all threads.
        max_calls: budget in requests, retries included; None for no cap. Processes launched together divide it.
        max_tokens: budget in tokens as the endpoint reports them; None for no cap. Divided likewise.
        max_reply_attempts: replies asked for until one is a score.
        max_attempts: requests sent for one reply until one gets through.
        timeout_s: for one request.
        max_wait_s: longest wait between two requests.
        temperature: of the sampling; None for the endpoint's own.
        max_reply_tokens: of one reply; None for no bound.
        jpeg_quality: of the frames, 1..95.
        extra_body: more fields of the request, e.g. {"seed": 1}; they win over those made from the arguments above.
        sleep: waits some seconds between attempts.
        now: the time in seconds since 1970.

    Raises:
        ArgumentError: an argument has no usable value.
    """

    deterministic = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        concurrency: int = 4,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_reply_attempts: int = 3,
        max_attempts: int = 6,
        timeout_s: float = 120.0,
        max_wait_s: float = 120.0,
        temperature: float | None = None,
        max_reply_tokens: int | None = 64,
        jpeg_quality: int = 95,
        extra_body: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._model = model.removeprefix(PREFIX).strip()
        if not self._model:
            raise ArgumentError(f"a judge behind an endpoint is named {PREFIX}<model> (got {model!r})")
        if concurrency < 1 or max_reply_attempts < 1 or not 1 <= jpeg_quality <= 95:
            raise ArgumentError(
                "a judge behind an endpoint needs concurrency >= 1, max_reply_attempts >= 1 and jpeg_quality in 1..95 "
                f"(got {concurrency=}, {max_reply_attempts=}, {jpeg_quality=})"
            )
        self.budget = Budget.of_this_process(max_calls, max_tokens)
        self._concurrency = concurrency
        self._max_reply_attempts = max_reply_attempts
        self._jpeg_quality = jpeg_quality
        self._fields: dict[str, Any] = {"model": self._model}
        if temperature is not None:
            self._fields["temperature"] = temperature
        if max_reply_tokens is not None:
            self._fields["max_tokens"] = max_reply_tokens
        self._fields |= _checked_extra(extra_body or {})
        self._client = ChatClient(
            base_url=base_url,
            api_key=api_key,
            timeout_s=timeout_s,
            max_attempts=max_attempts,
            max_wait_s=max_wait_s,
            max_connections=concurrency,
            budget=self.budget,
            sleep=sleep,
            now=now,
        )

    @property
    def info(self) -> ModelInfo:
        """The model's name; an endpoint tells no revision."""
        return ModelInfo(role="judge", name=PREFIX + self._model)

    @property
    def options(self) -> dict[str, Any]:
        """Where and how it is asked; never the key."""
        return {
            "url": self._client.url,
            "request": {key: value for key, value in self._fields.items() if key not in ("model", "messages")},
            "jpeg_quality": self._jpeg_quality,
            "max_reply_attempts": self._max_reply_attempts,
        }

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """See `Judge.rate`."""
        if not frames or runs < 1:
            raise ArgumentError(f"a judge needs at least one frame and one run (got {len(frames)} frames, {runs=})")
        body = self._request(frames, rubric)
        with ThreadPoolExecutor(max_workers=min(runs, self._concurrency)) as pool:
            return list(pool.map(self._run, [body] * runs))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _request(self, frames: Sequence[Image.Image], rubric: Rubric) -> bytes:
        content: list[dict[str, Any]] = [{"type": "text", "text": rubric.text}]
        content += [{"type": "image_url", "image_url": {"url": self._data_url(frame)}} for frame in frames]
        return json.dumps({"messages": [{"role": "user", "content": content}]} | self._fields).encode()

    def _data_url(self, frame: Image.Image) -> str:
        buffer = io.BytesIO()
        frame.convert("RGB").save(buffer, format="JPEG", quality=self._jpeg_quality)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

    def _run(self, body: bytes) -> Rating:
        replies: list[str] = []
        error = ""
        for _ in range(self._max_reply_attempts):
            try:
                reply = self._client.complete(body, replies.append)
            except JudgeError as failure:
                return Rating(
                    None,
                    reply=replies[-1] if replies else "",
                    error=str(failure),
                    replies=tuple(replies),
                    stopped=isinstance(failure, JudgeStoppedError),
                )
            details = {"answered_by": reply.model} if reply.model else {}
            try:
                if reply.problem:
                    raise JudgeError(f"{reply.problem}: {reply.text[:200]!r}")
                return Rating(read_score(reply.text), reply.text, replies=tuple(replies), details=details)
            except JudgeError as failure:
                error = str(failure)
        attempts = (
            f"{self._max_reply_attempts} replies and none is a score" if self._max_reply_attempts > 1 else "no score"
        )
        return Rating(None, replies[-1], f"{attempts}; the last: {error}", tuple(replies), details=details)


def _checked_extra(fields: Mapping[str, Any]) -> dict[str, Any]:
    taken = sorted({"model", "messages", "stream", "n"} & set(fields))
    if taken:
        raise ArgumentError(f"extra_body may not set {', '.join(taken)}; the judge makes these fields itself")
    try:
        json.dumps(dict(fields))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"extra_body cannot be written as JSON: {error}") from error
    return dict(fields)
