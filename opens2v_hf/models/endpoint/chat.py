"""Chat completions of an OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from opens2v_hf.models.endpoint.client import EndpointClient
from opens2v_hf.models.endpoint.completion import ChatReply, read_completion


class ChatClient(EndpointClient[ChatReply]):
    """Sends chat completions; `keep` is also called with every reply's text and why it is no whole answer."""

    path: ClassVar[str] = "/chat/completions"
    expected: ClassVar[str] = "chat completion"

    def read(self, content: bytes) -> tuple[ChatReply, int | None]:
        """See `EndpointClient.read`."""
        reply, tokens = read_completion(content)
        text, problem, model = (self.clean(part) for part in (reply.text, reply.problem, reply.model))
        return replace(reply, text=text, problem=problem, model=model), tokens

    def note(self, reply: ChatReply, keep: Callable[[str, str], None]) -> None:
        """See `EndpointClient.note`."""
        self._budget.add_usage(reply.input_tokens, reply.output_tokens)
        keep(reply.text, reply.problem)
