"""The embedded captioner: it knows this project's synthetic scenes, and writes their sentences.

It is no language model. The embedded text detector finds what is there, class by class, and the embedded segmenter cuts
it out; the embedded embedder tells which of the class's phrases fits best, and which background fits the whole
sentence. On anything but synthetic scenes it says nothing, or nonsense.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opens2v_hf.errors import CaptionError
from opens2v_hf.models.config_file import config_from
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.models.hub import resolve_model
from opens2v_hf.models.info import EMBEDDED, ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.segmenter.base import Segmenter
from opens2v_hf.models.segmenter.sam import SamSegmenter
from opens2v_hf.models.text_detector.base import Detection, TextDetector
from opens2v_hf.models.text_detector.loading import load_text_detector
from opens2v_hf.models.yolo_world.boxes import non_maximum_suppression

WORDS_FILE = "scene_words.json"
_MOST_SUBJECTS = 3
_SAME_PLACE_IOU = 0.5
_STILL = 0.02  # of the frame's width or height


@dataclass(frozen=True)
class SceneWords:
    """Parts of the sentences.

    Attributes:
        phrases: class ("star", "man") to the phrases for its members.
        people: which of the classes are people.
        places: a background's name to the word before it ("in", "on").
    """

    phrases: Mapping[str, tuple[str, ...]]
    people: tuple[str, ...]
    places: Mapping[str, str]

    @classmethod
    def from_file(cls, path: Path) -> SceneWords:
        """Read them from JSON.

        Raises:
            ModelError: the file is missing or holds something else.
        """

        def make(values: dict[str, Any]) -> SceneWords:
            phrases = {str(name): tuple(map(str, of)) for name, of in values["phrases"].items()}
            return cls(phrases, tuple(values["people"]), {str(k): str(v) for k, v in values["places"].items()})

        return config_from(path, "the words of synthetic scenes", make)


class SceneCaptioner:
    """Names what it finds in the middle frame, and how it moves from the first frame to the last.

    Args:
        detector: that knows the classes.
        segmenter: that cuts out what was found.
        embedder: that tells phrases and backgrounds apart.
        words: of the scenes.
        info: provenance.
    """

    def __init__(
        self, detector: TextDetector, segmenter: Segmenter, embedder: GmeEmbedder, words: SceneWords, info: ModelInfo
    ) -> None:
        self._detector = detector
        self._segmenter = segmenter
        self._embedder = embedder
        self._words = words
        self._info = info
        self._phrase_vectors: dict[str, torch.Tensor] = {}

    @classmethod
    def embedded(cls, *, device: str | torch.device | None = None) -> SceneCaptioner:
        """The captioner of the embedded models.

        Raises:
            ModelError: this installation has none.
        """
        found = resolve_model(EMBEDDED, None, "text_detector")
        words = SceneWords.from_file(Path(found.source) / WORDS_FILE)
        detector = load_text_detector(EMBEDDED, device=device)
        segmenter = SamSegmenter.from_pretrained(EMBEDDED, device=device)
        embedder = GmeEmbedder.from_pretrained(EMBEDDED, device=device)
        info = ModelInfo("captioner", EMBEDDED, found.revision, "float32", detector.info.device, embedded=True)
        return cls(detector, segmenter, embedder, words, info)

    @property
    def info(self) -> ModelInfo:
        """Provenance of the model."""
        return self._info

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the text, JSON-compatible."""
        return {"knows": "the project's synthetic scenes only", "detector": self._detector.options}

    def caption(self, frames: Sequence[np.ndarray], prompt: str) -> str:
        """Describe a synthetic scene, for every prompt; without frames, list the phrases of a text.

        Args:
            frames: see `Captioner.caption`.
            prompt: not read where there are frames; else the question, a colon, and the text to list phrases of.

        Returns:
            A sentence; or a JSON object of "background", "subject" and "object", each with phrases in their order.

        Raises:
            CaptionError: nothing is found that it knows.
            ArgumentError: a frame has another form.
        """
        if not len(frames):
            return json.dumps(self._phrases_in(prompt))
        for frame in frames:
            check_picture(frame)
        middle = frames[len(frames) // 2]
        deeds: list[str] = []
        for item in self._found(middle):
            name = self._classes[item.phrase_index]
            phrase = self._phrase(middle, item, name)
            walks = phrase.startswith(self._words.people)  # a face moves
            deed = f"{_article(phrase)} {phrase} {self._motion(item, name, frames, walks=walks)}"
            deeds += [deed] if deed not in deeds else []
        if not deeds:
            raise CaptionError("the embedded captioner finds nothing that it knows; it knows synthetic scenes only")
        text = deeds[0] if len(deeds) == 1 else ", ".join(deeds[:-1]) + f" and {deeds[-1]}"
        text = text[0].upper() + text[1:]
        sentences = [f"{text} {before} {place}." for place, before in self._words.places.items()]
        return sentences[self._best(self._embedder.embed_texts(sentences, RETRIEVAL_INSTRUCTION), middle)]

    @property
    def _classes(self) -> list[str]:
        return list(self._words.phrases)

    def _found(self, frame: np.ndarray) -> list[Detection]:
        """List the things in a frame, each once, from left to right."""
        found = list(self._detector.detect(frame, self._classes))
        if not found:
            return []
        boxes = np.array([item.box_xyxy for item in found])
        chosen = [found[index] for index in non_maximum_suppression(boxes, _SAME_PLACE_IOU)][:_MOST_SUBJECTS]
        return sorted(chosen, key=lambda item: item.box_xyxy[0])

    def _phrase(self, frame: np.ndarray, item: Detection, name: str) -> str:
        mask = self._segmenter.segment(frame, [item.box_xyxy]).masks[0]
        cut = np.where(mask[..., None], frame, np.uint8(255))
        x0, y0 = (int(value) for value in item.box_xyxy[:2])
        x1, y1 = (math.ceil(value) for value in item.box_xyxy[2:])
        phrases = self._words.phrases[name]
        if name not in self._phrase_vectors:
            self._phrase_vectors[name] = self._embedder.embed_texts(phrases)
        return phrases[self._best(self._phrase_vectors[name], cut[y0:y1, x0:x1])]

    def _best(self, texts: torch.Tensor, picture: np.ndarray) -> int:
        [vector] = self._embedder.embed_images([np.ascontiguousarray(picture)])
        return int((texts @ vector).argmax())

    def _motion(self, item: Detection, name: str, frames: Sequence[np.ndarray], *, walks: bool) -> str:
        """Describe the motion of the nearest thing of a class from the first frame to the last."""
        height, width = frames[0].shape[:2]
        (x0, y0), (x1, y1) = (self._centre(frame, item, name) for frame in (frames[0], frames[-1]))
        dx, dy = (x1 - x0) / width, (y1 - y0) / height
        if max(abs(dx), abs(dy)) < _STILL:
            return "stands still" if walks else "stays still"
        verb = "walks" if walks else "moves"
        if abs(dx) >= abs(dy):
            return f"{verb} to the {'right' if dx > 0 else 'left'}"
        return f"{verb} {'down' if dy > 0 else 'up'}"

    def _centre(self, frame: np.ndarray, item: Detection, name: str) -> tuple[float, float]:
        """Centre of the thing of a class nearest to a found one; that of the found one if there is none."""
        here = _centre_of(item)
        centres = [_centre_of(other) for other in self._detector.detect(frame, [name])]
        return min(centres, key=lambda centre: math.dist(centre, here), default=here)

    def _phrases_in(self, prompt: str) -> dict[str, list[str]]:
        text = prompt.rpartition(": ")[2]
        kinds: dict[str, list[str]] = {"background": list(self._words.places), "subject": [], "object": []}
        for name, phrases in self._words.phrases.items():
            kinds["subject" if name in self._words.people else "object"] += phrases
        return {kind: _found_in(text, phrases) for kind, phrases in kinds.items()}


def _found_in(text: str, phrases: Sequence[str]) -> list[str]:
    """Phrases that a text holds, each once, in the text's order and spelling; of two that overlap the longer one."""
    pattern = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    return list(dict.fromkeys(re.findall(rf"\b(?:{pattern})\b", text, re.IGNORECASE)))


def _article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"


def _centre_of(item: Detection) -> tuple[float, float]:
    x0, y0, x1, y1 = item.box_xyxy
    return (x0 + x1) / 2, (y0 + y1) / 2
