"""Captions of clips."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError, CaptionError
from opens2v_hf.models.roles import ROLES
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.given_captions import read_captions
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip

PROMPT = (
    "These are frames of one video clip, in order of time. Describe the clip in one paragraph of English. Begin with "
    "its main subjects: name every person, animal and thing that can be made out, with the look by which it can be "
    "told apart, then what they do, then the surroundings. Only write what can be seen. Do not mention frames, the "
    "video or the camera."
)
"""The question to a captioner; subjects first, as the released captions have them."""

_ENGLISH = {
    "a", "an", "the", "and", "or", "of", "in", "on", "at", "to", "with", "by", "from", "for", "into", "over", "under",
    "near", "is", "are", "was", "has", "have", "it", "its", "this", "that", "as", "while", "which", "who", "his", "her",
    "their", "he", "she", "they",
}  # fmt: skip
_MIN_WORDS = 8  # shorter texts say too little about their language
_MIN_ENGLISH = 0.15  # of the words; English captions have 0.3 to 0.5, other languages that share some below 0.1
_MIN_LATIN = 0.8  # of the letters
_MAX_CHARACTERS = 10_000  # the released sample's caption has 1,259
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


class Caption:
    """Has clips described by a model, or takes captions that are given.

    Rules: "no_caption" (the model gives none, an empty one or a refusal, or none is given for the clip), "too_long"
    (over 10,000 characters by a model, which repeats itself), "wrong_language" (see `is_english`).

    Args:
        captioner: of the role, see `StageModel`.
        captions: name of a file or id of a clip -> its caption, or a JSON or JSONL file of them (see
            `read_captions`); no captioner is asked then.
        prompt: the question.
        num_frames: of the clip that the captioner sees, spread evenly; by default those at 5, 50 and 95 %, which are
            decoded anyhow.
        english_only: whether captions in other languages are dropped.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
    """

    name = "caption"

    def __init__(
        self,
        *,
        captioner: Any = ROLES["captioner"].released,
        captions: Mapping[str, str] | str | Path | None = None,
        prompt: str = PROMPT,
        num_frames: int | None = None,
        english_only: bool = True,
    ) -> None:
        if num_frames is not None and num_frames < 1:
            raise ArgumentError(f"a captioner sees at least one frame (got {num_frames=})")
        if not prompt.strip():
            raise ArgumentError("the question to a captioner must not be empty")
        self.given = None if captions is None else read_captions(captions)
        self.captioner = StageModel("captioner", captioner) if captions is None else None
        self.prompt = prompt
        self.num_frames = num_frames
        self.english_only = english_only
        self.resources = Resources(gpus=on_gpu(self.captioner))

    def load(self) -> None:
        """Load the captioner.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self.captioner is not None:
            self.captioner.get()

    def facts(self) -> Mapping[str, Any]:
        """The captioner and what it is asked, or the digest of the given captions."""
        if self.given is not None:
            content = repr(sorted(self.given.items())).encode("utf-8", "surrogatepass")
            return {"captions": hashlib.sha256(content).hexdigest(), "english_only": self.english_only}
        return {
            "captioner": self.captioner.facts() if self.captioner else None,
            "prompt": digest(self.prompt),
            "num_frames": self.num_frames,
            "english_only": self.english_only,
        }

    def usage(self) -> Mapping[str, int]:
        """Requests and tokens of the captioner's endpoint, see `MeteredStage`."""
        return {} if self.captioner is None else self.captioner.usage()

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Caption some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        caption = " ".join(self._caption(clip).split())
        if not caption:
            raise ClipDroppedError("no_caption", "the caption is empty")
        if self.english_only and not is_english(caption):
            raise ClipDroppedError("wrong_language", f"the caption is not English: {caption[:120]!r}")
        return [clip.made_by(self.name, self.facts(), caption=caption)]

    def _caption(self, clip: ClipRecord) -> str:
        if self.given is not None:
            found = self.given.get(clip.id, self.given.get(clip.source.name))
            if found is None:
                raise ClipDroppedError("no_caption", f"no caption is given for {clip.id!r} or {clip.source.name!r}")
            return found
        if self.captioner is None:
            return ""
        try:
            answer: str = self.captioner.get().caption(list(self._frames(clip)), self.prompt)
        except CaptionError as error:
            raise ClipDroppedError("no_caption", str(error)) from error
        if len(answer) > _MAX_CHARACTERS:
            reason = f"the caption has {len(answer):,} characters, at most {_MAX_CHARACTERS:,}: {answer[:120]!r}..."
            raise ClipDroppedError("too_long", reason)
        return answer

    def _frames(self, clip: ClipRecord) -> np.ndarray:
        if self.num_frames is None:
            return media.sampled(clip)
        spread = np.linspace(0, clip.num_frames - 1, min(self.num_frames, clip.num_frames))
        return media.frames(clip, [int(index) for index in spread])


def is_english(text: str) -> bool:
    """Whether a caption may be English: a rule that is cheap and errs on the side of yes.

    At least 80 % of its letters are Latin, and of eight words or more at least 15 % are common English ones
    (articles, prepositions, pronouns).

    Example:
        >>> is_english("A woman in a red coat walks along the beach while her dog runs beside her.")
        True
        >>> is_english("Une femme en manteau rouge marche sur la plage avec son chien.")
        False
    """
    letters = [character for character in text if character.isalpha()]
    latin = sum(character.isascii() or "\u00c0" <= character <= "\u024f" for character in letters)
    if not letters or latin < _MIN_LATIN * len(letters):
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    return len(words) < _MIN_WORDS or sum(word in _ENGLISH for word in words) >= _MIN_ENGLISH * len(words)


def digest(text: str) -> str:
    """A short name of a prompt, for provenance."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
