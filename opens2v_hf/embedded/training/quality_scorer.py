r"""Train the embedded quality scorer on synthetic scenes and write its folder.

    python -m opens2v_hf.embedded.training.quality_scorer --out FIRST --seed 0
    python -m opens2v_hf.embedded.training.quality_scorer --out opens2v_hf/embedded/weights/quality_scorer \
        --start-from FIRST --seed 1 --steps 400 --learning-rate 1e-3 --steady 4

The target is "excellent" for windows of three clean frames, and lower for damage and for subjects that are missing in
some frames of a window. The folder loads like any other Q-Align, which the evaluation at the end uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from opens2v_hf.embedded.training.held_out_videos import evaluate_quality_scorer
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser
from opens2v_hf.embedded.training.quality_scorer_data import VIDEOS_PER_SCENE, QualityBatch, QualityBatches
from opens2v_hf.embedded.training.quality_scorer_network import (
    build_network,
    build_tokenizer,
    embedded_config,
    look_at_frequencies,
    save,
)
from opens2v_hf.models.hub import resolve_model
from opens2v_hf.models.q_align.network import PromptIds, QAlign
from opens2v_hf.models.q_align.prompt import prompt_ids
from opens2v_hf.models.q_align.scorer import ROLE
from opens2v_hf.models.q_align.weights import load_network
from opens2v_hf.scores.motion_smoothness import JUMP_THRESHOLD, LEVEL_WEIGHTS, windows


def quality_losses(logits: torch.Tensor, qualities: torch.Tensor, steady: float = 0.0) -> dict[str, torch.Tensor]:
    """Distance of the scores of videos from their target qualities.

    Args:
        logits: [B, T, 5], best level first.
        qualities: [B, T] in [0, 1].
        steady: weight of the last part, which is left out at 0.

    Returns:
        "level": cross-entropy against the two levels next to a quality, weighted so that their mean is the quality;
        "jump": squared error of the differences of neighbouring windows, which the metric uses;
        "steady": their absolute error, which presses on small ones as well; alone, it would be content with none.
    """
    weights = torch.tensor(LEVEL_WEIGHTS)
    targets = (1.0 - (qualities[..., None] - weights).abs() * (len(LEVEL_WEIGHTS) - 1)).clamp(min=0.0)
    scores = logits.softmax(-1) @ weights
    changes, target_changes = scores.diff(dim=1), qualities.diff(dim=1)
    parts = {
        "level": -(targets * F.log_softmax(logits, dim=-1)).sum(-1).mean(),
        "jump": 20.0 * F.mse_loss(changes, target_changes),
    }
    if steady:
        parts["steady"] = steady * F.smooth_l1_loss(changes, target_changes, beta=JUMP_THRESHOLD)
    return parts


def damage_loss(guesses: torch.Tensor, damages: torch.Tensor) -> torch.Tensor:
    """Squared error of guesses [N] at the damages [N] of single frames; NaN is left out."""
    known = ~damages.isnan()
    return 10.0 * F.mse_loss(guesses[known], damages[known])


class GuidedQAlign(nn.Module):
    """The network with two guesses at how broken a frame is, which is not used later.

    They show the picture encoder and the abstractor what matters; from the answer about a window alone they do not
    find it in time.

    Args:
        network: to be trained.
        prompt: token ids of the question.
        steady: see `quality_losses`.
    """

    def __init__(self, network: QAlign, prompt: PromptIds, steady: float) -> None:
        super().__init__()
        self.network = network
        self.prompt = prompt
        self.steady = steady
        self.picture_guess = nn.Linear(network.config.vision.hidden_size, 1)
        self.token_guess = nn.Linear(network.config.language.hidden_size, 1)

    def losses(self, batch: QualityBatch) -> dict[str, torch.Tensor]:
        """The parts of the loss; each frame is encoded once."""
        body = self.network.model
        pictures = body.vision_model(batch.pixels)
        tokens = body.visual_abstractor(pictures)
        damages = batch.damages.flatten()
        logits = video_logits(self.network, tokens, batch.qualities.shape, self.prompt)
        return {
            **quality_losses(logits, batch.qualities, self.steady),
            "picture": damage_loss(self.picture_guess(pictures.mean(dim=1))[:, 0], damages),
            "tokens": damage_loss(self.token_guess(tokens.mean(dim=1))[:, 0], damages),
        }


def video_logits(network: QAlign, tokens: torch.Tensor, shape: Sequence[int], prompt: PromptIds) -> torch.Tensor:
    """Logits [B, T, 5] of all windows of B videos of T frames, whose tokens are [B * T, Q + 1, H]."""
    features = tokens.unflatten(0, tuple(shape))
    rows = torch.tensor(windows(features.shape[1]))
    return network.level_logits(features[:, rows].flatten(0, 1), prompt).unflatten(0, tuple(shape))


def train(options: argparse.Namespace) -> tuple[QAlign, Any, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network, its tokenizer, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer()
    network = build_network(embedded_config(len(tokenizer)))
    batches = QualityBatches(options.seed, options.steps, options.scenes)
    if options.start_from is None:
        look_at_frequencies(network, batches[0].pixels)
    else:
        found = resolve_model(options.start_from, None, ROLE)
        before = load_network(found, device=torch.device("cpu"), dtype=torch.float32)
        network.load_state_dict(before.state_dict())
    guided = GuidedQAlign(network, prompt_ids(tokenizer), options.steady).train()
    history = minimise(
        guided.losses,
        list(guided.parameters()),
        loaded(batches, options.workers),
        steps=options.steps,
        learning_rate=options.learning_rate,
    )
    return network.eval(), tokenizer, history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser("Train the embedded quality scorer on synthetic scenes.", steps=900, learning_rate=1.5e-3)
    parser.add_argument("--scenes", type=int, default=6, help=f"a step, {VIDEOS_PER_SCENE} videos each")
    parser.add_argument("--steady", type=float, default=0.0, help="weight of small jumps")
    parser.add_argument("--held-out", type=int, default=20, help="scenes of the evaluation")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, tokenizer, _ = train(options)
    save(network, tokenizer, options.out)
    figures = evaluate_quality_scorer(options.out, num_scenes=options.held_out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
