"""What `evaluate` stores between `add` and `compute` of a sample: prompt, pictures, labels and id."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
from datasets.features.features import register_feature

from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.metrics.reference_input import ReferenceInput


@dataclass
class SampleInput:
    """A feature that takes dicts with any of "prompt", "images" with "labels", and "id"; or a prompt alone.

    Pictures are taken as `ReferenceInput` takes them.
    """

    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    pa_type: ClassVar[Any] = pa.struct([*ReferenceInput.pa_type, pa.field("prompt", pa.string())])
    _type: str = field(default="SampleInput", init=False, repr=False)

    def __call__(self) -> pa.DataType:
        """The Arrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any]:
        """A dict of the Arrow type; raises ArgumentError for what is no such record."""
        record = {"prompt": value} if isinstance(value, str) else value
        if not isinstance(record, Mapping):
            raise ArgumentError(
                "a reference is a dict with 'prompt', 'images', 'labels' and 'id', or a prompt "
                f"(got {type(value).__name__})"
            )
        if unknown := sorted(set(map(str, record)) - {"prompt", "images", "labels", "id"}):
            raise ArgumentError(
                f"a reference has 'prompt', 'images', 'labels' and 'id' (got also {', '.join(unknown)})"
            )
        prompt = record.get("prompt")
        if prompt is not None and not isinstance(prompt, str):
            raise ArgumentError(f"a prompt is a text (got {type(prompt).__name__})")
        of_pictures: dict[str, Any] = {
            key: record.get(key) if record.get(key) is not None else [] for key in ("images", "labels")
        }
        return {**ReferenceInput().encode_example({**of_pictures, "id": record.get("id")}), "prompt": prompt}


with warnings.catch_warnings():
    # datasets calls its registry experimental, which is no news to who scores videos.
    warnings.simplefilter("ignore", UserWarning)
    register_feature(SampleInput, "SampleInput")
