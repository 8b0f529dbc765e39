"""Pictures of a subject, read from the shards for verifiers and reports."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.training.problems import BadSample
from opens2v_hf.data.training.read_clip import annotated_frame, read_frames
from opens2v_hf.data.training.row_store import RowStore, key_of, write_locations
from opens2v_hf.errors import SampleError
from opens2v_hf.masks.apply import cut_out


@dataclass(frozen=True)
class SubjectPictures:
    """Pictures of a subject.

    Attributes:
        label: its tag.
        cut_out: uint8 [h, w, 3], the subject on white.
        frame: uint8 [H, W, 3], the annotated frame after its crop.
    """

    label: str
    cut_out: np.ndarray
    frame: np.ndarray


def frame_of(row: Mapping[str, Any]) -> np.ndarray:
    """The annotated frame of a row of the config "regular" after its crop, uint8 [H, W, 3].

    Raises:
        SampleError: its video cannot be read.
    """
    frames: list[np.ndarray] = []
    if row["video"] is None:
        raise SampleError(f"the clip {row['part']}/{row['id']} has no video")
    fresh = {**row, "video": copy.copy(row["video"])}  # a reader is opened once, and reading frames closes it
    try:
        read_frames(fresh, [annotated_frame(row)], lambda _, frame: frames.append(frame))
    except BadSample as error:
        raise SampleError(f"the clip {row['part']}/{row['id']}: {error}") from error
    return np.ascontiguousarray(frames[0])


class PictureStore:
    """Pictures of subjects by clip and subject.

    Args:
        folder: of the dataset.
        work: a folder for an index of its rows, which is replaced.

    Raises:
        SourceError: the shards cannot be read.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="regular", data_dir=str(folder))
        work.mkdir(parents=True, exist_ok=True)
        write_locations(builder, work)
        self._store = RowStore(builder, work)
        self._frame = functools.lru_cache(maxsize=32)(self._read)

    def pictures(self, part: str, clip: str, subject: int) -> SubjectPictures:
        """The pictures of a subject.

        Raises:
            SampleError: the dataset has no such subject, its mask is empty, or its video cannot be read.
            SourceError: a shard cannot be read.
        """
        row, frame = self._frame(part, clip)
        found = next((one for one in row["subjects"] if one["id"] == subject), None)
        if found is None or found["mask"] is None or found["mask"].box is None:
            raise SampleError(f"the clip {part}/{clip} has no subject {subject} with a mask")
        return SubjectPictures(found["label"], cut_out(frame, found["mask"].rle), frame)

    def _read(self, part: str, clip: str) -> tuple[dict[str, Any], np.ndarray]:
        row = self._store.read(key_of(part, clip))
        if row is None:
            raise SampleError(f"the dataset has no clip {part}/{clip}")
        return row, frame_of(row)
