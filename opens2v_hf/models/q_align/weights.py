"""Loading Q-Align's weights by the names of the released checkpoint: no code of a repo runs, and memory stays bounded.

The network is built without memory of its own, and takes over one tensor after the other, each already in its dtype and
on its device. Apart from the network itself, there is never more than one tensor of a file in memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from opens2v_hf.errors import ModelError
from opens2v_hf.models.files import CONFIG_NAME, find_file
from opens2v_hf.models.hub import ResolvedModel, cannot_load
from opens2v_hf.models.q_align.config import QAlignConfig
from opens2v_hf.models.q_align.network import QAlign

WEIGHTS_NAMES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
"""File names of weights, in order of preference; an index names the files that hold them."""

_NAMED_KEYS = 4  # in an error message


def load_network(found: ResolvedModel, *, device: torch.device, dtype: torch.dtype) -> QAlign:
    """Build the network that a folder or Hub repo describes.

    Returns:
        The network, in evaluation mode, without gradients.

    Raises:
        ModelError: a file is missing or broken, or weights and configuration do not belong together.
    """
    config_path = find_file(found, CONFIG_NAME)
    if config_path is None:
        raise cannot_load(found, FileNotFoundError(f"it holds no {CONFIG_NAME}"))
    config = QAlignConfig.from_file(config_path)
    with torch.device("meta"):
        network = QAlign(config)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    loaded: dict[str, Tensor] = {}
    wrong, beyond = [], []
    for path in _weight_files(found):
        for key, tensor in _tensors(path):
            if key not in expected:
                beyond += [key] if ".layers." in key and not key.endswith(".inv_freq") else []
            elif tuple(tensor.shape) != expected[key]:
                wrong.append(f"{key} is {list(tensor.shape)} and should be {list(expected[key])}")
            else:
                loaded[key] = tensor.to(device=device, dtype=dtype)
    missing = [key for key in expected if key not in loaded]
    # a file with more layers than the configuration knows would load well and score wrongly
    for what, keys in (
        ("tensors of another shape", wrong),
        ("tensors missing", missing),
        ("tensors of layers that config.json does not know", beyond),
    ):
        if keys:
            raise ModelError(
                f"the {found.role} {found.name!r} has {len(keys)} {what} ({', '.join(keys[:_NAMED_KEYS])}"
                f"{', ...' if len(keys) > _NAMED_KEYS else ''}); weights and config.json belong together"
            )
    network.load_state_dict(loaded, assign=True)
    return network.eval().requires_grad_(False)


def _weight_files(found: ResolvedModel) -> Iterator[Path]:
    """The files that hold the weights, each when it is there."""
    for name in WEIGHTS_NAMES:
        path = find_file(found, name)
        if path is None:
            continue
        for shard in _shards(path) if name.endswith(".index.json") else [name]:
            shard_path = find_file(found, shard)
            if shard_path is None:
                raise cannot_load(found, FileNotFoundError(f"{name} names {shard}, which is not there"))
            yield shard_path
        return
    raise cannot_load(found, FileNotFoundError(f"it holds none of {', '.join(WEIGHTS_NAMES)}"))


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        inside = all(Path(name).name == name for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} cannot be read as an index of weights: {error!r}") from error
    if not inside:
        raise ModelError(f"{index} names files outside its own folder ({', '.join(names[:_NAMED_KEYS])})")
    return names


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one file by name, one in memory at a time."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as content:
                for key in content.keys():  # noqa: SIM118 - it is no dict
                    yield key, content.get_tensor(key)
            return
        # mapped, the file's pages are read as its tensors are and can be dropped at any time
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # what a damaged file makes torch and pickle raise has no common base
        raise ModelError(
            f"{path} cannot be read as weights ({type(error).__name__}: {error}); download it again"
        ) from error
    if not isinstance(state, dict):
        raise ModelError(f"{path} holds a {type(state).__name__} where tensors by name are expected")
    for key in list(state):
        value = state.pop(key)
        if isinstance(value, Tensor):
            yield str(key), value
