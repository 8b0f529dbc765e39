from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import Background, ObjectSprite, PersonSprite, draw_scene, phrase
from opens2v_hf.embedded.training.text_detector import teaching_prompts
from opens2v_hf.embedded.training.text_detector_data import TextDetectorBatches, TextReference, all_subjects, tokens_of
from opens2v_hf.embedded.training.text_detector_evaluation import figures_at, scores_of, threshold_for
from opens2v_hf.embedded.training.text_detector_network import DetectorWithText, build_tokenizer
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.text_detector.base import Detection, Detections
from opens2v_hf.models.text_detector.loading import load_text_detector
from opens2v_hf.models.text_detector.yolo_world import save_text_detector
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

STAR = ObjectSprite("star", "red")
WOMAN = PersonSprite("human", "woman", "black", "blue", glasses=True)
FACE = PersonSprite("face", "woman", "black", "blue", glasses=True, skin="dark")


def test_every_phrase_there_is_is_known_once() -> None:
    phrases = [TextReference(subject).text for subject in all_subjects()]
    # shapes, colours, textures; figures, genders, hair, shirts, with and without glasses; places
    assert len(phrases) == len(set(phrases)) == 8 * 8 * 3 + 2 * 2 * 5 * 8 * 2 + 8
    assert {phrase(actor.sprite) for seed in range(30) for actor in draw_scene(seed).actors} <= set(phrases)
    tokenizer = build_tokenizer()
    assert not (tokens_of(phrases) == tokenizer.unk_token_id).any()
    assert (
        max(len(ids) for ids in tokenizer(phrases)["input_ids"]) == 15
    )  # "face of a woman with ... shirt", start and end
    assert tokenizer.unk_token_id in tokenizer("a dog in a blue shirt")["input_ids"]
    assert TextReference(Background("a night sky"), bare=True).text == "night sky"


@pytest.mark.parametrize(
    ("asked", "other", "expected"),
    [
        (TextReference(STAR), ObjectSprite("star", "red", "plain", "small"), 1.0),
        (TextReference(STAR), ObjectSprite("star", "red", "striped"), 0.0),
        (TextReference(STAR, by_label=True), ObjectSprite("star", "blue", "dotted"), 1.0),
        (TextReference(STAR, by_label=True), ObjectSprite("moon", "red"), 0.0),
        (TextReference(WOMAN), FACE, math.nan),
        (TextReference(FACE), PersonSprite("face", "woman", "black", "blue", glasses=True, skin="tan"), 1.0),
        (TextReference(FACE), PersonSprite("face", "woman", "black", "blue"), 0.0),
        (TextReference(Background("a night sky")), STAR, 0.0),
    ],
)
def test_what_words_name(asked: TextReference, other, expected: float) -> None:
    assert asked.shows(other) == pytest.approx(expected, nan_ok=True)


def test_scores_of_questions() -> None:
    class EverythingIsTheFrame:
        info = ModelInfo("text_detector", "test")
        options: ClassVar = {}

        def detect(self, image, phrases) -> Detections:
            height, width = image.shape[:2]
            return Detections((Detection(0, (0.0, 0.0, width, height), 0.7), Detection(0, (0, 0, 9, 9), 0.2)))

    scores = scores_of(EverythingIsTheFrame(), num_scenes=3, first_seed=600_000)
    # no subject fills half of the frame, so every box is wrong, and all that is absent is found
    assert set(scores["right"]) == set(scores["recall_label"]) == {0.0}
    assert set(scores["false_stranger"]) == set(scores["false_environment"]) == {0.7}


def test_figures_and_threshold_by_hand() -> None:
    scores = {
        "right": np.array([0.9, 0.8, 0.0, 0.4]),
        "false_near": np.array([0.7, 0.6, 0.0, 0.0]),
        "false_stranger": np.array([0.8, 0.0]),
        "false_random": np.array([0.0, 0.0]),
    }
    # above 0.65: 2 of 4; 1 of 4 and 1 of 2 and 0 of 2: (1/4 + (1/2 + 0) / 2) / 2
    assert figures_at(scores, 0.65) == {
        "right": 0.5, "false_near": 0.25, "false_stranger": 0.5, "false_random": 0.0, "false": 0.25
    }  # fmt: skip
    assert threshold_for(scores, 0.25) == pytest.approx(0.6)
    assert threshold_for(scores, 0.125) == pytest.approx(0.7)
    assert threshold_for(scores, 0.0) == pytest.approx(0.8)


def test_batches_are_those_of_the_detector_asked_in_words() -> None:
    batch = TextDetectorBatches(seed=5, num_steps=2, num_pictures=3, num_references=2)[0]
    assert batch.references.shape[0] == len(batch.picture_of_reference) == 6
    assert batch.references.dtype == torch.int64
    tokenizer = build_tokenizer()
    assert (batch.references[:, 0] == tokenizer.bos_token_id).all()
    assert ((batch.references == tokenizer.eos_token_id).sum(dim=1) == 1).all()
    assert not (batch.references == tokenizer.unk_token_id).any()


def test_teaching_prompts_are_means_over_the_pictures_of_what_is_named() -> None:
    detector = YoloWorldDetector.from_pretrained("embedded", device="cpu")
    encoder = ClipPromptEncoder.from_pretrained("embedded", device="cpu")
    other = ObjectSprite("star", "blue")
    tokens, prompts = teaching_prompts(detector, encoder, [STAR, WOMAN, other, Background("a night sky")])
    phrases = [phrase(STAR), phrase(WOMAN), phrase(other), "a night sky", "star", "woman"]
    assert torch.equal(tokens, tokens_of(phrases))
    red, blue = (detector.prompts(encoder.embed([reference_picture(star)]))[0] for star in (STAR, other))
    skins = [reference_picture(replace(WOMAN, skin=skin)) for skin in ("light", "tan", "dark")]
    women = detector.prompts(encoder.embed(skins)).mean(dim=0)
    for index, expected in {0: red, 2: blue, 1: women, 4: red + blue, 5: women}.items():
        torch.testing.assert_close(prompts[index], expected / expected.norm(), atol=1e-5, rtol=1e-4)


def test_the_saved_folder_finds_what_the_network_in_training_finds(tmp_path) -> None:
    torch.manual_seed(0)
    networks = DetectorWithText(build_tokenizer()).eval()
    save_text_detector(networks.detector, networks.encoder, build_tokenizer(), tmp_path, score_threshold=0.001)
    loaded = load_text_detector(tmp_path, device="cpu")
    for module in (networks.detector, networks.encoder):
        module.half().float()  # as it is stored
    phrases = ["red star", "woman with black hair in a blue shirt"]
    expected = networks.prompts(tokens_of(phrases))
    torch.testing.assert_close(loaded.prompts(phrases), expected, atol=1e-4, rtol=1e-3)
    picture = np.random.default_rng(0).integers(0, 256, (112, 168, 3), dtype=np.uint8)
    networks.detector.config = replace(networks.detector.config, score_threshold=0.001)
    finder = YoloWorldDetector(networks.detector, info=ModelInfo("text_detector", "test"))
    [by_network] = finder.detect(picture[None], expected.detach())
    found = loaded.detect(picture, ["Red star", "an elephant", phrases[1]])
    assert found.not_searched == (1,)
    assert {item.phrase_index for item in found} <= {0, 2}
    scores = sorted((score for one in by_network for score in one.scores.tolist()), reverse=True)
    np.testing.assert_allclose([item.score for item in found][:20], scores[:20], rtol=0.02)
