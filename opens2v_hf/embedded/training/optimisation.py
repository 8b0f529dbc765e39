"""The loop over batches and the common half of the command line of the trainings of the embedded models."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

_Batch = TypeVar("_Batch")

_RECENT = 20  # steps that the loss shown is a mean of
_FINAL_DIV_FACTOR = 1e4  # torch's own


class StepBatches(Dataset[_Batch]):
    """A map from the number of a training step to its batch.

    A batch depends on the seed and its own number only, so it is the same in every process that makes it.

    Args:
        seed: of all choices.
        num_steps: length of the training.
    """

    def __init__(self, seed: int, num_steps: int) -> None:
        self.seed, self.num_steps = seed, num_steps

    def __len__(self) -> int:
        return self.num_steps

    def __getitem__(self, step: int) -> _Batch:
        if not 0 <= step < self.num_steps:
            raise IndexError(step)
        return self._batch(step, np.random.default_rng([self.seed, step]))

    def _batch(self, step: int, rng: np.random.Generator) -> _Batch:
        """Make the batch of a step; all choices come from `rng`."""
        raise NotImplementedError


def minimise(
    parts_of: Callable[[_Batch], dict[str, torch.Tensor]],
    parameters: Sequence[nn.Parameter],
    batches: Iterable[_Batch],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float = 0.05,
    max_norm: float = 1.0,
    final_div_factor: float = _FINAL_DIV_FACTOR,
) -> list[dict[str, float]]:
    """Minimise a sum of losses by AdamW, a step a batch, with a warm-up and a cosine descent of the learning rate.

    Args:
        parts_of: from a batch to the named parts of the loss, scalars.
        parameters: to be learnt; those of fewer than two dimensions are not decayed.
        batches: `steps` of them.
        steps: at least 1.
        learning_rate: at its highest.
        weight_decay: of matrices.
        max_norm: that a step's gradient is clipped to.
        final_div_factor: how much lower than the first learning rate the last one is.

    Returns:
        The parts of the loss at every step.
    """
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        learning_rate,
        total_steps=steps,
        pct_start=min(0.1, 50 / steps),
        div_factor=20,
        final_div_factor=final_div_factor,
    )
    history: list[dict[str, float]] = []
    with tqdm(total=steps, unit="step", mininterval=5) as progress:
        for batch in batches:
            parts = parts_of(batch)
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(parts.values())).sum().backward()
            nn.utils.clip_grad_norm_(parameters, max_norm)
            optimizer.step()
            schedule.step()
            history.append({name: float(part.detach()) for name, part in parts.items()})
            progress.update()
            recent = history[-_RECENT:]
            means = {name: f"{sum(parts[name] for parts in recent) / len(recent):.3f}" for name in recent[-1]}
            progress.set_postfix(means, refresh=False)
    return history


def warm_up(
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    parameters: Sequence[nn.Parameter],
    *,
    num_examples: int,
    batch_size: int,
    steps: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Minimise one loss over random batches of examples that are held in memory.

    Args:
        loss_of: from the positions of a batch's examples, int64 [`batch_size`], to a scalar.
        parameters: to be learnt.
        num_examples: from which batches are drawn with replacement.
        batch_size: examples in a batch.
        steps: number of batches.
        learning_rate: at its highest.
        weight_decay: of all parameters.
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, betas=(0.9, 0.98), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    with tqdm(total=steps, desc="warm-up", unit="step", mininterval=5) as progress:
        for _ in range(steps):
            loss = loss_of(torch.randint(num_examples, (batch_size,)))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.update()
            progress.set_postfix(loss=f"{float(loss.detach()):.3f}", refresh=False)


def loaded(data: Dataset[_Batch], workers: int) -> Iterator[_Batch]:
    """The batches of a dataset whose items are batches, in order, drawn by some processes."""
    return iter(DataLoader(data, batch_size=None, shuffle=False, num_workers=workers))


def training_parser(
    description: str, *, steps: int, learning_rate: float, steps_help: str | None = None
) -> argparse.ArgumentParser:
    """A parser with the options that every training has; what is given here are their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of weights and scenes")
    parser.add_argument("--steps", type=int, default=steps, help=steps_help)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument(
        "--start-from", type=Path, help="folder, as --out, of weights to start from; drawn from the seed if not given"
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    return parser


def print_figures(figures: dict[str, float]) -> dict[str, float]:
    """Print the figures of an evaluation, a line each, and return them."""
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}")
    return figures
