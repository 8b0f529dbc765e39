"""An images-edit endpoint: `POST <base URL>/images/edits`, multipart, as OpenAI and compatible servers speak it.

A picture is paid for when the server has made it, whether or not the answer arrives. So a request is sent again only
where it cannot have been worked on: no connection was made, or the answer was 429.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image

from opens2v_hf._util.content_coding import bounded_body, drop_redirect_body
from opens2v_hf._util.event_loop import run_within
from opens2v_hf._util.retries import retry_after_s
from opens2v_hf._util.tls import tls_context
from opens2v_hf.data.images import read_image, to_png
from opens2v_hf.errors import ArgumentError, ImageError
from opens2v_hf.models.endpoint.address import DEFAULT_BASE_URL, endpoint_key, endpoint_url
from opens2v_hf.models.endpoint.breaker import JudgeStoppedError
from opens2v_hf.models.endpoint.completion import read_error
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.pipeline.prices import Price
from opens2v_hf.pipeline.views.editor import Edited, EditLostError, EditRefusedError, EditRequest, EditUnpaidError
from opens2v_hf.pipeline.views.options import ViewOptions

MAX_BODY_BYTES = 96 << 20
"""Of an answer: a picture of 4096x4096 as PNG in base64 takes some 70 MB at most."""

_ATTEMPTS = 5
_DOWNLOAD_ATTEMPTS = 3
_LONGEST_WAIT_S = 120.0
_MAX_CONNECT_S = 15.0
_EXCERPT_CHARS = 300
_MIN_SECRET_CHARS = 8
_PATH = "/images/edits"
_FOR_ALL = {
    401: "the key is missing or refused; check OPENAI_API_KEY",
    402: "the account behind the key has no credit left",
    403: "the key may not use this model; check the key, the model's name and the base URL",
    404: "there is no such model or address; check the model's name and the base URL",
    405: "the address takes no edits of images; check the base URL",
}
_MAY_BE_WORKED_ON = frozenset({408, 409, 425})


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class EndpointEditor:
    """Asks a model behind an endpoint for each picture.

    Args:
        options: the model and how it is asked.
        price: of the model; None where it is not known.
        sleep: waits some seconds.

    Raises:
        ArgumentError: the base URL is none, or the key is missing where there must be one.
    """

    is_paid = True

    def __init__(
        self, options: ViewOptions, price: Price | None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name = options.model.removeprefix(ENDPOINT_PREFIX).strip()
        if not self.name:
            raise ArgumentError(f"a model behind an endpoint is named {ENDPOINT_PREFIX}<model> (got {options.model!r})")
        self.url = endpoint_url(options.base_url, _PATH)
        key = endpoint_key(options.api_key)
        if not key and self.url == endpoint_url(DEFAULT_BASE_URL, _PATH):
            raise ArgumentError(
                f"{DEFAULT_BASE_URL} wants a key, and there is none; set OPENAI_API_KEY, or name another endpoint"
            )
        self._secret = key if len(key) >= _MIN_SECRET_CHARS else ""
        self._headers = {"Accept-Encoding": "gzip"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._options = options
        self._price = price
        self._sleep = sleep
        self._other_field = False  # whether a refusal has shown that pictures have the other name

    def facts(self) -> Mapping[str, Any]:
        """The model and the fields of each request; not the address: through another one nothing is paid again."""
        return {"model": self.name, "fields": self._fields()}

    def edit(self, request: EditRequest) -> Edited:
        """Ask for one picture; see `Editor.edit`."""
        files = [to_png(image) for image in request.images]
        answer = self._answered(files, request.prompt)
        if answer.status in (400, 422) and self._blames_field(answer) and not self._other_field:
            self._other_field = True  # nothing was made, so nothing is paid
            answer = self._answered(files, request.prompt)
        self._check_status(answer)
        picture, usage = self._read(answer)
        cost = None if self._price is None else self._price.of_reply(usage, self._options.quality)
        return Edited(picture, usage, cost)

    def _answered(self, files: list[bytes], prompt: str) -> _Answer:
        """The first answer that is not 429."""
        problem = ""
        for attempt in range(1, _ATTEMPTS + 1):
            wait_s = min(2.0**attempt, _LONGEST_WAIT_S)
            try:
                answer = run_within(self._options.timeout_s, self._exchange(files, prompt))
            except (httpx.ConnectError, httpx.ConnectTimeout, UnicodeError) as error:
                problem = f"no connection ({self._clean(str(error)) or type(error).__name__})"
            except TimeoutError as error:
                raise EditLostError(f"no answer within {self._options.timeout_s:g} s") from error
            except (httpx.RequestError, OSError) as error:
                reason = self._clean(str(error)) or type(error).__name__
                raise EditLostError(f"the connection broke ({reason})") from error
            else:
                if answer.status != 429:
                    return answer
                said = self._said(answer)
                if "insufficient_quota" in answer.text:
                    raise JudgeStoppedError(f"the account behind the key has no quota left at {self.url}: {said}")
                asked = retry_after_s(answer.headers.get("retry-after"), time.time())
                if asked is not None and asked > _LONGEST_WAIT_S:
                    raise JudgeStoppedError(f"{self.url} asks to wait {asked:g} s before the next picture; try later")
                problem = f"too many requests: {said}"
                wait_s = max(wait_s, asked or 0.0)
            if attempt < _ATTEMPTS:
                self._sleep(wait_s)
        raise EditUnpaidError(f"{self.url}: {problem}")

    async def _exchange(self, files: list[bytes], prompt: str) -> _Answer:
        timeout = httpx.Timeout(None, connect=min(self._options.timeout_s, _MAX_CONNECT_S))
        name = self._image_field(len(files))
        parts = [(name, (f"{number}.png", data, "image/png")) for number, data in enumerate(files)]
        fields = {"model": self.name, "prompt": prompt, "n": "1", **self._fields()}
        async with (
            httpx.AsyncClient(headers=self._headers, timeout=timeout, verify=tls_context()) as http,
            http.stream("POST", self.url, data=fields, files=parts) as response,
        ):
            return _Answer(response.status_code, response.headers, await _body(response, "answer"))

    def _fields(self) -> dict[str, str]:
        named = {"size": self._options.size, "quality": self._options.quality, **self._options.extra}
        return {name: _as_field(value) for name, value in named.items() if value is not None}

    def _image_field(self, count: int) -> str:
        if self._options.image_field != "auto":
            return self._options.image_field
        return "image[]" if (count > 1) != self._other_field else "image"

    def _blames_field(self, answer: _Answer) -> bool:
        message, param = read_error(answer.text)
        return self._options.image_field == "auto" and (param.startswith("image") or "image" in message.lower())

    def _check_status(self, answer: _Answer) -> None:
        status, said = answer.status, self._said(answer)
        if status == 200:
            return
        if status in _FOR_ALL:
            raise JudgeStoppedError(f"{self.url} refused the request with {status}: {_FOR_ALL[status]}: {said}")
        if 300 <= status < 400:
            raise JudgeStoppedError(
                f"{self.url} answered {status}, a redirect, which is not followed; check the base URL"
            )
        if status >= 500 or status in _MAY_BE_WORKED_ON or status < 200:
            raise EditLostError(f"HTTP {status}: {said}")
        raise EditRefusedError(f"HTTP {status}: {said}")

    def _read(self, answer: _Answer) -> tuple[Image.Image, Mapping[str, Any]]:
        """The picture of a reply and its usage; a reply without a picture may have been paid."""
        try:
            record = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = self._clean(answer.headers.get("content-type", "no content type"))[:_EXCERPT_CHARS]
            raise EditLostError(f"the answer is no JSON ({kind}): {self._said(answer)}") from error
        data = record.get("data") if isinstance(record, Mapping) else None
        first = data[0] if isinstance(data, list) and data and isinstance(data[0], Mapping) else None
        if first is None:
            raise EditLostError(f"the answer has no picture: {self._said(answer)}")
        usage = record.get("usage")
        content = self._content(first)
        try:
            return read_image(content, name="the picture of the answer"), usage if isinstance(usage, Mapping) else {}
        except ImageError as error:
            raise EditLostError(str(error)) from error

    def _content(self, entry: Mapping[str, Any]) -> bytes:
        encoded, url = entry.get("b64_json"), entry.get("url")
        if not isinstance(encoded, str) and isinstance(url, str) and url.startswith("data:"):
            encoded = url.partition(",")[2]
        if isinstance(encoded, str):
            try:
                return base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError) as error:
                raise EditLostError(f"the picture of the answer is no base64 ({error})") from error
        if isinstance(url, str) and url.startswith(("http://", "https://")):
            return self._download(url)
        raise EditLostError("the answer has neither b64_json nor an http(s) url")

    def _download(self, url: str) -> bytes:
        """The picture behind an address; asking again costs nothing. The key stays here."""
        problem = ""
        for attempt in range(1, _DOWNLOAD_ATTEMPTS + 1):
            try:
                return run_within(self._options.timeout_s, self._fetch(url))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
                problem = self._clean(str(error)) or type(error).__name__
            if attempt < _DOWNLOAD_ATTEMPTS:
                self._sleep(2.0**attempt)
        raise EditLostError(f"the picture was made, but cannot be fetched from the answer's url ({problem})")

    async def _fetch(self, url: str) -> bytes:
        hooks = {"response": [drop_redirect_body]}
        async with (
            httpx.AsyncClient(
                timeout=_MAX_CONNECT_S, follow_redirects=True, event_hooks=hooks, verify=tls_context()
            ) as http,
            http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as response,
        ):
            response.raise_for_status()
            return await _body(response, "picture")

    def _said(self, answer: _Answer) -> str:
        message, _ = read_error(answer.text[: 1 << 16])
        return self._clean(" ".join(message.split()))[:_EXCERPT_CHARS]

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, "[key]") if self._secret else text


async def _body(response: httpx.Response, what: str) -> bytes:
    body = await bounded_body(response, MAX_BODY_BYTES)
    if len(body) > MAX_BODY_BYTES:
        raise EditLostError(f"the {what} has more than {MAX_BODY_BYTES >> 20} MB")
    return body


def _as_field(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
