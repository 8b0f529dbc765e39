"""What `evaluate` stores between `add` and `compute` for the references of a video: pictures and labels."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from datasets.features.features import register_feature
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.metrics.pictures import load_picture

_PICTURE = pa.struct({"path": pa.string(), "bytes": pa.binary()})


@dataclass
class ReferenceInput:
    """A feature that takes dicts with "images", "labels" and, if wished, "id".

    A picture is a path, the bytes of a file, a dict with one of them, a PIL image or a uint8 array. Files are not
    opened here, so that one broken picture costs one video and not the whole run.
    """

    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    pa_type: ClassVar[Any] = pa.struct(
        {"images": pa.list_(_PICTURE), "labels": pa.list_(pa.string()), "id": pa.string()}
    )
    _type: str = field(default="ReferenceInput", init=False, repr=False)

    def __call__(self) -> pa.DataType:
        """The Arrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any]:
        """A dict of the Arrow type; raises ArgumentError for what is no such record."""
        if not isinstance(value, Mapping) or not {"images", "labels"} <= set(value):
            raise ArgumentError(f"a reference is a dict with 'images' and 'labels' (got {_shown(value)})")
        if unknown := sorted(set(value) - {"images", "labels", "id"}):
            raise ArgumentError(
                f"a reference has 'images', 'labels' and 'id' (got also {', '.join(map(str, unknown))})"
            )
        for key in ("images", "labels"):
            if not isinstance(value[key], list | tuple):
                raise ArgumentError(f"a reference's {key!r} are a list (got {_shown(value[key])})")
        for label in value["labels"]:
            if label is not None and not isinstance(label, str):
                raise ArgumentError(f"a label is a text (got {label!r})")
        identifier = value.get("id")
        if identifier is not None and not isinstance(identifier, str):
            raise ArgumentError(f"an id is a text (got {identifier!r})")
        return {
            "images": [_stored(picture) for picture in value["images"]],
            "labels": list(value["labels"]),
            "id": identifier,
        }


def exact_pictures(reference: Any) -> Any:
    """A reference whose PIL images are the bytes of PNG files; anything else stays as it is.

    To be applied before `evaluate` stores a reference: it casts what it is given to plain objects first, and would
    store a PIL image in the format that it was read from. For a JPEG that is another, lossy JPEG, which moves scores.
    """
    if not isinstance(reference, Mapping) or not isinstance(reference.get("images"), list | tuple):
        return reference
    images = [_stored(picture) if isinstance(picture, Image.Image) else picture for picture in reference["images"]]
    return {**reference, "images": images}


def _stored(picture: Any) -> dict[str, Any]:
    if isinstance(picture, Mapping):
        return {"path": picture.get("path"), "bytes": picture.get("bytes")}
    if isinstance(picture, Image.Image | np.ndarray):
        buffer = io.BytesIO()
        load_picture(picture).save(buffer, "PNG")
        return {"path": None, "bytes": buffer.getvalue()}
    if isinstance(picture, bytes | bytearray | memoryview):
        return {"path": None, "bytes": bytes(picture)}
    if isinstance(picture, str | os.PathLike):
        return {"path": os.fspath(picture), "bytes": None}
    raise ArgumentError(
        f"a reference picture is a path, the bytes of a file, a PIL image or a uint8 array (got {_shown(picture)})"
    )


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__


with warnings.catch_warnings():
    # datasets calls its registry experimental, which is no news to who scores videos.
    warnings.simplefilter("ignore", UserWarning)
    register_feature(ReferenceInput, "ReferenceInput")
