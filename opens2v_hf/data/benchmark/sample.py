"""A sample of OpenS2V-Eval."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIXES = (
    "singleface", "singlehuman", "singleobj", "multiface", "multihuman", "multiobject", "faceobj", "humanobj",
)  # fmt: skip
"""The eight id prefixes of the benchmark."""

PAPER_CATEGORIES = {
    "singleface": "single-face-to-video",
    "singlehuman": "single-body-to-video",
    "singleobj": "single-entity-to-video",
    "multiface": "multi-face-to-video",
    "multihuman": "multi-body-to-video",
    "multiobject": "multi-entity-to-video",
    "faceobj": "human-entity-to-video",
    "humanobj": "human-entity-to-video",
}
"""The paper's seven categories (arXiv 2505.20292, section 3.1): faceobj and humanobj are one."""

HARD_CASE_PREFIX = "Hard-Case_Dev"
HARD_CASE_CATEGORY = "hardcase"
"""Category, in both senses, of the 30 ids of the "hard case" development set, which the paper does not know."""

_ID = re.compile(rf"({'|'.join(map(re.escape, (*PREFIXES, HARD_CASE_PREFIX)))})_[0-9]+")


def category_of(sample_id: str) -> str | None:
    """The category of an id of the benchmark's form; None for any other id.

    >>> category_of("singleface_3"), category_of("Hard-Case_Dev_1"), category_of("my video")
    ('singleface', 'hardcase', None)
    """
    found = _ID.fullmatch(sample_id)
    if found is None:
        return None
    return HARD_CASE_CATEGORY if found[1] == HARD_CASE_PREFIX else found[1]


@dataclass(frozen=True)
class Subject:
    """A reference of a sample.

    Attributes:
        label: its class as the benchmark names it, e.g. "Man" or "Cup".
        path: of its picture, relative to the folder or repo that holds the prompt file.
    """

    label: str
    path: str


@dataclass(frozen=True)
class EvalSample:
    """One prompt of OpenS2V-Eval with its references.

    Attributes:
        id: e.g. "singleface_3"; a generated video is "<id>.mp4".
        category: one of `PREFIXES`, or `HARD_CASE_CATEGORY`.
        paper_category: one of the values of `PAPER_CATEGORIES`, or `HARD_CASE_CATEGORY`.
        prompt: the text that the video is generated from.
        synthetic: whether the references are synthesised pictures.
        subjects: one to three (up to five in the hard-case set) references.
        metrics: names of the metrics that apply to this sample.
    """

    id: str
    category: str
    paper_category: str
    prompt: str
    synthetic: bool
    subjects: tuple[Subject, ...]
    metrics: tuple[str, ...]
