"""What a unit's outcome follows from, as one digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

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
        reference: what the metric is given of the sample beside the clip.
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
    return _digest(parts)


def model_folders(metric: Metric[Any]) -> dict[str, str]:
    """Role to what a folder holds beside the weights, for models that came from one.

    The revision of such a model is a digest of its weights, and a changed configuration gives other numbers, too. (That
    of a model on the Hub is a commit, and the embedded ones come with the version of this package.)
    """
    folders = {model.role: Path(model.name).expanduser() for model in metric.models if not model.embedded}
    return {role: settings_sha256(folder) for role, folder in folders.items() if folder.is_dir()}


def video_key(video_sha256: str, versions: Mapping[str, str]) -> str:
    """The key of what a video's header says."""
    return _digest({"header": video_sha256, "versions": dict(versions)})


def group_key(video_sha256: str, versions: Mapping[str, str], *, backend: str, metrics: Sequence[str]) -> str:
    """The key of all that is done with a video in one pass."""
    return _digest({"group": video_sha256, "versions": dict(versions), "backend": backend, "metrics": sorted(metrics)})


def setting_with_device_kinds(metric: Metric[Any]) -> dict[str, Any]:
    """See `setting_of`; a GPU gives other numbers than a CPU, but it does not matter which GPU of a machine it is."""
    kinds = [None if model.device is None else model.device.partition(":")[0] for model in metric.models]
    setting = setting_of(metric)
    return {**setting, "models": [{**m, "device": kind} for m, kind in zip(setting["models"], kinds, strict=True)]}


def digest_of(reference: Any) -> str:
    """A digest of a reference's content: files by their bytes and not by their place, arrays by their numbers.

    Args:
        reference: None, numbers, texts, bytes, paths (as `Path`), pictures, arrays, and dataclasses, mappings and
            sequences of these.

    Raises:
        OSError: a file cannot be read.
        TypeError: something in it is of another kind.

    Example:
        >>> digest_of(("a cup", 1)) == digest_of(["a cup", 1]), digest_of("a cup") == digest_of("a hat")
        (True, False)
    """
    return _digest(_told(reference))


def _told(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Path):
        with value.open("rb") as stream:
            return {"bytes": hashlib.file_digest(stream, "sha256").hexdigest()}
    if isinstance(value, os.PathLike):
        return _told(Path(value))
    if isinstance(value, Image.Image):
        return {"picture": [value.mode, value.size, hashlib.sha256(value.tobytes()).hexdigest()]}
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": [str(value.dtype), value.shape, content]}
    if dataclasses.is_dataclass(value):
        return {field.name: _told(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {"mapping": [[_told(key), _told(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_told(item) for item in value]
    raise TypeError(f"a reference is made of texts, numbers, files, pictures and arrays (got {type(value).__name__})")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
