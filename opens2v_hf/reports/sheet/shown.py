"""The content of a sheet about a sample of OpenS2V-5M: frames, subjects, pairs and views, as pictures and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opens2v_hf.data.images import read_image
from opens2v_hf.data.opens2v5m.shards.blobs import LazyImage, LazyVideo, SubjectMask, read_blob
from opens2v_hf.errors import ArgumentError, ImageError, MaskError, OpenS2VError, SampleError, SourceError, VideoError
from opens2v_hf.masks.apply import cut_out

SCORES = ("technical", "motion", "aesthetic", "foreground_aesthetic", "background_aesthetic")
"""Columns that hold scores of the whole clip."""


@dataclass(frozen=True)
class ShownSubject:
    """Something that was found in the annotated frame."""

    id: int  # within the sample
    label: str  # under which it was found
    box_xyxy: tuple[float, float, float, float]  # in pixels of the frame after `crop`
    mask: np.ndarray | None  # bool [H, W] of the same frame; None if the sample has none or it cannot be decoded
    mask_score: float | None  # of the segmentation model, 0..1
    text_similarity: float | None  # of label and crop
    aesthetic: float | None  # of the crop
    picture: np.ndarray | None  # uint8 [h, w, 4], the subject cut out of the frame; None without a frame or a pixel


@dataclass(frozen=True)
class ShownClip:
    """A row of the config "regular"."""

    id: str  # of the sample
    part: str  # of the dataset
    caption: str  # of the clip
    tags: Mapping[str, tuple[str, ...]]  # words by kind
    scores: Mapping[str, float | None]  # of the clip, by the names of `SCORES`
    clip: tuple[int, int]  # [start, end) in frames of the file
    fps: float  # frames a second
    duration_s: float  # of the clip
    frame_size: tuple[int, int]  # (height, width) after `crop`, in pixels
    frame: np.ndarray | None  # uint8 [H, W, 3], the annotated frame after `crop`; None if the video cannot be read
    # index in the file and uint8 [H, W, 3] of frames of the clip, the annotated one first
    film: tuple[tuple[int, np.ndarray], ...]
    subjects: tuple[ShownSubject, ...]  # in the order of their ids
    background: np.ndarray | None  # uint8 [H, W, 3], the frame with its subjects painted out; None if there is none
    problems: tuple[str, ...]  # why something is not there, a sentence each

    def subject(self, number: int) -> ShownSubject | None:
        """The subject of that id, None if there is none."""
        return next((subject for subject in self.subjects if subject.id == number), None)


@dataclass(frozen=True)
class PairSide:
    """One of the two subjects of a pair."""

    part: str  # of the dataset
    id: str  # of the sample
    label: str  # under which the subject was found
    subject_id: int  # its id within the sample
    picture: np.ndarray | None  # uint8 [h, w, 4], cut out; None if impossible
    missing: str = "no picture"  # why the picture is missing, in a few words


@dataclass(frozen=True)
class ShownPair:
    """The same subject in two clips."""

    own: PairSide
    other: PairSide
    text_similarity: float
    image_similarity: float


@dataclass(frozen=True)
class ShownViews:
    """A row of the config "views": a frame, and a synthesised picture of each of some of its tags."""

    id: str  # of the row
    main: np.ndarray  # uint8 [H, W, 3]
    views: tuple[tuple[str, np.ndarray], ...]  # tag and uint8 [H, W, 3]
    problems: tuple[str, ...] = ()  # what cannot be shown, a sentence each


@dataclass(frozen=True)
class Shown:
    """The content of a sheet."""

    title: str  # above everything
    clip: ShownClip | None = None  # None if only pairs or views are shown
    pairs: tuple[ShownPair, ...] = ()  # with the same subject in other clips
    views: ShownViews | None = None  # None if the sample has none
    notes: tuple[str, ...] = ()  # what was not searched for or is missing, a sentence each


def shown_clip(row: Mapping[str, Any], *, num_frames: int = 8) -> ShownClip:
    """A decoded row of the config "regular".

    A missing part of the row is no error: `problems` has the reason.

    Args:
        row: with `LazyVideo`, `LazyImage` and `SubjectMask` in it, as the dataset yields it.
        num_frames: of the clip that are read, evenly spread from its first to its last; at least 1.

    Raises:
        ArgumentError: `num_frames` is below 1.
        SampleError: the row has nothing where the released records have a value.
    """
    if num_frames < 1:
        raise ArgumentError(f"a sheet shows at least one frame (got {num_frames=})")
    try:
        return _shown_clip(row, num_frames)
    except OpenS2VError:
        raise
    except Exception as error:  # shards may hold anything
        raise SampleError(
            f"the row of {row.get('part')}/{row.get('id')} cannot be used ({type(error).__name__}: {error})"
        ) from error


def _shown_clip(row: Mapping[str, Any], num_frames: int) -> ShownClip:
    problems: list[str] = []
    clip = (row["clip"]["start"], row["clip"]["end"])
    film = _film(row, clip, num_frames, problems)
    frame = film[0][1] if film else None
    return ShownClip(
        id=row["id"],
        part=row["part"],
        caption=row["caption"],
        tags={kind: tuple(words or ()) for kind, words in row["tags"].items()},
        scores={name: row[name] for name in SCORES},
        clip=clip,
        fps=float(row["fps"]),
        duration_s=float(row["duration_s"]),
        frame_size=(row["frame_height"], row["frame_width"]),
        frame=frame,
        film=film,
        subjects=tuple(_subject(subject, frame, problems) for subject in row["subjects"]),
        background=_background(row["background"], problems),
        problems=tuple(problems),
    )


def shown_views(row: Mapping[str, Any]) -> ShownViews:
    """A row of the config "views", its images not decoded.

    Raises:
        ImageError: the frame is broken; a broken view is skipped, and `problems` has the reason.
    """
    main = read_image(read_blob(row["main_image"]), name=f"the frame of the views of {row['id']}")
    views, problems = [], []
    for view in row["views"]:
        try:
            picture = read_image(read_blob(view["image"]), name=f"the view {view['tag']!r} of {row['id']}")
        except (ImageError, SourceError) as error:
            problems.append(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            continue
        views.append((view["tag"], np.asarray(picture)))
    return ShownViews(row["id"], np.asarray(main), tuple(views), tuple(problems))


def film_indices(clip: tuple[int, int], num_frames: int) -> list[int]:
    """Indices of frames that are evenly spread over [start, end), the first and last of it among them.

    >>> film_indices((10, 20), 4)
    [10, 13, 16, 19]
    >>> film_indices((10, 12), 4)
    [10, 11]
    """
    spread = np.linspace(clip[0], clip[1] - 1, num_frames).round().astype(int)
    return sorted({int(index) for index in spread})


def _film(
    row: Mapping[str, Any], clip: tuple[int, int], num_frames: int, problems: list[str]
) -> tuple[tuple[int, np.ndarray], ...]:
    video: LazyVideo | None = row["video"]
    if video is None:
        problems.append("The sample has no video.")
        return ()
    # The first frame of a clip is the one that is annotated (released code v1.1).
    indices = film_indices(clip, num_frames)
    crop = row["crop"]
    try:
        frames = video.frames(indices)[:, crop["y0"] : crop["y1"], crop["x0"] : crop["x1"]]
    except (SourceError, VideoError, ArgumentError) as error:
        problems.append(f"No frames: {error}.")
        return ()
    expected = (row["frame_height"], row["frame_width"])
    if frames.shape[1:3] != expected:
        problems.append(f"No frames: cropped they have {frames.shape[1:3]} pixels (h, w), the masks {expected}.")
        return ()
    return tuple(zip(indices, frames, strict=True))


def _subject(subject: Mapping[str, Any], frame: np.ndarray | None, problems: list[str]) -> ShownSubject:
    stored: SubjectMask | None = subject["mask"]
    mask = picture = None
    if stored is not None:
        try:
            mask = stored.decode()
            if frame is not None and mask.any():
                picture = cut_out(frame, stored.rle, background="transparent")
        except MaskError as error:
            problems.append(f"Mask {subject['id']} ({subject['label']}): {error}.")
    left, top, right, bottom = subject["box"]
    return ShownSubject(
        id=subject["id"],
        label=subject["label"],
        box_xyxy=(left, top, right, bottom),
        mask=mask,
        mask_score=subject["mask_score"],
        text_similarity=subject["text_similarity"],
        aesthetic=subject["aesthetic"],
        picture=picture,
    )


def _background(image: LazyImage | None, problems: list[str]) -> np.ndarray | None:
    if image is None:
        return None
    try:
        return np.asarray(image.load())
    except (SourceError, ImageError) as error:
        problems.append(f"No background: {error}.")
        return None
