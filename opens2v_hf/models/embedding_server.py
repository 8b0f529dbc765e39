"""Vectors of texts and pictures by a server of vLLM or SGLang, one a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from opens2v_hf._util.data_url import picture_url
from opens2v_hf._util.threads import in_order
from opens2v_hf.models.endpoint.answers import read_json, token_count
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.endpoint.client import EndpointClient
from opens2v_hf.models.endpoint.engine_names import EngineName, engine_key
from opens2v_hf.models.endpoint.options import EndpointOptions
from opens2v_hf.models.served_embedder import EnginePrompt, EngineVector, finite_vector

_END = "<|endoftext|>"
"""Comes after the opening of the assistant's turn; its hidden state is the vector."""

_ADDRESS = "the server in its name"


class VllmClient(EndpointClient[EngineVector]):
    """Asks `/v1/embeddings` of vLLM: a text as it is, a picture as a conversation for the model's chat template."""

    path: ClassVar[str] = "/v1/embeddings"
    expected: ClassVar[str] = "list of vectors"
    key_variable: ClassVar[str] = "VLLM_API_KEY"
    address: ClassVar[str] = _ADDRESS

    def request(self, model: str, prompt: EnginePrompt, max_length: int) -> dict[str, Any]:
        """The body of a request."""
        common = {"model": model, "encoding_format": "float", "add_special_tokens": False}
        if prompt.picture is None:
            return {**common, "input": prompt.text, "truncate_prompt_tokens": max_length, "truncation_side": "right"}
        picture = {"type": "image_url", "image_url": {"url": _png_url(prompt.picture)}}
        messages = [
            {"role": "system", "content": prompt.instruction},
            {"role": "user", "content": [picture]},
            {"role": "assistant", "content": _END},
        ]
        return {**common, "messages": messages, "add_generation_prompt": False, "continue_final_message": True}

    def read(self, content: bytes) -> tuple[EngineVector, int | None]:
        """See `EndpointClient.read`."""
        record = _object(content)
        data = record.get("data")
        if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], Mapping):
            raise ValueError("it has no list of one vector")
        tokens = token_count(record.get("usage"), "prompt_tokens")
        return EngineVector(finite_vector(data[0].get("embedding")), tokens), tokens


class SglangClient(EndpointClient[EngineVector]):
    """Asks `/encode` of SGLang, which applies no chat template."""

    path: ClassVar[str] = "/encode"
    expected: ClassVar[str] = "vector"
    key_variable: ClassVar[str] = "SGLANG_API_KEY"
    address: ClassVar[str] = _ADDRESS

    def request(self, model: str, prompt: EnginePrompt, max_length: int) -> dict[str, Any]:
        """The body of a request; this server has no bound on a prompt's tokens."""
        picture = {} if prompt.picture is None else {"image_data": _png_url(prompt.picture)}
        return {"model": model, "text": prompt.text, **picture}

    def read(self, content: bytes) -> tuple[EngineVector, int | None]:
        """See `EndpointClient.read`."""
        record = _object(content)
        tokens = token_count(record.get("meta_info"), "prompt_tokens")
        return EngineVector(finite_vector(record.get("embedding")), tokens), tokens


class ServerEngine:
    """An engine behind a URL.

    Args:
        name: with a server.
        api_key: by default VLLM_API_KEY or SGLANG_API_KEY; without either none is sent.
        concurrency: requests at a time.
        timeout_s: for the whole of one attempt.
        max_attempts: requests sent for one vector until one gets through.
        sleep: see `EndpointClient`.

    Raises:
        ArgumentError: an option has no usable value.
    """

    def __init__(
        self,
        name: EngineName,
        *,
        role: str = "embedder",
        api_key: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 120.0,
        max_attempts: int = 6,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        kind: type[VllmClient | SglangClient] = VllmClient if name.engine == "vllm" else SglangClient
        options = EndpointOptions(
            base_url=name.server, api_key=engine_key(name.engine, api_key), concurrency=concurrency,
            timeout_s=timeout_s, max_attempts=max_attempts,
        )  # fmt: skip
        self._client: VllmClient | SglangClient = kind(options, budget=Budget(), role=role, sleep=sleep)
        self._model = name.model
        self._threads = concurrency

    def embed(self, prompts: Sequence[EnginePrompt], max_length: int) -> Iterator[EngineVector]:
        """See `EmbeddingEngine.embed`."""

        def ask(prompt: EnginePrompt) -> EngineVector:
            return self._client.complete(json.dumps(self._client.request(self._model, prompt, max_length)).encode())

        try:
            yield from in_order(ask, prompts, threads=self._threads)
        except (KeyboardInterrupt, SystemExit):  # the threads would wait for all attempts
            self._client.stop()
            raise


def _png_url(picture: Image.Image) -> str:
    return picture_url(picture, "png", compress_level=1)


def _object(content: bytes) -> Mapping[str, Any]:
    record = read_json(content)
    if not isinstance(record, Mapping):
        raise ValueError("it is no JSON object")
    return record
