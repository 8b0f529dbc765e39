"""The card of the published OpenS2V-5M; its front matter describes the shards to plain `datasets`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCard

from opens2v_hf.data.opens2v5m.shards.convert import MANIFEST
from opens2v_hf.data.opens2v5m.shards.convert_plan import CONFIGS, Videos
from opens2v_hf.data.opens2v5m.shards.features import card_front_matter, plain_datasets_features
from opens2v_hf.data.opens2v5m.shards.schema import EMBEDDED, REFERENCED, stored_schema
from opens2v_hf.data.opens2v5m.shards.tables import SCHEMAS
from opens2v_hf.errors import ResultError

THIS_REPO = "<this repo>"
"""Placeholder in a card for the id of its repo."""

CONVERSION_MARK = "<!-- conversion -->"
"""Placeholder in the card for the summary of the conversion."""


def plain_features(config: str, videos: Videos) -> datasets.Features:
    """The features of a config's shards for plain `datasets`, without feature types of this package.

    Args:
        config: one of `CONFIGS`.
        videos: "embed" for shards that contain video and image files; "reference" for shards that contain their
            addresses.
    """
    schema = stored_schema(SCHEMAS[config], EMBEDDED if videos == "embed" else REFERENCED)
    return plain_datasets_features(schema, config, with_files=videos == "embed")


def front_matter(videos: Videos, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The part of the front matter that depends on the shards; see `card_front_matter`.

    Args:
        videos: as for `plain_features`.
        sizes: rows and bytes of the shards of each config, (0, 0) if unknown.
    """
    return card_front_matter((name, plain_features(name, videos), *sizes[name]) for name in CONFIGS if name in sizes)


def read_manifest(converted: Path) -> dict[str, Any]:
    """The manifest of a converted dataset.

    Raises:
        ResultError: there is none, because the conversion is not finished.
    """
    path = converted / MANIFEST
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(
            f"cannot read {path} ({error}): {converted} must be the output of a finished `opens2v convert`"
        ) from error


def card_of(template: str, converted: Path, repo_id: str) -> str:
    """The card of a converted dataset.

    Args:
        template: the card in `dataset_scripts/opens2v-5m`.
        converted: the output of a finished `opens2v convert`.
        repo_id: of the repo that it will be published in.

    Raises:
        ResultError: the conversion is not finished, or a shard is missing.
    """
    manifest = read_manifest(converted)
    sizes: dict[str, tuple[int, int]] = {}
    for shard in manifest["shards"]:
        path = converted / shard["path"]
        if not path.is_file():
            raise ResultError(f"{path} is missing, but {MANIFEST} lists it; convert again into an empty folder")
        config = shard["path"].split("/")[1]
        rows, num_bytes = sizes.get(config, (0, 0))
        sizes[config] = rows + shard["rows"], num_bytes + path.stat().st_size
    card = DatasetCard(template.replace(THIS_REPO, repo_id).replace(CONVERSION_MARK, _summary(manifest, sizes)))
    for field, value in front_matter(manifest["videos"], sizes).items():
        card.data[field] = value
    return str(card)


def _summary(manifest: Mapping[str, Any], sizes: Mapping[str, tuple[int, int]]) -> str:
    rows = ", ".join(f"{sizes[config][0]:,} rows of `{config}`" for config in CONFIGS if config in sizes)
    files = "hold their videos" if manifest["videos"] == "embed" else "point to their videos"
    source = f" from `{manifest['source']}`" if "://" in manifest["source"] else ""
    left_out = f" {manifest['rejected']:,} malformed records were left out." if manifest["rejected"] else ""
    return f"Converted{source} by {manifest['written_by']}: {rows}. The shards {files}.{left_out}"
