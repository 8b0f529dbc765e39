r"""Train the embedded segmenter on synthetic scenes and write its folder.

    python -m opens2v_hf.embedded.training.segmenter --out FIRST --seed 0 --steps 2500
    python -m opens2v_hf.embedded.training.segmenter --out opens2v_hf/embedded/weights/segmenter --start-from FIRST \
        --seed 1 --steps 1800 --image-size 384

It is trained from scratch, first at 256 px, where a step is cheap, then at 384 px, where masks are finer. The loss is
that of SAM 2: dice loss and cross-entropy of the mask, and the error of the score. Logits are resized to the frame
first, because that is where masks are evaluated.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser
from opens2v_hf.embedded.training.segmenter_data import SegmenterBatch, SegmenterBatches
from opens2v_hf.embedded.training.segmenter_evaluation import evaluate_segmenter
from opens2v_hf.embedded.training.segmenter_network import build_segmenter

_CROSS_ENTROPY_WEIGHT = 5.0
_SCORE_WEIGHT = 0.2


def mask_loss(logits: torch.Tensor, scores: torch.Tensor, masks: torch.Tensor) -> dict[str, torch.Tensor]:
    """The weighted parts of the loss, to be summed.

    Args:
        logits: [P, K, h, w].
        scores: [P, K], the network's estimates of the masks' IoU.
        masks: [P, K, H, W], 1 or 0.

    Returns:
        "dice", 1 - 2 |A and B| / (|A| + |B|) of the soft masks; "cross_entropy", a pixel; "score", the squared error of
        the estimate. Means over the masks.
    """
    logits = F.interpolate(logits.float(), masks.shape[-2:], mode="bilinear", align_corners=False)
    soft = logits.sigmoid()
    shared = (soft * masks).sum((2, 3))
    dice = 1 - (2 * shared + 1) / (soft.sum((2, 3)) + masks.sum((2, 3)) + 1)
    with torch.no_grad():
        hard, true = logits > 0, masks > 0
        iou = (hard & true).sum((2, 3)) / (hard | true).sum((2, 3)).clamp(min=1)
    return {
        "dice": dice.mean(),
        "cross_entropy": _CROSS_ENTROPY_WEIGHT * F.binary_cross_entropy_with_logits(logits, masks),
        "score": _SCORE_WEIGHT * F.mse_loss(scores.float(), iou),
    }


def train(options: argparse.Namespace) -> tuple[Any, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    network = build_segmenter(options.image_size)
    if options.start_from is not None:
        network.load_state_dict(type(network).from_pretrained(options.start_from, dtype=torch.float32).state_dict())

    def parts_of(batch: SegmenterBatch) -> dict[str, torch.Tensor]:
        output = network(pixel_values=batch.pictures, input_boxes=batch.boxes, multimask_output=False)
        return mask_loss(output.pred_masks[:, :, 0], output.iou_scores[:, :, 0], batch.masks)

    network.train().to(memory_format=torch.channels_last)  # a tenth faster on a CPU
    batches = loaded(
        SegmenterBatches(options.seed, options.steps, options.pictures, options.boxes, options.image_size),
        options.workers,
    )
    history = minimise(
        parts_of,
        list(network.parameters()),
        batches,
        steps=options.steps,
        learning_rate=options.learning_rate,
        weight_decay=0.02,
    )
    return network.eval(), history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser(
        "Train the embedded segmenter on synthetic scenes.",
        steps=2500,
        steps_help="about 0.2 s each on one core at 256 px, 0.4 s at 384 px",
        learning_rate=2e-3,
    )
    parser.add_argument("--image-size", type=int, default=256, help="side in px of a picture as the network sees it")
    parser.add_argument("--pictures", type=int, default=6, help="frames in a batch")
    parser.add_argument("--boxes", type=int, default=2, help="boxes in each frame")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, _ = train(options)
    network.half().save_pretrained(options.out)
    figures = evaluate_segmenter(options.out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
