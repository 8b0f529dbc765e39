"""Finding the weights of a network by name: Hub id, folder, file or "embedded"."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.hub import ResolvedModel, cached_commit, cannot_load, file_sha256, model_path, resolve_model
from opens2v_hf.models.info import EMBEDDED, ModelInfo
from opens2v_hf.models.roles import ROLES

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
_NAMED_KEYS = 8  # in an error message


@dataclass(frozen=True)
class WeightsFile:
    """A model's file, found.

    Attributes:
        role: what the model does for the metric.
        name: as results show it.
        path: of the file on this machine.
        revision: commit of the Hub repo, or "sha256:..." of the file.
        config: its config.json; None where there is none.
        embedded: whether it is one of the small models of this package.
    """

    role: str
    name: str
    path: Path
    revision: str | None
    config: Path | None
    embedded: bool = False

    @property
    def resolved(self) -> ResolvedModel:
        """The file as a model that lies on this machine."""
        return ResolvedModel(self.role, self.name, str(self.path), self.revision, is_local=True, embedded=self.embedded)

    def info(self, *, dtype: object, device: object) -> ModelInfo:
        """Provenance for results."""
        return ModelInfo(
            self.role, self.name, self.revision, str(dtype).removeprefix("torch."), str(device), self.embedded
        )


def find_weights(
    model: str | os.PathLike[str],
    revision: str | None,
    role: str,
    *,
    endings: Sequence[str],
    filename: str | None = None,
    other_names: Sequence[str] = (),
    hub_name: str = WEIGHTS_NAME,
    has_config: bool = True,
) -> WeightsFile:
    """Find the one file that holds a model's weights; from the Hub it is downloaded.

    Args:
        model: "embedded", a file, a folder, or a Hub id.
        revision: branch, tag or commit of a Hub repo.
        role: one of `ROLES`; its released file is also searched for in folders.
        endings: of files that can hold such a model, as ".safetensors".
        filename: in a folder or repo, where it is not the usual one.
        other_names: of the file in a folder.
        hub_name: of the file in a Hub repo other than the released one.
        has_config: whether a Hub repo other than the released one holds a config.json.

    Raises:
        ArgumentError: a revision or file name is given where none belongs.
        ModelError: nothing is found, or the Hub does not give it.
    """
    text = os.fspath(model)
    path = model_path(text)
    if text != EMBEDDED and path.is_file():
        if revision is not None or filename is not None:
            raise ArgumentError(f"a revision or file name belongs to a repo, not to the file {text}; leave it out")
        return WeightsFile(role, text, path, _revision_of(path), None)
    if text != EMBEDDED and path.is_dir():
        if revision is not None:
            raise ArgumentError(f"a revision belongs to a Hub id, not to {text!r} (got {revision=}); leave it out")
        chosen = _in_folder(path, role, endings, filename, other_names)
        return WeightsFile(role, text, chosen, _revision_of(chosen), _config_of(chosen))
    found = resolve_model(text, revision, role)
    if found.is_local:
        chosen = Path(found.source) / WEIGHTS_NAME
        return WeightsFile(role, text, chosen, found.revision, _config_of(chosen), embedded=found.embedded)
    is_released = text == ROLES[role].released and filename is None
    name = ROLES[role].file if is_released else filename or hub_name
    path = download(found, name)
    config = download(found, CONFIG_NAME) if has_config and not is_released else None
    return WeightsFile(role, text, path, cached_commit(text, revision, filename=name) or revision, config)


def download(model: ResolvedModel, filename: str) -> Path:
    """A file of a Hub repo in the local cache, downloaded where it is not there yet.

    Raises:
        ModelError: the Hub does not give it.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model.source, filename, **model.load_arguments(filename)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise cannot_load(model, error) from error


def find_file(model: ResolvedModel, filename: str) -> Path | None:
    """A file of a folder or Hub repo, downloaded where need be; None where there is none of that name.

    Raises:
        ModelError: the repo cannot be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    if model.is_local:
        path = Path(model.source) / filename
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(model.source, filename, **model.load_arguments()))
    except LocalEntryNotFoundError as error:
        # without a network, a file that was never requested before seems not to exist
        if filename == CONFIG_NAME:
            raise cannot_load(model, error) from error
        return None
    except EntryNotFoundError:
        return None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise cannot_load(model, error) from error


def fit_weights(network: nn.Module, weights: Mapping[str, Tensor], *, source: str | os.PathLike[str]) -> None:
    """Give a network its weights, in their own dtype; see `needed_weights`.

    Args:
        network: may be on the meta device, where making it costs nothing.
        weights: by key.
        source: of the weights, for messages.
    """
    network.load_state_dict(needed_weights(network, weights, source=source), assign=True)


def needed_weights(
    network: nn.Module, weights: Mapping[str, Tensor], *, source: str | os.PathLike[str]
) -> dict[str, Tensor]:
    """The tensors that a network needs, checked; others are left out.

    Raises:
        ModelError: keys are missing or have another shape; the message lists them.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    if missing := [key for key in expected if key not in weights]:
        raise ModelError(
            f"{os.fspath(source)} lacks {len(missing)} of the {len(expected)} tensors that the network needs: "
            f"{_some(missing)}. Weights and config.json belong together; a file alone is taken for the released network"
        )
    wrong = [
        f"{key} is {list(weights[key].shape)} and should be {list(shape)}"
        for key, shape in expected.items()
        if tuple(weights[key].shape) != shape
    ]
    if wrong:
        raise ModelError(
            f"{os.fspath(source)} has {len(wrong)} tensors of another shape than the configuration asks for: "
            f"{_some(wrong)}. Weights and config.json belong together"
        )
    return {key: weights[key] for key in expected}


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
    # one class each: PyTorch compares the allowed ones by identity
    return type(name.rpartition(".")[2], (_Inert,), {})


def _some(items: list[str]) -> str:
    rest = len(items) - _NAMED_KEYS
    return ", ".join(items[:_NAMED_KEYS]) + (f" and {rest} more" if rest > 0 else "")


def _in_folder(
    folder: Path, role: str, endings: Sequence[str], filename: str | None, other_names: Sequence[str]
) -> Path:
    if filename is not None:
        if not (folder / filename).is_file():
            raise ModelError(f"there is no weights file {filename} in {folder}")
        return folder / filename
    released = ROLES[role].file
    for usual in (WEIGHTS_NAME, released, Path(released).name, *other_names):
        if (folder / usual).is_file() and Path(usual).suffix in endings:
            return folder / usual
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix in endings and path.is_file())
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise ModelError(
            f"{folder} must hold {released} or one single file ending in {', '.join(endings)} as the "
            f"{role.replace('_', ' ')} (found: {names}); give the file itself"
        )
    return files[0]


def _config_of(weights: Path) -> Path | None:
    config = weights.parent / CONFIG_NAME
    return config if config.is_file() else None


def _revision_of(path: Path) -> str:
    return f"sha256:{file_sha256(path)}"
