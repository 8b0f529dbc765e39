"""Train the embedded aesthetic encoder and head on synthetic scenes and write their folders.

    python -m opens2v_hf.embedded.training.aesthetics --out opens2v_hf/embedded/weights --seed 0

A small encoder of the released architecture and a head of one layer are trained jointly to rate clean frames 6.5 and
broken ones lower, by their damage. The encoder cannot be a CLIP that was trained to recognise things, because that is
invariant to noise. The ratings are of damage, not of beauty.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from opens2v_hf.embedded.training.aesthetics_data import (
    FRAMES_PER_SCENE,
    SIDE_PX,
    AestheticBatch,
    AestheticBatches,
    build_image_processor,
)
from opens2v_hf.embedded.training.held_out_videos import evaluate_aesthetics
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser
from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead
from opens2v_hf.models.files import WEIGHTS_NAME

MARGIN = 0.5
"""Target margin between the ratings of a clean frame and a broken one of its scene."""

_DIM = 64
_HEAD_SCALE = 10.0  # embeddings have length 1, and ratings are some units apart


class EncoderWithHead(nn.Module):
    """The jointly trained networks."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=96,
                intermediate_size=192,
                num_hidden_layers=3,
                num_attention_heads=4,
                image_size=SIDE_PX,
                patch_size=16,
                projection_dim=_DIM,
                initializer_range=0.05,
                initializer_factor=2.0,
            )
        )
        self.head = nn.Linear(_DIM, 1)
        with torch.no_grad():
            self.head.weight.mul_(_HEAD_SCALE)
            self.head.bias.fill_(5.0)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Ratings [B] of frames [B, 3, `SIDE_PX`, `SIDE_PX`]."""
        embeds = F.normalize(self.encoder(pixel_values=pixels).image_embeds, dim=-1)
        return self.head(embeds)[:, 0]


def losses(ratings: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Distance of ratings [B] from their targets, and a hinge loss that ranks broken frames below their clean one.

    Frames come scene after scene, `FRAMES_PER_SCENE` each, the clean one first.
    """
    clean, *broken = ratings.view(-1, FRAMES_PER_SCENE).unbind(1)
    gaps = torch.stack([F.relu(MARGIN - clean + other) for other in broken])
    return {"rating": F.smooth_l1_loss(ratings, targets), "margin": gaps.mean()}


def train(options: argparse.Namespace) -> tuple[EncoderWithHead, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network in evaluation mode, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    network = EncoderWithHead()
    if options.start_from is not None:
        encoder = AestheticEncoder.from_pretrained(options.start_from / AestheticEncoder.role, device="cpu")
        head = AestheticHead.from_pretrained(options.start_from / AestheticHead.role, device="cpu")
        network.encoder.load_state_dict(encoder.model.state_dict())
        network.head.load_state_dict(head.network[0].state_dict())

    def parts_of(batch: AestheticBatch) -> dict[str, torch.Tensor]:
        return losses(network(batch.pixels), batch.ratings)

    batches = loaded(AestheticBatches(options.seed, options.steps, options.scenes), options.workers)
    history = minimise(
        parts_of, list(network.parameters()), batches, steps=options.steps, learning_rate=options.learning_rate
    )
    return network.eval(), history


def save(network: EncoderWithHead, folder: Path) -> None:
    """Write the folders of encoder (weights in float16) and head, which load as the released ones do."""
    encoder_folder, head_folder = folder / AestheticEncoder.role, folder / AestheticHead.role
    for target in (encoder_folder, head_folder):
        target.mkdir(parents=True, exist_ok=True)
    network.encoder.half().save_pretrained(encoder_folder)
    build_image_processor().save_pretrained(encoder_folder)
    weights = {f"layers.0.{name}": value.detach().contiguous() for name, value in network.head.named_parameters()}
    save_file(weights, head_folder / WEIGHTS_NAME)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser(
        "Train the embedded aesthetic encoder and head on synthetic scenes.",
        steps=700,
        learning_rate=2e-3,
        steps_help="about half a second each on one core",
    )
    parser.add_argument("--scenes", type=int, default=16, help=f"a step, {FRAMES_PER_SCENE} frames each")
    parser.add_argument("--held-out", type=int, default=40, help="scenes of the evaluation")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, _ = train(options)
    save(network, options.out)
    encoder, head = options.out / AestheticEncoder.role, options.out / AestheticHead.role
    figures = evaluate_aesthetics(encoder, head, num_scenes=options.held_out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
