"""Keys of units: digests of everything that decides an outcome."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.jobs.unit import digest
from opens2v_hf.metrics.base import Metric, setting_of
from opens2v_hf.models.hub import settings_sha256


def unit_key(
    metric: Metric[Any],
    reference: Any,
    *,
    sample_id: str,
    video_sha256: str,
    versions: Mapping[str, str],
    folders: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The key of one metric's outcome for one sample.

    Args:
        metric: with its models loaded.
        reference: second argument of the metric, from the sample.
        sample_id: of the sample.
        video_sha256: of the video's bytes.
        versions: of the libraries that compute.
        folders: see `model_folders`.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: a file that the reference names cannot be read.
    """
    parts = {
        "setting": setting_with_device_kinds(metric),
        "reference": digest_of(reference),
        "sample": sample_id,
        "video": video_sha256,
        "versions": dict(versions),
        "folders": dict(folders),
    }
    return digest(parts)


def model_folders(metric: Metric[Any]) -> dict[str, str]:
    """Role to digest of the files of a folder other than weights, for models that were loaded from one.

    The revision of such a model is a digest of its weights only, and another configuration gives other numbers. (The
    revision of a model on the Hub is a commit; the embedded ones belong to the version of this package.)
    """
    folders = {model.role: Path(os.path.expanduser(model.name)) for model in metric.models if not model.embedded}
    return {role: settings_sha256(folder) for role, folder in folders.items() if folder.is_dir()}


def video_key(video_sha256: str, versions: Mapping[str, str]) -> str:
    """The key of the header of a video."""
    return digest({"header": video_sha256, "versions": dict(versions)})


def group_key(video_sha256: str, versions: Mapping[str, str], *, backend: str, metrics: Sequence[str]) -> str:
    """The key of a video in one pass."""
    return digest({"group": video_sha256, "versions": dict(versions), "backend": backend, "metrics": sorted(metrics)})


def setting_with_device_kinds(metric: Metric[Any]) -> dict[str, Any]:
    """`setting_of` with the kind of each device: a GPU gives other numbers than a CPU, whichever GPU it is."""
    kinds = [None if model.device is None else model.device.partition(":")[0] for model in metric.models]
    setting = setting_of(metric)
    return {**setting, "models": [{**m, "device": kind} for m, kind in zip(setting["models"], kinds, strict=True)]}


def digest_of(reference: Any) -> str:
    """A digest of the content of a reference: files by their bytes, not by their path, and arrays by their numbers.

    Args:
        reference: None, numbers, texts, bytes, paths (as `Path`), pictures, arrays, and dataclasses, mappings and
            sequences of these.

    Raises:
        OSError: a file cannot be read.
        TypeError: it contains another type.

    Example:
        >>> digest_of(("a cup", 1)) == digest_of(["a cup", 1]), digest_of("a cup") == digest_of("a hat")
        (True, False)
    """
    return digest(_content(reference))


def files_in(reference: Any) -> Iterator[Path]:
    """The files that a reference names; see `digest_of`."""
    if isinstance(reference, os.PathLike):
        yield Path(reference)
    elif dataclasses.is_dataclass(reference):
        for field in dataclasses.fields(reference):
            yield from files_in(getattr(reference, field.name))
    elif isinstance(reference, Mapping):
        yield from files_in(list(reference.values()))
    elif isinstance(reference, list | tuple):
        for item in reference:
            yield from files_in(item)


def _content(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Path):
        with value.open("rb") as stream:
            return {"bytes": hashlib.file_digest(stream, "sha256").hexdigest()}
    if isinstance(value, os.PathLike):
        return _content(Path(value))
    if isinstance(value, Image.Image):
        return {"picture": [value.mode, value.size, hashlib.sha256(value.tobytes()).hexdigest()]}
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": [str(value.dtype), value.shape, content]}
    if dataclasses.is_dataclass(value):
        return {field.name: _content(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {"mapping": [[_content(key), _content(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    raise TypeError(
        f"a reference must consist of texts, numbers, files, pictures and arrays (got {type(value).__name__})"
    )
