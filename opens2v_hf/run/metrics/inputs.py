"""What `evaluate` stores between `add` and `compute` for a video: its path, or its bytes."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from datasets.features.features import register_feature

from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.metrics.base import video_source


@dataclass
class VideoInput:
    """A feature that takes paths, `Path` objects, bytes and undecoded videos of `datasets`, mixed as one likes.

    Unlike `datasets.Video` it never decodes, and so needs no torchcodec.
    """

    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    pa_type: ClassVar[Any] = pa.struct({"path": pa.string(), "bytes": pa.binary()})
    _type: str = field(default="VideoInput", init=False, repr=False)

    def __call__(self) -> pa.DataType:
        """The Arrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any]:
        """A dict with "path" or "bytes"; raises ArgumentError for what is no video."""
        source = video_source(value)
        if isinstance(source, bytes):
            return {"path": None, "bytes": source}
        path = os.fspath(source)
        if isinstance(path, bytes):
            raise ArgumentError(f"a path is text (got {path!r})")
        return {"path": path, "bytes": None}


with warnings.catch_warnings():
    # datasets calls its registry experimental, which is no news to who scores videos.
    warnings.simplefilter("ignore", UserWarning)
    register_feature(VideoInput, "VideoInput")
