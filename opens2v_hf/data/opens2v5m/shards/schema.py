"""The columns of OpenS2V-5M: one schema for rows of the released layout and of Parquet shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from opens2v_hf.data.opens2v5m.released.records import TAG_KINDS

SPANS = pa.list_(pa.field("item", pa.struct([("url", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])))
"""The location of the bytes of a file: runs of bytes in other files, to be joined."""

BLOB = pa.struct([("path", pa.string()), ("bytes", pa.binary()), ("spans", SPANS)])
"""A file: its bytes, or the spans that hold them, or the path or URL of the whole."""

EMBEDDED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A file in a shard that holds its bytes: as plain `datasets` stores videos and images."""

REFERENCED = pa.struct([("path", pa.string()), ("spans", SPANS)])
"""A file in a shard that only points to it."""

MASK = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])

_INTERVAL = pa.struct([("start", pa.int32()), ("end", pa.int32())])

SUBJECT = pa.struct(
    [
        ("id", pa.int32()),
        ("label", pa.string()),
        ("box", pa.list_(pa.float64())),
        ("mask", MASK),
        ("mask_score", pa.float64()),
        ("text_similarity", pa.float64()),
        ("aesthetic", pa.float64()),
    ]
)

REGULAR = pa.schema(
    [
        ("id", pa.string()),
        ("part", pa.string()),
        ("cluster_id", pa.string()),
        ("caption", pa.string()),
        ("older_caption", pa.string()),
        ("clip", _INTERVAL),
        ("cut", _INTERVAL),
        ("crop", pa.struct([("x0", pa.int32()), ("x1", pa.int32()), ("y0", pa.int32()), ("y1", pa.int32())])),
        ("fps", pa.float64()),
        ("num_frames", pa.int32()),
        ("duration_s", pa.float64()),
        ("file_height", pa.int32()),
        ("file_width", pa.int32()),
        ("frame_height", pa.int32()),
        ("frame_width", pa.int32()),
        ("short_side_px", pa.int32()),
        ("technical", pa.float64()),
        ("motion", pa.float64()),
        ("aesthetic", pa.float64()),
        ("foreground_aesthetic", pa.float64()),
        ("background_aesthetic", pa.float64()),
        ("tags", pa.struct([(kind, pa.list_(pa.string())) for kind in TAG_KINDS])),
        ("frame_index", pa.int32()),
        ("subjects", pa.list_(SUBJECT)),
        ("background", BLOB),
        ("video", BLOB),
    ]
)
"""A row a clip; `records.RegularRecord` describes the columns. `short_side_px` is of the cropped frame."""

BUILD_ONLY = (
    pa.field(
        "source",
        pa.struct(
            [
                ("file", pa.string()),
                ("sha256", pa.string()),
                ("start", pa.int32()),
                ("end", pa.int32()),
                ("start_s", pa.float64()),
                ("end_s", pa.float64()),
            ]
        ),
    ),
    pa.field("provenance", pa.string()),
    pa.field("frame_phash", pa.uint64()),
    pa.field("clip_phash", pa.list_(pa.uint64())),
    pa.field("detection_scores", pa.list_(pa.float64())),
    pa.field("licence", pa.string()),
)
"""The columns that `opens2v build` adds: the file that a clip comes from, its digest and the clip's interval in it
([start, end) in frames, and in seconds); the models and settings of each stage, as JSON; perceptual hashes of the
annotated frame and of the frames at 5, 50 and 95 %; the detector's score of each subject; the licence. All may be
null."""

BUILT = pa.schema([*REGULAR, *BUILD_ONLY])
"""The columns of a clip in a dataset that `opens2v build` made."""

_SIDE = (
    ("id", pa.string()),
    ("part", pa.string()),
    ("subject_id", pa.int32()),
    ("label", pa.string()),
    ("frame_index", pa.int32()),
)

CROSS_PAIRS = pa.schema(
    [
        ("cluster_id", pa.string()),
        *((f"current_{name}", kind) for name, kind in _SIDE),
        *((f"other_{name}", kind) for name, kind in _SIDE),
        ("text_similarity", pa.float64()),
        ("image_similarity", pa.float64()),
    ]
)
"""A row a pair; see `records.CrossPair`."""

VIEWS = pa.schema(
    [
        ("id", pa.string()),
        ("main_image", EMBEDDED),
        ("views", pa.list_(pa.struct([("index", pa.int32()), ("tag", pa.string()), ("image", EMBEDDED)]))),
    ]
)
"""A row a sample: its frame, and a synthesised picture of each of some of its tags."""


def stored_schema(schema: pa.Schema, blob: pa.DataType) -> pa.Schema:
    """The schema with its files stored as `EMBEDDED` or `REFERENCED`."""
    return pa.schema([field.with_type(blob) if field.type == BLOB else field for field in schema])


def to_table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table."""
    return pa.Table.from_pylist(list(rows), schema=schema)
