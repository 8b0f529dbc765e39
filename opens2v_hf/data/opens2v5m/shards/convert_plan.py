"""The plan of a conversion: which rows go to which shard, before any is read.

A unit is a byte range of a released JSON file, or some samples with views, and becomes one shard (none if it has no
row). Which rows it holds depends on nothing but the released files, so that units can be done in any order, by any
number of processes, again after a crash, and give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.data.opens2v5m.released.json_stream import byte_ranges
from opens2v_hf.data.opens2v5m.released.samples import JsonFile, ReleasedLayout
from opens2v_hf.errors import ArgumentError

Videos = Literal["embed", "reference"]
CONFIGS = ("regular", "cross_pairs", "views")

DEFAULT_JSON_STEP = {"embed": 8 << 20, "reference": 256 << 20}
"""Bytes of JSON in a shard. A record has some 100 KB of JSON and its video some 3 MB: shards of some 250 MB."""

PAIRS_STEP = 128 << 20
VIEWS_STEP = 64


@dataclass(frozen=True)
class Unit:
    """The source of one shard.

    Attributes:
        config: one of `CONFIGS`.
        name: of the shard below data/<config>/.
        file: the JSON file; None for views.
        start: of the range in bytes, or in samples with views.
        stop: its end.
    """

    config: str
    name: str
    file: JsonFile | None
    start: int
    stop: int

    @property
    def shard(self) -> str:
        """The path of the shard in the converted dataset."""
        return f"data/{self.config}/{self.name}.parquet"


@dataclass(frozen=True)
class Plan:
    """A conversion.

    Attributes:
        layout: what is converted.
        videos: "embed" puts the files into the shards, "reference" stores their paths or URLs.
        url_base: with "reference", what pointers begin with instead of the layout's own root.
        units: in the order of the rows.
        fingerprint: changes with what is converted and how.
    """

    layout: ReleasedLayout
    videos: Videos
    url_base: str | None
    units: tuple[Unit, ...]
    fingerprint: str


@checked
def plan_conversion(
    layout: ReleasedLayout,
    *,
    videos: Videos = "embed",
    url_base: str | None = None,
    configs: tuple[str, ...] = CONFIGS,
    parts: tuple[str, ...] | None = None,
    json_step: int | None = None,
) -> Plan:
    """Plans a conversion.

    Args:
        layout: what is converted.
        videos: "embed" or "reference".
        url_base: with "reference", what pointers begin with instead of the layout's root, e.g.
            "hf://datasets/BestWishYsh/OpenS2V-5M" for a local copy of it.
        configs: which of `CONFIGS`.
        parts: names of the parts, None for all.
        json_step: bytes of JSON in a shard of regular records.

    Raises:
        ArgumentError: an argument has no such value, or the layout no such part.
    """
    if videos not in DEFAULT_JSON_STEP:
        raise ArgumentError(f"videos must be 'embed' or 'reference' (got {videos=})")
    if url_base is not None and videos != "reference":
        raise ArgumentError("url_base must be given with videos='reference' only; with 'embed' no file is referenced")
    root = layout.location.root
    if videos == "reference" and url_base is None and shown_url(root) != root:
        raise ArgumentError(
            f"pointers must not hold the user and password of {shown_url(root)}; give url_base for them"
        )
    if unknown := set(configs) - set(CONFIGS):
        raise ArgumentError(f"there is no config {sorted(unknown)[0]!r}; there are {', '.join(CONFIGS)}")
    names = [part.name for part in layout.parts]
    if unknown := set(parts or ()) - set(names):
        raise ArgumentError(f"there is no part {sorted(unknown)[0]!r}; there are {', '.join(names)}")
    step = DEFAULT_JSON_STEP[videos] if json_step is None else json_step
    units: list[Unit] = []
    if "regular" in configs:
        for part in layout.parts:
            if parts is None or part.name in parts:
                units += _units("regular", part.name, part, byte_ranges(part.size, step))
    if "cross_pairs" in configs:
        for file in layout.pairs:
            units += _units("cross_pairs", file.name, file, byte_ranges(file.size, PAIRS_STEP))
    if "views" in configs:
        units += _units("views", "views", None, view_ranges(layout))
    described = {
        "videos": videos,
        "root": url_base or root,
        "units": [asdict(unit) for unit in units],
        "views": layout.view_ids() if "views" in configs else [],
    }
    fingerprint = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return Plan(layout, videos, url_base, tuple(units), fingerprint)


def view_ranges(layout: ReleasedLayout) -> list[tuple[int, int]]:
    """The samples with views in ranges, one for each shard."""
    count = len(layout.view_ids())
    return byte_ranges(count, VIEWS_STEP) if count else []


def _units(config: str, name: str, file: JsonFile | None, ranges: list[tuple[int, int]]) -> list[Unit]:
    return [
        Unit(config, f"{name}-{number:05d}-of-{len(ranges):05d}", file, start, stop)
        for number, (start, stop) in enumerate(ranges)
    ]
