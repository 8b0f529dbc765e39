"""Assignment of boxes to the detector's cells, and the losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from opens2v_hf.embedded.training.detector_data import ARGUABLE, Batch
from opens2v_hf.models.yolo_world.boxes import cell_centres, decode
from opens2v_hf.models.yolo_world.config import STRIDES
from opens2v_hf.models.yolo_world.network import HeadOutput, Levels

LEVEL_CELLS = 6.0
"""A box belongs to the first level on which the root of its area is fewer cells than this."""

CENTRE_SHARE = 0.5
"""Part of a box's sides around its centre within which cells are positive."""

_NO_BOX = -1


def cells_of(sizes: list[tuple[int, int]], like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres [cells, 2] in input px and strides [cells] of all levels, in the order of `decode`."""
    centres = [
        cell_centres(height, width, stride, like=like) for (height, width), stride in zip(sizes, STRIDES, strict=True)
    ]
    strides = [like.new_full((len(found),), stride) for found, stride in zip(centres, STRIDES, strict=True)]
    return torch.cat(centres), torch.cat(strides)


def assign(boxes: torch.Tensor, centres: torch.Tensor, strides: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give cells to the boxes of one picture.

    Args:
        boxes: [A, 4] in input px, from back to front.
        centres: [cells, 2].
        strides: [cells].

    Returns:
        Two int64 [cells], each the position of a box or -1: of the box for which the cell is positive, and of the box
        that the cell lies in on the box's own level, middle or not. Where boxes overlap, the one in front counts.
    """
    inner = torch.full((len(centres),), _NO_BOX)
    outer = inner.clone()
    for index, box in enumerate(boxes):
        middle, side = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        root = side.prod().sqrt()
        level = next((stride for stride in STRIDES if root < LEVEL_CELLS * stride), STRIDES[-1])
        away = (centres - middle).abs() / side  # 0.5 at the box's border
        on_level = strides == level
        inside = on_level & (away < 0.5).all(dim=1)
        central = on_level & (away <= CENTRE_SHARE / 2).all(dim=1)
        # a thin box may have no cell in its middle: the nearest one finds it
        central[torch.where(on_level, (centres - middle).square().sum(dim=1), torch.inf).argmin()] = True
        outer[inside | central] = index
        inner[inside | central] = _NO_BOX
        inner[central] = index
    return inner, outer


def detection_loss(output: HeadOutput, batch: Batch, reg_max: int) -> dict[str, torch.Tensor]:
    """The weighted parts of the loss, to be summed.

    Args:
        output: of `DetectorWithEncoder`: logits [Q, Q, H, W] and bins [Q, 4 * reg_max, H, W].
        batch: with Q references.
        reg_max: bins a side.
    """
    logits = torch.cat([level.flatten(2) for level in output.logits], dim=2)  # [Q, Q, cells]
    bins = torch.cat([level.flatten(2) for level in output.bins], dim=2).transpose(1, 2).float()  # [Q, cells, sides]
    centres, strides = cells_of([(level.shape[2], level.shape[3]) for level in output.logits], bins)
    own = torch.arange(len(logits))
    found, _ = decode(HeadOutput(Levels(*(level[own, own, None] for level in output.logits)), output.bins), reg_max)

    inner, outer = _assign_pictures(batch, centres, strides)
    inner, outer = inner[batch.picture_of_reference], outer[batch.picture_of_reference]  # [Q, cells]
    looked_for = outer >= 0
    at = outer[looked_for]
    # a cell in the middle of a box says more of it than one at its border
    weight = torch.where(inner[looked_for] >= 0, 1.0, 0.25)
    box_loss, side_loss = _box_losses(
        found[looked_for], bins[looked_for], batch.boxes[at], centres.expand(len(bins), -1, -1)[looked_for],
        strides.expand(len(bins), -1)[looked_for], weight, reg_max,
    )  # fmt: skip
    targets = _targets(batch.shown, own[:, None], inner, outer)
    # of the other prompts' answers only those at subjects: most of the rest is as easy as it is plenty
    compared = _targets(batch.shown, own, inner[looked_for][:, None], at[:, None])
    return {
        "score": score_loss(logits[own, own].float(), targets),
        "contrast": 0.5 * score_loss(logits.transpose(1, 2)[looked_for].float(), compared),
        "box": 2.0 * box_loss,
        "side": 0.5 * side_loss,
    }


def own_targets(output: HeadOutput, batch: Batch) -> torch.Tensor:
    """Target scores [Q, cells] of each reference in its own picture: 1, 0, or `ARGUABLE`."""
    centres, strides = cells_of([(level.shape[2], level.shape[3]) for level in output.logits], batch.boxes)
    inner, outer = (where[batch.picture_of_reference] for where in _assign_pictures(batch, centres, strides))
    return _targets(batch.shown, torch.arange(len(inner))[:, None], inner, outer)


def subject_cells(cells: Levels, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of the cells in the middle of boxes, and the attributes of the boxes' subjects.

    Args:
        cells: of `DetectorWithEncoder`, each [Q, D, H, W].
        batch: with Q references.

    Returns:
        [N, D], L2-normalised, and int64 [N, number of features].
    """
    flat = torch.cat([level.flatten(2) for level in cells], dim=2).transpose(1, 2)
    inner, _ = _assign_pictures(batch, *cells_of([(level.shape[2], level.shape[3]) for level in cells], batch.boxes))
    inner = inner[batch.picture_of_reference]
    taken = inner >= 0
    return F.normalize(flat[taken].float(), dim=-1), batch.features_of_box[inner[taken]]


def _assign_pictures(batch: Batch, centres: torch.Tensor, strides: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`assign` for every picture, [P, cells]; positions count over the boxes of the whole batch."""
    inner = torch.full((len(batch.pictures), len(centres)), _NO_BOX)
    outer = inner.clone()
    for picture in range(len(batch.pictures)):
        own = (batch.picture_of_box == picture).nonzero().squeeze(1)
        position = torch.cat([own, own.new_tensor([_NO_BOX])])  # no box comes last, as position -1
        for into, where in zip((inner, outer), assign(batch.boxes[own], centres, strides), strict=True):
            into[picture] = position[where]
    return inner, outer


def _targets(shown: torch.Tensor, reference: torch.Tensor, inner: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
    """Target scores: 1, 0, or `ARGUABLE` around the middle of a box that is searched for.

    Args:
        shown: [Q, A].
        reference: positions of references, to be broadcast with `inner` and `outer`.
        inner: of `assign`.
        outer: of `assign`.
    """
    padded = torch.cat([shown, shown.new_zeros(len(shown), 1)], dim=1)  # position -1 is no box
    around = (inner < 0) & (padded[reference, outer] != 0)
    return torch.where(around, ARGUABLE, padded[reference, inner])


def score_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, weighted by the error of the score, per positive cell.

    Args:
        logits: of any shape.
        target: likewise, 0 to 1; NaN is left out.
    """
    known = ~target.isnan()
    logits, target = logits[known], target[known]
    # without this weight the many easy cells drown the rest
    wrong = (logits.sigmoid() - target).abs().detach()
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * wrong
    return losses.sum() / target.sum().clamp(min=1)


def _box_losses(
    found: torch.Tensor,
    bins: torch.Tensor,
    targets: torch.Tensor,
    centres: torch.Tensor,
    strides: torch.Tensor,
    weight: torch.Tensor,
    reg_max: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """1 - GIoU, and the cross-entropy of the two bins next to each distance (distribution focal loss)."""
    total = weight.sum().clamp(min=1)
    overlap = generalized_iou(found, targets)
    sides = torch.cat([centres - targets[:, :2], targets[:, 2:] - centres], dim=1) / strides[:, None]
    sides = sides.clamp(0, reg_max - 1 - 1e-3)
    below = sides.long()
    share = sides - below
    logs = bins.reshape(-1, 4, reg_max).log_softmax(dim=-1)
    near, far = (logs.gather(2, at[..., None]).squeeze(2) for at in (below, below + 1))
    distribution = -(near * (1 - share) + far * share).mean(dim=1)
    return ((1 - overlap) * weight).sum() / total, (distribution * weight).sum() / total


def generalized_iou(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """GIoU of boxes [N, 4] pair by pair: IoU less the empty share of the box around both; in (-1, 1].

    Example:
        >>> generalized_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]]))
        tensor([0.3333])
    """
    (left, top, right, bottom), (left2, top2, right2, bottom2) = first.unbind(-1), second.unbind(-1)
    width = (torch.minimum(right, right2) - torch.maximum(left, left2)).clamp(min=0)
    height = (torch.minimum(bottom, bottom2) - torch.maximum(top, top2)).clamp(min=0)
    shared = width * height
    union = (right - left) * (bottom - top) + (right2 - left2) * (bottom2 - top2) - shared
    around = (torch.maximum(right, right2) - torch.minimum(left, left2)) * (
        torch.maximum(bottom, bottom2) - torch.minimum(top, top2)
    )
    return shared / union - (around - union) / around
