"""Storage of inputs by `evaluate` between `add` and `compute`: each video and each reference as one line of JSON.

Paths are stored as they are. Objects in memory (bytes, frames, PIL images, arrays) stay in this process, and
their lines name them: nothing is copied, and no image is encoded in a lossy format.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.base import MemoryVideo
from opens2v_hf.metrics.pictures import bytes_or_path
from opens2v_hf.video.frames_in_memory import ArrayVideo

_NO_LIST = (
    str, bytes, bytearray, memoryview, os.PathLike, io.IOBase, Mapping, Set, Image.Image, ArrayVideo,
)  # fmt: skip

_RECORD_KEYS = ("prompt", "images", "labels", "id", "views")


def as_list(values: Any, name: str, what: str) -> list[Any]:
    """The items of a list, array or other ordered collection.

    Raises:
        ArgumentError: it is a single item, e.g. a path, whose letters would become as many videos; a file, whose lines
            would; a table, whose column names would; or a set, which has no order.

    Example:
        >>> as_list("video.mp4", "predictions", "videos")
        Traceback (most recent call last):
        opens2v_hf.errors.ArgumentError: predictions must be a list of videos (got str); write predictions=[...]
    """
    # an array without dimensions is iterable by its type alone
    is_scalar = getattr(values, "ndim", 1) == 0
    if isinstance(values, _NO_LIST) or hasattr(values, "columns") or is_scalar or not isinstance(values, Iterable):
        raise ArgumentError(f"{name} must be a list of {what} (got {type(values).__name__}); write {name}=[...]")
    return list(values)


class InputStore:
    """Encodes and decodes the inputs of each video.

    Args:
        shared: whether other processes read the lines, which then cannot name objects in memory.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._objects: list[Any] = []

    def clear(self) -> None:
        """Forget the objects."""
        self._objects.clear()

    def video(self, value: Any, where: str) -> str:
        """The line of a video.

        Raises:
            ArgumentError: it is no video.
        """
        stored = self._file(value, where)
        if stored is None and _may_be_frames(value):
            stored = self._object(value, where)
        if stored is None:
            raise ArgumentError(
                f"{where}: a video is a path, the bytes of a file, a dict with 'path' or 'bytes', or frames in memory "
                f"[T, H, W, 3] (got {_shown(value)})"
            )
        return json.dumps(stored)

    def load_video(self, line: str, where: str, fps: float | None) -> Any:
        """Inverse of `video`; frames in memory have their rate.

        Raises:
            ArgumentError: frames in memory have no rate.
        """
        value = self._loaded(json.loads(line))
        if isinstance(value, str | bytes | ArrayVideo):
            return value
        if fps is None:
            raise ArgumentError(f"{where} is frames in memory, which need a rate; give fps=, e.g. fps=16")
        return MemoryVideo(value, fps, f"<{where}>")

    def record(self, value: Any, where: str, need: str, metric: str) -> str:
        """The line of a reference.

        Args:
            value: a dict with any of "prompt", "images" with "labels" and "views", and "id"; or a prompt alone.
            where: it was given, for messages.
            need: what the metric needs of it: see `opens2v_hf.metrics.arguments`.
            metric: that it is for.

        Raises:
            ArgumentError: it is none of these, or what the metric needs is missing.
        """
        given = {"prompt": value} if isinstance(value, str) and need != "images" else value
        if not isinstance(given, Mapping):
            expected = {"prompt": "a prompt, or a dict with 'prompt'", "images": "a dict with 'images' and 'labels'"}
            raise ArgumentError(
                f"{where}: a reference of {metric} is "
                f"{expected.get(need, 'a prompt, or a dict with prompt, images, labels and id')} (got {_shown(value)})"
            )
        if unknown := sorted(set(map(str, given)) - set(_RECORD_KEYS)):
            raise ArgumentError(
                f"{where}: a reference has {', '.join(map(repr, _RECORD_KEYS))} (got also {', '.join(unknown)})"
            )
        for key in ("prompt", "id"):
            if given.get(key) is not None and not isinstance(given[key], str):
                raise ArgumentError(f"{where}: {key!r} must be a text (got {_shown(given[key])})")
        if need == "prompt" and not (given.get("prompt") or "").strip():
            raise ArgumentError(f"{where}: {metric} compares a video with its prompt, and there is none")
        if need == "images" and (missing := [key for key in ("images", "labels") if given.get(key) is None]):
            raise ArgumentError(f"{where}: {metric} needs 'images' with 'labels' (missing: {', '.join(missing)})")
        images, labels = (self._column(given.get(key), key, where) for key in ("images", "labels"))
        if len(images) != len(labels):
            raise ArgumentError(f"{where}: each image has one label (got {len(images)} images, {len(labels)} labels)")
        for position, label in enumerate(labels):
            if not isinstance(label, str) or not label.strip():
                raise ArgumentError(f"{where}: image {position} has no label (got {_shown(label)})")
        stored = [self._image(image, f"{where}: image {position}") for position, image in enumerate(images)]
        views = [
            [
                self._image(view, f"{where}: view {number} of image {position}")
                for number, view in enumerate(self._column(of_one, "views", where))
            ]
            for position, of_one in enumerate(self._column(given.get("views"), "views", where))
        ]
        record = {"prompt": given.get("prompt"), "images": stored, "labels": labels, "id": given.get("id")}
        return json.dumps({**record, "views": views})

    def load_record(self, line: str) -> dict[str, Any]:
        """Inverse of `record`, with all keys; "images" are paths, bytes, PIL images or arrays."""
        record = json.loads(line)
        images = [self._loaded(image) for image in record["images"]]
        return {**record, "images": images, "views": [[self._loaded(view) for view in of] for of in record["views"]]}

    def _column(self, values: Any, key: str, where: str) -> list[Any]:
        if not isinstance(values, list | tuple | None):
            raise ArgumentError(f"{where}: {key!r} must be a list (got {_shown(values)})")
        return list(values or ())

    def _image(self, value: Any, where: str) -> dict[str, Any]:
        stored = self._file(value, where)
        if stored is None and isinstance(value, Image.Image | np.ndarray):
            stored = self._object(value, where)
        if stored is None:
            raise ArgumentError(
                f"{where} is a path, the bytes of a file, a PIL image or a uint8 array (got {_shown(value)})"
            )
        return stored

    def _file(self, value: Any, where: str) -> dict[str, Any] | None:
        """The stored form of a path or the bytes of a file; None for anything else."""
        if isinstance(value, Mapping):
            value = bytes_or_path(value, where)
        if isinstance(value, str | os.PathLike):
            if not (path := os.fsdecode(value)):
                raise ArgumentError(f"{where}: a path must not be empty (got '')")
            return {"path": path}
        if not isinstance(value, bytes | bytearray | memoryview):
            return None
        if self._shared:
            return {"base64": base64.b64encode(value).decode("ascii")}
        return self._object(bytes(value), where)

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        if self._shared:
            raise ArgumentError(
                f"{where} is in the memory of one process, and num_process > 1 shares inputs by files; give a path or "
                "the bytes of a file, or use `accelerate launch` without num_process"
            )
        self._objects.append(value)
        return {"object": len(self._objects) - 1}

    def _loaded(self, stored: Mapping[str, Any]) -> Any:
        if "object" in stored:
            return self._objects[stored["object"]]
        return base64.b64decode(stored["base64"]) if "base64" in stored else stored["path"]


def _may_be_frames(value: Any) -> bool:
    """Whether a value has the form of a video in memory; its frames are checked when it is scored."""
    if isinstance(value, ArrayVideo):
        return True
    if isinstance(value, list | tuple):
        return not value or isinstance(value[0], Image.Image) or hasattr(value[0], "shape")
    return len(_shape(value)) == 4


def _shape(value: Any) -> list[Any]:
    try:
        return list(value.shape)
    except (AttributeError, TypeError):  # no shape, or an attribute with another meaning
        return []


def _shown(value: Any) -> str:
    if isinstance(value, str | int | float | None):
        return repr(value)
    shape = _shape(value)
    return type(value).__name__ + (f" {shape}" if shape else "")
