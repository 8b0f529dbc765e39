r"""Train the embedded judge on synthetic scenes and write its folder.

    python -m opens2v_hf.embedded.training.judge --out FIRST --seed 0 --steps 600
    python -m opens2v_hf.embedded.training.judge --out SECOND --start-from FIRST --seed 1 --steps 650 \
        --learning-rate 1.5e-3
    python -m opens2v_hf.embedded.training.judge --out opens2v_hf/embedded/weights/judge --start-from SECOND --seed 2 \
        --steps 500 --learning-rate 1e-3

The targets are 5 for clean videos and lower for broken ones, by their damage, with the same prompt as for any local
judge. An auxiliary loss at the end of each frame predicts the quality of that frame. The folder loads like any other
local judge, which the evaluation at the end uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from opens2v_hf.embedded.training.held_out_videos import evaluate_judge
from opens2v_hf.embedded.training.judge_data import CLIPS_PER_SCENE, JudgeBatch, JudgeBatches
from opens2v_hf.embedded.training.judge_network import (
    as_judge,
    build_image_processor,
    build_network,
    build_tokenizer,
    clip_logits,
)
from opens2v_hf.embedded.training.optimisation import loaded, minimise, print_figures, training_parser
from opens2v_hf.embedded.training.small_qwen2vl import save
from opens2v_hf.scores.natural import LEVELS


def level_loss(logits: torch.Tensor, levels: torch.Tensor, digit_ids: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against the two digits next to a level, weighted so that their mean is the level.

    Args:
        logits: [N, V].
        levels: [N] in [1, 5]; NaN is left out.
        digit_ids: int64 [5], the tokens "1" to "5".
    """
    known = ~levels.isnan()
    steps = torch.tensor([float(level) for level in LEVELS])
    targets = (1.0 - (levels[known, None] - steps).abs()).clamp(min=0.0)
    return -(targets * F.log_softmax(logits[known], dim=-1)[:, digit_ids]).sum(-1).mean()


def train(options: argparse.Namespace) -> tuple[Any, Any, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network, its tokenizer, and the parts of the loss at every step.
    """
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer()
    network = build_network(tokenizer)
    if options.start_from is not None:
        network.load_state_dict(type(network).from_pretrained(options.start_from, dtype=torch.float32).state_dict())
    judge = as_judge(network, tokenizer)
    digit_ids = torch.tensor([tokenizer.convert_tokens_to_ids(str(level)) for level in LEVELS])

    @lru_cache(maxsize=256)
    def prompt(num_frames: int, num_lines: int) -> tuple[torch.Tensor, torch.Tensor]:
        # the size is that of the synthetic scenes; only the layout of the prompt is taken from here
        blank = [Image.new("RGB", (168, 112))] * num_frames
        inputs = judge.encode(blank, "\n".join(["rubric"] * num_lines))
        return inputs["input_ids"], inputs["mm_token_type_ids"]

    def parts_of(batch: JudgeBatch) -> dict[str, torch.Tensor]:
        input_ids, type_ids = prompt(batch.num_frames, batch.num_lines)
        logits = clip_logits(network, input_ids, type_ids, batch.pictures)
        frame_ends = (input_ids[0] == network.config.vision_end_token_id).nonzero()[:, 0]
        return {
            "clip": level_loss(logits[:, -1], batch.levels, digit_ids),
            "frame": level_loss(logits[:, frame_ends].flatten(0, 1), batch.frame_levels.flatten(), digit_ids),
        }

    network.train()
    batches = loaded(JudgeBatches(options.seed, options.steps, options.scenes), options.workers)
    history = minimise(
        parts_of, list(network.parameters()), batches, steps=options.steps, learning_rate=options.learning_rate
    )
    return network.eval(), tokenizer, history


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """The command line; returns the figures that it prints."""
    parser = training_parser("Train the embedded judge on synthetic scenes.", steps=600, learning_rate=2e-3)
    parser.add_argument("--scenes", type=int, default=5, help=f"a step, {CLIPS_PER_SCENE} clips each")
    parser.add_argument("--held-out", type=int, default=40, help="scenes of the evaluation")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, tokenizer, _ = train(options)
    save(network, tokenizer, build_image_processor(), options.out)
    figures = evaluate_judge(options.out, num_scenes=options.held_out)
    return print_figures(figures)


if __name__ == "__main__":
    main()
