"""Train the embedded embedder on synthetic scenes and write its folder.

    python -m opens2v_hf.embedded.training.embedder --out opens2v_hf/embedded/weights/embedder --seed 0

Contrastive learning in one space for texts and pictures: frames against captions (with near misses among the
negatives), crops of subjects against their reference pictures and their phrases, and crops against class labels by a
binary loss whose threshold is the cosine 0.30 of NexusScore. The forward pass is that of `models.gme`, so the folder
loads like any other GME model; the evaluation at the end uses it.

The temperatures are learnt, and used in training only. The committed weights were made in three runs, each starting
from the one before; the first had no margin loss for near misses:

    --out first  --seed 0 --steps 600 --margin-weight 0 --label-weight 1
    --out second --seed 1 --steps 350 --start-from first --learning-rate 1.2e-3
    --out third  --seed 2 --steps 400 --start-from second --learning-rate 1e-3

A step takes about a second of one core, and somewhat less of another that draws the scenes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from opens2v_hf.embedded.training.embedder_data import Batch, EmbedderBatches
from opens2v_hf.embedded.training.embedder_evaluation import evaluate_embedder
from opens2v_hf.embedded.training.embedder_network import (
    LABELS,
    build_image_processor,
    build_network,
    build_tokenizer,
    embed_token_rows,
)
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser
from opens2v_hf.embedded.training.small_qwen2vl import save

LABEL_BORDER = 0.3
"""Threshold of the cosine between wrong and right labels: NexusScore keeps a box above it (released code v1.1)."""

POSITIVE_FLOOR = 0.6
"""Cosine that a matching pair should have at least, so that scores are high in absolute terms too."""

FAULT_MARGIN = 0.25
"""Target margin between the similarity of the right frame or caption and of one with a fault or a wrong word."""

_MAX_SCALE = 30.0


class ContrastiveLoss(nn.Module):
    """The losses and their learnt temperatures.

    Args:
        margin_weight: of `margin_loss`.
        label_weight: of `label_loss`.
    """

    def __init__(self, margin_weight: float, label_weight: float) -> None:
        super().__init__()
        self.margin_weight, self.label_weight = margin_weight, label_weight
        self.log_scale = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(math.log(10.0))) for name in ("scene", "subject")}
        )

    def scale(self, name: str) -> torch.Tensor:
        """Inverse temperature of a kind of pairs."""
        return self.log_scale[name].exp().clamp(max=_MAX_SCALE)

    def forward(self, network: Any, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted parts of the loss, to be summed."""
        frames = embed_token_rows(network, batch.frame_rows.ids, batch.frame_rows.mask, batch.frames)
        captions = embed_token_rows(network, batch.captions.ids, batch.captions.mask)
        crops, references = embed_token_rows(network, batch.crop_rows.ids, batch.crop_rows.mask, batch.crops).chunk(2)
        short = embed_token_rows(network, batch.short_texts.ids, batch.short_texts.mask)
        phrases, labels = short[: -len(LABELS)], short[-len(LABELS) :]
        scene, subject = self.scale("scene"), self.scale("subject")
        cosines = frames @ captions.T
        return {
            "captions": scene_loss(cosines, batch.num_pairs, scene),
            "margin": self.margin_weight * margin_loss(cosines, batch.frame_origins, batch.caption_origins),
            "references": match_loss(crops @ references.T, batch.same_subject, subject),
            "phrases": 0.5 * match_loss(crops @ phrases.T, batch.same_phrase, subject)
            + 0.5 * match_loss(references @ phrases.T, batch.same_phrase, subject),
            "labels": self.label_weight
            * (
                label_loss(crops @ labels.T, batch.label_targets)
                + 0.5 * label_loss(references @ labels.T, batch.label_targets)
            ),
        }


