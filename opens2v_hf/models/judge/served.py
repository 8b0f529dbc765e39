"""A judge that a server of vLLM or SGLang runs."""

from __future__ import annotations

from typing import Any, ClassVar

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.chat import ChatClient
from opens2v_hf.models.endpoint.engine_names import EngineName, engine_key
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.endpoint import EndpointJudge

_ADDRESS = "the server in its name"


class VllmChat(ChatClient):
    """Chat completions of vLLM."""

    key_variable: ClassVar[str] = "VLLM_API_KEY"
    address: ClassVar[str] = _ADDRESS


class SglangChat(ChatClient):
    """Chat completions of SGLang."""

    key_variable: ClassVar[str] = "SGLANG_API_KEY"
    address: ClassVar[str] = _ADDRESS


class ServedJudge(EndpointJudge):
    """Asks a server as a judge is asked that runs here: frames as PNG, then the rubric, and the expectation is read.

    Args:
        name: of the model, with a server.
        **given: options of `EndpointOptions`, which replace these; the key is by default VLLM_API_KEY or
            SGLANG_API_KEY, and OPENAI_API_KEY is never sent.

    Raises:
        ArgumentError: an option is unknown or has no usable value.
    """

    def __init__(self, name: EngineName, **given: Any) -> None:
        if given.pop("base_url", None) is not None:
            raise ArgumentError(
                f"the server of {name.engine}:{name.server}/{name.model} is in its name; leave base_url out"
            )
        self._engine = name.engine
        self.chat_client = VllmChat if name.engine == "vllm" else SglangChat
        options: dict[str, Any] = {"reading": "expectation", "image_format": "png", "frames_first": True} | given
        options["api_key"] = engine_key(name.engine, given.get("api_key"))
        super().__init__(name.model, base_url=f"{name.server}/v1", **options)

    @property
    def info(self) -> ModelInfo:
        """The model's name; a server gives no revision."""
        return ModelInfo("judge", self._model, engine=self._engine)
