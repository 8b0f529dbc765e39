"""Weights that come as one file: finding it, and reading it without running code that it brings along."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from opens2v_hf.errors import ModelError
from opens2v_hf.models.hub import ResolvedModel, cannot_load, file_sha256


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file or a PyTorch checkpoint, on the CPU.

    A checkpoint is either the dict of tensors or holds it under "state_dict". It is read with `weights_only=True`;
    other objects that a training run left in it (logs, configurations) become inert placeholders, never run.

    Raises:
        ModelError: the file is missing, broken or holds no tensors by name.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = _read_checkpoint(path)
    except FileNotFoundError as error:
        raise ModelError(f"there is no weights file {path}") from error
    except Exception as error:  # what a damaged file makes torch and pickle raise has no common base
        raise ModelError(
            f"{path} cannot be read as weights ({_why(error)}); download it again, or give a .safetensors file"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__} where tensors by name are expected")
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _why(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):  # PyTorch's own words advise to run what is in the file
        return "it is no checkpoint, or holds more than tensors and plain data"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class _Inert:
    """Stands for an object of a checkpoint that is neither tensor nor plain data."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __setstate__(self, _state: Any) -> None:
        """Forget what the file says about the object."""


def _read_checkpoint(path: Path) -> Any:
    unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
    with torch.serialization.safe_globals([(_placeholder(name), name) for name in unknown]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _placeholder(name: str) -> type[_Inert]:
    # one class each: PyTorch tells the allowed ones apart by identity
    return type(name.rpartition(".")[2], (_Inert,), {})


def single_file(path: Path, role: str) -> ResolvedModel:
    """Provenance of weights that a user named by their file: its path and sha256."""
    return ResolvedModel(role, str(path), str(path), f"sha256:{file_sha256(path)}", is_local=True, embedded=False)


def download_weights(model: ResolvedModel, filename: str) -> Path:
    """A file of a Hub repo in the local cache, downloaded where it is not there yet.

    Raises:
        ModelError: it cannot be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model.source, filename, **model.load_arguments(filename)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise cannot_load(model, error) from error
