"""Finding the one file that holds a face model's weights: in a folder, by its own path, embedded, or on the Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.hub import ResolvedModel, cached_commit, file_sha256, model_path, resolve_model
from opens2v_hf.models.info import EMBEDDED, ModelInfo
from opens2v_hf.models.roles import OPENS2V_WEIGHTS
from opens2v_hf.models.weights import download_weights

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
_NAMED_KEYS = 6  # in an error message


@dataclass(frozen=True)
class WeightsFile:
    """A model's file, found.

    Attributes:
        role: what the model does for the metric.
        name: as results show it.
        path: of the file on this machine.
        revision: commit of the Hub repo, or "sha256:..." of the file.
        config: the configuration beside it; None where there is none.
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

    def info(self, *, dtype: str | None, device: str) -> ModelInfo:
        """Provenance for results."""
        return ModelInfo(self.role, self.name, self.revision, dtype, device, self.embedded)


def find_weights(
    model: str | os.PathLike[str],
    revision: str | None,
    role: str,
    *,
    released_file: str,
    endings: Sequence[str],
    filename: str | None = None,
) -> WeightsFile:
    """Find a model's file; from the Hub it is downloaded.

    Args:
        model: "embedded", a file, a folder, or a Hub id.
        revision: branch, tag or commit of a Hub repo.
        role: what the model is for.
        released_file: path of the file in `OPENS2V_WEIGHTS`; looked for in folders, too.
        endings: of files that can hold such a model, as ".safetensors".
        filename: in a folder or repo, where it is not the usual one.

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
        chosen = _in_folder(path, role, released_file, endings, filename)
        return WeightsFile(role, text, chosen, _revision_of(chosen), _config_beside(chosen))
    found = resolve_model(text, revision, role)
    if found.is_local:
        folder = Path(found.source)
        return WeightsFile(
            role, text, folder / WEIGHTS_NAME, found.revision, folder / CONFIG_NAME, embedded=found.embedded
        )
    is_released = text == OPENS2V_WEIGHTS and filename is None
    wanted = released_file if is_released else filename or WEIGHTS_NAME
    path = download_weights(found, wanted)
    config = None if is_released else download_weights(found, CONFIG_NAME)
    return WeightsFile(role, text, path, cached_commit(text, revision, filename=wanted) or revision, config)


def fit_weights(network: nn.Module, weights: Mapping[str, Tensor], *, source: Path, what: str) -> None:
    """Give a network its weights, in their own dtype; all that it needs must be there, other tensors are left aside.

    Args:
        network: may be on the meta device, where making it costs nothing.
        weights: by key.
        source: of the weights, for messages.
        what: the network is, for messages.

    Raises:
        ModelError: keys are missing or have another shape; the message names some.
    """
    expected = {key: value.shape for key, value in network.state_dict().items()}
    wrong = [key for key, shape in expected.items() if key not in weights or weights[key].shape != shape]
    if wrong:
        shown = ", ".join(wrong[:_NAMED_KEYS]) + (" ..." if len(wrong) > _NAMED_KEYS else "")
        raise ModelError(
            f"{source} is no {what} of this size: {len(wrong)} of its {len(expected)} tensors are missing or have "
            f"another shape ({shown}); weights and config.json belong together"
        )
    network.load_state_dict({key: weights[key] for key in expected}, assign=True)


def _in_folder(folder: Path, role: str, released_file: str, endings: Sequence[str], filename: str | None) -> Path:
    if filename is not None:
        if not (folder / filename).is_file():
            raise ModelError(f"there is no file {filename} in {folder}")
        return folder / filename
    for usual in (WEIGHTS_NAME, released_file, Path(released_file).name):
        if (folder / usual).is_file() and Path(usual).suffix in endings:
            return folder / usual
    files = sorted(path for path in folder.glob("[!.]*") if path.suffix in endings and path.is_file())
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise ModelError(
            f"{folder} does not tell which file is the {role.replace('_', ' ')}: neither {released_file} nor one "
            f"single file with an ending of {', '.join(endings)} (found: {names}); give the file itself"
        )
    return files[0]


def _config_beside(path: Path) -> Path | None:
    beside = path.parent / CONFIG_NAME
    return beside if beside.is_file() else None


def _revision_of(path: Path) -> str:
    return f"sha256:{file_sha256(path)}"
