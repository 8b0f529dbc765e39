"""Input of units, video files or shards of a dataset: their clips, and the rows of those that remain."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.parquet as pq

from opens2v_hf._util.files import write_errors
from opens2v_hf.data.opens2v5m.shards.blobs import read_blob
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.data.opens2v5m.shards.schema import BUILD_ONLY, BUILT
from opens2v_hf.data.opens2v5m.shards.tables import conform
from opens2v_hf.errors import OpenS2VError, SourceError, VideoError
from opens2v_hf.masks.rle import RLE
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.faults import CHANGED, rule_of
from opens2v_hf.pipeline.inputs import InputFile, stamp_now
from opens2v_hf.pipeline.records import ClipRecord, SourceFile, Subject
from opens2v_hf.pipeline.rows import row_of, with_video
from opens2v_hf.pipeline.stage import Dropped
from opens2v_hf.pipeline.units import WORK_FOLDER, BuildUnit

OUTPUT = "output"
"""Names the last step, which is no stage, where a clip is dropped by it."""

Drop = Callable[[Dropped], object]

_Vectors = Mapping[tuple[str, int], Sequence[np.ndarray]]


class Reader(Protocol):
    """Gives the clips of units, and makes rows of those that are left."""

    def begin(self, unit: BuildUnit) -> list[ClipRecord]:
        """The clips that the first stage gets.

        Raises:
            OpenS2VError: the unit cannot be read.
        """
        ...

    def rows(self, unit: BuildUnit, clips: Sequence[ClipRecord], drop: Drop) -> Iterator[dict[str, Any]]:
        """The rows of clips, in their order; `drop` gets those of which none can be made."""
        ...

    def end(self, unit: BuildUnit) -> None:
        """Let go of what `begin` has laid out."""
        ...


@dataclass(frozen=True)
class VideoFiles:
    """Units of video files.

    Attributes:
        crf: see `rows.with_video`.
        licence: of all files, if known.
    """

    crf: int
    licence: str | None = None

    def begin(self, unit: BuildUnit) -> list[ClipRecord]:
        """A record a file, of which nothing is known yet."""
        return [
            whole_file(
                SourceFile(file.path, file.name, num_bytes=file.num_bytes, licence=self.licence, stamp=file.stamp)
            )
            for file in unit.files
        ]

    def rows(self, unit: BuildUnit, clips: Sequence[ClipRecord], drop: Drop) -> Iterator[dict[str, Any]]:
        """See `Reader.rows`. Clips of a file that is not the one that was listed any more are dropped."""
        files = {file.name: file for file in unit.files}
        for clip in clips:
            try:
                row = with_video(clip, self.crf)
            except VideoError as error:
                rule = rule_of(error) if _is_as_listed(files[clip.source.name]) else CHANGED
                drop(Dropped(clip.id, OUTPUT, rule, str(error), record=clip))
                continue
            if _is_as_listed(files[clip.source.name]):
                yield row
            else:
                reason = f"{clip.source.name} was changed while it was read; the same command reads it again"
                drop(Dropped(clip.id, OUTPUT, CHANGED, reason, record=clip))

    def end(self, unit: BuildUnit) -> None:
        """Nothing was laid out."""


@dataclass(frozen=True)
class BuiltShards:
    """Units of one shard of a dataset each, to which some stages are applied again.

    Attributes:
        folder: of the dataset that is made; the videos of a unit are laid out there while it is worked on.
        vectors: folder of the vectors that belong to the shards.
    """

    folder: Path
    vectors: str

    def begin(self, unit: BuildUnit) -> list[ClipRecord]:
        """The clips of a shard, with all that it knows of them."""
        folder = self._video_folder(unit)
        shutil.rmtree(folder, ignore_errors=True)
        known = _read_vectors(Path(self.vectors, f"{Path(unit.files[0].name).stem}.npz"))
        clips = []
        with write_errors(folder):
            folder.mkdir(parents=True)
            for number, row in enumerate(_read_rows(unit.files[0])):
                with _row_errors(unit.files[0].name, number):
                    if not isinstance(row["id"], str):
                        raise ValueError("its id is null")
                    content = read_blob(row["video"])
                    path = folder / f"{number:06d}{Path(row['video']['path'] or '').suffix or '.mp4'}"
                    clip = clip_of_row(row, str(path), known)
                path.write_bytes(content)
                clips.append(clip)
        return clips

    def rows(self, unit: BuildUnit, clips: Sequence[ClipRecord], drop: Drop) -> Iterator[dict[str, Any]]:
        """See `Reader.rows`: the stored row, updated with the new results of the stages."""
        left = {clip.id: clip for clip in clips}
        for old in _read_rows(unit.files[0]):
            clip = left.get(old["id"])
            if clip is None:
                continue
            new = row_of(clip)
            for name in _AS_STORED:
                new[name] = old[name]
            new["video"] = {"bytes": read_blob(old["video"]), "path": old["video"]["path"]}
            yield new

    def end(self, unit: BuildUnit) -> None:
        """Remove the videos."""
        shutil.rmtree(self._video_folder(unit), ignore_errors=True)

    def _video_folder(self, unit: BuildUnit) -> Path:
        return self.folder / WORK_FOLDER / "videos" / unit.name


_AS_STORED = (
    "part", "cluster_id", "older_caption", "file_height", "file_width", "source", "licence", "cut", "num_frames",
)  # fmt: skip
"""Columns that no stage after the scenes can change."""


def clip_of_row(row: Mapping[str, Any], path: str, vectors: _Vectors) -> ClipRecord:
    """The clip of a row, as the stages after the scenes take it.

    Args:
        row: of `shards.schema.BUILT`.
        path: of its video.
        vectors: clip id and subject id to image and text vector, for those that have them.
    """
    size = (row["file_height"], row["file_width"])
    crop = row["crop"]
    box = (crop["x0"], crop["y0"], crop["x1"], crop["y1"])
    origin = row["source"] or {"file": row["video"]["path"], "sha256": None}
    scores = row["detection_scores"] or []
    return ClipRecord(
        id=row["id"],
        source=SourceFile(
            path,
            origin["file"],
            sha256=origin["sha256"] or "",
            num_frames=row["cut"]["end"],
            fps=row["fps"],
            size=size,
            licence=row["licence"],
        ),
        start=row["cut"]["start"],
        end=row["cut"]["end"],
        crop_xyxy=None if box == (0, 0, size[1], size[0]) else box,
        caption=row["caption"],
        tags={kind: tuple(words or ()) for kind, words in row["tags"].items()},
        technical=row["technical"],
        motion=row["motion"],
        aesthetic=row["aesthetic"],
        foreground_aesthetic=row["foreground_aesthetic"],
        background_aesthetic=row["background_aesthetic"],
        frame_index=row["clip"]["start"] - row["cut"]["start"],
        subjects=tuple(
            _subject(subject, scores[number] if number < len(scores) else 0.0, vectors.get((row["id"], subject["id"])))
            for number, subject in enumerate(row["subjects"])
        ),
        background_png=b"" if row["background"] is None else read_blob(row["background"]),
        frame_phash=row["frame_phash"],
        clip_phashes=tuple(row["clip_phash"] or ()),
        provenance=json.loads(row["provenance"]) if row["provenance"] else {},
    )


def _subject(stored: Mapping[str, Any], score: float, vectors: Sequence[np.ndarray] | None) -> Subject:
    image, text = (None, None) if vectors is None else vectors
    return Subject(
        id=stored["id"],
        label=stored["label"],
        box_xyxy=tuple(stored["box"]),
        detection_score=score,
        mask=None if stored["mask"] is None else RLE.from_dict(stored["mask"]),
        mask_score=stored["mask_score"],
        text_similarity=stored["text_similarity"],
        aesthetic=stored["aesthetic"],
        image_vector=image,
        text_vector=text,
    )


def _read_rows(file: InputFile) -> Iterator[dict[str, Any]]:
    """The rows of a shard, a row group in memory at a time; columns that it lacks are null."""
    optional = {field.name for field in BUILD_ONLY}
    with parquet_errors(file.name), pq.ParquetFile(os.path.abspath(file.path)) as parquet:
        present = parquet.schema_arrow.names
        if missing := [name for name in BUILT.names if name not in present and name not in optional]:
            raise SourceError(f"{file.name} has no column {missing[0]!r}: it is no shard of OpenS2V-5M")
        columns = [name for name in BUILT.names if name in present]
        for group in range(parquet.num_row_groups):
            table = conform(parquet.read_row_group(group, columns=columns), BUILT)
            for row in table.to_pylist():
                yield {**dict.fromkeys(optional), **row}


@contextmanager
def _row_errors(shard: str, number: int) -> Iterator[None]:
    """Name the row that holds what no row of a dataset holds, e.g. null where a clip has its frames."""
    try:
        yield
    except (OpenS2VError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{shard}, row {number}: is no row of OpenS2V-5M ({type(error).__name__}: {error}); write the dataset again"
        ) from error


def _read_vectors(path: Path) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = [stored[name] for name in ("clip_ids", "subject_ids", "image", "text")]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise SourceError(f"cannot read {path} ({error}); remove it, and apply the stage 'scores' again") from error
    return {
        (str(clip), int(subject)): (image.astype(np.float32), text.astype(np.float32))
        for clip, subject, image, text in zip(*arrays, strict=True)
    }


def _is_as_listed(file: InputFile) -> bool:
    return stamp_now(file) == file.stamp
