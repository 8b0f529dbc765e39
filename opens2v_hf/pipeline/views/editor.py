"""Interface of models that make pictures of a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image

from opens2v_hf.errors import OpenS2VError


@dataclass(frozen=True)
class EditRequest:
    """A picture to be made.

    Attributes:
        images: RGB, the subject's crop first.
        prompt: what to make of them.
        seed: for models that take one.
    """

    images: Sequence[Image.Image]
    prompt: str
    seed: int


@dataclass(frozen=True)
class Edited:
    """A picture that was made.

    Attributes:
        image: RGB.
        usage: tokens as the reply reports them, empty where it does not.
        cost: in the currency of the price table; None where it is not known.
    """

    image: Image.Image
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost: float | None = None


class EditRefusedError(OpenS2VError):
    """A request was refused for what it holds; nothing was billed, and it would be refused again."""


class EditUnpaidError(OpenS2VError):
    """No picture, and nothing can have been billed: no connection, or too many requests."""


class EditLostError(OpenS2VError):
    """No picture, and it may have been billed: no answer in time, a broken connection, an answer without a picture."""


class Editor(Protocol):
    """Makes pictures.

    Attributes:
        name: of the model.
        is_paid: whether each picture costs money.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def is_paid(self) -> bool: ...  # noqa: D102

    def facts(self) -> Mapping[str, Any]:
        """Everything but the request that affects its pictures; JSON-compatible, no secrets."""
        ...

    def edit(self, request: EditRequest) -> Edited:
        """Make one picture; may be called from several threads.

        Raises:
            EditRefusedError: see there, as the next two.
            EditUnpaidError: no connection.
            EditLostError: no picture came.
            ServiceUnavailableError: no further request will succeed.
        """
        ...
