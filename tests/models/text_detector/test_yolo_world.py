"""The text-prompted YOLO-World as a folder: what it refuses and what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from opens2v_hf.embedded.training.text_detector_network import DetectorWithText, build_tokenizer
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.text_detector.loading import load_text_detector
from opens2v_hf.models.text_detector.yolo_world import save_text_detector

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    networks = DetectorWithText(build_tokenizer())
    save_text_detector(networks.detector, networks.encoder, build_tokenizer(), tmp_path, score_threshold=0.01)
    return tmp_path


def test_phrases_with_a_word_it_does_not_know_are_not_searched(folder: Path) -> None:
    found = load_text_detector(folder, device="cpu").detect(PICTURE, ["red star", "a red dog", "", "star " * 30])
    assert found.not_searched == (1, 2, 3)
    assert {item.phrase_index for item in found} == {0}
    nothing = load_text_detector(folder, device="cpu").detect(PICTURE, ["a red dog"])
    assert len(nothing) == 0
    assert nothing.not_searched == (0,)


def test_equal_phrases_are_found_for_the_first(folder: Path) -> None:
    detector = load_text_detector(folder, device="cpu")
    once, twice = (detector.detect(PICTURE, phrases) for phrases in (["red star"], ["Red star.", "red  star"]))
    assert once.found == twice.found


def test_a_higher_threshold_leaves_the_better_boxes(folder: Path) -> None:
    low = load_text_detector(folder, device="cpu")
    found = low.detect(PICTURE, ["red star", "blue heart"])
    threshold = found[len(found) // 2].score
    high = load_text_detector(folder, device="cpu", box_threshold=threshold)
    assert high.detect(PICTURE, ["red star", "blue heart"]).found == tuple(i for i in found if i.score > threshold)
    assert low.options["box_threshold"] == 0.01
    with pytest.raises(ArgumentError, match="box_threshold"):
        load_text_detector(folder, device="cpu", box_threshold=2.0)


def test_missing_weights_and_broken_settings_are_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    lost = next(key for key in weights if key.startswith("text."))
    save_file({key: value for key, value in weights.items() if key != lost}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="lacks 1 of the"):
        load_text_detector(folder, device="cpu")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model_type": config["model_type"]}))
    with pytest.raises(ModelError, match="does not describe a text-prompted YOLO-World"):
        load_text_detector(folder, device="cpu")
