"""A record of OpenS2V-5M, and its parser for the released JSON (released code v1.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opens2v_hf.errors import MaskError, SampleError, short_repr
from opens2v_hf.masks.rle import RLE


@dataclass(frozen=True)
class AnnotatedSubject:
    """A subject of the annotated frame.

    Attributes:
        id: mask id, 1..n within the record.
        label: the tag that it was detected by.
        box_xyxy: in pixels of the frame after `crop`.
        mask: in the same frame; None where the record has none.
        mask_score: of the segmentation model, 0..1.
        text_similarity: GME similarity of label and crop.
        aesthetic: LAION aesthetic score of the crop, about 1..10.
    """

    id: int
    label: str
    box_xyxy: tuple[float, float, float, float]
    mask: RLE | None
    mask_score: float | None
    text_similarity: float | None
    aesthetic: float | None


@dataclass(frozen=True)
class RegularRecord:
    """A clip with its caption, tags, scores and subjects. Scores that a record lacks are None.

    Attributes:
        id: of the sample.
        part: of the dataset, e.g. "total_part1".
        path: of the video file within its part.
        caption: the one to use (`face_cap_qwen`, else `cap`).
        older_caption: `cap` where the record has both.
        clip: [start, end) in frames of the file: the part to use (`face_cut`, else `cut`).
        cut: [start, end) in frames of the file, of the scene.
        crop: (x0, x1, y0, y1) in pixels of the file's frames.
        fps: frames a second.
        num_frames: of the scene.
        file_size: (height, width) of the file's frames in pixels.
        frame_size: (height, width) after `crop`, to which boxes and masks belong.
        technical: DOVER technical score.
        motion: motion score.
        aesthetic: aesthetic score of the clip.
        foreground_aesthetic: of the frame with nothing but its subjects.
        background_aesthetic: of the frame with its subjects painted out.
        tags: lists of words by kind: background, subject, object, pre_define.
        frame_index: of the annotated frame, as the record counts.
        subjects: in the order of their ids.
    """

    id: str
    part: str
    path: str
    caption: str
    older_caption: str | None
    clip: tuple[int, int]
    cut: tuple[int, int]
    crop: tuple[int, int, int, int]
    fps: float
    num_frames: int
    file_size: tuple[int, int]
    frame_size: tuple[int, int]
    technical: float | None
    motion: float | None
    aesthetic: float | None
    foreground_aesthetic: float | None
    background_aesthetic: float | None
    tags: Mapping[str, tuple[str, ...]]
    frame_index: int
    subjects: tuple[AnnotatedSubject, ...]

    @property
    def duration_s(self) -> float:
        """Of the clip, in seconds."""
        return (self.clip[1] - self.clip[0]) / self.fps


@dataclass(frozen=True)
class PairMember:
    """One side of a cross-video pair."""

    id: str
    part: str
    subject_id: int
    label: str
    frame_index: int


@dataclass(frozen=True)
class CrossPair:
    """The same subject in two clips of a cluster, which may be of different parts.

    Attributes:
        cluster_id: of the cluster.
        current: one side.
        other: the other side ("aft" in the released files).
        text_similarity: GME similarity of the two labels.
        image_similarity: GME similarity of the two crops.
    """

    cluster_id: str
    current: PairMember
    other: PairMember
    text_similarity: float
    image_similarity: float


TAG_KINDS = ("background", "subject", "object", "pre_define")


def cluster_of(sample_id: str) -> str:
    """The cluster of a sample: its id up to "_segment", else up to "_part".

    >>> cluster_of("gm12-36_part2_step1-0-95")
    'gm12-36'
    >>> cluster_of("a_part1_segment3_x")
    'a_part1'
    """
    for mark in ("_segment", "_part"):
        head, found, _ = sample_id.partition(mark)
        if found:
            return head
    return sample_id


def parse_record(sample_id: str, record: Any, part: str) -> RegularRecord:
    """Reads a released record.

    Raises:
        SampleError: a field is missing, or has a value that cannot be. The message names the field.
    """
    fields = _Fields(record, "")
    metadata = fields.child("metadata")
    frame = fields.child("annotation").child("ann_frame_data")
    clip_field = "face_cut" if metadata.has("face_cut") else "cut"
    caption_field = "face_cap_qwen" if metadata.has("face_cap_qwen") else "cap"
    frame_size = (frame.count("img_height", 1), frame.count("img_width", 1))
    fps = metadata.number("fps")
    if not fps > 0:
        raise SampleError(f"metadata.fps must be above 0, got {fps}")
    resolution = metadata.child("resolution")
    if frame.text("box_format") != "xyxy":
        raise SampleError(f"boxes of format {short_repr(frame.text('box_format'))} are unknown, only 'xyxy' is")
    words = fields.child("word_tags")
    crop = metadata.whole_numbers("crop", 4)
    if not (0 <= crop[0] < crop[1] and 0 <= crop[2] < crop[3]):
        raise SampleError(f"metadata.crop must be [x0, x1, y0, y1] with x0 < x1 and y0 < y1, got {list(crop)}")
    path = metadata.text("path")
    if not path or path.startswith("/") or "\\" in path or "\0" in path or ".." in path.split("/"):
        raise SampleError(f"metadata.path must name a file within its part, got {short_repr(path)}")
    frame_index = frame.count("ann_frame_idx", 0)
    return RegularRecord(
        id=sample_id,
        part=part,
        path=path,
        caption=metadata.text(caption_field),
        older_caption=metadata.text("cap") if metadata.has("cap") and caption_field != "cap" else None,
        clip=metadata.interval(clip_field),
        cut=metadata.interval("cut"),
        crop=(crop[0], crop[1], crop[2], crop[3]),
        fps=fps,
        num_frames=metadata.count("num_frames", 1),
        file_size=(resolution.count("height", 1), resolution.count("width", 1)),
        frame_size=frame_size,
        technical=metadata.score("tech"),
        motion=metadata.score("motion"),
        aesthetic=metadata.score("aesthetic"),
        foreground_aesthetic=frame.score("foreground_ase_score"),
        background_aesthetic=frame.score("background_ase_score"),
        tags={kind: words.texts(kind) for kind in TAG_KINDS},
        frame_index=frame_index,
        subjects=_parse_subjects(fields.child("annotation"), frame, frame_index, frame_size),
    )


def parse_pairs(cluster_id: str, pairs: Any) -> Iterator[CrossPair]:
    """Reads the pairs of a cluster.

    Raises:
        SampleError: the list, or a field of a pair, is not as released.
    """
    if not isinstance(pairs, list):
        raise SampleError(f"the pairs of a cluster must be a list, got {short_repr(pairs)}")
    for number, pair in enumerate(pairs):
        fields = _Fields(pair, f"pair {number}")
        yield CrossPair(
            cluster_id=cluster_id,
            current=_parse_member(fields, "cur"),
            other=_parse_member(fields, "aft"),
            text_similarity=fields.number("text_similarity"),
            image_similarity=fields.number("image_similarity"),
        )


def _parse_member(fields: _Fields, side: str) -> PairMember:
    part, found, sample_id = fields.text(f"{side}_id").partition("/")
    if not found:
        raise SampleError(f"{fields.path(f'{side}_id')} must be '<part>/<sample id>', got {short_repr(part)}")
    number = fields.text(f"{side}_class_id")
    # Ids are stored in 32 bits, and Python refuses to convert texts of more than 4,300 digits.
    if not number.isdecimal() or len(number) > 10 or int(number) >= 2**31:
        raise SampleError(f"{fields.path(f'{side}_class_id')} must be a mask id below 2**31, got {short_repr(number)}")
    return PairMember(
        sample_id, part, int(number), fields.text(f"{side}_class_name"), fields.count(f"{side}_frame_idx", 0)
    )


def _parse_subjects(
    annotation: _Fields, frame: _Fields, frame_index: int, frame_size: tuple[int, int]
) -> tuple[AnnotatedSubject, ...]:
    found = frame.get("annotations")
    if not isinstance(found, list):
        raise SampleError(f"{frame.path('annotations')} must be a list, got {short_repr(found)}")
    names = annotation.child("mask_map")
    by_frame = annotation.child("mask_annotation")
    masks = by_frame.child(str(frame_index)) if by_frame.has(str(frame_index)) else None
    subjects = []
    for number, entry in enumerate(found, 1):
        fields = _Fields(entry, frame.path(f"annotations[{number - 1}]"))
        label = fields.text("class_name")
        if names.has(str(number)) and names.child(str(number)).text("class_name") != label:
            raise SampleError(f"{names.path(str(number))} is not the class of annotation {number}, {short_repr(label)}")
        mask, score = None, None
        if masks is not None and masks.has(str(number)):
            mask, score = _parse_mask(masks.child(str(number)), frame_size)
        box = fields.numbers("bbox", 4)
        subjects.append(
            AnnotatedSubject(
                number,
                label,
                (box[0], box[1], box[2], box[3]),
                mask,
                score,
                fields.score("gme_score"),
                fields.score("aes_score"),
            )
        )
    return tuple(subjects)


def _parse_mask(fields: _Fields, frame_size: tuple[int, int]) -> tuple[RLE, float | None]:
    try:
        mask = RLE.from_dict(fields.mapping)
    except MaskError as error:
        raise SampleError(f"{fields.name}: {error}") from error
    if not mask.counts.isascii():
        raise SampleError(f"{fields.name}: a mask's counts must be ASCII")
    if mask.size != frame_size:
        raise SampleError(f"{fields.name} is {mask.size} pixels (h, w), the frame is {frame_size}")
    scores = fields.get("score") if fields.has("score") else None
    if isinstance(scores, list):
        scores = scores[0] if scores else None
    return mask, _Fields({"score": scores}, fields.name).score("score")


class _Fields:
    """A JSON object whose fields are read with their types checked."""

    def __init__(self, value: Any, name: str) -> None:
        self.name = name
        if not isinstance(value, dict):
            raise SampleError(f"{name or 'the record'} must be a JSON object, got {short_repr(value)}")
        self.mapping: dict[str, Any] = value

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def has(self, key: str) -> bool:
        return self.mapping.get(key) is not None

    def get(self, key: str) -> Any:
        value = self.mapping.get(key)
        if value is None:
            raise SampleError(f"{self.path(key)} is missing")
        return value

    def child(self, key: str) -> _Fields:
        return _Fields(self.get(key), self.path(key))

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str):
            raise SampleError(f"{self.path(key)} must be text, got {short_repr(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.mapping.get(key) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise SampleError(f"{self.path(key)} must be a list of texts, got {short_repr(values)}")
        return tuple(values)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        values = self.get(key)
        if not isinstance(values, list) or len(values) != count or not all(_is_finite(value) for value in values):
            raise SampleError(f"{self.path(key)} must be {count} numbers, got {short_repr(values)}")
        return tuple(float(value) for value in values)

    def whole_numbers(self, key: str, count: int) -> tuple[int, ...]:
        values = self.numbers(key, count)
        if not all(value.is_integer() and abs(value) < 2**31 for value in values):
            raise SampleError(f"{self.path(key)} must be {count} whole numbers, got {short_repr(self.get(key))}")
        return tuple(int(value) for value in values)

    def interval(self, key: str) -> tuple[int, int]:
        start, end = self.whole_numbers(key, 2)
        if not 0 <= start < end:
            raise SampleError(f"{self.path(key)} must be [start, end) with 0 <= start < end, got [{start}, {end}]")
        return start, end

    def number(self, key: str) -> float:
        value = self.get(key)
        if not _is_finite(value):
            raise SampleError(f"{self.path(key)} must be a number, got {short_repr(value)}")
        return float(value)

    def score(self, key: str) -> float | None:
        """A number; None where it is missing or NaN, which upstream's models can answer."""
        value = self.mapping.get(key)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        return self.number(key)

    def count(self, key: str, least: int) -> int:
        value = self.number(key)
        if not value.is_integer() or not least <= value < 2**31:
            raise SampleError(f"{self.path(key)} must be a whole number of at least {least}, got {value}")
        return int(value)


def _is_finite(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of float
        return False
