"""A judge behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from opens2v_hf.errors import EndpointError, JudgeError, ServiceUnavailableError
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.endpoint.chat import ChatClient
from opens2v_hf.models.endpoint.client import RefusedError
from opens2v_hf.models.endpoint.completion import CUT_OFF, ChatReply, read_completion, read_error
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.models.endpoint.lifetimes import check_lifetime, utc_date
from opens2v_hf.models.endpoint.options import EndpointOptions, endpoint_model
from opens2v_hf.models.endpoint.request import ReplyBound, chat_request, user_turn
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating, check_request
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.scores.natural import read_listed, read_score

if TYPE_CHECKING:
    from PIL import Image

_EXCERPT_CHARS = 300
_REPLY_TOKENS = (64, 4096, 16384)
"""Bounds on a reply's tokens, one after the other, where the user sets none. No score depends on them."""


class EndpointJudge:
    """Asks a model behind an OpenAI-compatible endpoint: all frames of a video in one call, as released.

    A reply that is no score (see `opens2v_hf.scores.natural.read_score`) is requested again; when none of
    `max_reply_attempts` is one, the run has no score. What the model refuses or lacks and what decides no score is
    changed by itself: the name of the bound on a reply's tokens, and a bound under which a reply was cut off. Nothing
    that an endpoint does raises from `rate`: the rating says what happened. May be used by several threads.

    Args:
        model: as the endpoint knows it, e.g. "gpt-4o-2024-11-20", with or without "openai:" before it.
        options: how it is asked.
        sleep: waits some seconds between attempts; by default in a way that Ctrl-C ends.
        now: the time in seconds since 1970; it also says whether the model's maker has shut it down.
        **given: options by name, which replace those in `options`.

    Attributes:
        chat_client: class that sends the requests.

    Raises:
        ArgumentError: an option is unknown or has no usable value.
        ModelError: the model's maker has shut it down, and no other endpoint is named.
    """

    chat_client: type[ChatClient] = ChatClient

    def __init__(
        self,
        model: str,
        options: EndpointOptions | None = None,
        *,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], float] = time.time,
        **given: Any,
    ) -> None:
        self._model, self._options = endpoint_model("judge", model, options, given)
        self.budget = Budget.of_this_process(self._options.max_calls, self._options.max_tokens)
        self._client = self.chat_client(self._options, budget=self.budget, sleep=sleep, now=now)
        if self._client.is_makers_own:
            check_lifetime(self._model, utc_date(now()))
        self._bound = self._new_bound()

    @property
    def info(self) -> ModelInfo:
        """The model's name; an endpoint gives no revision."""
        return ModelInfo(role="judge", name=ENDPOINT_PREFIX + self._model)

    @property
    def deterministic(self) -> bool:
        """Whether the score is an expectation over the first token, which no sampling decides."""
        return self._options.reading == "expectation"

    @property
    def options(self) -> dict[str, Any]:
        """URL and settings of the requests, without the key."""
        request = self._options.request_fields()
        if self._options.caps_reply and self._options.max_reply_tokens != "auto":
            request["max_reply_tokens"] = self._options.max_reply_tokens
        if self._options.image_detail is not None:
            request["image_detail"] = self._options.image_detail
        frames: dict[str, Any] = {"jpeg_quality": self._options.jpeg_quality}
        if self._options.image_format != "jpeg":
            frames = {"image_format": self._options.image_format}
        if self._options.frames_first:
            frames["frames_first"] = True
        return {
            "url": self._client.url,
            "request": request,
            **frames,
            "max_reply_attempts": self._options.max_reply_attempts,
        }

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """See `Judge.rate`."""
        check_request(frames, runs)
        messages = self.messages(frames, rubric)
        with ThreadPoolExecutor(max_workers=min(runs, self._options.concurrency)) as pool:
            try:
                return list(pool.map(self._run, [messages] * runs))
            except BaseException:  # Ctrl-C; without this the pool would wait for all attempts
                self._client.stop()
                raise

    @property
    def base_url(self) -> str:
        """Up to and without "/chat/completions"."""
        return self._client.url.removesuffix("/chat/completions")

    @property
    def headers(self) -> dict[str, str]:
        """See `EndpointClient.headers`."""
        return self._client.headers

    @property
    def max_reply_attempts(self) -> int:
        """See `EndpointOptions`."""
        return self._options.max_reply_attempts

    def messages(self, frames: Sequence[Image.Image], rubric: Rubric) -> bytes:
        """The part of a request that is the same for all requests of a video, as JSON."""
        return user_turn(rubric.text, frames, self._options)

    def request_after(self, messages: bytes, answers: Sequence[Mapping[str, Any]]) -> bytes:
        """The next request, when earlier ones were answered like this.

        Args:
            messages: see `messages`.
            answers: status and body of each, as `rating_of` takes them.
        """
        bound = self._new_bound()
        for answer in answers:
            used = bound.now()
            if answer["status"] == httpx.codes.OK:
                if self._completion(answer).cut_off:
                    bound.widen(used)
            else:
                said, param = read_error(answer["body"])
                bound.renamed(used, RefusedError(said, param=param, said=said))
        return chat_request(self._model, messages, bound.now(), self._options)

    def rating_of(self, answers: Sequence[Mapping[str, Any]]) -> Rating | None:
        """Rating from the answers to one run's requests; None if another request is due.

        Args:
            answers: in order, each with the HTTP "status" and the "body" as text.
        """
        replies: list[tuple[str, str]] = []
        details: dict[str, Any] = {}
        error = ""
        for answer in answers:
            if answer["status"] != httpx.codes.OK:
                said = read_error(answer["body"])[0][:_EXCERPT_CHARS]
                replies.append((f"[HTTP {answer['status']}] {said}", "no reply"))
                error = f"HTTP {answer['status']}: {said}"
                continue
            reply = self._completion(answer)
            replies.append((reply.text, self._hinders(reply.problem)))
            details = self._details(reply)
            try:
                score, read = self._read(reply)
                return Rating(score, reply.text, **_kept(replies), details=details | read)
            except JudgeError as failure:
                error = str(failure)
        if len(answers) < self.max_reply_attempts:
            return None
        return Rating(None, replies[-1][0], f"no score; the last: {error}", **_kept(replies), details=details)

    def _completion(self, answer: Mapping[str, Any]) -> ChatReply:
        try:
            return read_completion(answer["body"].encode())[0]
        except ValueError as error:
            return ChatReply(answer["body"][:_EXCERPT_CHARS], f"the reply is no chat completion: {error}", "")

    def _details(self, reply: ChatReply) -> dict[str, Any]:
        details: dict[str, Any] = {"answered_by": reply.model} if reply.model else {}
        if self.deterministic and reply.first_token is not None:
            details["logprobs"] = dict(reply.first_token)
        return details

    def _new_bound(self) -> ReplyBound:
        return ReplyBound(self._options, (1,) if self.deterministic else _REPLY_TOKENS)

    def _run(self, messages: bytes) -> Rating:
        replies: list[tuple[str, str]] = []
        error = ""
        details: dict[str, Any] = {}

        def keep(text: str, problem: str) -> None:
            replies.append((text, self._hinders(problem)))

        remaining = self._options.max_reply_attempts
        while remaining:
            bound = self._bound.now()
            try:
                reply = self._client.complete(chat_request(self._model, messages, bound, self._options), keep)
            except RefusedError as failure:
                if self._bound.renamed(bound, failure):
                    continue
                return _without_score(replies, failure)
            except (EndpointError, ServiceUnavailableError) as failure:
                return _without_score(replies, failure)
            remaining -= 1
            if reply.cut_off:
                self._bound.widen(bound)
            details = self._details(reply)
            try:
                score, read = self._read(reply)
                return Rating(score, reply.text, **_kept(replies), details=details | read)
            except JudgeError as failure:
                error = str(failure)
        attempts = self._options.max_reply_attempts
        said = f"{attempts} replies and none is a score" if attempts > 1 else "no score"
        return Rating(None, replies[-1][0], f"{said}; the last: {error}", **_kept(replies), details=details)

    def _hinders(self, problem: str) -> str:
        """Why a reply cannot be read; a reply of a single token is always cut off."""
        return "" if self.deterministic and problem == CUT_OFF else problem

    def _read(self, reply: ChatReply) -> tuple[float, dict[str, Any]]:
        """The score that a reply states, and what else it was read from.

        Raises:
            JudgeError: it states none.
        """
        if self.deterministic:
            if reply.first_token is None:
                raise JudgeError(
                    "the endpoint gives no log-probabilities of the reply's first token; serve the model with them "
                    "(vLLM: --max-logprobs 20), or set reading=reply"
                )
            read = read_listed(reply.first_token)
            return read.score, read.to_dict()
        if reply.problem:
            raise JudgeError(f"{reply.problem}: {reply.text[:200]!r}")
        return read_score(reply.text), {}


def _kept(replies: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"replies": tuple(text for text, _ in replies), "problems": tuple(problem for _, problem in replies)}


def _without_score(replies: Sequence[tuple[str, str]], error: EndpointError | ServiceUnavailableError) -> Rating:
    return Rating(
        None,
        reply=replies[-1][0] if replies else "",
        error=str(error),
        **_kept(replies),
        stopped=isinstance(error, ServiceUnavailableError),
    )