def scene_loss(cosines: torch.Tensor, num_pairs: int, scale: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE of frames [F] against captions [T], whose first `num_pairs` belong together.

    The further frames and captions only ever count as wrong answers.
    """
    target = torch.arange(num_pairs)
    to_text = F.cross_entropy(scale * cosines[:num_pairs], target)
    to_frame = F.cross_entropy(scale * cosines[:, :num_pairs].T, target)
    floor = F.relu(POSITIVE_FLOOR - cosines.diagonal()[:num_pairs]).square().mean()
    return (to_text + to_frame) / 2 + 2 * floor


def margin_loss(cosines: torch.Tensor, frame_origins: torch.Tensor, caption_origins: torch.Tensor) -> torch.Tensor:
    """Hinge loss for similarities of near misses that are not `FAULT_MARGIN` below the right ones.

    Args:
        cosines: of frames [F] and captions [T], the C pairs first.
        frame_origins: [F - C], the pair that each further frame nearly shows.
        caption_origins: [T - C], the pair that each further caption nearly describes.
    """
    right = cosines.diagonal()
    num_pairs = len(cosines) - len(frame_origins)
    faulty_frames = cosines[torch.arange(num_pairs, len(cosines)), frame_origins]
    faulty_captions = cosines[caption_origins, torch.arange(num_pairs, cosines.shape[1])]
    short_of = [
        F.relu(FAULT_MARGIN - right[frame_origins] + faulty_frames),
        F.relu(FAULT_MARGIN - right[caption_origins] + faulty_captions),
    ]
    return sum((gap.square().mean() for gap in short_of), torch.zeros(()))


def match_loss(cosines: torch.Tensor, same: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Symmetric InfoNCE of [K] against [K]; matching pairs off the diagonal are no wrong answers."""
    diagonal = torch.eye(len(cosines), dtype=torch.bool)
    logits = (scale * cosines).masked_fill(same & ~diagonal, float("-inf"))
    target = torch.arange(len(cosines))
    floor = F.relu(POSITIVE_FLOOR - cosines.diagonal()).square().mean()
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2 + 2 * floor


def label_loss(cosines: torch.Tensor, targets: torch.Tensor, sharpness: float = 12.0) -> torch.Tensor:
    """Whether each label holds, as a yes-or-no question with its border at `LABEL_BORDER`; NaN targets are left out."""
    known = ~targets.isnan()
    logits = sharpness * (cosines - LABEL_BORDER)
    # There are some twenty wrong labels for a right one: the right ones weigh more.
    weights = torch.where(targets > 0.5, 4.0, 1.0)
    return F.binary_cross_entropy_with_logits(logits[known], targets[known], weight=weights[known])


def train(options: argparse.Namespace) -> tuple[Any, Any, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network, its tokenizer, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    tokenizer, steps = build_tokenizer(), options.steps
    network = build_network(tokenizer)
    if options.start_from is not None:
        network.load_state_dict(type(network).from_pretrained(options.start_from, dtype=torch.float32).state_dict())
    criterion = ContrastiveLoss(options.margin_weight, options.label_weight)
    data = EmbedderBatches(tokenizer, options.seed, steps, options.pairs, options.crops)
    history = minimise(
        lambda batch: criterion(network, batch),
        [*network.parameters(), *criterion.parameters()],
        loaded(data, options.workers),
        steps=steps,
        learning_rate=options.learning_rate,
        final_div_factor=50,
    )
    return network, tokenizer, history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser(
        "Train the embedded embedder on synthetic scenes.",
        steps=600,
        steps_help="about a second each on one core",
        learning_rate=2e-3,
    )
    parser.add_argument("--pairs", type=int, default=48, help="frames with captions in a batch")
    parser.add_argument("--crops", type=int, default=36, help="crops with references in a batch, at most --pairs")
    parser.add_argument("--margin-weight", type=float, default=4.0, help="of the loss for what is nearly right")
    parser.add_argument("--label-weight", type=float, default=3.0, help="of the loss for class labels")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, tokenizer, _ = train(options)
    save(network, tokenizer, build_image_processor(), options.out)
    figures = evaluate_embedder(options.out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
