"""SAM 2 without its own processor: the same pictures, boxes and masks, calculated apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from helpers.tiny_detectors import save_owlv2, save_sam2, save_sam3_tracker
from PIL import Image

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.models.segmenter.preprocess import frame_logits, square_boxes, square_pixels
from opens2v_hf.models.segmenter.sam import SamSegmenter

PICTURE = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
BOXES = np.array([[2.0, 3, 60, 40], [30, 10, 90, 50], [0, 0, 20, 20]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sam2(tmp_path_factory.mktemp("sam2"))


def test_pictures_are_resized_without_their_aspect_and_normalised() -> None:
    found = square_pixels(PICTURE, 64).numpy()
    # anti-aliased bilinear interpolation in float, as torchvision's transform of the original code
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None].float()
    resized = F.interpolate(pixels, (64, 64), mode="bilinear", antialias=True, align_corners=False)[0].numpy()
    for channel, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (resized[channel] / 255 - mean) / std
        assert np.abs(found[channel] - expected).max() <= 1.1 / 255 / std  # Pillow rounds to whole levels, twice
    by_pillow = np.asarray(Image.fromarray(PICTURE).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.abs(((found[0] * 0.229 + 0.485) * 255) - by_pillow[..., 0]).max() < 1.001


def test_boxes_are_scaled_along_each_axis() -> None:
    # 90 × 50 px to 64 × 64: x by 64/90, y by 64/50
    found = square_boxes(np.array([[45, 25, 90, 50]]), height=50, width=90, side=64)
    assert found.tolist() == [[32.0, 32.0, 64.0, 64.0]]


def test_logits_are_resized_bilinearly() -> None:
    # of two cells, -1 and 3, on four pixels: at the centres -0.25, 0.25, 0.75, 1.25 cells, cut off at the borders
    found = frame_logits(torch.tensor([[[-1.0, 3.0]]]), height=1, width=4)
    assert found.tolist() == [[[-1.0, 0.0, 2.0, 3.0]]]


@torch.inference_mode()
def test_masks_are_those_of_the_network(folder: Path) -> None:
    found = SamSegmenter.from_pretrained(folder, device="cpu").segment(PICTURE, BOXES)
    network = transformers.Sam2Model.from_pretrained(folder).eval()
    square = np.asarray(Image.fromarray(PICTURE).resize((64, 64), Image.Resampling.BILINEAR), np.float64) / 255
    pixels = ((square - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)[None]
    boxes = BOXES * [64 / 90, 64 / 50, 64 / 90, 64 / 50]
    output = network(
        pixel_values=torch.tensor(pixels, dtype=torch.float32),
        input_boxes=torch.tensor(boxes[None], dtype=torch.float32),
        multimask_output=False,
    )
    logits = F.interpolate(output.pred_masks[0].float(), (50, 90), mode="bilinear", align_corners=False)[:, 0].numpy()
    assert found.masks.shape == (3, 50, 90)
    assert found.masks.dtype == bool
    assert 0.01 < found.masks.mean() < 0.99
    sure = np.abs(logits) > 1e-3 * np.abs(logits).max()
    np.testing.assert_array_equal(found.masks[sure], (logits > 0)[sure])
    np.testing.assert_allclose(found.scores, output.iou_scores[0, :, 0].numpy(), atol=1e-3)


def test_many_boxes_are_asked_in_several_passes_with_the_same_masks(folder: Path) -> None:
    whole = SamSegmenter.from_pretrained(folder, device="cpu").segment(PICTURE, BOXES)
    split = SamSegmenter.from_pretrained(folder, device="cpu", box_batch=2).segment(PICTURE, BOXES)
    np.testing.assert_allclose(split.scores, whole.scores, atol=1e-5)
    assert (split.masks != whole.masks).mean() < 1e-3


def test_no_box_is_no_mask(folder: Path) -> None:
    found = SamSegmenter.from_pretrained(folder, device="cpu").segment(PICTURE, [])
    assert found.masks.shape == (0, 50, 90)
    assert found.scores.shape == (0,)


def test_sam3_is_asked_likewise_with_its_own_normalisation(tmp_path: Path) -> None:
    segmenter = SamSegmenter.from_pretrained(save_sam3_tracker(tmp_path), device="cpu")
    found = segmenter.segment(PICTURE, BOXES)
    assert segmenter.side == 112
    assert found.masks.shape == (3, 50, 90)
    assert np.isfinite(found.scores).all()
    # grey of level 127.5 is 0 to SAM 3
    grey = square_pixels(np.full((4, 4, 3), 255, np.uint8), 8, segmenter.family.mean, segmenter.family.std)
    assert grey.unique().tolist() == [1.0]


def test_it_loads_by_its_role_with_provenance(folder: Path) -> None:
    segmenter = load_model("segmenter", ModelChoice(folder, {"device": "cpu"}))
    assert segmenter.info.role == "segmenter"
    assert segmenter.info.revision.startswith("sha256:")
    assert segmenter.info.dtype == "float32"


@pytest.mark.parametrize("boxes", [[[0, 0, 0, 9]], [[0, 9, 9, 9]], [[0, 0, np.nan, 9]], [[1, 2, 3]], [1, 2, 3, 4]])
def test_boxes_without_area_are_refused(folder: Path, boxes: list) -> None:
    with pytest.raises(ArgumentError, match="box"):
        SamSegmenter.from_pretrained(folder, device="cpu").segment(PICTURE, boxes)


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="uint8"):
        SamSegmenter.from_pretrained(folder, device="cpu").segment(PICTURE[..., 0], BOXES)
    with pytest.raises(ModelError, match="'owlv2' model; segmenters are sam2"):
        SamSegmenter.from_pretrained(save_owlv2(tmp_path), device="cpu")
