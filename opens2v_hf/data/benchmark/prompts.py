"""Reads the prompt files of OpenS2V-Eval in their released layout.

A prompt file is one JSON object:
`{id: {"img_paths": [...], "prompt": ..., "synthesis_flag": ..., "class_label": [...]}}`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.text import is_unicode
from opens2v_hf.data.benchmark.rules import applicable_metrics
from opens2v_hf.data.benchmark.sample import (
    HARD_CASE_CATEGORY,
    HARD_CASE_PREFIX,
    PAPER_CATEGORIES,
    PREFIXES,
    EvalSample,
    Subject,
    category_of,
)
from opens2v_hf.errors import SampleError, short_repr

PROMPT_FILES = {
    "open-domain": "Open-Domain_Eval.json",
    "human-domain": "Human-Domain_Eval.json",
    "single-domain": "Single-Domain_Eval.json",
}
"""Split of the benchmark -> its file in the released layout."""

_SYNTHETIC = {"True": True, "Wrong": False, "wrong": False}
"""The field is a boolean; "False" is spelled as "Wrong" or "wrong" in the released files."""


@checked
def parse_eval_prompts(content: bytes | str, *, source: str, split: str | None = None) -> list[EvalSample]:
    """Parse the content of a prompt file.

    Args:
        content: of the file.
        source: where it came from, for messages.
        split: a key of `PROMPT_FILES`, if any; it decides whether NexusScore is among a sample's metrics.

    Raises:
        SampleError: the content is malformed; the message names `source` and the sample's id.

    Examples:
        >>> [sample] = parse_eval_prompts(
        ...     '{"singleobj_1": {"img_paths": ["Images/singleobject/cup/1.jpg"], "prompt": "A cup.",'
        ...     ' "synthesis_flag": "wrong", "class_label": ["Cup"]}}', source="example")
        >>> sample.category, sample.synthetic, sample.subjects[0].label
        ('singleobj', False, 'Cup')
    """
    try:
        records = json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, source))
    except (ValueError, RecursionError) as error:
        raise SampleError(f"{source} is no JSON file: {error}") from error
    if not isinstance(records, dict) or not records:
        raise SampleError(f"{source} is no prompt file: expected a JSON object that maps sample ids to records")
    return [_sample(sample_id, record, source, split) for sample_id, record in records.items()]


def _unique(pairs: Sequence[tuple[str, Any]], source: str) -> dict[str, Any]:
    records = dict(pairs)
    if len(records) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise SampleError(f"{source}: {short_repr(twice)} occurs twice in one JSON object; keep one of the two")
    return records


def _sample(sample_id: str, record: Any, source: str, split: str | None) -> EvalSample:
    where = f"{source}, sample {sample_id!r}"
    category = category_of(sample_id)
    if category is None:
        known = ", ".join((*PREFIXES, HARD_CASE_PREFIX))
        raise SampleError(f"{where}: an id is one of the prefixes {known} followed by an underscore and a number")
    if not isinstance(record, dict):
        raise SampleError(f"{where}: the record is no JSON object (got {type(record).__name__})")
    missing = [key for key in ("img_paths", "prompt", "synthesis_flag", "class_label") if key not in record]
    if missing:
        raise SampleError(f"{where}: the record has no {', '.join(repr(key) for key in missing)}")
    prompt = record["prompt"]
    if not _is_text(prompt):
        raise SampleError(f"{where}: 'prompt' must be a text that is not empty (got {short_repr(prompt)})")
    subjects = _subjects(record["img_paths"], record["class_label"], where)
    return EvalSample(
        id=sample_id,
        category=category,
        paper_category=PAPER_CATEGORIES.get(category, HARD_CASE_CATEGORY),
        prompt=prompt,
        synthetic=_synthetic(record["synthesis_flag"], where),
        subjects=subjects,
        metrics=applicable_metrics(sample_id, category, subjects, split),
    )


def _synthetic(flag: Any, where: str) -> bool:
    if not isinstance(flag, str) or flag not in _SYNTHETIC:
        known = ", ".join(repr(spelling) for spelling in _SYNTHETIC)
        raise SampleError(f"{where}: 'synthesis_flag' must be one of {known} (got {short_repr(flag)})")
    return _SYNTHETIC[flag]


def _subjects(paths: Any, labels: Any, where: str) -> tuple[Subject, ...]:
    for key, texts in (("img_paths", paths), ("class_label", labels)):
        if not isinstance(texts, list) or not all(_is_text(text) for text in texts):
            raise SampleError(f"{where}: {key!r} must be a list of texts that are not empty (got {short_repr(texts)})")
    if len(paths) != len(labels):
        raise SampleError(
            f"{where}: 'img_paths' and 'class_label' must be of one length (got {len(paths)} and {len(labels)})"
        )
    if not paths:
        raise SampleError(f"{where}: 'img_paths' is empty, but a sample has at least one reference picture")
    for path in paths:
        if not _stays_inside(path):
            raise SampleError(
                f"{where}: the picture path {short_repr(path)} must be relative to the prompt file's folder and stay "
                "inside it, with / between its parts"
            )
    return tuple(Subject(label, path) for label, path in zip(labels, paths, strict=True))


def _is_text(value: Any) -> bool:
    """Whether a value is text that is not empty and can be stored."""
    return isinstance(value, str) and bool(value.strip()) and is_unicode(value)


def _stays_inside(path: str) -> bool:
    """Whether a path from an untrusted file can be joined to a folder without leaving it."""
    unsafe = "\\" in path or ":" in path or "\0" in path
    return not unsafe and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
