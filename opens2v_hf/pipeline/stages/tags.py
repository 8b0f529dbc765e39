"""Phrases of a caption that name something visible."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from opens2v_hf.errors import ArgumentError, CaptionError
from opens2v_hf.models.roles import ROLES
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.caption import digest
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.subjects import dropped_subject
from opens2v_hf.pipeline.synthetic_tags import synthetic_tags

KINDS = ("background", "subject", "object")
PREDEFINED = "pre_define"
"""Kinds of tags, as in the released records; the last are detected in every clip, independent of its caption."""

SYNTHETIC = "synthetic"
"""The tagger that knows the sentences of this project's synthetic scenes, and needs no model."""

PROMPT = (
    "From the caption below, list the phrases that name something visible, each copied exactly, character by "
    "character, as it is written in the caption. Leave out articles. Answer with one JSON object and nothing else: "
    '{"background": [...], "subject": [...], "object": [...]}. "subject" are people and animals, "object" are '
    'things, "background" are places and surroundings.\n\nCaption: '
)
"""The question to the tagger, before the caption."""

# Thai, Lao, Burmese, Khmer, Chinese and Japanese have no spaces between words, and Korean words have endings
_LETTER = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A letter next to which a tag would be a part of a word."""

_MAX_WORDS = 12  # of a tag; longer ones are sentences


class Tags:
    """Has the phrases of captions listed, and keeps those that are exact parts of the caption.

    A tag that differs from the caption in letter case or white space only takes the caption's spelling. Dropped tags:
    "not_in_caption", "part_of_word", "too_long" (over 12 words), "repeated". Dropped clips: "no_tags".

    Args:
        tagger: of the role "captioner", asked with text alone, see `StageModel`; or "synthetic" for the rule that
            knows the captions of this project's own scenes.
        prompt: the question; the caption is put after it.
        always: tags to detect in every clip; the released pipeline has "person" and "human head".

    Raises:
        ArgumentError: a tag in `always` is empty.
    """

    name = "tags"

    def __init__(
        self, *, tagger: Any = ROLES["captioner"].released, prompt: str = PROMPT, always: Sequence[str] = ()
    ) -> None:
        if isinstance(always, str) or not all(isinstance(tag, str) and tag.strip() for tag in always):
            raise ArgumentError(f"the tags for every clip must be a list of words (got {always=})")
        self.tagger = None if tagger == SYNTHETIC else StageModel("captioner", tagger)
        self.prompt = prompt
        self.always = tuple(always)
        self.resources = Resources(gpus=on_gpu(self.tagger))

    def load(self) -> None:
        """Load the tagger.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self.tagger is not None:
            self.tagger.get()

    def facts(self) -> Mapping[str, Any]:
        """The tagger and what it is asked."""
        made_by: dict[str, Any] = {"tagger": SYNTHETIC}
        if self.tagger is not None:
            made_by = {"tagger": self.tagger.facts(), "prompt": digest(self.prompt)}
        return made_by | {"always": list(self.always)}

    def usage(self) -> Mapping[str, int]:
        """Requests and tokens of the tagger's endpoint, see `MeteredStage`."""
        return {} if self.tagger is None else self.tagger.usage()

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """List the tags of some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        if not clip.caption:
            raise ClipDroppedError("no_tags", "it has no caption; apply the stage 'caption' first")
        tags: dict[str, list[str]] = {kind: [] for kind in KINDS}
        seen: set[str] = set()
        for kind, tag in self._proposed(clip.caption):
            exact, fault = in_caption(tag, clip.caption)
            if fault is None and exact in seen:
                fault = "repeated"
            if fault is not None:
                lost.append(dropped_subject(clip, self.name, tag[:200], fault, f"{tag[:200]!r} as {kind}"))
                continue
            seen.add(exact)
            tags[kind].append(exact)
        if not seen:
            raise ClipDroppedError("no_tags", "none of the proposed phrases is a part of the caption")
        found = {kind: tuple(words) for kind, words in tags.items()}
        return [clip.made_by(self.name, self.facts(), tags=found | {PREDEFINED: self.always})]

    def _proposed(self, caption: str) -> list[tuple[str, str]]:
        if self.tagger is None:
            return [(kind, tag) for kind, tags in synthetic_tags(caption).items() for tag in tags]
        try:
            return parse_tags(self.tagger.get().caption([], self.prompt + caption))
        except CaptionError as error:
            raise ClipDroppedError("no_tags", str(error)) from error


def parse_tags(answer: str) -> list[tuple[str, str]]:
    """Kind and tag of what a model lists, in its order; what has another form is left out.

    Example:
        >>> parse_tags('Sure: {"subject": ["woman"], "object": ["red hat", 7], "mood": ["calm"]}')
        [('subject', 'woman'), ('object', 'red hat')]
        >>> parse_tags("There is a woman.")
        []
    """
    start, end = answer.find("{"), answer.rfind("}")
    try:
        listed = json.loads(answer[start : end + 1])
    except (ValueError, RecursionError):
        return []
    if not isinstance(listed, dict):
        return []
    return [
        (kind, tag.strip())
        for kind in KINDS
        if isinstance(listed.get(kind), list)
        for tag in listed[kind]
        if isinstance(tag, str) and tag.strip()
    ]


def in_caption(tag: str, caption: str) -> tuple[str, str | None]:
    """A tag as the caption spells it, and by which rule it is dropped (None where it is kept).

    Example:
        >>> in_caption("Red  Hat", "A woman with a red hat.")
        ('red hat', None)
        >>> in_caption("man", "A woman with a red hat.")[1], in_caption("dog", "A woman.")[1]
        ('part_of_word', 'not_in_caption')
        >>> in_caption("雨衣", "一位穿着黄色雨衣的女士站在公交车站看报纸。")
        ('雨衣', None)
    """
    words = [re.escape(word) for word in tag.split()]
    if len(words) > _MAX_WORDS:
        return tag, "too_long"
    pattern = r"\s+".join(words)
    found = None
    for flags in (re.NOFLAG, re.IGNORECASE):
        found = found or re.search(rf"(?<!{_LETTER}){pattern}(?!{_LETTER})", caption, flags)
    if found is not None:
        return found[0], None
    return tag, "part_of_word" if re.search(pattern, caption, re.IGNORECASE) else "not_in_caption"
