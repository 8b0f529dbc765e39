"""The text that Grounding DINO reads, and which of its tokens belong to which phrase.

Phrases are joined by full stops, "a cat. a dog.", and every box has a score for each token. The network reads no more
than 256 tokens and cuts off the rest without a word, so many phrases are asked in several texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TextPrompt:
    """One text for the network.

    Attributes:
        input_ids: with the tokens of its start and its end.
        phrases: positions of its phrases in what was to be packed.
        spans: (first token, token after the last) of each of them in `input_ids`.
    """

    input_ids: tuple[int, ...]
    phrases: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def pack_phrases(
    token_ids: Sequence[Sequence[int]], *, start: int, separator: int, end: int, max_tokens: int
) -> tuple[list[TextPrompt], list[int]]:
    """Join phrases to texts within a bound, in their order.

    Args:
        token_ids: of each phrase, without special tokens.
        start: token at the start of a text.
        separator: token after each phrase, the full stop.
        end: token at the end of a text.
        max_tokens: that the network reads.

    Returns:
        The texts, and the positions of phrases that are too long for one of their own.

    Example:
        >>> texts, too_long = pack_phrases([[7, 8], [9], [5]], start=1, separator=0, end=2, max_tokens=7)
        >>> [text.input_ids for text in texts]
        [(1, 7, 8, 0, 9, 0, 2), (1, 5, 0, 2)]
        >>> texts[0].spans
        ((1, 3), (4, 5))
    """
    texts: list[TextPrompt] = []
    too_long: list[int] = []
    ids: list[int] = [start]
    phrases: list[int] = []
    spans: list[tuple[int, int]] = []

    def finish() -> None:
        if phrases:
            texts.append(TextPrompt((*ids, end), tuple(phrases), tuple(spans)))
        ids[1:], phrases[:], spans[:] = [], [], []

    for index, tokens in enumerate(token_ids):
        if len(tokens) + 3 > max_tokens:  # with start, separator and end
            too_long.append(index)
            continue
        if len(ids) + len(tokens) + 2 > max_tokens:
            finish()
        spans.append((len(ids), len(ids) + len(tokens)))
        phrases.append(index)
        ids += [*tokens, separator]
    finish()
    return texts, too_long


@dataclass(frozen=True, eq=False)
class MappedBoxes:
    """The boxes of a text above the thresholds.

    Attributes:
        queries: int [N], positions of the boxes.
        phrases: int [N], positions of their phrases in what was packed.
        scores: float [N].
        num_unmapped: boxes above the threshold of which no phrase has a token above its own.
    """

    queries: np.ndarray
    phrases: np.ndarray
    scores: np.ndarray
    num_unmapped: int


def map_boxes(
    probabilities: np.ndarray, prompt: TextPrompt, *, box_threshold: float, text_threshold: float
) -> MappedBoxes:
    """Select boxes, each with its phrase.

    As in the released pipeline a box's score is its best token's, of any phrase or none, and a phrase must have a
    token above the threshold of text. There the label is every such token, which may join two phrases or be a part of
    one; here a box belongs to the phrase that holds its best token.

    Args:
        probabilities: float [Q, L], of each box and token, L at least the number of the text's tokens.
        prompt: the text.
        box_threshold: that the best token's probability must be above.
        text_threshold: that the best token's probability within the phrase must be above.
    """
    probabilities = np.asarray(probabilities)[:, : len(prompt.input_ids)]
    scores = probabilities.max(axis=1)
    of_phrases = np.stack([probabilities[:, first:last].max(axis=1) for first, last in prompt.spans], axis=1)
    chosen = of_phrases.argmax(axis=1)
    above = scores > box_threshold
    mapped = above & (of_phrases.max(axis=1) > text_threshold)
    queries = np.flatnonzero(mapped)
    return MappedBoxes(
        queries,
        np.array(prompt.phrases)[chosen[queries]],
        scores[queries],
        int(above.sum() - mapped.sum()),
    )
