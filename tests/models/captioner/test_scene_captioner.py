"""The embedded captioner writes the sentences of scenes from what its models find; here these give fixed answers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from opens2v_hf.errors import ArgumentError, CaptionError, ModelError
from opens2v_hf.models.captioner.loading import load_captioner
from opens2v_hf.models.captioner.scene_captioner import SceneCaptioner, SceneWords
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.models.text_detector.base import Detection, Detections

WORDS = SceneWords(
    phrases={
        "star": ("red star", "orange striped star"),
        "man": ("man with red hair in a blue shirt", "face of a man with red hair in a blue shirt"),
    },
    people=("man", "woman"),
    places={"a green park": "in", "the blue sea": "over"},
)
HEIGHT, WIDTH = 100, 200


class Embedder:
    """A picture of a size is most similar to the texts that begin or end with its words, and others to none."""

    def __init__(self, texts_of: dict[tuple[int, int], str]) -> None:
        self.texts_of = texts_of

    def embed_texts(self, texts: Sequence[str], _instruction: str | None = None) -> torch.Tensor:
        return torch.tensor(
            [[float(text.startswith(part) or text.endswith(part)) for part in self.texts_of.values()] for text in texts]
        )

    def embed_images(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.stack([torch.tensor([float(size == i.shape[:2]) for size in self.texts_of]) for i in images])


class Cutter:
    """The left half of the picture belongs to every mask; what is outside of it must be white."""

    def segment(self, image: np.ndarray, boxes: Sequence[Sequence[float]]) -> Segmentation:
        masks = np.zeros((len(boxes), *image.shape[:2]), bool)
        masks[..., : WIDTH // 2] = True
        return Segmentation(masks, np.ones(len(boxes), np.float32))


class Finder:
    """Boxes of phrases by the frame's number, which is its shade modulo 10."""

    info = ModelInfo("text_detector", "fixed")

    def __init__(self, boxes: dict[str, dict[int, list[tuple[tuple[float, ...], float]]]]) -> None:
        self.boxes = boxes
        self.options: dict = {}

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        number = int(image[0, 0, 0]) % 10
        found = [
            Detection(index, box, score)
            for index, phrase in enumerate(phrases)
            for box, score in self.boxes.get(phrase, {}).get(number, ())
        ]
        return Detections(tuple(sorted(found, key=lambda item: -item.score)))


def frames(shade: int = 10) -> list[np.ndarray]:
    return [np.full((HEIGHT, WIDTH, 3), shade + number, np.uint8) for number in range(3)]


def captioner(boxes: dict, texts_of: dict[tuple[int, int], str] | None = None) -> SceneCaptioner:
    info = ModelInfo("captioner", "embedded", embedded=True)
    return SceneCaptioner(Finder(boxes), Cutter(), Embedder(texts_of or {}), WORDS, info)


def test_it_names_subjects_motion_and_place() -> None:
    star, man = (20.0, 20.0, 60.0, 60.0), (120.4, 10.0, 159.5, 90.0)
    boxes = {
        "star": {0: [((20, 20, 60, 60), 0.9)], 1: [(star, 0.9)], 2: [((20, 30, 60, 70), 0.9)]},
        "man": {
            0: [((2, 10, 42, 90), 0.99), ((120, 10, 160, 90), 0.9)],  # the nearer one is meant
            1: [(man, 0.95), ((118.0, 10.0, 160.0, 92.0), 0.7)],  # the second is the first again
            2: [((100, 12, 140, 92), 0.9)],
        },
    }  # fmt: skip
    texts_of = {(40, 40): "orange striped", (80, 40): "man with", (HEIGHT, WIDTH): "over the blue sea."}
    assert captioner(boxes, texts_of).caption(frames(), "Describe it.") == (
        "An orange striped star moves down and a man with red hair in a blue shirt walks to the left over the blue sea."
    )


def test_what_does_not_move_or_is_lost_stays_still() -> None:
    boxes = {"man": {1: [((20.0, 20.0, 60.0, 60.0), 0.9)]}, "star": {1: [((90, 20, 99, 29), 0.8)], 2: []}}
    assert captioner(boxes, {(40, 40): "face of"}).caption(frames(), "") == (
        "A face of a man with red hair in a blue shirt stays still and a red star stays still in a green park."
    )


def test_what_is_cut_out_is_all_that_is_looked_at() -> None:
    seen: list[np.ndarray] = []
    one = captioner({"star": {1: [((80.0, 0.0, 120.0, 40.0), 0.9)]}})
    one._embedder.embed_images = lambda images: seen.extend(images) or torch.zeros(len(images), 0)
    one.caption(frames(10), "")
    assert seen[0].shape == (40, 40, 3)
    assert (seen[0][:, :20] == 11).all()
    assert (seen[0][:, 20:] == 255).all()


def test_frames_without_known_things_have_no_caption() -> None:
    with pytest.raises(CaptionError, match="knows synthetic scenes only"):
        captioner({}).caption(frames(), "")
    with pytest.raises(ArgumentError, match="uint8"):
        captioner({}).caption([frames()[0] / 255], "")


def test_without_frames_it_lists_the_phrases_of_the_text() -> None:
    text = "Over the blue sea, a Red star meets a face of a man with red hair in a blue shirt and a red starfish."
    answer = json.loads(captioner({}).caption([], f"List the tags, as in a green park.\n\nCaption: {text}"))
    assert answer == {
        "background": ["the blue sea"],
        "subject": ["face of a man with red hair in a blue shirt"],
        "object": ["Red star"],
    }


def test_words_that_are_none_are_refused(tmp_path) -> None:
    path = tmp_path / "scene_words.json"
    path.write_text('{"phrases": 3}')
    with pytest.raises(ModelError, match=r"scene_words\.json"):
        SceneWords.from_file(path)


def test_the_embedded_one_takes_no_option_of_others() -> None:
    with pytest.raises(ArgumentError, match="max_new_tokens are no options of the embedded captioner"):
        load_captioner("embedded", max_new_tokens=3)
