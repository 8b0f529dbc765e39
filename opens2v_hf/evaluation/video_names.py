"""Names of video files, and advice for names that nearly match a sample."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from opens2v_hf._util.text import one_line
from opens2v_hf.results.columns import category_of_id

VIDEO_ENDINGS = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v", ".gif")
"""Endings of files that are taken for videos, before their content is read."""

GENERIC_NAMES = frozenset(
    (
        *("clip", "clips", "eval", "gen", "generated", "generations", "mp4", "mp4s", "out", "output", "outputs"),
        *("pred", "preds", "predictions", "result", "results", "sample", "samples", "video", "videos"),
        *("open-domain", "human-domain", "single-domain"),
    )
)
"""Names of folders that are no names of models."""

_MOST_SHOWN = 5


@dataclass(frozen=True)
class NearMatch:
    """A file whose name nearly matches a sample.

    Attributes:
        file: its path in the folder or repo.
        id: of the sample.
        difference: between name and id, e.g. "suffix '_seed42'".
    """

    file: str
    id: str
    difference: str

    def __str__(self) -> str:
        return f"{one_line(self.file)} looks like {self.id} ({self.difference})"


def is_video_name(name: str) -> bool:
    """Whether the name of a file has the ending of a video."""
    return PurePosixPath(name).suffix.lower() in VIDEO_ENDINGS


def near_matches(files: Iterable[str], ids: Iterable[str]) -> list[NearMatch]:
    """The files whose names nearly match a sample: in another case, with a prefix or suffix, in a subfolder.

    Example:
        >>> [str(near) for near in near_matches(["SingleObj_1.mp4", "singleobj_12_seed42.mp4"], ["singleobj_1"])]
        ["SingleObj_1.mp4 looks like singleobj_1 (case 'SingleObj_1')"]
    """
    by_lower = {sample_id.lower(): sample_id for sample_id in ids}
    if not by_lower:
        return []
    longest_first = sorted(by_lower, key=len, reverse=True)
    # an id must not be part of another word or of a longer number
    pattern = re.compile(rf"(?<![a-z0-9])({'|'.join(map(re.escape, longest_first))})(?![a-z0-9])")
    found = []
    for file in files:
        stem = PurePosixPath(file).stem
        match = pattern.search(stem.lower())
        if match:
            found.append(NearMatch(file, by_lower[match[1]], _difference(file, stem, by_lower[match[1]], match)))
    return found


def _difference(file: str, stem: str, sample_id: str, match: re.Match[str]) -> str:
    before, within, after = stem[: match.start()], stem[match.start() : match.end()], stem[match.end() :]
    differences = []
    if before:
        differences.append(f"prefix '{one_line(before)}'")
    if within != sample_id:
        differences.append(f"case '{within}'")
    if after:
        differences.append(f"suffix '{one_line(after)}'")
    if not is_video_name(file):
        differences.append(f"ending '{one_line(PurePosixPath(file).suffix)}'")
    if "/" in file:
        differences.append("in a subfolder")
    return ", ".join(differences) or "the same name"


def explain_no_match(where: str, files: Sequence[str], deeper: Sequence[str], ids: Sequence[str]) -> str:
    """The error message for a folder or repo without a video of the split.

    Args:
        where: the folder or repo.
        files: in it.
        deeper: files in its subfolders, if those were not searched.
        ids: of the split.
    """
    example = f"{ids[0]}.mp4" if ids else "<id>.mp4"
    parts = [f"{where} holds no video of this split: videos are named after their sample, e.g. {example}"]
    if files:
        parts.append(f"it holds {len(files)} files: {_some(files)}")
    else:
        parts.append("it holds no files")
    exact = [file for file in deeper if is_video_name(file) and PurePosixPath(file).stem in set(ids)]
    near = near_matches(files, ids) or ([] if exact else near_matches(deeper, ids))
    elsewhere = [file for file in files if category_of_id(PurePosixPath(file).stem) is not None]
    if near:
        parts.append(f"{_some([str(match) for match in near], separator=', ')}; {_remedy(near)}")
    if exact:
        parts.append(f"its subfolders hold {len(exact)} of them ({_some(exact)}); search them with `recursive=True`")
    elif deeper and not near:
        parts.append(f"its subfolders hold {len(deeper)} files ({_some(deeper)})")
    if elsewhere and not near and not exact:
        parts.append(f"{_some(elsewhere)} is named like a sample of another split; choose it with `split=`")
    return "; ".join(parts)


def _remedy(near: Sequence[NearMatch]) -> str:
    counts: dict[str, int] = {}
    for match in near:
        counts[match.id] = counts.get(match.id, 0) + 1
    if max(counts.values()) > 1:
        return (
            "several files belong to one sample: make one folder for each variant, with files named <id>.mp4, "
            "and score each folder"
        )
    return "rename or link the files to <id>.mp4"


def _some(items: Sequence[str], separator: str = ", ") -> str:
    shown = separator.join(one_line(item) for item in items[:_MOST_SHOWN])
    return f"{shown}, ... and {len(items) - _MOST_SHOWN} more" if len(items) > _MOST_SHOWN else shown


def files_below(folder: Path, *, most: int | None = None) -> list[str]:
    """Relative paths of the files in the subfolders of a folder, sorted, without hidden files."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(parent).relative_to(folder)
        if inside.parts:
            found += [(inside / name).as_posix() for name in sorted(names) if not name.startswith(".")]
        if most is not None and len(found) >= most:
            return found[:most]
    return found


def model_name(path: str) -> str | None:
    """The name of a model from the path of its videos: the last part that is not as generic as "videos".

    Returns:
        None if all parts are generic.

    Example:
        >>> model_name("/data/wan-14b/videos"), model_name("/videos")
        ('wan-14b', None)
    """
    parts = [part for part in Path(path).parts if part != Path(path).anchor]
    return next((part for part in reversed(parts) if part.lower() not in GENERIC_NAMES), None)
