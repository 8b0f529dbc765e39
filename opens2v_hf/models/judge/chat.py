"""One chat completion of an OpenAI-compatible endpoint, with everything that can go wrong on the way."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import tenacity

from opens2v_hf.errors import ArgumentError, JudgeError
from opens2v_hf.models.judge.budget import Budget, JudgeStoppedError

DEFAULT_BASE_URL = "https://api.openai.com/v1"

_MAX_BODY_BYTES = 1 << 20
_EXCERPT_CHARS = 300
_MIN_SECRET_CHARS = 8  # shorter keys are placeholders of local servers ("EMPTY"), and parts of ordinary words
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")
_RETRIED_STATUSES = frozenset({408, 409, 425, 429})
_STOPPING_STATUSES = {
    401: "the key is missing or refused; set OPENAI_API_KEY or give api_key",
    403: "the key may not use this model; check the key, the model's name and the base URL",
    404: "there is no such model or address; check the judge's name and the base URL (OPENAI_BASE_URL, base_url)",
}


@dataclass(frozen=True)
class ChatReply:
    """What the model answered.

    Attributes:
        text: the message, or the refusal where there is no message.
        problem: why the text cannot be taken for a whole answer (a refusal, a cut-off reply); empty otherwise.
        model: as the endpoint names the model that answered; empty where it does not say.
    """

    text: str
    problem: str
    model: str


class _TransientError(Exception):
    """A request failed in a way that may pass."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChatClient:
    """Sends chat completions, and sends again what failed in passing.

    Sent again: 408, 409, 425, 429, every 5xx, timeouts, broken connections and bodies that are no chat completion.
    Between attempts it waits exponentially longer, with jitter, and never less than a `Retry-After` asks for. What
    cannot pass (401, 403, 404, a redirect, an exhausted account) fails at once, and so does every later call.

    The key goes into the request's header and nowhere else: it is cut out of whatever the endpoint sends back.

    Args:
        base_url: up to and without "/chat/completions"; by default `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: by default `OPENAI_API_KEY`; without either no key is sent (many local servers want none). OpenAI's own
            endpoint wants one, and that it is missing shows at once.
        timeout_s: for the whole of one attempt.
        max_attempts: for one call.
        max_wait_s: longest wait between two attempts; an endpoint that asks for more is given up.
        max_connections: requests at a time.
        budget: what may be spent.
        sleep: waits some seconds.
        now: the time in seconds since 1970, to which a `Retry-After` date is compared.

    Raises:
        ArgumentError: the base URL is none, or holds credentials; the key is missing where there must be one, or has
            characters that no key has; a number is out of range.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        max_attempts: int = 6,
        max_wait_s: float = 120.0,
        max_connections: int = 4,
        budget: Budget,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not timeout_s > 0 or max_attempts < 1 or max_wait_s < 0 or max_connections < 1:
            raise ArgumentError(
                "an endpoint needs timeout_s > 0, max_attempts >= 1, max_wait_s >= 0 and at least one connection "
                f"(got {timeout_s=}, {max_attempts=}, {max_wait_s=}, {max_connections=})"
            )
        key = (api_key if api_key is not None else os.environ.get("OPENAI_API_KEY", "")).strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ArgumentError("the API key holds spaces or characters that no key has; copy it anew")
        self.url = _completions_url(base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL)
        if not key and self.url == _completions_url(DEFAULT_BASE_URL):
            raise ArgumentError(
                f"{DEFAULT_BASE_URL} wants a key, and there is none; set OPENAI_API_KEY or give api_key, name another "
                "endpoint (OPENAI_BASE_URL, base_url), or a judge that runs here (a Hub id or folder)"
            )
        self._secret = key if len(key) >= _MIN_SECRET_CHARS else ""
        self._timeout_s = timeout_s
        self._max_wait_s = max_wait_s
        self._budget = budget
        self._now = now
        self._stopped = ""
        self._slots = threading.BoundedSemaphore(max_connections)
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=max_connections),
        )
        backoff = tenacity.wait_exponential_jitter(initial=1.0, max=max_wait_s, jitter=1.0)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(max_attempts),
            wait=lambda state: max(_asked_wait(state), backoff(state)),
            sleep=sleep,
            reraise=True,
        )

    def complete(self, body: bytes, keep: Callable[[str], None]) -> ChatReply:
        """Get the answer to one request.

        Args:
            body: the request, as JSON.
            keep: called with every raw reply, and with what came instead of one, as it arrives.

        Raises:
            JudgeStoppedError: no call will succeed any more.
            JudgeError: this call failed for good.
        """
        if self._stopped:
            raise JudgeStoppedError(self._stopped)
        try:
            # a copy, since the statistics of a Retrying are not for several threads
            return self._retrying.copy()(self._attempt, body, keep)
        except _TransientError as error:
            raise JudgeError(f"the judge at {self.url} gave no answer, also after retries: {error}") from error
        except JudgeStoppedError as error:
            self._stopped = str(error)
            raise

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _attempt(self, body: bytes, keep: Callable[[str], None]) -> ChatReply:
        self._budget.take_call()
        try:
            with self._slots:
                response, content = self._send(body)
        except httpx.TimeoutException as error:
            keep("[no reply] timed out")
            raise _TransientError(f"no reply within {self._timeout_s:g} s") from error
        except httpx.RequestError as error:
            keep(f"[no reply] {type(error).__name__}")
            raise _TransientError(
                f"the connection failed ({self._clean(str(error)) or type(error).__name__})"
            ) from error
        if response.status_code != httpx.codes.OK:
            text = self._clean(content.decode("utf-8", errors="replace"))[:_EXCERPT_CHARS]
            keep(f"[HTTP {response.status_code}] {text}")
            raise self._status_error(response, text)
        try:
            reply, tokens = _read_completion(content)
        except ValueError as error:
            keep(f"[no chat completion] {self._clean(content.decode('utf-8', errors='replace'))[:_EXCERPT_CHARS]}")
            kind = self._clean(response.headers.get("content-type", "no content type"))[:_EXCERPT_CHARS]
            raise _TransientError(f"the reply is no chat completion: {error} ({kind})") from error
        reply = ChatReply(self._clean(reply.text), self._clean(reply.problem), self._clean(reply.model))
        keep(reply.text)
        self._budget.add_tokens(tokens)
        return reply

    def _send(self, body: bytes) -> tuple[httpx.Response, bytes]:
        deadline = time.monotonic() + self._timeout_s
        content = bytearray()
        with self._http.stream(
            "POST", self.url, content=body, headers={"Content-Type": "application/json"}
        ) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MAX_BODY_BYTES:
                    return response, bytes(content[: _MAX_BODY_BYTES + 1])
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the reply comes too slowly")
        return response, bytes(content)

    def _status_error(self, response: httpx.Response, text: str) -> Exception:
        status = response.status_code
        said = f": {text}" if text else ""
        if status in _STOPPING_STATUSES:
            return JudgeStoppedError(f"{self.url} answered {status}: {_STOPPING_STATUSES[status]}{said}")
        if response.is_redirect:
            return JudgeStoppedError(
                f"{self.url} answered {status}, a redirect, which is not followed; check the base URL"
            )
        if "insufficient_quota" in text:
            return JudgeStoppedError(f"the account behind the key has no quota left at {self.url}{said}")
        if status not in _RETRIED_STATUSES and not response.is_server_error:
            return JudgeError(f"{self.url} refused the request with {status}{said}")
        wait_s = retry_after_s(response.headers.get("retry-after"), self._now())
        if wait_s is not None and wait_s > self._max_wait_s:
            return JudgeError(
                f"{self.url} answered {status} and asks to wait {wait_s:g} s, more than max_wait_s={self._max_wait_s:g}"
            )
        return _TransientError(f"HTTP {status}{said}", wait_s)

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, "[key]") if self._secret else text


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Seconds to wait by a `Retry-After` header, given as seconds or as an HTTP date.

    Returns:
        At least 0; None where there is no header or it makes no sense.

    Example:
        >>> retry_after_s("7", 0.0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 50.0), retry_after_s("soon", 0.0)
        (7.0, 10.0, None)
    """
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_s)


