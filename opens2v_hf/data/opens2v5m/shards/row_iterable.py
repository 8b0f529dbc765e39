"""Streaming rows: tables become Python values a column at a time.

`datasets` turns a stream into rows of a table each and decodes them value by value, which takes longer than reading
them. `RowIterable` gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.features.features import require_decoding
from datasets.iterable_dataset import ArrowExamplesIterable

from opens2v_hf.data.opens2v5m.shards.blobs import SubjectMask
from opens2v_hf.data.opens2v5m.shards.features import MaskFeature

_ROWS_AT_A_TIME = 32


class RowIterable(ArrowExamplesIterable):
    """The rows of a builder's tables, decoded by its features.

    `datasets` takes rows as they are from an iterable whose features are those of the dataset, and tables from its
    `iter_arrow` for all else: formats, `map`, `filter`, a selection of columns.

    Args:
        tables: of the builder; its only argument is "shards".
        features: of the rows.
        token_per_repo_id: as the features need it.
    """

    def __init__(
        self, tables: ArrowExamplesIterable, features: datasets.Features, token_per_repo_id: dict[str, Any]
    ) -> None:
        self.__dict__.update(tables.__dict__)
        self._features = features
        self._token_per_repo_id = token_per_repo_id

    @property
    def features(self) -> datasets.Features:
        """Of the rows."""
        return self._features

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        state = self._state_dict or {"shard_idx": 0, "shard_example_idx": 0}
        for shard in self.kwargs["shards"][state["shard_idx"] :]:
            done, position = state["shard_example_idx"], 0
            for key, table in self.generate_tables_fn(shards=[shard]):
                first = max(0, done - position)
                position += len(table)
                for batch in table.slice(first).to_batches(max_chunksize=_ROWS_AT_A_TIME):
                    for row in self._rows(batch):
                        state["shard_example_idx"] += 1
                        yield key, row
            state["shard_idx"] += 1
            state["shard_example_idx"] = 0

    def _rows(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        columns = [self._decoded(name, values_of(batch.column(name))) for name in batch.schema.names]
        for values in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, values, strict=True))

    def _decoded(self, name: str, values: list[Any]) -> Iterable[Any]:
        feature = self._features[name]
        if isinstance(feature, datasets.List) and _has_masks(feature.feature):
            for subjects in values:
                for subject in subjects or ():
                    if subject["mask"] is not None:
                        subject["mask"] = SubjectMask(subject["mask"])
            return values
        if not require_decoding(feature):
            return values
        # One at a time: pictures are large, and a broken one must not cost the rows before it.
        return (self._features.decode_batch({name: [value]}, self._token_per_repo_id)[name][0] for value in values)

    def shuffle_data_sources(self, generator: np.random.Generator) -> RowIterable:
        """See `datasets`."""
        return self._of(super().shuffle_data_sources(generator))

    def shard_data_sources(self, num_shards: int, index: int, contiguous: bool = True) -> RowIterable:
        """See `datasets`."""
        return self._of(super().shard_data_sources(num_shards, index, contiguous))

    def _of(self, tables: ArrowExamplesIterable) -> RowIterable:
        return RowIterable(tables, self._features, self._token_per_repo_id)

    def __deepcopy__(self, memo: dict[int, Any]) -> ArrowExamplesIterable:
        # `datasets` copies what it joins to other streams, and takes the features of the first for those of all.
        return ArrowExamplesIterable(self.generate_tables_fn, self.kwargs, self.generate_more_kwargs_fn)


def values_of(array: pa.Array) -> list[Any]:
    """The values of an array, as `to_pylist` gives them, in a fraction of its time for nested types.

    >>> values_of(pa.array([{"a": [1.5, 2.5]}, None, {"a": None}]))
    [{'a': [1.5, 2.5]}, None, {'a': None}]
    """
    kind = array.type
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        columns = (values_of(array.field(number)) for number in range(len(names)))
        return _with_nulls(array, [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)])
    if pa.types.is_list(kind):
        offsets = array.offsets.to_numpy().tolist()
        first = offsets[0]
        inner = values_of(array.values.slice(first, offsets[-1] - first))
        lists = [inner[begin - first : end - first] for begin, end in pairwise(offsets)]
        return _with_nulls(array, lists)
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and not array.null_count:
        return array.to_numpy().tolist()
    return array.to_pylist()


def _with_nulls(array: pa.Array, values: list[Any]) -> list[Any]:
    if not array.null_count:
        return values
    return [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist(), strict=True)]


def _has_masks(feature: Any) -> bool:
    """Whether a feature is a dict whose only value that needs decoding is a mask."""
    return isinstance(feature, dict) and isinstance(mask := feature.get("mask"), MaskFeature) and mask.decode
