r"""Train the embedded judge on synthetic scenes and write its folder.

    python -m opens2v_hf.run.training.judge --out FIRST --seed 0 --steps 600
    python -m opens2v_hf.run.training.judge --out opens2v_hf/models/embedded/judge --start-from FIRST --seed 1 \
        --steps 650 --learning-rate 1.5e-3

It learns to answer 5 for clean videos and less the worse they are broken, with the same prompt that any local judge
gets; at the end of each frame it also learns to say how good that frame is, which nobody asks later, but which shows it
where to look. The folder loads as any other local judge does, and the evaluation at the end goes that way.

The same seed, steps and number of threads give the same weights on the same machine; other machines differ in the last
bits, which is why the weights are committed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from opens2v_hf.run.training.judge_data import CLIPS_PER_SCENE, JudgeBatch, JudgeBatches
from opens2v_hf.run.training.judge_evaluation import evaluate_judge
from opens2v_hf.run.training.judge_network import (
    MAX_PIXELS,
    MIN_PIXELS,
    as_judge,
    build_image_processor,
    build_network,
    build_tokenizer,
    clip_logits,
)
from opens2v_hf.scores.natural import LEVELS


def level_loss(logits: torch.Tensor, levels: torch.Tensor, digit_ids: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against the two digits next to a level, weighted so that their mean is the level.

    Args:
        logits: [N, V].
        levels: [N] in [1, 5]; NaN is left out.
        digit_ids: int64 [5], the tokens "1" to "5".
    """
    asked = ~levels.isnan()
    steps = torch.tensor([float(level) for level in LEVELS])
    targets = (1.0 - (levels[asked, None] - steps).abs()).clamp(min=0.0)
    return -(targets * F.log_softmax(logits[asked], dim=-1)[:, digit_ids]).sum(-1).mean()


def train(
    seed: int,
    steps: int,
    scenes_per_step: int,
    learning_rate: float,
    workers: int,
    start_from: Path | None = None,
) -> tuple[Any, Any, list[dict[str, float]]]:
    """Train a network.

    Returns:
        The network, its tokenizer, and the parts of the loss at every step.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    network = build_network(tokenizer)
    if start_from is not None:
        network.load_state_dict(type(network).from_pretrained(start_from, dtype=torch.float32).state_dict())
    judge = as_judge(network, tokenizer)
    digit_ids = torch.tensor([tokenizer.convert_tokens_to_ids(str(level)) for level in LEVELS])

    @lru_cache(maxsize=256)
    def prompt(num_frames: int, num_lines: int) -> tuple[torch.Tensor, torch.Tensor]:
        # the size is that of the synthetic scenes; only the layout of the prompt is taken from here
        blank = [Image.new("RGB", (168, 112))] * num_frames
        inputs = judge.encode(blank, "\n".join(["rubric"] * num_lines))
        return inputs["input_ids"], inputs["mm_token_type_ids"]

    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=min(0.1, 50 / steps), div_factor=20, final_div_factor=50
    )
    batches: Iterable[JudgeBatch] = DataLoader(
        JudgeBatches(seed, steps, scenes_per_step), batch_size=None, shuffle=False, num_workers=workers
    )
    network.train()
    history = []
    with tqdm(total=steps, unit="step", mininterval=5) as progress:
        for batch in batches:
            input_ids, type_ids = prompt(batch.num_frames, batch.num_lines)
            logits = clip_logits(network, input_ids, type_ids, batch.pictures)
            frame_ends = (input_ids[0] == network.config.vision_end_token_id).nonzero()[:, 0]
            parts = {
                "clip": level_loss(logits[:, -1], batch.levels, digit_ids),
                "frame": level_loss(logits[:, frame_ends].flatten(0, 1), batch.frame_levels.flatten(), digit_ids),
            }
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(parts.values())).sum().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            history.append({name: float(part.detach()) for name, part in parts.items()})
            progress.update()
            recent = history[-20:]
            progress.set_postfix(
                {name: f"{sum(parts[name] for parts in recent) / len(recent):.3f}" for name in recent[-1]},
                refresh=False,
            )
    return network.eval(), tokenizer, history


def save(network: Any, tokenizer: Any, folder: Path) -> None:
    """Write a folder that `models.judge.local.LocalJudge.from_pretrained` loads; weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    network.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    build_image_processor().save_pretrained(folder)
    bounds = {"min_pixels": MIN_PIXELS, "max_pixels": MAX_PIXELS}
    (folder / "opens2v.json").write_text(json.dumps(bounds, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the embedded judge on synthetic scenes.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of weights and scenes")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--scenes", type=int, default=5, help=f"a step, {CLIPS_PER_SCENE} clips each")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument(
        "--start-from", type=Path, help="folder of weights to go on from; drawn from the seed if not given"
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    parser.add_argument("--held-out", type=int, default=40, help="scenes of the evaluation")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    network, tokenizer, _ = train(
        options.seed, options.steps, options.scenes, options.learning_rate, options.workers, options.start_from
    )
    save(network, tokenizer, options.out)
    for name, value in evaluate_judge(options.out, num_scenes=options.held_out).items():
        print(f"{name:32} {value:.3f}")


if __name__ == "__main__":
    main()
