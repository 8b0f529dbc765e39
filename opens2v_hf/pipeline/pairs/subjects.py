"""The vectors of all units as one table, a row a subject, sorted by clip and subject."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from opens2v_hf._util.files import visible_files
from opens2v_hf.errors import ResultError

FOLDER = "vectors"
"""Of the files, one for each unit, next to the shards."""


@dataclass(frozen=True)
class SubjectTable:
    """Subjects with what pairing needs of them.

    Attributes:
        clip_ids: text [S].
        subject_ids: int32 [S], within the clip.
        labels: text [S].
        image: float16 [S, D], of the cut-outs, unit length.
        text: float16 [S, D], of the labels, likewise.
        frame_phash: uint64 [S], of the clip's annotated frame.
        starts: int32 [S], first frame of the clip in its file.
        ends: int32 [S], the frame after its last.
        files: text [S], name of the source file.
        frame_index: int32 [S], of the annotated frame within the clip.
    """

    clip_ids: np.ndarray
    subject_ids: np.ndarray
    labels: np.ndarray
    image: np.ndarray
    text: np.ndarray
    frame_phash: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    files: np.ndarray
    frame_index: np.ndarray

    def __len__(self) -> int:
        return len(self.clip_ids)

    def take(self, rows: np.ndarray) -> SubjectTable:
        """Some rows, by number or by a bool array."""
        return SubjectTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def clip_numbers(self) -> np.ndarray:
        """int64 [S]: the same for rows of one clip, ascending."""
        return np.unique(self.clip_ids, return_inverse=True)[1]


_ROW_SHAPED = tuple(field.name for field in fields(SubjectTable) if field.name not in ("image", "text"))
_KINDS = {"clip_ids": "U", "labels": "U", "files": "U", "image": "f", "text": "f"}


def read_subjects(folder: Path, clips: Iterable[str] | None = None) -> tuple[SubjectTable, dict[str, int]]:
    """All subjects of a dataset.

    Args:
        folder: of the dataset.
        clips: ids of the clips that the dataset has; vectors of others (made before a stage dropped the clip) are left
            out. None for all.

    Returns:
        The table, sorted by clip id and subject id; and how many rows were left out by reason.

    Raises:
        ResultError: there are no vectors, a file is damaged, two files have other lengths of vectors, or a subject
            comes twice.
    """
    paths = visible_files(folder / FOLDER, "*.npz")
    if not paths:
        raise ResultError(
            f"there are no vectors in {folder / FOLDER}; build the dataset first: its scores stage makes them"
        )
    parts = [_read(path) for path in paths]
    widths = {path.name: part.image.shape[1] for path, part in zip(paths, parts, strict=True) if len(part)}
    if len(set(widths.values())) > 1:
        one, other = next((a, b) for a in widths for b in widths if widths[a] != widths[b])
        raise ResultError(
            f"the vectors of {one} have {widths[one]} numbers and those of {other} {widths[other]}: two embedders made "
            "them; apply the stage 'scores' again to all of the dataset"
        )
    whole = _joined([part for part in parts if len(part)] or parts[:1])
    left_out: Counter[str] = Counter()
    usable = _has_direction(whole.image) & _has_direction(whole.text)
    left_out["no vector"] = int((~usable).sum())
    if clips is not None:
        present = np.isin(whole.clip_ids, np.array(sorted(set(clips)), dtype=np.str_))
        left_out["clip not in the dataset"] = int((usable & ~present).sum())
        usable &= present
    table = whole.take(usable)
    table = table.take(np.lexsort((table.subject_ids, table.clip_ids)))
    _check_unique(table)
    return table, {reason: count for reason, count in left_out.items() if count}


def _read(path: Path) -> SubjectTable:
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [field.name for field in fields(SubjectTable) if field.name not in stored]
            if missing:
                raise ResultError(f"{path} has no array {missing[0]!r}: it holds no vectors of a dataset; remove it")
            arrays = {field.name: stored[field.name] for field in fields(SubjectTable)}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ResultError(f"cannot read {path} ({error}); remove it, and build its unit again") from error
    count = len(arrays["clip_ids"])
    for name, array in arrays.items():
        expected = (count,) if name in _ROW_SHAPED else (count, *arrays["image"].shape[1:2])
        kind = _KINDS.get(name, "iu")
        if array.shape != expected or (array.dtype.kind not in kind):
            raise ResultError(
                f"{path}: {name} is {array.dtype} of shape {array.shape} where {expected} of another kind or length is "
                "expected; remove it, and build its unit again"
            )
    return SubjectTable(**arrays)


def _joined(parts: list[SubjectTable]) -> SubjectTable:
    return SubjectTable(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(SubjectTable)}
    )


def _has_direction(vectors: np.ndarray) -> np.ndarray:
    return np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)


def _check_unique(table: SubjectTable) -> None:
    again = (table.clip_ids[1:] == table.clip_ids[:-1]) & (table.subject_ids[1:] == table.subject_ids[:-1])
    if again.any():
        index = int(np.flatnonzero(again)[0])
        raise ResultError(
            f"subject {table.subject_ids[index]} of the clip {table.clip_ids[index]} has two vectors: two units hold "
            "the same clip; build the dataset again"
        )
