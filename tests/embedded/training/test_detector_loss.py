import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers.loss.loss_for_object_detection import generalized_box_iou

from opens2v_hf.embedded.training.detector_data import Batch
from opens2v_hf.embedded.training.detector_loss import (
    assign,
    cells_of,
    detection_loss,
    generalized_iou,
    score_loss,
    subject_cells,
)
from opens2v_hf.models.yolo_world.network import HeadOutput, Levels

SIZES = [(8, 8), (4, 4), (2, 2)]
"""Cells of an input of 64 px."""


def cells():
    return cells_of(SIZES, torch.zeros(1))


def at(stride, x, y):
    """Position of the cell with a centre, over all levels."""
    centres, strides = cells()
    return int(((strides == stride) & (centres == torch.tensor([x, y])).all(1)).nonzero())


def test_cells_are_in_the_order_of_decoding():
    centres, strides = cells()
    assert strides.tolist() == [8] * 64 + [16] * 16 + [32] * 4
    assert centres[[0, 1, 8, 64, 80, 83]].tolist() == [[4, 4], [12, 4], [4, 12], [8, 8], [16, 16], [48, 48]]


def test_a_small_box_belongs_to_the_middle_cells_of_the_finest_level():
    # 32 x 32 px around (32, 32); the middle reaches from 24 to 40, the box from 16 to 48
    inner, outer = assign(torch.tensor([[16.0, 16, 48, 48]]), *cells())
    middle = {at(8, x, y) for x in (28, 36) for y in (28, 36)}
    assert set((inner == 0).nonzero().squeeze(1).tolist()) == middle
    assert set((outer == 0).nonzero().squeeze(1).tolist()) == {
        at(8, x, y) for x in (20, 28, 36, 44) for y in (20, 28, 36, 44)
    }


def test_a_larger_box_belongs_to_the_next_level():
    # the root of 64 * 40 is 50.6: more than 6 cells of 8 px, less than 6 of 16
    inner, _ = assign(torch.tensor([[0.0, 12, 64, 52]]), *cells())
    assert set((inner == 0).nonzero().squeeze(1).tolist()) == {
        at(16, 24, 24),
        at(16, 40, 24),
        at(16, 24, 40),
        at(16, 40, 40),
    }


def test_the_box_in_front_has_the_cells_both_would_have():
    boxes = torch.tensor([[16.0, 16, 48, 48], [24.0, 16, 56, 48]])
    inner, outer = assign(boxes, *cells())
    assert inner[at(8, 28, 28)] == -1  # next to the middle of the one in front, which hides it
    assert outer[at(8, 28, 28)] == 1
    assert inner[at(8, 36, 28)] == 1
    assert outer[at(8, 20, 20)] == 0


def test_a_box_between_cells_has_the_nearest():
    inner, outer = assign(torch.tensor([[29.0, 10, 31, 14]]), *cells())
    assert (inner == 0).nonzero().squeeze(1).tolist() == [at(8, 28, 12)]
    assert (outer == 0).nonzero().squeeze(1).tolist() == [at(8, 28, 12)]


def test_generalized_iou_agrees_with_an_independent_one():
    rng = np.random.default_rng(0)
    corners = torch.from_numpy(rng.uniform(0, 50, (2, 40, 4)))
    corners[..., 2:] += corners[..., :2] + 0.5
    torch.testing.assert_close(
        generalized_iou(corners[0], corners[1]), generalized_box_iou(corners[0], corners[1]).diagonal()
    )


def test_score_loss_by_hand():
    # scores 0.5, 0.5 and 0.75 with targets 1, 0 and nothing asked: each costs log 2 times 0.5
    loss = score_loss(torch.tensor([0.0, 0.0, 1.0986]), torch.tensor([1.0, 0.0, float("nan")]))
    assert loss.item() == pytest.approx(2 * np.log(2) * 0.5, rel=1e-6)


def batch_of_two():
    """Two pictures of one small box each; the second reference is not what its picture shows."""
    return Batch(
        pictures=torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
        references=torch.zeros(2, 3, 8, 8),
        picture_of_reference=torch.tensor([0, 1]),
        boxes=torch.tensor([[16.0, 16, 48, 48], [16.0, 16, 48, 48]]),
        picture_of_box=torch.tensor([0, 1]),
        shown=torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
        features=torch.zeros(2, 1, dtype=torch.long),
        features_of_box=torch.tensor([[5], [7]]),
    )


