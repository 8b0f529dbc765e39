"""Reading the needed frames of a row, each decoded once and cut to the row's `crop`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from opens2v_hf.data.training.problems import BadVideo
from opens2v_hf.errors import SourceError, VideoError
from opens2v_hf.video.decoded_frame import DecodedFrame, Region


def annotated_frame(row: Mapping[str, Any]) -> int:
    """Index in the file of the frame that masks and boxes belong to: the clip's first (released pipeline)."""
    return row["clip"]["start"]


def crop_of(row: Mapping[str, Any]) -> Region:
    """The part of its video's frames that a row is about."""
    crop = row["crop"]
    return crop["x0"], crop["y0"], crop["x1"], crop["y1"]


def read_frames(row: Mapping[str, Any], indices: Collection[int], take: Callable[[int, np.ndarray], None]) -> None:
    """As `decode_frames`; `take` is called with the frame within `crop`, uint8 [frame_height, frame_width, 3], RGB.

    No later call changes its memory.
    """
    x0, y0, x1, y1 = crop_of(row)
    decode_frames(row, indices, lambda index, frame: take(index, frame.rgb()[y0:y1, x0:x1]))


def decode_frames(row: Mapping[str, Any], indices: Collection[int], take: Callable[[int, DecodedFrame], None]) -> None:
    """Decodes frames of a row's video, one at a time in memory.

    Args:
        row: of the config "regular".
        indices: of the file's frames.
        take: called with the index and the whole frame.

    Raises:
        BadSample: the file is missing or broken, or has no such frames or no such part of a frame.
    """
    crop = row["crop"]
    ascending = sorted(set(indices))
    try:
        with row["video"].open() as video:
            if ascending and ascending[-1] >= video.num_frames:
                raise BadVideo(
                    f"its clip must be within its video of {video.num_frames} frames (got frame {ascending[-1]})"
                )
            if crop["x1"] > video.width or crop["y1"] > video.height:
                raise BadVideo(
                    f"its crop must be within its video of {video.width} x {video.height} pixels (got {dict(crop)})"
                )
            for index, frame in zip(ascending, video.iter_decoded(ascending), strict=True):
                take(index, frame)
    except (VideoError, SourceError) as error:
        raise BadVideo(f"its video cannot be read: {error}") from error
