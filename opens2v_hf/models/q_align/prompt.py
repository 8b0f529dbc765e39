"""The question about a window of frames, as text and as token ids."""

from __future__ import annotations

from typing import Any

from opens2v_hf.errors import ModelError
from opens2v_hf.models.q_align.network import PromptIds
from opens2v_hf.scores.motion_smoothness import LEVELS

IMAGE_MARK = "<|image|>"
"""Position of the frames. It is not in the vocabulary: the text is split there before it is tokenised."""

VIDEO_PROMPT = (
    f"USER: How would you rate the quality of this video?\n{IMAGE_MARK}\nASSISTANT: The quality of the video is"
)
"""The question that the network was trained on, which ends where a level follows (released code v1.1)."""


def prompt_ids(tokenizer: Any) -> PromptIds:
    """Token ids of `VIDEO_PROMPT` and of the levels.

    The texts on both sides of the frames are tokenised apart; the sequence begins with the token for that, once. A
    level's id is that of the first token of its word.

    Raises:
        ModelError: the tokenizer cannot be the network's: it knows no token for the beginning, or two levels are one.
    """
    if tokenizer.bos_token_id is None:
        raise ModelError("the quality scorer's tokenizer has no token for the beginning of a sequence (bos_token)")
    before, after = (_encode(tokenizer, part) for part in VIDEO_PROMPT.split(IMAGE_MARK))
    words = [_encode(tokenizer, level) for level in LEVELS]
    levels = tuple(word[0] for word in words if word)
    if len(set(levels)) != len(LEVELS):
        raise ModelError(
            f"the quality scorer's tokenizer must have a token for each level ({', '.join(LEVELS)}; got ids "
            f"{levels}); check its files"
        )
    return PromptIds((int(tokenizer.bos_token_id), *before), after, levels)


def _encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))
