"""The columns as `datasets` features: files and masks decode lazily into the objects of `blobs`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import datasets
import pyarrow as pa
from datasets.features.features import register_feature

from opens2v_hf.data.opens2v5m.shards.blobs import LazyImage, LazyVideo, SubjectMask
from opens2v_hf.data.opens2v5m.shards.schema import BLOB, BUILT, CROSS_PAIRS, MASK, REGULAR, VIEWS

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))
_RELEASED_SIZE = "1M<n<10M"  # where the number of rows is unknown

HUB_PREFIX = "hf://datasets/"


@dataclass
class _BlobFeature:
    decode: bool = field(default=True, repr=False)
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    pa_type: ClassVar[pa.DataType] = BLOB

    def __call__(self) -> pa.DataType:
        """The type in Arrow."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any] | None:
        """The stored form of a value: a dict of the keys of `BLOB`, or an object that was decoded from one."""
        if isinstance(value, str):
            value = {"path": value}
        return None if value is None else {**dict.fromkeys(("path", "bytes", "spans")), **dict(value.items())}

    def cast_storage(self, storage: pa.Array) -> pa.StructArray:
        """Files as any of `BLOB`, `EMBEDDED` and `REFERENCED` store them, as `BLOB` does; bytes are not copied."""
        return to_blob(storage)

    def flatten(self) -> _BlobFeature:
        return self


@dataclass
class VideoFeature(_BlobFeature):
    """A video, decoded lazily to a `LazyVideo`."""

    _type: str = field(default="OpenS2VVideo", init=False, repr=False)

    def decode_example(self, value: dict[str, Any], token_per_repo_id: dict[str, Any] | None = None) -> LazyVideo:
        """The video; nothing is read."""
        blob = _with_list(value)
        return LazyVideo(blob, _token_of(blob, token_per_repo_id))


@dataclass
class ImageFeature(_BlobFeature):
    """A picture, decoded lazily to a `LazyImage`."""

    _type: str = field(default="OpenS2VImage", init=False, repr=False)

    def decode_example(self, value: dict[str, Any], token_per_repo_id: dict[str, Any] | None = None) -> LazyImage:
        """The picture; nothing is read."""
        blob = _with_list(value)
        return LazyImage(blob, _token_of(blob, token_per_repo_id))


@dataclass
class MaskFeature:
    """A mask, decoded lazily to a `SubjectMask`; stored as plain `{size, counts}`."""

    decode: bool = field(default=True, repr=False)
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    pa_type: ClassVar[pa.DataType] = MASK
    _type: str = field(default="OpenS2VMask", init=False, repr=False)

    def __call__(self) -> pa.DataType:
        """The type in Arrow."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any] | None:
        """The stored form of a mask."""
        return value.to_dict() if isinstance(value, SubjectMask) else value

    def decode_example(self, value: dict[str, Any], token_per_repo_id: dict[str, Any] | None = None) -> SubjectMask:
        """The mask; its code is not read."""
        return SubjectMask(value)

    def cast_storage(self, storage: pa.Array) -> pa.Array:
        """Masks as this feature stores them."""
        return storage.cast(MASK)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # `register_feature` calls itself experimental
    for _feature in (VideoFeature, ImageFeature, MaskFeature):
        register_feature(_feature, _feature()._type)


def regular_features() -> datasets.Features:
    """The features of the config "regular"."""
    return _of_clips(REGULAR)


def built_features() -> datasets.Features:
    """The features of the config "regular" of a dataset that `opens2v build` made."""
    return _of_clips(BUILT)


def _of_clips(schema: pa.Schema) -> datasets.Features:
    features = datasets.Features.from_arrow_schema(schema)
    features["video"] = VideoFeature()
    features["background"] = ImageFeature()
    features["subjects"].feature["mask"] = MaskFeature()
    return features


def cross_pairs_features() -> datasets.Features:
    """The features of the config "cross_pairs"."""
    return datasets.Features.from_arrow_schema(CROSS_PAIRS)


def view_features() -> datasets.Features:
    """The features of the config "views"."""
    features = datasets.Features.from_arrow_schema(VIEWS)
    features["main_image"] = datasets.Image()
    features["views"].feature["image"] = datasets.Image()
    return features


def to_blob(storage: pa.Array) -> pa.StructArray:
    """See `_BlobFeature.cast_storage`."""
    if storage.type == BLOB:
        return storage
    if pa.types.is_null(storage.type):
        return pa.nulls(len(storage), BLOB)
    present = {storage.type.field(number).name for number in range(storage.type.num_fields)}
    columns = [
        storage.field(kind.name).cast(kind.type) if kind.name in present else pa.nulls(len(storage), kind.type)
        for kind in BLOB
    ]
    return pa.StructArray.from_arrays(columns, fields=list(BLOB), mask=storage.is_null())


def repo_of(url: str) -> str:
    """The dataset repo of a URL of the Hub.

    >>> repo_of("hf://datasets/org/name@main/data/a.parquet")
    'org/name'
    """
    return "/".join(url.removeprefix(HUB_PREFIX).split("/")[:2]).partition("@")[0]


def _with_list(value: dict[str, Any]) -> dict[str, Any]:
    """A file whose spans are a list: in the formats of NumPy, PyTorch and pandas they are an array."""
    spans = value.get("spans")
    return value if spans is None else {**value, "spans": list(spans)}


def _token_of(value: dict[str, Any], token_per_repo_id: dict[str, Any] | None) -> str | None:
    spans = value.get("spans")
    url = spans[0]["url"] if spans else value.get("path") or ""
    if not token_per_repo_id or not url.startswith(HUB_PREFIX):
        return None
    token = token_per_repo_id.get(repo_of(url))
    return token if isinstance(token, str) else None


def plain_datasets_features(schema: pa.Schema, config: str, *, with_files: bool = True) -> datasets.Features:
    """The features of a config's shards without feature types of this package.

    Args:
        schema: of the shards.
        config: one of `CONFIGS`.
        with_files: whether the shards of "regular" contain the files; videos and images are then those of `datasets`.
    """
    features = datasets.Features.from_arrow_schema(schema.remove_metadata())
    if config == "regular" and with_files:
        features["video"] = datasets.Video()
        features["background"] = datasets.Image()
    if config == "views":
        features["main_image"] = datasets.Image()
        features["views"].feature["image"] = datasets.Image()
    return features


def card_front_matter(configs: Iterable[tuple[str, datasets.Features, int, int]]) -> dict[str, Any]:
    """The part of a card's front matter that plain `datasets` reads.

    Args:
        configs: name, features, rows and bytes of the shards of each config; 0 where these are unknown. The first is
            the one whose rows are counted.

    Returns:
        `size_categories`, `configs` and `dataset_info`.
    """
    entries: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    category = _SIZES[0][1]
    for name, features, rows, num_bytes in configs:
        files = [{"split": "train", "path": f"data/{name}/*.parquet"}]
        entries.append({"config_name": name, **({"default": True} if name == "regular" else {}), "data_files": files})
        info = datasets.DatasetInfo(features=features, config_name=name)
        if num_bytes:
            split = datasets.SplitInfo("train", num_bytes=num_bytes, num_examples=rows)
            info.splits = datasets.SplitDict({"train": split})
            info.download_size = info.dataset_size = num_bytes
        if not infos:
            category = next((size for bound, size in _SIZES if rows < bound), "n>10M") if num_bytes else _RELEASED_SIZE
        infos.append({"config_name": name, **info._to_yaml_dict()})
    return {"size_categories": [category], "configs": entries, "dataset_info": infos}
