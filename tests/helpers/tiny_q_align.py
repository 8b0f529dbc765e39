"""A Q-Align of a few thousand random weights, saved in the layouts that real ones come in."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from opens2v_hf.embedded.training.quality_scorer_network import build_image_processor, build_tokenizer
from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, QAlignConfig, VisionConfig
from opens2v_hf.models.q_align.network import QAlign


def tiny_config() -> QAlignConfig:
    return QAlignConfig(
        VisionConfig(16, 32, 2, 2, image_size=28),
        AbstractorConfig(2, 16, 1, 2, 24),
        LanguageConfig(40, 24, 32, 2, 2),
    )


def tiny_network(seed: int = 0) -> QAlign:
    torch.manual_seed(seed)
    network = QAlign(tiny_config()).eval().requires_grad_(False)
    for parameter in network.parameters():
        # from the usual initialisation all pictures look nearly alike
        parameter.normal_(std=0.3) if parameter.ndim > 1 else parameter.uniform_(0.5, 1.5)
    return network


def save_tiny_q_align(folder: Path, *, layout: str = "safetensors", seed: int = 0) -> QAlign:
    """Write a folder: "safetensors", "bin", or either in two "shards"; returns the network in it."""
    network = tiny_network(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(network.config.to_dict()))
    build_tokenizer().save_pretrained(folder)
    build_image_processor(network.config.vision.image_size).save_pretrained(folder)
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    base, save = ("pytorch_model", torch.save) if "bin" in layout else ("model", save_file)
    ending = "bin" if "bin" in layout else "safetensors"
    if "shards" not in layout:
        save(state, folder / f"{base}.{ending}")
        return network
    keys = sorted(state)
    parts = {f"{base}-0000{part}-of-00002.{ending}": keys[part - 1 :: 2] for part in (1, 2)}
    for name, held in parts.items():
        save({key: state[key] for key in held}, folder / name)
    index = {"metadata": {}, "weight_map": {key: name for name, held in parts.items() for key in held}}
    (folder / f"{base}.{ending}.index.json").write_text(json.dumps(index))
    return network
