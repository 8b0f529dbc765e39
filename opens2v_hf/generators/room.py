"""Whether a pipeline's weights fit the disk and the memory, checked before they are downloaded."""

from __future__ import annotations

import json
import logging
import os
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opens2v_hf._util import processes
from opens2v_hf._util.memory import free_memory_bytes
from opens2v_hf.errors import ModelError
from opens2v_hf.generators.index_file import PipelineIndex

if TYPE_CHECKING:
    import torch

_LOGGER = logging.getLogger(__name__)

_DTYPE_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8.0),
    **dict.fromkeys(("F32", "I32", "U32"), 4.0),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2.0),
    "F4": 0.5,
}  # of safetensors; one byte for all others
_MAX_HEADER_BYTES = 100 << 20  # of safetensors


@dataclass(frozen=True)
class Room:
    """Sizes of a pipeline's weights, and of the free disk and memory; None where a size is not known.

    Attributes:
        weights_bytes: of the files.
        download_bytes: of those files that are not in the cache.
        loaded_bytes: of the weights in memory, in the dtype that they are loaded in.
        free_disk_bytes: of the disk with the cache.
        free_memory_bytes: of the machine.
        free_gpu_bytes: of the GPU.
        num_copies: how often the weights are loaded into the machine's memory: once by each of its processes.
    """

    weights_bytes: int | None
    download_bytes: int | None
    loaded_bytes: int | None
    free_disk_bytes: int | None
    free_memory_bytes: int
    free_gpu_bytes: int | None
    num_copies: int = 1

    @property
    def fits_gpu(self) -> bool:
        """Whether the weights alone fit the GPU; True if that is not known."""
        return self.loaded_bytes is None or self.free_gpu_bytes is None or self.loaded_bytes <= self.free_gpu_bytes

    def describe(self) -> list[str]:
        """The sizes as text, a line each."""
        if self.weights_bytes is None:
            return ["weights: their size is not known"]
        disk = "" if not self.free_disk_bytes else f", {_gb(self.free_disk_bytes)} free on the disk"
        to_load = f", {_gb(self.download_bytes)} to download{disk}" if self.download_bytes else ""
        lines = [f"weights: {_gb(self.weights_bytes)}{to_load}"]
        if self.loaded_bytes is not None:
            gpu = "" if self.free_gpu_bytes is None else f", {_gb(self.free_gpu_bytes)} on the GPU"
            lines.append(
                f"memory: {_copies(self.num_copies, self.loaded_bytes)} for the weights; "
                f"{_gb(self.free_memory_bytes)} free{gpu}"
            )
        if not self.fits_gpu:
            lines.append("the weights do not fit the GPU: they stay in the machine's memory and take turns on the GPU")
        return lines


def find_room(index: PipelineIndex, device: torch.device, dtype: torch.dtype) -> Room:
    """Compare the sizes of a pipeline's weights with what is free.

    Args:
        index: of the pipeline.
        device: that it is to run on.
        dtype: that its weights are to be loaded in.

    Raises:
        ModelError: the weights do not fit the disk, or those of all processes not the memory.
    """
    missing = None if index.weight_files is None else _missing(index, index.weight_files)
    download = None if missing is None else sum(missing.values())
    room = Room(
        weights_bytes=index.weights_bytes,
        download_bytes=download,
        loaded_bytes=_loaded_bytes(index, dtype),
        free_disk_bytes=None if index.is_local else _free_disk(),
        free_memory_bytes=free_memory_bytes(),
        free_gpu_bytes=_free_gpu(device),
        # The first process of a machine counts the weights of all. A later one may start when others have loaded.
        num_copies=1 if processes.local_process_index() else processes.num_local_processes(),
    )
    if download and room.free_disk_bytes is not None and room.free_disk_bytes < download:
        raise ModelError(
            f"{_gb(download)} of the weights of {index.name!r} must be downloaded and {_gb(room.free_disk_bytes)} are "
            f"free in {_cache()}; make room, or set HF_HUB_CACHE to another disk"
        )
    if room.loaded_bytes is not None and room.num_copies * room.loaded_bytes > room.free_memory_bytes:
        fewer = "start fewer processes, " if room.num_copies > 1 else ""
        raise ModelError(
            f"the weights of {index.name!r} take {_copies(room.num_copies, room.loaded_bytes)} as "
            f"{str(dtype).removeprefix('torch.')} and {_gb(room.free_memory_bytes)} of memory are free; {fewer}"
            "choose a dtype of fewer bytes, or another machine"
        )
    return room


def _missing(index: PipelineIndex, files: Mapping[str, int]) -> dict[str, int]:
    """The files that are not in the cache."""
    if index.is_local:
        return {}
    from huggingface_hub import try_to_load_from_cache

    return {
        path: size
        for path, size in files.items()
        if not isinstance(try_to_load_from_cache(index.name, path, revision=index.revision), str)
    }


def _loaded_bytes(index: PipelineIndex, dtype: torch.dtype) -> int | None:
    """Size of all weights in memory; None if the headers of their files cannot be read."""
    if index.weight_files is None:
        return None
    by_folder: dict[str, list[str]] = {}
    for path in index.weight_files:
        by_folder.setdefault(path.rpartition("/")[0], []).append(path)
    total = 0.0
    for paths in by_folder.values():
        # all files of a network have one dtype
        width = _stored_width(index, paths[0])
        if width is None:
            return None
        total += sum(index.weight_files[path] for path in paths) / width * dtype.itemsize
    return int(total)


def _stored_width(index: PipelineIndex, path: str) -> float | None:
    """Mean bytes of a weight in a safetensors file, of which only the header is read."""
    try:
        header = (
            _local_header(Path(os.path.expanduser(index.name)) / path) if index.is_local else _hub_header(index, path)
        )
        counts: dict[str, int] = {}
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for side in tensor["shape"]:
                    count *= side
                counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + count
    except Exception as error:  # loading the file reports what is wrong with it
        _LOGGER.info("cannot read the header of %s in %s: %s", path, index.name, error)
        return None
    weights = sum(counts.values())
    return sum(count * _DTYPE_BYTES.get(name, 1.0) for name, count in counts.items()) / weights if weights else None


def _local_header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _MAX_HEADER_BYTES:
            raise ValueError(f"the header has {length} bytes")
        found: dict[str, Any] = json.loads(file.read(length))
    return found


def _hub_header(index: PipelineIndex, path: str) -> dict[str, Any]:
    from huggingface_hub import HfApi

    read = HfApi().parse_safetensors_file_metadata(index.name, path, revision=index.revision)
    return {name: {"dtype": tensor.dtype, "shape": tensor.shape} for name, tensor in read.tensors.items()}


def _free_disk() -> int | None:
    for folder in (_cache(), *_cache().parents):
        if folder.is_dir():  # the first download makes the cache
            return shutil.disk_usage(folder).free
    return None


def _free_gpu(device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.mem_get_info(device)[0]


def _cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _copies(count: int, size: int) -> str:
    return f"{count} x {_gb(size)}" if count > 1 else _gb(size)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.1f} MB"
