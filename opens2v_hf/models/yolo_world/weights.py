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
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.weights import read_weights
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.network import YoloWorld

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"

_NAMED_KEYS = 8  # in an error message


def build_network(config: YoloWorldConfig, weights: Mapping[str, Tensor], *, source: str) -> YoloWorld:
    """A network in evaluation mode that holds `weights`; tensors it does not need are left aside.

    Args:
        config: widths and depths.
        weights: by the released keys.
        source: of the weights, for messages.

    Raises:
        ModelError: keys are missing or have another shape; the message lists them.
    """
    with torch.device("meta"):
        network = YoloWorld(config)
    network.load_state_dict(needed_weights(network, weights, source=source), assign=True)
    return network.eval().requires_grad_(False)


def needed_weights(network: YoloWorld, weights: Mapping[str, Tensor], *, source: str) -> dict[str, Tensor]:
    """The tensors that `network` needs, checked.

    Raises:
        ModelError: keys are missing or have another shape; the message lists them.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    if missing := [key for key in expected if key not in weights]:
        raise ModelError(
            f"{source} lacks {len(missing)} of the {len(expected)} tensors that the detector needs: "
            f"{_some(missing)}. Give the checkpoint {ROLES['detector'].file}, or the config.json that fits"
        )
    wrong = [
        f"{key} is {list(weights[key].shape)} and should be {list(shape)}"
        for key, shape in expected.items()
        if tuple(weights[key].shape) != shape
    ]
    if wrong:
        raise ModelError(
            f"{source} has {len(wrong)} tensors of another shape than the configuration asks for: {_some(wrong)}. "
            "Weights and config.json belong together"
        )
    return {key: weights[key] for key in expected}


def _some(items: list[str]) -> str:
    rest = len(items) - _NAMED_KEYS
    return ", ".join(items[:_NAMED_KEYS]) + (f" and {rest} more" if rest > 0 else "")


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
    tensors = needed_weights(network, read_weights(source), source=str(source))
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
