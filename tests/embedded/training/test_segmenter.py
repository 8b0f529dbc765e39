from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch

from opens2v_hf.data.synthetic.render import mask_box
from opens2v_hf.embedded.training import segmenter
from opens2v_hf.embedded.training.segmenter import mask_loss
from opens2v_hf.embedded.training.segmenter_data import MIN_VISIBLE_PX, SegmenterBatches, shaken
from opens2v_hf.embedded.training.segmenter_evaluation import evaluate_segmenter
from opens2v_hf.embedded.training.segmenter_network import build_segmenter


def test_the_loss_of_masks_that_are_calculated_by_hand() -> None:
    # two pixels of probability 3/4 and 1/4, of which the first belongs to the mask: hard IoU 1
    logit = math.log(3)
    parts = mask_loss(torch.tensor([[[[logit, -logit]]]]), torch.tensor([[0.5]]), torch.tensor([[[[1.0, 0.0]]]]))
    assert float(parts["dice"]) == pytest.approx(1 - (2 * 0.75 + 1) / (1.0 + 1.0 + 1))
    assert float(parts["cross_entropy"]) == pytest.approx(5 * -math.log(0.75))
    assert float(parts["score"]) == pytest.approx(0.2 * 0.25)


def test_a_batch_holds_boxes_and_masks_of_what_can_be_seen() -> None:
    data = SegmenterBatches(seed=3, num_steps=4, num_pictures=3, num_boxes=2, image_size=64)
    batch = data[1]
    assert batch.pictures.shape == (3, 3, 64, 64)
    assert batch.boxes.shape == (3, 2, 4)
    assert batch.masks.shape == (3, 2, 112, 168)
    assert (batch.masks.sum((2, 3)) >= MIN_VISIBLE_PX).all()
    for boxes, masks in zip(batch.boxes, batch.masks, strict=True):
        for box, mask in zip(boxes, masks, strict=True):
            true = mask_box(mask.numpy() > 0) * [64 / 168, 64 / 112, 64 / 168, 64 / 112]
            # off by 3 % of the sides, of which the longest is the whole frame
            assert np.abs(box.numpy() - true).max() < 5 * 0.03 * 64
    again = data[1]
    assert torch.equal(again.pictures, batch.pictures)
    assert torch.equal(again.boxes, batch.boxes)
    with pytest.raises(IndexError):
        data[4]


def test_boxes_are_off_in_parts_of_their_sides() -> None:
    boxes = np.tile(np.array([[0, 0, 100, 10]], np.float32), (4000, 1))
    errors = shaken(boxes, 0.05, np.random.default_rng(0)) - boxes
    assert errors.std(axis=0) == pytest.approx([5.0, 0.5, 5.0, 0.5], rel=0.06)


def test_weights_learnt_at_one_size_fit_another() -> None:
    small, large = build_segmenter(64), build_segmenter(96)
    large.load_state_dict(small.state_dict())
    assert sum(parameter.numel() for parameter in large.parameters()) < 400_000


def test_training_writes_the_same_again(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(segmenter, "evaluate_segmenter", partial(evaluate_segmenter, num_scenes=2))
    arguments = ["--steps", "3", "--image-size", "64", "--pictures", "2", "--workers", "0"]
    for name in ("first", "second"):
        figures = segmenter.main(["--out", str(tmp_path / name), *arguments])
    assert "mean IoU" in capsys.readouterr().out
    assert 0 <= figures["mean IoU"] <= 1
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert files[0] == files[1]
