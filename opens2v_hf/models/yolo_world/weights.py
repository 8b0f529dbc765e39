"""Reading and converting detector weights.

The released checkpoint holds 1054 tensors; 655 of them detect. These are loaded strictly, and never by running code
that a file brings along.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from opens2v_hf.errors import ModelError
from opens2v_hf.models.files import CONFIG_NAME, WEIGHTS_NAME, fit_weights, needed_weights, read_weights
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.network import YoloWorld


def build_network(config: YoloWorldConfig, weights: Mapping[str, Tensor], *, source: str) -> YoloWorld:
    """A network in evaluation mode that holds `weights`; tensors it does not need are left aside.

    Raises:
        ModelError: keys are missing or have another shape; the message lists them.
    """
    with torch.device("meta"):
        network = YoloWorld(config)
    fit_weights(network, weights, source=source)
    return network.eval().requires_grad_(False)


def convert(
    checkpoint: str | os.PathLike[str], folder: str | os.PathLike[str], *, config: YoloWorldConfig | None = None
) -> Path:
    """Convert a checkpoint to a folder that `YoloWorldDetector.from_pretrained` loads faster and without pickle.

    Writes config.json and model.safetensors with the tensors that detecting needs, unchanged. The weights appear in the
    folder only when they are complete.

    Args:
        checkpoint: PyTorch checkpoint or .safetensors file.
        folder: made where missing.
        config: of the weights; the released v2-L's by default.

    Returns:
        The path of model.safetensors.

    Raises:
        ModelError: see `read_weights` and `needed_weights`; or the folder cannot be written.
    """
    config = config or YoloWorldConfig()
    source = Path(checkpoint)
    with torch.device("meta"):
        network = YoloWorld(config)
    tensors = needed_weights(network, read_weights(source), source=source)
    return save_weights(tensors, config, folder)


def save_weights(tensors: Mapping[str, Tensor], config: YoloWorldConfig, folder: str | os.PathLike[str]) -> Path:
    """Write config.json and model.safetensors; see `convert`.

    Raises:
        ModelError: the folder cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / CONFIG_NAME).write_text(json.dumps(config.to_dict(), indent=1) + "\n", encoding="utf-8")
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            # clones: safetensors refuses tensors that share memory
            save_file({key: value.clone().contiguous() for key, value in tensors.items()}, Path(scratch) / WEIGHTS_NAME)
            (Path(scratch) / WEIGHTS_NAME).replace(target / WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the detector cannot be written to {target}: {error}") from error
    return target / WEIGHTS_NAME
