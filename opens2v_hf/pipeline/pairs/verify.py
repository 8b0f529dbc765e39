"""Verification of a candidate pair by a model that sees both pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from PIL import Image

from opens2v_hf._util.data_url import picture_url
from opens2v_hf.errors import ArgumentError, EndpointError, JudgeError
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.endpoint.chat import ChatClient
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.models.endpoint.options import EndpointOptions
from opens2v_hf.pipeline.pairs.pictures import SubjectPictures
from opens2v_hf.video.resize import resize

PROMPT = (
    "Pictures 1 and 2 show a subject cut out of a video frame, and that whole frame. Pictures 3 and 4 show the same "
    "for a second subject. The first is labelled {first!r}, the second {second!r}.\n"
    "same_identity: is it the very same individual or object, not only one of the same kind? Judge by face, hair, "
    "clothes, markings, shape and colours; a different pose, expression, size or light does not count against it.\n"
    "other_context: do the two frames show it in clearly different situations (another place, pose, view or moment), "
    "so that one is not merely a copy of the other?\n"
    'Answer with JSON only: {{"same_identity": true or false, "other_context": true or false}}'
)

_LONG_SIDE_PX = 512
_OBJECT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Verdict:
    """Verdict of a verifier on a candidate.

    Attributes:
        same_identity: whether both subjects are one and the same.
        other_context: whether the frames show it in another context.
        reply: the model's own words.
        usage: what all replies to this question took: "calls", "input_tokens" and "output_tokens"; empty where that is
            not known.
    """

    same_identity: bool
    other_context: bool
    reply: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the candidate is a pair."""
        return self.same_identity and self.other_context


class Verifier(Protocol):
    """Compares the pictures of two subjects.

    Attributes:
        name: of the model.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def facts(self) -> Mapping[str, Any]:
        """Everything that affects its verdicts, JSON-compatible, without secrets; the key of stored verdicts."""
        ...

    def verify(self, first: SubjectPictures, second: SubjectPictures) -> Verdict:
        """Judge a candidate; called from several threads.

        Raises:
            JudgeError: no verdict on this one.
            ServiceUnavailableError: none on any further one.
        """
        ...


class EndpointVerifier:
    """A model behind an OpenAI-compatible chat endpoint.

    Args:
        model: as the endpoint knows it, with or without "openai:" before it.
        options: how it is asked, with what budget; see `EndpointOptions`.
        prompt: with {first} and {second} for the labels.

    Raises:
        ArgumentError: there is no model's name, or an option cannot be used.
    """

    def __init__(self, model: str, options: EndpointOptions | None = None, *, prompt: str = PROMPT) -> None:
        self.name = model.removeprefix(ENDPOINT_PREFIX).strip()
        if not self.name:
            raise ArgumentError(f"a verifier behind an endpoint is named {ENDPOINT_PREFIX}<model> (got {model!r})")
        self._options = options or EndpointOptions()
        self._prompt = prompt
        self._client = ChatClient(
            self._options, budget=Budget(self._options.max_calls, self._options.max_tokens), role="verifier"
        )

    def facts(self) -> Mapping[str, Any]:
        """The model, where it is asked, and how."""
        return {
            "model": self.name,
            "url": self._client.url,
            "prompt": self._prompt,
            "request": self._options.request_fields(),
        }

    def verify(self, first: SubjectPictures, second: SubjectPictures) -> Verdict:
        """Ask about a candidate; after a reply that is no verdict, the request is sent again.

        Raises:
            JudgeError: no verdict.
            ServiceUnavailableError: the endpoint answers no further call.
        """
        body = self._request(first, second)
        reply = ""
        usage = {"calls": 0, "input_tokens": 0, "output_tokens": 0}
        for _ in range(self._options.max_reply_attempts):
            try:
                answer = self._client.complete(body, lambda *_: None)
            except EndpointError as error:
                raise JudgeError(str(error)) from error
            usage["calls"] += 1
            usage["input_tokens"] += answer.input_tokens or 0
            usage["output_tokens"] += answer.output_tokens or 0
            reply = answer.text
            verdict = read_verdict(reply)
            if verdict is not None:
                return replace(verdict, usage=usage)
        raise JudgeError(f"{self.name} gave no verdict but {reply[:200]!r}")

    def _request(self, first: SubjectPictures, second: SubjectPictures) -> bytes:
        pictures = (first.cut_out, first.frame, second.cut_out, second.frame)
        text = self._prompt.format(first=first.label, second=second.label)
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        content += [{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures]
        fields = {"model": self.name, "messages": [{"role": "user", "content": content}]}
        return json.dumps(fields | self._options.request_fields()).encode()


def read_verdict(reply: str) -> Verdict | None:
    """The verdict in a reply: its last JSON object with both answers; None where there is none.

    Example:
        >>> read_verdict('Sure: {"same_identity": true, "other_context": false}').accepted
        False
        >>> read_verdict("yes") is None
        True
    """
    for found in reversed(_OBJECT.findall(reply)):
        try:
            record = json.loads(found)
        except ValueError:
            continue
        answers = [record.get(name) for name in ("same_identity", "other_context")]
        if all(isinstance(answer, bool) for answer in answers):
            return Verdict(answers[0], answers[1], reply)
    return None


def _data_url(picture: np.ndarray) -> str:
    image = Image.fromarray(picture)
    scale = min(1.0, _LONG_SIDE_PX / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return picture_url(resize(image, (width, height), Image.Resampling.LANCZOS), "jpeg", quality=90)
