"""Random networks of the real architectures, asked by this package and by transformers' own processors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from helpers.tiny_detectors import MAX_TEXT_LEN, bert_tokenizer, save_grounding_dino, save_owlv2, save_sam3
from PIL import Image

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.models.text_detector.loading import load_text_detector

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
HEIGHT, WIDTH = PICTURE.shape[:2]


@pytest.fixture(scope="module", params=["grounding-dino", "mm-grounding-dino"])
def dino(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_grounding_dino(tmp_path_factory.mktemp("dino"), mm=request.param == "mm-grounding-dino")


@pytest.fixture(scope="module")
def owl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_owlv2(tmp_path_factory.mktemp("owl"))


@pytest.fixture(scope="module")
def sam3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam3(tmp_path_factory.mktemp("sam3"))


def clipped(boxes: np.ndarray) -> np.ndarray:
    return boxes.clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])


def as_array(found) -> np.ndarray:
    return np.array([item.box_xyxy for item in found])


@torch.inference_mode()
def by_transformers(folder: Path, phrases: list[str], threshold: float) -> dict:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    image_processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    processor = transformers.GroundingDinoProcessor(image_processor, tokenizer)
    network = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=PICTURE, text=[phrases], return_tensors="pt")
    output = network(**inputs)
    [result] = processor.post_process_grounded_object_detection(
        output, inputs["input_ids"], threshold=threshold, text_threshold=threshold, target_sizes=[(HEIGHT, WIDTH)]
    )
    return {"boxes": result["boxes"].numpy(), "scores": result["scores"].numpy(), "labels": result["text_labels"]}


def test_boxes_scores_and_phrases_are_those_of_the_models_own_processor(dino: Path) -> None:
    phrases = ["A red fox", "cat"]
    expected = by_transformers(dino, ["a red fox", "cat"], threshold=0.0)
    # above some boxes and below others
    threshold = float(np.median(expected["scores"]))
    detector = load_text_detector(dino, device="cpu", box_threshold=threshold, text_threshold=0.0)
    found = detector.detect(PICTURE, phrases)
    order = np.argsort(-expected["scores"], kind="stable")
    kept = [index for index in order if expected["scores"][index] > threshold]
    assert 0 < len(kept) < len(order)
    assert len(found) + found.num_unmapped == len(kept)
    np.testing.assert_allclose([item.score for item in found], expected["scores"][kept], rtol=1e-4)
    np.testing.assert_allclose(as_array(found), clipped(expected["boxes"][kept]), atol=1e-2)


def test_the_phrase_is_in_the_label_that_the_models_own_processor_gives(dino: Path) -> None:
    everything = by_transformers(dino, ["a red fox", "cat"], threshold=0.0)
    threshold = float(np.quantile(everything["scores"], 0.3))
    expected = by_transformers(dino, ["a red fox", "cat"], threshold=threshold)
    detector = load_text_detector(dino, device="cpu", box_threshold=threshold, text_threshold=threshold)
    found = detector.detect(PICTURE, ["a red fox", "cat"])
    labels = {
        round(float(score), 4): label for score, label in zip(expected["scores"], expected["labels"], strict=True)
    }
    words = (("a", "red", "fox"), ("cat",))
    assert len(found) > 3
    for item in found:
        assert set(labels[round(item.score, 4)].split()) & set(words[item.phrase_index])


def test_more_phrases_than_a_text_holds_are_asked_in_several(dino: Path) -> None:
    detector = load_text_detector(dino, device="cpu", box_threshold=0.0, text_threshold=0.0)
    # 2 words and a full stop each: 7 of them and start and end are 23 tokens of 24
    words = ("red", "brown", "a", "the")
    phrases = [f"{first} {second}" for first in words for second in ("cat", "dog", "fox")][:10]
    assert MAX_TEXT_LEN == 24
    found = detector.detect(PICTURE, phrases)
    first, second = detector.detect(PICTURE, phrases[:7]), detector.detect(PICTURE, phrases[7:])
    assert len(found) == len(first) + len(second) > 0
    expected = [(item.phrase_index, item.box_xyxy) for item in first]
    expected += [(item.phrase_index + 7, item.box_xyxy) for item in second]
    assert sorted((item.phrase_index, item.box_xyxy) for item in found) == sorted(expected)
    assert {item.phrase_index for item in found} & set(range(7, 10))


def test_the_ids_of_joined_phrases_are_those_of_the_joined_text() -> None:
    tokenizer = bert_tokenizer()
    phrases = ["a red fox", "snow-white cat", "étude 2"]
    joined = [
        token
        for phrase in phrases
        for token in (*tokenizer(phrase, add_special_tokens=False)["input_ids"], tokenizer.convert_tokens_to_ids("."))
    ]
    assert [101, *joined, 102] == tokenizer(". ".join(phrases) + ".")["input_ids"]


def test_what_cannot_be_asked_is_named(dino: Path, owl: Path, sam3: Path) -> None:
    long = " ".join(["cat"] * 40)
    for folder in (dino, owl, sam3):
        found = load_text_detector(folder, device="cpu").detect(PICTURE, ["...", long, "cat"])
        assert found.not_searched == (0, 1)
        nothing = load_text_detector(folder, device="cpu").detect(PICTURE, ["", long])
        assert len(nothing) == 0
        assert nothing.not_searched == (0, 1)
        assert len(load_text_detector(folder, device="cpu").detect(PICTURE, [])) == 0


@torch.inference_mode()
def test_owlv2_gives_the_boxes_of_its_own_processor(owl: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(owl)
    image_processor = transformers.AutoImageProcessor.from_pretrained(owl, backend="pil")
    network = transformers.Owlv2ForObjectDetection.from_pretrained(owl).eval()
    text = tokenizer(["red fox", "cat"], padding="max_length", max_length=16, return_tensors="pt")
    pixels = image_processor(PICTURE, return_tensors="pt")["pixel_values"]
    output = network(pixel_values=pixels, input_ids=text["input_ids"], attention_mask=text["attention_mask"])
    [expected] = image_processor.post_process_object_detection(output, threshold=0.0, target_sizes=[(HEIGHT, WIDTH)])
    # nothing overlaps by more than everything: all boxes stay, but for those outside of the picture
    found = load_text_detector(owl, device="cpu", box_threshold=0.0, nms_iou=1.0).detect(PICTURE, ["red fox", "Cat"])
    boxes = clipped(expected["boxes"].numpy())
    inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    order = np.argsort(-expected["scores"].numpy()[inside], kind="stable")
    assert len(found) == inside.sum() > 8
    np.testing.assert_allclose(as_array(found), boxes[inside][order], atol=1e-2)
    assert [item.phrase_index for item in found] == expected["labels"].numpy()[inside][order].tolist()


def test_owlv2_keeps_one_of_boxes_that_overlap(owl: Path) -> None:
    everything = load_text_detector(owl, device="cpu", box_threshold=0.0, nms_iou=1.0).detect(PICTURE, ["cat"])
    found = load_text_detector(owl, device="cpu", box_threshold=0.0, nms_iou=0.02).detect(PICTURE, ["cat"])
    assert 0 < len(found) < len(everything)
    assert found[0] == everything[0]


@torch.inference_mode()
def test_sam3_scores_are_those_of_a_whole_pass_times_the_presence(sam3: Path) -> None:
    from transformers.models.sam3.modeling_sam3 import Sam3Model

    found = load_text_detector(sam3, device="cpu", box_threshold=0.0).detect(PICTURE, ["red fox", "cat"])
    network, tokenizer = Sam3Model.from_pretrained(sam3).eval(), transformers.AutoTokenizer.from_pretrained(sam3)

    square = np.asarray(Image.fromarray(PICTURE).resize((112, 112), Image.Resampling.BILINEAR), np.float32)
    pixels = torch.from_numpy((square / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    expected = []
    for index, phrase in enumerate(["red fox", "cat"]):
        text = tokenizer(phrase, padding="max_length", max_length=16, return_tensors="pt")
        output = network(pixel_values=pixels, input_ids=text["input_ids"], attention_mask=text["attention_mask"])
        scores = torch.sigmoid(output.pred_logits[0]) * torch.sigmoid(output.presence_logits[0, 0])
        boxes = output.pred_boxes[0].numpy() * [WIDTH, HEIGHT, WIDTH, HEIGHT]
        expected += [(float(score), index, box) for score, box in zip(scores, boxes, strict=True)]
    expected.sort(key=lambda entry: -entry[0])
    assert len(found) == len(expected) == 40
    np.testing.assert_allclose([item.score for item in found], [score for score, _, _ in expected], rtol=1e-3)
    np.testing.assert_allclose(found[0].box_xyxy, clipped(expected[0][2]), atol=0.5)


def test_it_loads_by_its_role_with_provenance(dino: Path) -> None:
    detector = load_model("text_detector", ModelChoice(dino, {"device": "cpu", "box_threshold": 0.3}))
    assert detector.options == {"box_threshold": 0.3, "text_threshold": 0.25}
    assert detector.info.role == "text_detector"
    assert detector.info.revision.startswith("sha256:")


def test_what_does_not_fit_is_refused(dino: Path, owl: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"text_threshold are no options of a owlv2 text detector"):
        load_text_detector(owl, device="cpu", text_threshold=0.3)
    with pytest.raises(ArgumentError, match="uint8"):
        load_text_detector(owl, device="cpu").detect(PICTURE.astype(np.float32), ["cat"])
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "detr"}))
    (tmp_path / "model.safetensors").write_bytes((dino / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="'detr' model; text detectors are grounding-dino"):
        load_text_detector(tmp_path, device="cpu")