def _asked_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after_s or 0.0) if isinstance(error, _TransientError) else 0.0


def _completions_url(base_url: str) -> str:
    # no message shows the URL before it is known to hold no credentials
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as error:
        raise ArgumentError("the base URL of the judge is no URL; it looks like https://host/v1") from error
    if url.userinfo or url.query or url.fragment:
        raise ArgumentError(
            "the base URL of the judge holds a user, a password or a query; "
            "give it as https://host/v1, and the key apart"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ArgumentError(
            f"the base URL of the judge is no http(s) URL (got {base_url!r}); it looks like https://host/v1"
        )
    return str(url.copy_with(path=url.path.rstrip("/") + "/chat/completions"))


def _read_completion(content: bytes) -> tuple[ChatReply, int | None]:
    """Read the body of a chat completion: the reply and its tokens.

    Raises:
        ValueError: it is none.
    """
    if len(content) > _MAX_BODY_BYTES:
        raise ValueError(f"it has more than {_MAX_BODY_BYTES} bytes")
    try:
        record = json.loads(content)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error
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
    tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else None
    model = record.get("model")
    reply = ChatReply(*_text_and_problem(message, choice.get("finish_reason")), model if isinstance(model, str) else "")
    return reply, tokens if isinstance(tokens, int) and tokens >= 0 else None


def _text_and_problem(message: Mapping[str, Any], finish_reason: Any) -> tuple[str, str]:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal, "the judge refused to answer"
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "".join(part for part in parts if isinstance(part, str))
    text = content if isinstance(content, str) else ""
    if finish_reason == "length":
        return text, "the judge's reply was cut off; allow more with max_reply_tokens"
    if finish_reason == "content_filter":
        return text, "the judge's reply was withheld by a content filter"
    return text, ""
