"""A LoRA on top of a pipeline, e.g. the IC-LoRA that LTX-2 needs to use references."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.files import visible_files
from opens2v_hf._util.text import reason_of
from opens2v_hf.errors import ModelError

_ENDING = ".safetensors"


@dataclass(frozen=True)
class Lora:
    """A LoRA on the Hub or on this machine.

    Attributes:
        name: Hub id or path, as the user gave it.
        repo: Hub id, or the folder of the file.
        weight_name: of its file.
        revision: commit of a Hub repo; of a local file "sha256:" and its digest.
        is_local: whether it is on this machine.
    """

    name: str
    repo: str
    weight_name: str
    revision: str
    is_local: bool


def find_lora(name: str) -> Lora:
    """Find a LoRA without downloading it.

    Args:
        name: "org/name", "org/name/file.safetensors", "org/name@revision", a file, or a folder with one such file.

    Raises:
        ModelError: there is no such LoRA, or it is not clear which file it is.
    """
    path = Path(os.path.expanduser(name))
    if os.path.exists(path):  # pathlib raises for a name that is too long
        files = [path] if path.is_file() else visible_files(path, f"*{_ENDING}")
        chosen = _only([str(file) for file in files], name)
        digest = hashlib.sha256(Path(chosen).read_bytes()).hexdigest()
        return Lora(name, str(Path(chosen).parent), Path(chosen).name, f"sha256:{digest}", True)
    on_hub, _, revision = name.partition("@")
    parts = on_hub.split("/")
    repo, inside = "/".join(parts[:2]), "/".join(parts[2:])
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        info = HfApi().model_info(repo, revision=revision or None)
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(
            f"the LoRA {name!r} is no file or folder here, and cannot be read from the Hub: {reason_of(error)}"
        ) from error
    files_there = [file.rfilename for file in info.siblings or [] if file.rfilename.endswith(_ENDING)]
    chosen = _only([file for file in files_there if not inside or file == inside], name)
    return Lora(name, repo, chosen, str(info.sha), False)


def add_lora(pipeline: Any, lora: Lora) -> None:
    """Load a LoRA into a pipeline.

    Raises:
        ModelError: the pipeline takes none, or it belongs to another network.
    """
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"{type(pipeline).__name__} takes no LoRA; leave {lora.name!r} out")
    revision = {} if lora.is_local else {"revision": lora.revision}
    try:
        pipeline.load_lora_weights(lora.repo, weight_name=lora.weight_name, adapter_name="lora", **revision)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
        raise ModelError(
            f"the LoRA {lora.name!r} cannot be loaded into {type(pipeline).__name__}: {reason_of(error)}"
        ) from error
    if "lora" not in {each for adapters in pipeline.get_list_adapters().values() for each in adapters}:
        raise ModelError(f"no weight of the LoRA {lora.name!r} belongs to {type(pipeline).__name__}")


def _only(files: list[str], name: str) -> str:
    if len(files) != 1:
        listed = ", ".join(file.rpartition("/")[2] for file in files[:5]) or "none"
        raise ModelError(
            f"the LoRA {name!r} must be one {_ENDING} file (found {listed}); name it, as org/name/file{_ENDING}"
        )
    return files[0]
