"""Which ids each split of OpenS2V-Eval has, and which of them each column of the leaderboard applies to.

The prompt files say the same; this is for checking results where the files are not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from opens2v_hf.data.benchmark.rules import FACESIM_CATEGORIES, GENERAL_METRICS, SPLITS_WITHOUT_NEXUSSCORE
from opens2v_hf.errors import ArgumentError

_OPEN = {
    "singleface": 30, "singlehuman": 30, "singleobj": 30, "multiface": 15, "multihuman": 15, "multiobject": 30,
    "faceobj": 15, "humanobj": 15,
}  # fmt: skip

CATEGORY_COUNTS: Mapping[str, Mapping[str, int]] = {
    "open-domain": _OPEN,
    "human-domain": {name: _OPEN[name] for name in ("singleface", "singlehuman")},
    "single-domain": {name: _OPEN[name] for name in ("singleface", "singlehuman", "singleobj")},
}
"""Split to id prefix to how many ids have it; they are numbered from 1."""

PROMPT_SHA256: Mapping[str, str] = {
    "open-domain": "8d21bea649308c9de7975c9c5c5a5dbf0ed88306e7d0ffa9faa4b8b439d5a909",
    "human-domain": "d4cc0706312c59077e0efb5739e23388625092fdbee58a71f0fbcb2bfa4decaa",
    "single-domain": "8f03c8a1ca9c45a77af3a803d6432c3a248763f48657cfec3c9e1fe72d65a1be",
}
"""Of the released prompt files: a result on other prompts is none on OpenS2V-Eval."""

_MULTIFACE_WITH_OTHER_SUBJECTS = frozenset({1, 8, 10, 11, 13, 15})
"""The other nine multiface samples have persons alone as references, which NexusScore skips in ids with "face"."""


def split_ids(split: str) -> dict[str, str]:
    """Sample id to category, for every id of a split.

    Raises:
        ArgumentError: there is no such split.

    Example:
        >>> len(split_ids("open-domain")), split_ids("human-domain")["singleface_30"]
        (180, 'singleface')
    """
    if split not in CATEGORY_COUNTS:
        raise ArgumentError(f"there is no split {split!r} (known are: {', '.join(CATEGORY_COUNTS)})")
    return {f"{name}_{i}": name for name, count in CATEGORY_COUNTS[split].items() for i in range(1, count + 1)}


@lru_cache(maxsize=64)  # a board asks for each of its submissions
def applicable_ids(column: str, split: str) -> frozenset[str]:
    """The ids of a split that should have a value in a column.

    Args:
        column: one of `opens2v_hf.scores.scorecard.COLUMNS`.
        split: "open-domain", "human-domain" or "single-domain".

    Raises:
        ArgumentError: there is no such column or split.

    Example:
        >>> len(applicable_ids("nexusscore", "open-domain")), len(applicable_ids("facesim_cur", "open-domain"))
        (141, 90)
    """
    ids = split_ids(split)
    if column in GENERAL_METRICS:
        return frozenset(ids)
    if column == "facesim_cur":
        return frozenset(i for i, category in ids.items() if category in FACESIM_CATEGORIES)
    if column == "nexusscore":
        if split in SPLITS_WITHOUT_NEXUSSCORE:
            return frozenset()
        return frozenset(i for i, category in ids.items() if _has_nexusscore(i, category))
    raise ArgumentError(f"there is no column {column!r}")


def _has_nexusscore(sample_id: str, category: str) -> bool:
    if category == "multiface":
        return int(sample_id.rpartition("_")[2]) in _MULTIFACE_WITH_OTHER_SUBJECTS
    return category != "singleface"
