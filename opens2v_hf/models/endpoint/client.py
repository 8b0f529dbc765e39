"""Requests to one address of a model's endpoint: retries, limits, and no key in anything that is shown."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import ClassVar, Generic, TypeVar

import httpx
import tenacity

from opens2v_hf._util.content_coding import check_coding
from opens2v_hf._util.event_loop import event_loop
from opens2v_hf._util.retries import retry_after_s
from opens2v_hf._util.tls import tls_context
from opens2v_hf.errors import ArgumentError, EndpointError
from opens2v_hf.models.endpoint.address import DEFAULT_BASE_URL, endpoint_key, endpoint_url
from opens2v_hf.models.endpoint.breaker import Breaker, JudgeStoppedError
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.endpoint.completion import read_error
from opens2v_hf.models.endpoint.options import EndpointOptions

_Reply = TypeVar("_Reply")

_EXCERPT_CHARS = 300
_NO_REPLY = "no reply"
_MAX_RETRY_S = 300.0  # after which a call is not sent again, as where a server takes requests and never answers
_MAX_CONNECT_S = 15.0
_CLOSING_S = 5.0  # for closing a connection after its time is over
_MIN_SECRET_CHARS = 8  # shorter keys are placeholders of local servers ("EMPTY"), and parts of ordinary words
_RETRIED_STATUSES = frozenset({408, 409, 425, 429})
_ADVICE = {
    401: "the key is missing or refused; check {key_variable}",
    402: "the account behind the key has no credit left",
    403: "the key may not use this model; check the key, the model's name and {address}",
    404: "there is no such model or address; check the model's name and {address}",
    405: "the address takes no such requests; check {address}",
}


class RefusedError(EndpointError):
    """A request was refused for its content.

    Attributes:
        param: the field of the request that the endpoint blames; empty where it does not say.
        said: the endpoint's words.
    """

    def __init__(self, message: str, *, param: str, said: str) -> None:
        super().__init__(message)
        self.param = param
        self.said = said


class _GivenUpError(Exception):
    """A request failed in a way that may pass, but not soon."""


class _TransientError(Exception):
    """A request failed in a way that may pass."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EndpointClient(Generic[_Reply]):
    """Sends requests, and retries transient failures.

    Retried: 408, 409, 425, 429, every 5xx, timeouts, broken connections and bodies that cannot be read.
    Between attempts it waits exponentially longer, with jitter, and never less than a `Retry-After` asks for. After
    three calls in a row without an answer no further call is made, and none that is refused by the key, the model's
    name or the address; see `Breaker`.

    The key goes into the request's header and nowhere else: it is removed from all that the endpoint sends back.

    Attributes:
        path: of the requests, behind the base URL.
        expected: what the body of a good reply is, for messages.
        key_variable: environment variable of the key, for messages.
        address: what sets the URL, for messages.
        max_body_bytes: of a reply; a longer one is refused.

    Args:
        options: see `EndpointOptions`.
        budget: what may be spent.
        role: of the model, for messages.
        sleep: waits some seconds; by default in a way that `stop` ends.
        now: the time in seconds since 1970, to which a `Retry-After` date is compared.

    Raises:
        ArgumentError: the base URL is none, or holds credentials; the key is missing where there must be one, or has
            characters that no key has.
    """

    path: ClassVar[str]
    expected: ClassVar[str]
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    address: ClassVar[str] = "the base URL (OPENAI_BASE_URL, `base_url=`)"
    max_body_bytes: ClassVar[int] = 1 << 20

    def __init__(
        self,
        options: EndpointOptions,
        *,
        budget: Budget,
        role: str = "judge",
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        key = endpoint_key(options.api_key)
        self._role = role
        self.url = endpoint_url(options.base_url, self.path)
        if not key and self.is_makers_own:
            raise ArgumentError(
                f"{DEFAULT_BASE_URL} wants a key, and there is none; set OPENAI_API_KEY, name "
                f"another endpoint (OPENAI_BASE_URL, `base_url=`), or a {role} that runs here (a Hub id or folder as "
                f"`{role}=`)"
            )
        self._options = options
        self._secret = key if len(key) >= _MIN_SECRET_CHARS else ""
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._budget = budget
        self._now = now
        self._stopping = threading.Event()
        self._sleep = self._wait if sleep is None else sleep
        self._under_way: set[Future[tuple[httpx.Response, bytes]]] = set()
        self._breaker = Breaker(self.url)
        self._slots = threading.BoundedSemaphore(options.concurrency)
        self._backoff = tenacity.wait_exponential_jitter(initial=1.0, max=options.max_wait_s, jitter=1.0)

    @property
    def is_makers_own(self) -> bool:
        """Whether OpenAI's own endpoint is asked, of any region, such as eu.api.openai.com."""
        own = httpx.URL(DEFAULT_BASE_URL).host
        return f".{httpx.URL(self.url).host}".endswith(f".{own}")

    @property
    def headers(self) -> dict[str, str]:
        """The header with the key, where there is one: for other requests to the same service, never to be shown."""
        return {name: value for name, value in self._headers.items() if name == "Authorization"}

    def read(self, content: bytes) -> tuple[_Reply, int | None]:
        """The reply that a body holds, and the tokens that it took, where it reports them.

        Raises:
            ValueError: it holds none.
        """
        raise NotImplementedError

    def complete(self, body: bytes, keep: Callable[[str, str], None] = lambda raw, problem: None) -> _Reply:
        """Get the answer to one request.

        Args:
            body: the request, as JSON.
            keep: called with what came instead of a reply as it arrives, and with why it cannot be read.

        Raises:
            ServiceUnavailableError: no call will succeed any more.
            RefusedError: the request was refused.
            EndpointError: this call failed for good.
        """
        attempts = 1 if self._breaker.in_doubt else self._options.max_attempts
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_after_delay(_MAX_RETRY_S),
            wait=lambda state: max(_asked_wait(state), self._backoff(state)),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            reply = retrying(self._attempt, body, keep)
        except (_TransientError, _GivenUpError) as error:
            retried = ", also after retries" if attempts > 1 and isinstance(error, _TransientError) else ""
            self._breaker.unanswered(str(error))
            raise EndpointError(f"the {self._role} at {self.url} gave no answer{retried}: {error}") from error
        except JudgeStoppedError as error:
            self._breaker.stop(error)
            raise
        self._breaker.completed()
        return reply

    def stop(self) -> None:
        """Give up what is under way or waits for a retry, and make no further call."""
        self._breaker.stop(JudgeStoppedError(f"the {self._role} was interrupted"))
        self._stopping.set()
        for request in list(self._under_way):
            request.cancel()

    def _wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _attempt(self, body: bytes, keep: Callable[[str, str], None]) -> _Reply:
        with self._slots:
            self._breaker.check()  # other threads may have found out meanwhile
            self._budget.take_call()
            try:
                response, content = self._send(body)
            except TimeoutError as error:
                keep("[no reply] timed out", _NO_REPLY)
                raise _TransientError(f"no reply within {self._options.timeout_s:g} s") from error
            except (httpx.RequestError, OSError, UnicodeError) as error:  # the last is a host that is no name
                keep(f"[no reply] {type(error).__name__}", _NO_REPLY)
                raise _TransientError(
                    f"the connection failed ({self.clean(str(error)) or type(error).__name__})"
                ) from error
        text = self.clean(content.decode("utf-8", errors="replace"))
        if response.status_code != httpx.codes.OK:
            keep(f"[HTTP {response.status_code}] {text[:_EXCERPT_CHARS]}", _NO_REPLY)
            raise self._status_error(response, text, body)
        try:
            if len(content) > self.max_body_bytes:
                raise ValueError(f"it has more than {self.max_body_bytes} bytes")
            reply, tokens = self.read(content)
        except ValueError as error:
            keep(f"[no {self.expected}] {text[:_EXCERPT_CHARS]}", _NO_REPLY)
            kind = self.clean(response.headers.get("content-type", "no content type"))[:_EXCERPT_CHARS]
            raise _TransientError(f"the reply is no {self.expected}: {self.clean(str(error))} ({kind})") from error
        self.note(reply, keep)
        self._budget.add_tokens(tokens)
        return reply

    def note(self, reply: _Reply, keep: Callable[[str, str], None]) -> None:
        """Keep a reply that was read."""

    def _send(self, body: bytes) -> tuple[httpx.Response, bytes]:
        """Send a request and read the answer's body, of which one byte too many at most.

        A blocking client bounds each read, and a server that sends a byte now and then is waited for without end; on an
        event loop the whole of it has one time limit.

        Raises:
            TimeoutError: it took longer than an attempt may.
            httpx.RequestError: the connection failed.
        """
        under_way = asyncio.run_coroutine_threadsafe(self._exchange(body), event_loop())
        self._under_way.add(under_way)
        try:
            return under_way.result(self._options.timeout_s + _CLOSING_S)
        except CancelledError as error:
            raise JudgeStoppedError(f"the {self._role} was interrupted") from error
        finally:
            self._under_way.discard(under_way)
            under_way.cancel()

    async def _exchange(self, body: bytes) -> tuple[httpx.Response, bytes]:
        limit_s = self._options.timeout_s
        timeout = httpx.Timeout(None, connect=min(limit_s, _MAX_CONNECT_S))
        content = bytearray()
        async with (
            asyncio.timeout(limit_s),
            httpx.AsyncClient(
                headers=self._headers, timeout=timeout, verify=tls_context() if self.url.startswith("https:") else False
            ) as http,
            http.stream("POST", self.url, content=body) as response,
        ):
            check_coding(response)
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > self.max_body_bytes:
                    break
        return response, bytes(content[: self.max_body_bytes + 1])

    def _status_error(self, response: httpx.Response, text: str, body: bytes) -> Exception:
        status = response.status_code
        message, param = read_error(text)
        message = message[:_EXCERPT_CHARS]
        said = f": {message}" if message else ""
        if response.is_redirect:
            return JudgeStoppedError(
                f"{self.url} answered {status}, a redirect, which is not followed; check the base URL"
            )
        if "insufficient_quota" in text:
            return JudgeStoppedError(f"the account behind the key has no quota left at {self.url}{said}")
        if status not in _RETRIED_STATUSES and not response.is_server_error:
            advice = _ADVICE.get(status, "").format(key_variable=self.key_variable, address=self.address)
            reason = f"{self.url} refused the request with {status}" + (f": {advice}" if advice else "") + said
            self._breaker.refused(body, reason, for_all=bool(advice))
            return RefusedError(reason, param=param, said=message)
        wait_s = retry_after_s(response.headers.get("retry-after"), self._now())
        longest = self._options.max_wait_s
        if wait_s is not None and wait_s > longest:
            return _GivenUpError(f"HTTP {status}, and it asks to wait {wait_s:g} s, more than max_wait_s={longest:g}")
        return _TransientError(f"HTTP {status}{said}", wait_s)

    def clean(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._secret, "[key]") if self._secret else text


def _asked_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after_s or 0.0) if isinstance(error, _TransientError) else 0.0
