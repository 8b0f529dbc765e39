"""Finding models in the embedded set, in folders and on the Hub, and choosing devices and dtypes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opens2v_hf._util import processes
from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, ModelError, OpenS2VError
from opens2v_hf.models.config_file import read_config
from opens2v_hf.models.damage import damaged_file
from opens2v_hf.models.hub_access import cached_commit, cached_folder, hub_problem, load_arguments
from opens2v_hf.models.info import EMBEDDED, ModelInfo

if TYPE_CHECKING:
    import torch

DEFAULTS_FILE = "opens2v.json"
"""A model's folder may hold this JSON object of default values for the arguments of the class that loads it."""

_EMBEDDED_ROOT = Path(__file__).resolve().parents[1] / "embedded" / "weights"
_EMBEDDED_ALSO = {"subject_embedder": "embedder"}
"""Role to the role whose embedded model serves it, too."""
_WEIGHT_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")
_SETTING_ENDINGS = (".json", ".txt", ".model", ".jinja")
_MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class ResolvedModel:
    """A model that was named by a user, found.

    Attributes:
        role: what the model does for the metric: "embedder", "judge", ...
        name: as results show it: "embedded", the folder as it was given, or the Hub id.
        source: what `from_pretrained` takes: a folder or the Hub id.
        revision: to ask the Hub for; for a folder "sha256:..." of its weights.
        is_local: whether `source` is a folder.
        embedded: whether it is one of the small models of this package.
        defaults: what the folder's `opens2v.json` says; empty without one.
    """

    role: str
    name: str
    source: str
    revision: str | None
    is_local: bool
    embedded: bool
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hub_revision(self) -> str | None:
        """The `revision` argument of `from_pretrained`: None for a folder."""
        return None if self.is_local else self.revision

    def load_arguments(self, filename: str = "config.json") -> dict[str, Any]:
        """Arguments for `from_pretrained`; see `opens2v_hf.models.hub_access.load_arguments`. None for a folder.

        Raises:
            ModelError: the model is on the Hub, not in the local cache, and cannot be had.
        """
        return {} if self.is_local else load_arguments(self.role, self.source, self.revision, filename)

    def info(self, *, dtype: object = None, device: object = None, quantization: str | None = None) -> ModelInfo:
        """Provenance for results; ask after loading, when the commit of a Hub repo is known."""
        revision = self.revision if self.is_local else (cached_commit(self.source, self.revision) or self.revision)
        return ModelInfo(
            role=self.role,
            name=self.name,
            revision=revision,
            dtype=None if dtype is None else str(dtype).removeprefix("torch."),
            device=None if device is None else str(device),
            embedded=self.embedded,
            quantization=quantization,
        )


def resolve_model(name: str | os.PathLike[str], revision: str | None, role: str) -> ResolvedModel:
    """Find the model that a user named. Nothing is loaded or downloaded.

    Args:
        name: "embedded", a folder, or a Hub id ("org/name").
        revision: branch, tag or commit of a Hub repo.
        role: what the model is for; it also names the folder of the embedded model.

    Raises:
        ArgumentError: a revision is given for something that is not on the Hub.
        ModelError: the folder does not exist or holds no weights.
    """
    text = os.fspath(name)
    embedded = text == EMBEDDED
    folder = _embedded_folder(role) if embedded else model_path(text)
    if not embedded and not folder.is_dir():
        if not _is_hub_id(text):
            raise ModelError(
                f"the {role} {text!r} is neither a folder that exists nor a Hub id of the form 'org/name'; "
                f"check the path, or give {EMBEDDED!r} for the small model of this package"
            )
        return ResolvedModel(role, text, text, revision, is_local=False, embedded=False)
    if revision is not None:
        raise ArgumentError(f"a revision belongs to a Hub id, not to {text!r} (got {revision=}); leave it out")
    if embedded and not folder.is_dir():
        raise ModelError(f"this installation has no embedded {role} (no folder {folder}); reinstall opens2v-hf")
    return ResolvedModel(
        role, text, str(folder), weights_sha256(folder), is_local=True, embedded=embedded, defaults=_defaults(folder)
    )


