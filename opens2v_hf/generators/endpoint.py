"""An HTTP service as a generator: POST of a request as JSON, answered by a video file.

The request: `{"id", "prompt", "images": [base64 PNG], "labels", "seed", "recipe": {...}}`. The answer: status 200 and
the bytes of a video, which are stored unchanged. After status 429 or 5xx the request is repeated, after `Retry-After`
if the answer has it.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable

import httpx

from opens2v_hf._util.content_coding import bounded_body
from opens2v_hf._util.event_loop import run_within
from opens2v_hf._util.retries import retry_after_s
from opens2v_hf._util.tls import tls_context
from opens2v_hf.data.images import to_png
from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generated, GeneratorInfo, Progress, Request

KEY_VARIABLE = "OPENS2V_ENDPOINT_KEY"
"""Environment variable of the key that is sent as a bearer token; it is never written or logged."""

MAX_VIDEO_BYTES = 512 << 20
_ATTEMPTS = 4
_LONGEST_WAIT_S = 120.0
_MAX_CONNECT_S = 30.0


class EndpointGenerator:
    """Asks a service for each video.

    Args:
        url: http:// or https://.
        timeout_s: for one answer, from the start of the request to the last byte.
        sleep: waits some seconds.

    Raises:
        ArgumentError: `url` is not an address, or holds a password.
    """

    recipe = Recipe()
    max_references = None

    def __init__(self, url: str, *, timeout_s: float = 3600.0, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ArgumentError(f"an endpoint must be an http:// or https:// address (got {url!r})") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ArgumentError(f"an endpoint must be an http:// or https:// address (got {url!r})")
        if parsed.userinfo or parsed.query:
            raise ArgumentError(f"the address of an endpoint is written into results; give its key in {KEY_VARIABLE}")
        self._url = str(parsed)
        self._timeout_s = timeout_s
        self._sleep = sleep

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos; the model behind the service is not known."""
        return GeneratorInfo(kind="http", name=self._url, notes=("made by a service; its model and seeds are its own",))

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Ask for one video.

        Raises:
            GenerationError: no answer, a refusal, or an answer that is not a video file.
        """
        body = {
            "id": request.id,
            "prompt": request.prompt,
            "images": [base64.b64encode(to_png(image)).decode("ascii") for image in request.images],
            "labels": list(request.labels),
            "seed": request.seed,
            "recipe": request.recipe.to_dict(),
        }
        return Generated(video=ask_until_free(lambda: self._post(body), self._url, self._sleep))

    def close(self) -> None:
        """Nothing to free."""

    def _post(self, body: dict[str, object]) -> bytes:
        key = os.environ.get(KEY_VARIABLE)
        if key and not (key.isascii() and key.isprintable()):
            raise ArgumentError(f"{KEY_VARIABLE} must hold printable ASCII characters only; check how it was set")
        headers = {"Accept-Encoding": "gzip"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            answer, content = run_within(self._timeout_s, self._exchange(body, headers))
        except TimeoutError as error:
            raise self._too_late() from error
        except httpx.HTTPError as error:
            raise BusyError(f"{type(error).__name__}: {error}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise BusyError(
                f"status {answer.status_code}", retry_after_s(answer.headers.get("Retry-After"), time.time())
            )
        if answer.status_code != 200:
            said = " ".join(content[:300].decode("utf-8", "replace").split())
            raise GenerationError(f"{self._url} refused the request (status {answer.status_code}): {said!r}")
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith(("text/", "application/json")) or not content:
            raise GenerationError(
                f"{self._url} answered {kind or 'nothing'} where a video file is expected", transient=True
            )
        return content

    async def _exchange(self, body: dict[str, object], headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
        timeout = httpx.Timeout(None, connect=min(self._timeout_s, _MAX_CONNECT_S))
        # no redirects: the key must not reach another host
        async with (
            httpx.AsyncClient(timeout=timeout, follow_redirects=False, verify=tls_context()) as client,
            client.stream("POST", self._url, json=body, headers=headers) as answer,
        ):
            content = await bounded_body(answer, MAX_VIDEO_BYTES)
        if len(content) > MAX_VIDEO_BYTES:
            raise GenerationError(f"{self._url} answered more than {MAX_VIDEO_BYTES >> 20} MB for one video")
        return answer, content

    def _too_late(self) -> GenerationError:
        return GenerationError(f"{self._url} gave no answer within {self._timeout_s:g} s", transient=True)


def ask_until_free(ask: Callable[[], bytes], name: str, sleep: Callable[[float], None]) -> bytes:
    """Ask a service, and repeat a bounded number of times while it is busy.

    Args:
        ask: gives the bytes of a video; raises `BusyError`.
        name: of the service, for messages.
        sleep: waits some seconds.

    Raises:
        GenerationError: it was busy at every attempt.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return ask()
        except BusyError as busy:
            if attempt == _ATTEMPTS:
                raise GenerationError(f"{name} is busy: {busy}", transient=True) from busy
            sleep(min(busy.wait_s or 2.0**attempt, _LONGEST_WAIT_S))
    raise AssertionError("unreachable: the last attempt returns or raises")


class BusyError(Exception):
    """A service is busy or cannot be reached, and may answer later.

    Args:
        message: why.
        wait_s: time until the next attempt, as the service asks; None where it names none.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s
