"""Decoding of the head's output, and non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from opens2v_hf.models.yolo_world.config import STRIDES, YoloWorldConfig
from opens2v_hf.models.yolo_world.network import HeadOutput
from opens2v_hf.models.yolo_world.preprocess import Letterbox

_BLOCK = 128  # boxes judged together in suppression


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of one prompt in one frame, best score first.

    Attributes:
        boxes: float [n, 4], left, top, right, bottom in px of the frame, inside it; float32 unless the detector
            computes in float64.
        scores: of the same dtype [n], in (0.5, 1] at the released threshold.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def expected_distances(bins: Tensor, reg_max: int) -> Tensor:
    """Mean of the softmax over bins 0..reg_max - 1.

    Args:
        bins: [B, 4 * reg_max, H, W], side-major.
        reg_max: bins a side.

    Returns:
        [B, 4, H, W], in cells.
    """
    batch, _, height, width = bins.shape
    share = bins.reshape(batch, 4, reg_max, height, width).softmax(dim=2)
    centres = torch.arange(reg_max, dtype=bins.dtype, device=bins.device)
    return (share * centres[:, None, None]).sum(dim=2)


def cell_centres(height: int, width: int, stride: int, *, like: Tensor) -> Tensor:
    """Centres of a level's cells in input px, row by row: [height * width, 2] as (x, y)."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device),
        torch.arange(width, dtype=like.dtype, device=like.device),
        indexing="ij",
    )
    return (torch.stack([x.flatten(), y.flatten()], dim=1) + 0.5) * stride


def decode(output: HeadOutput, reg_max: int) -> tuple[Tensor, Tensor]:
    """Boxes and scores of all cells, levels in the order of strides 8, 16, 32.

    Half-precision outputs are decoded in float32: a coordinate of some hundreds of px has no fraction in half
    precision.

    Returns:
        Boxes [B, cells, 4] (left, top, right, bottom in input px) and scores [B, cells, K] in 0..1.
    """
    boxes, scores = [], []
    for logits, bins, stride in zip(output.logits, output.bins, STRIDES, strict=True):
        if logits.dtype not in (torch.float32, torch.float64):
            logits, bins = logits.float(), bins.float()
        distances = expected_distances(bins, reg_max).flatten(2).transpose(1, 2) * stride
        centres = cell_centres(logits.shape[2], logits.shape[3], stride, like=distances)
        boxes.append(torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], dim=-1))
        scores.append(logits.flatten(2).transpose(1, 2).sigmoid())
    return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def non_maximum_suppression(boxes: np.ndarray, iou_threshold: float, *, max_kept: int | None = None) -> np.ndarray:
    """Greedy suppression of boxes in descending order of score.

    A box goes where its IoU with a kept box before it is above `iou_threshold`; sides are right - left, without + 1,
    and everything is compared in the boxes' own dtype. Two boxes without area have no IoU and suppress nothing.

    Args:
        boxes: [n, 4] (left, top, right, bottom), best first.
        iou_threshold: in 0..1.
        max_kept: stop when so many are kept.

    Returns:
        Ascending indices of the kept boxes.

    Example:
        >>> non_maximum_suppression(np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 7.0]]), 0.7)
        array([0, 2])
    """
    kept = np.empty(0, dtype=np.int64)
    for start in range(0, len(boxes), _BLOCK):
        if max_kept is not None and len(kept) >= max_kept:
            break
        block = np.arange(start, min(start + _BLOCK, len(boxes)))
        block = block[~_overlaps(boxes[block], boxes[kept], iou_threshold).any(axis=1)]
        among = _overlaps(boxes[block], boxes[block], iou_threshold)
        stays = np.ones(len(block), dtype=bool)
        for first in np.flatnonzero(np.triu(among, k=1).any(axis=1)):
            if stays[first]:
                stays[first + 1 :] &= ~among[first, first + 1 :]
        kept = np.concatenate([kept, block[stays]])
    return kept[:max_kept]


def _overlaps(first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
    """Whether the IoU of each of `first` [n, 4] with each of `second` [m, 4] is above the threshold: [n, m]."""
    left, top, right, bottom = first.T[:, :, None]
    other_left, other_top, other_right, other_bottom = second.T[:, None, :]
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    both = np.maximum(width, 0) * np.maximum(height, 0)
    areas = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / (areas - both) > threshold


def select(boxes: Tensor, scores: Tensor, letterbox: Letterbox, config: YoloWorldConfig) -> Detections:
    """Turn the cells of one picture under one prompt into detections.

    The released code suppresses from score 0.001 on, clamps the boxes to the frame, suppresses again (clamping raises
    overlaps) and then drops scores at or below 0.5. A box is only ever suppressed by one of higher score, so that
    dropping first gives the same boxes, and far fewer to compare.

    Args:
        boxes: [cells, 4] in input px.
        scores: [cells].
        letterbox: position of the frame in the input.
        config: thresholds.
    """
    threshold = max(config.score_threshold, config.pre_score_threshold)
    chosen = (scores > threshold).nonzero().squeeze(1)
    order = scores[chosen].argsort(descending=True, stable=True)[: config.pre_max]
    chosen = chosen[order]
    found, found_scores = boxes[chosen].cpu().numpy(), scores[chosen].cpu().numpy()

    scale_x, scale_y = letterbox.scale
    found = found - np.array([letterbox.left, letterbox.top] * 2, dtype=found.dtype)
    found = found / np.array([scale_x, scale_y] * 2, dtype=found.dtype)
    kept = non_maximum_suppression(found, config.nms_iou, max_kept=config.nms_max)
    found, found_scores = found[kept], found_scores[kept]

    limits = np.array([letterbox.frame_width, letterbox.frame_height] * 2, dtype=found.dtype)
    found = found.clip(0, limits)
    kept = non_maximum_suppression(found, config.nms_iou, max_kept=config.max_detections)
    return Detections(found[kept], found_scores[kept])