def model_path(text: str) -> Path:
    """A path as the user named it, with `~` for a home folder; unchanged where there is no such user."""
    return Path(os.path.expanduser(text))


def check_available(name: str, revision: str | None, role: str, filename: str = "config.json") -> None:
    """Raise where a model cannot be had: no such folder, or not in the local cache and not to be had from the Hub.

    Args:
        name: as the user named it.
        revision: of a Hub repo.
        role: what the model is for.
        filename: that a Hub repo must hold.

    Raises:
        ModelError: the model cannot be had; the message says why.
    """
    if name == EMBEDDED or model_path(name).exists():
        return
    resolve_model(name, revision, role).load_arguments(filename)


def has_embedded(role: str) -> bool:
    """Whether this installation has an embedded model of a role."""
    return _embedded_folder(role).is_dir()


def _embedded_folder(role: str) -> Path:
    return _EMBEDDED_ROOT / _EMBEDDED_ALSO.get(role, role)


def weights_sha256(folder: str | os.PathLike[str]) -> str:
    """Checksum of the weights in a folder: "sha256:" and a hexadecimal digest.

    For a single weight file that is its own sha256, as `sha256sum` prints it; for several, the sha256 of the lines
    that `sha256sum` prints for them in order of their names.

    Raises:
        ModelError: the folder holds no weight file.
    """
    found = _files_in(Path(folder), _WEIGHT_ENDINGS)
    # A folder that holds the same weights twice is loaded from safetensors, so only those count.
    files = [path for path in found if path.suffix == ".safetensors"] or found
    if not files:
        raise ModelError(f"the folder {os.fspath(folder)!r} holds no weights (none of {', '.join(_WEIGHT_ENDINGS)})")
    digests = [(path.name, file_sha256(path)) for path in files]
    if len(digests) == 1:
        return f"sha256:{digests[0][1]}"
    listing = "".join(f"{digest}  {name}\n" for name, digest in digests)
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


def settings_sha256(folder: str | os.PathLike[str]) -> str:
    """Checksum of a model's settings that change its outputs: configuration, tokenizer, preprocessor.

    The sha256 of the lines that `sha256sum` prints for those files, in order of their names.
    """
    found = _files_in(Path(folder), _SETTING_ENDINGS)
    listing = "".join(f"{file_sha256(path)}  {path.name}\n" for path in found)
    return hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()


@contextmanager
def loading(model: ResolvedModel) -> Iterator[None]:
    """Convert any exception of a library that loads a model in the block to the typed error.

    What a damaged file makes torch, transformers, tokenizers and safetensors raise has no common base, and is not
    documented; Rust libraries even raise a panic, which is no `Exception`.

    Raises:
        ModelError: the model cannot be loaded; the message names the folder and the damaged file, where it is found.
    """
    try:
        with ends_as_errors():
            yield
    except ModelError as error:
        known = (model.name, model.source)
        if any(name in str(error) for name in known):
            raise
        raise ModelError(f"the {model.role} {model.name!r} cannot be loaded: {error}") from error
    except OpenS2VError:
        raise
    except Exception as error:
        raise cannot_load(model, error) from error


