"""Small aesthetic models with random weights, saved as files that load like the released ones."""

from __future__ import annotations

from pathlib import Path

import torch
from helpers.tiny_clip import save_tiny_clip

LAYERS = {0: (8, 64), 2: (6, 8), 4: (5, 6), 6: (3, 5), 7: (1, 3)}
"""Number of each layer in the released file -> its outputs and inputs."""


def head_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for number, (outputs, inputs) in LAYERS.items():
        weights[f"layers.{number}.weight"] = torch.randn(outputs, inputs, generator=generator)
        weights[f"layers.{number}.bias"] = torch.randn(outputs, generator=generator)
    return weights


def save_aesthetic_models(folder: Path) -> dict[str, Path]:
    """Role to folder of a tiny encoder and a head that fits it."""
    folders = {role: folder / role for role in ("aesthetic_encoder", "aesthetic_head")}
    save_tiny_clip(folders["aesthetic_encoder"])
    folders["aesthetic_head"].mkdir(parents=True)
    torch.save(head_weights(), folders["aesthetic_head"] / "aesthetic-model.pth")
    return folders
