"""Names of repos on the Hub."""

from __future__ import annotations

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from opens2v_hf._util.text import shown
from opens2v_hf.errors import ArgumentError


def is_repo_id(text: str) -> bool:
    """Whether a text is "org/name" as the Hub allows it."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return text.isascii() and text.count("/") == 1


def check_repo_id(text: str, what: str) -> None:
    """Refuse a malformed name.

    Args:
        text: the name.
        what: it names, e.g. "the repo of the model".

    Raises:
        ArgumentError: it is not "org/name" as the Hub allows it.
    """
    if not is_repo_id(text):
        raise ArgumentError(f"{what} must be org/name, as the Hub allows it (got {shown(text)})")