def cannot_load(model: ResolvedModel, error: Exception) -> ModelError:
    """The error to raise when a model could not be loaded: which one, which file, why, and what to do."""
    if model.is_local:
        folder: Path | None = Path(model.source)
        hint = "check that the folder holds the config, tokenizer, preprocessor and weight files of this model"
        if model.embedded:
            hint = "reinstall opens2v-hf"
    else:
        folder = cached_folder(model.source, model.revision)
        problem = hub_problem(model.source, model.revision, "config.json")
        hint = (
            f"the local cache may hold only a part of it, and {problem}"
            if problem
            else "check the id and the revision, or delete what the local cache holds of it"
        )
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MAX_REASON_CHARS]
    fault = "" if folder is None else damaged_file(folder)
    if not fault and type(error).__module__.startswith("jinja2"):
        fault = "its chat template (chat_template.jinja, or in tokenizer_config.json) is none"
    if not fault and type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
        hint = "there is not enough memory; take a smaller `dtype=`, or load fewer models together (`memory=low`)"
    where = "" if folder is None else f" from {folder}"
    return ModelError(
        f"the {model.role} {model.name!r} cannot be loaded{where}: {f'{fault}; ' if fault else ''}{reason}; {hint}"
    )


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device to compute on; None or "auto" takes CUDA, then Apple's MPS, then the CPU.

    Processes that were launched together take a CUDA device each, by their index on their machine; where
    `accelerate launch --cpu` is used, "auto" is the CPU.

    Raises:
        ArgumentError: the device is unknown or this machine has none of it.
    """
    import torch

    if device is None or device == "auto":
        if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1", "yes"):
            return torch.device("cpu")
        if torch.cuda.is_available():
            return _own_cuda_device()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ArgumentError(f"device must be 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps' (got {device!r})") from error
    if str(picked) == "cuda" and torch.cuda.is_available():
        return _own_cuda_device()
    if picked.type == "cuda" and (picked.index or 0) >= torch.cuda.device_count():
        raise ArgumentError(
            f"there is no device {str(picked)!r} here ({torch.cuda.device_count()} CUDA devices); use 'auto' or 'cpu'"
        )
    if picked.type == "mps" and not torch.backends.mps.is_available():
        raise ArgumentError("there is no MPS device here; use 'auto' or 'cpu'")
    return picked


def _own_cuda_device() -> torch.device:
    import torch

    local = processes.local_process_index()
    return torch.device("cuda") if local is None else torch.device("cuda", local % torch.cuda.device_count())


def with_placement(model_kwargs: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Arguments of `from_pretrained` that put quantised weights on their device as they are loaded.

    Many kinds of them cannot be moved later. A caller's `device_map` is not changed, and neither are other weights.
    """
    if model_kwargs.get("quantization_config") is not None and "device_map" not in model_kwargs:
        return {**model_kwargs, "device_map": {"": device}}
    return dict(model_kwargs)


def quantization_of(network: Any) -> str | None:
    """The method by which a transformers network was quantised, e.g. "bitsandbytes"; None where it was not."""
    found = getattr(network.config, "quantization_config", None)
    if found is None:
        return None
    method = found.get("quant_method") if isinstance(found, Mapping) else getattr(found, "quant_method", None)
    return str(getattr(method, "value", method or type(found).__name__))


def pick_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The dtype of the weights; None or "auto" takes float16 on CUDA (as released) and float32 elsewhere.

    Raises:
        ArgumentError: the dtype is not one of float16, bfloat16, float32, float64.
    """
    import torch

    if dtype is None or dtype == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    known = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
    picked = known.get(str(dtype).removeprefix("torch."))
    if picked is None:
        raise ArgumentError(f"dtype must be one of {', '.join(known)} (got {dtype!r})")
    return picked


def _is_hub_id(text: str) -> bool:
    """Whether `text` has the form of a Hub id, and not that of a path."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if text.count("/") != 1:
        return False
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


def _defaults(folder: Path) -> dict[str, Any]:
    path = folder / DEFAULTS_FILE
    if not path.is_file():
        return {}
    values = read_config(path, "a model of this package")
    for name, value in values.items():
        if not is_whole(value, 1):
            raise ModelError(f"{path}: {name} must be a whole number from 1 (got {value!r:.40})")
    return values


def _files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    try:
        # Hidden files do not count: macOS writes `._x.json` next to `x.json` on disks of other systems.
        found = (path for path in folder.iterdir() if not path.name.startswith("."))
        return sorted(path for path in found if path.suffix in endings and path.is_file())
    except OSError as error:
        raise ModelError(f"the folder {folder} cannot be listed: {error.strerror or error}") from error


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