def output_with(score_cells, logit=12.0):
    """Sure of the given (row, prompt, cell), sure of nothing else; distances of exactly two bins from (28, 28)."""
    logits = torch.full((2, 2, 84), -logit)
    for row, prompt, cell in score_cells:
        logits[row, prompt, cell] = logit
    parts = logits.split([64, 16, 4], dim=2)
    levels = Levels(*(part.reshape(2, 2, *size) for part, size in zip(parts, SIZES, strict=True)))
    sides = F.one_hot(torch.full((2, 4), 2), 16).float().reshape(2, 64, 1, 1) * 60
    return HeadOutput(levels, Levels(*(sides.expand(2, 64, *size) for size in SIZES)))


def test_right_scores_cost_nothing_and_wrong_ones_do():
    batch = batch_of_two()
    middle = [at(8, x, y) for x in (28, 36) for y in (28, 36)]
    right = detection_loss(output_with([(0, 0, cell) for cell in middle]), batch, 16)
    assert right["score"] < 1e-4
    assert right["contrast"] < 1e-4
    missed = detection_loss(output_with([]), batch, 16)
    assert missed["score"].item() == pytest.approx(12, rel=1e-3)  # four cells at -12, per cell that finds
    imagined = detection_loss(output_with([(0, 0, c) for c in middle] + [(1, 1, c) for c in middle]), batch, 16)
    assert imagined["score"].item() == pytest.approx(12, rel=1e-3)
    confused = detection_loss(output_with([(0, 0, c) for c in middle] + [(0, 1, c) for c in middle]), batch, 16)
    assert confused["score"] < 1e-4
    assert confused["contrast"].item() == pytest.approx(0.5 * 12, rel=1e-3)


def test_cells_around_the_middle_are_left_out_of_the_loss():
    batch = batch_of_two()
    middle = [at(8, x, y) for x in (28, 36) for y in (28, 36)]
    around = detection_loss(output_with([(0, 0, cell) for cell in [*middle, at(8, 20, 20)]]), batch, 16)
    assert around["score"] < 1e-4
    outside = detection_loss(output_with([(0, 0, cell) for cell in [*middle, at(8, 12, 20)]]), batch, 16)
    assert outside["score"].item() == pytest.approx(12 / 4, rel=1e-3)


def test_boxes_cost_what_their_overlap_lacks():
    # every cell says 16 px to each side; a middle cell 4 px off in x and y overlaps by 28^2 of 2 * 32^2 - 28^2,
    # in a surrounding square of 36^2
    batch = batch_of_two()
    middle_iou = 28**2 / (2 * 32**2 - 28**2) - (36**2 - (2 * 32**2 - 28**2)) / 36**2

    def shifted(dx, dy):
        shared = (32 - dx) * (32 - dy)
        union = 2 * 32**2 - shared
        around = (32 + dx) * (32 + dy)
        return 1 - (shared / union - (around - union) / around)

    assert shifted(4, 4) == pytest.approx(1 - middle_iou)
    ring = 8 * shifted(12, 4) + 4 * shifted(12, 12)
    expected = (4 * shifted(4, 4) + 0.25 * ring) / (4 + 0.25 * 12)
    assert detection_loss(output_with([]), batch, 16)["box"].item() == pytest.approx(2 * expected, rel=1e-4)


def test_cells_on_subjects_are_read_with_what_there_is_to_tell():
    batch = batch_of_two()
    centres, _ = cells()
    # each cell is compared by its own centre
    flat = torch.stack([centres.T, 2 * centres.T]).split([64, 16, 4], dim=2)
    levels = Levels(*(part.reshape(2, 2, *size) for part, size in zip(flat, SIZES, strict=True)))
    vectors, features = subject_cells(levels, batch)
    middle = torch.tensor([[28.0, 28], [36, 28], [28, 36], [36, 36]])
    torch.testing.assert_close(vectors, F.normalize(middle, dim=-1).repeat(2, 1))
    assert features.tolist() == [[5]] * 4 + [[7]] * 4
