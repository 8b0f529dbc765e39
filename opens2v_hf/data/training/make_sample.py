"""From a row to a training sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from opens2v_hf.data.opens2v5m.shards.blobs import LazyVideo
from opens2v_hf.data.training.choose_subjects import SubjectRule
from opens2v_hf.data.training.clip_frames import FrameRule
from opens2v_hf.data.training.cut_subjects import cut_subject
from opens2v_hf.data.training.fit_frames import Resize
from opens2v_hf.data.training.pair_index import PairIndex
from opens2v_hf.data.training.problems import BadBackground, BadPartner, BadSample, NoSubject
from opens2v_hf.data.training.randomness import generator
from opens2v_hf.data.training.read_clip import annotated_frame, crop_of, decode_frames, read_frames
from opens2v_hf.data.training.sample import ConsumerPosition, SubjectPicture, TrainingSample, channels_first
from opens2v_hf.errors import ArgumentError, ImageError, SourceError
from opens2v_hf.video.decoded_frame import DecodedFrame

COLUMNS = ("id", "part", "caption", "clip", "crop", "frame_height", "frame_width", "tags", "subjects", "video")
"""The columns of a row that a sample needs; "background" too where the view has backgrounds."""

Row = dict[str, Any]
Depicted = Callable[[Row], tuple[Row, np.ndarray, int]]


@dataclass(frozen=True)
class SampleMaker:
    """Makes samples; random choices depend on the seed, the epoch and the sample's part and id alone.

    Attributes:
        frames: which of the clip.
        resize: to the size of the clip and background.
        subjects: which are shown, and how.
        pairs: where pictures come from other clips, else None.
        background: whether samples have one.
        seed: of the random choices.
    """

    frames: FrameRule
    resize: Resize
    subjects: SubjectRule
    pairs: PairIndex | None
    background: bool
    seed: int

    def make(self, row: Row, position: ConsumerPosition, drop: Callable[[BadSample], None]) -> TrainingSample | None:
        """The sample of a row.

        Args:
            row: of the config "regular".
            position: after the row.
            drop: called for each subject that cannot be shown; raises the error where that makes the sample bad.

        Returns:
            None where pictures should come from other clips and no pair names the sample.

        Raises:
            BadSample: there can be no sample.
            ArgumentError: the row's video is not what the builder gives.
        """
        if not isinstance(row["video"], LazyVideo):
            raise ArgumentError("the dataset's rows are formatted or not decoded: give it as load_dataset gives it")
        rng = generator(self.seed, position.epoch, row["part"], row["id"])
        indices = self.frames.indices(row["clip"]["start"], row["clip"]["end"], rng)
        candidates = self.subjects.candidates(row, rng)
        others: _OtherClips | None = None
        if self.pairs is not None:
            others = _OtherClips(self.pairs, row, candidates, rng)
            candidates = [subject for subject in candidates if others.has(subject)]
            if not candidates:
                return None
        clip, annotated = self._read(row, indices, with_annotated=bool(candidates) and others is None)

        def depicted(subject: Row) -> tuple[Row, np.ndarray, int]:
            return (row, annotated, subject["id"]) if others is None else others.depicted(subject)

        subjects = self._pictures(row, candidates, depicted, drop)
        return TrainingSample(
            id=row["id"],
            part=row["part"],
            clip=clip,
            frame_indices=indices,
            caption=row["caption"],
            subjects=subjects,
            background=self._read_background(row),
            position=position,
        )

    def _read(self, row: Row, indices: tuple[int, ...], *, with_annotated: bool) -> tuple[torch.Tensor, np.ndarray]:
        """The clip, and the frame that masks belong to (or an empty one), in one pass over the video."""
        clip = np.empty((len(indices), self.resize.height, self.resize.width, 3), np.uint8)
        slots = {index: slot for slot, index in enumerate(indices)}
        annotated = {annotated_frame(row)} if with_annotated else set()
        kept = [np.empty((0, 0, 3), np.uint8)]

        crop = crop_of(row)
        x0, y0, x1, y1 = crop

        def take(index: int, frame: DecodedFrame) -> None:
            if index in slots:
                self.resize.apply_to_frame(frame, crop, clip[slots[index]])
            if index in annotated:
                kept.append(frame.rgb()[y0:y1, x0:x1])

        decode_frames(row, {*indices, *annotated}, take)
        return torch.from_numpy(clip).permute(0, 3, 1, 2), kept[-1]

    def _pictures(
        self,
        row: Row,
        candidates: list[Row],
        depicted: Depicted,
        drop: Callable[[BadSample], None],
    ) -> tuple[SubjectPicture, ...]:
        """Pictures of the first candidates; `depicted` gives the row, frame and id under which each is shown."""
        pictures: list[SubjectPicture] = []
        shown: list[Row] = []
        for subject in candidates:
            if len(pictures) == self.subjects.max_count:
                break
            try:
                if self.subjects.shown_already(subject, shown):
                    continue
                source, frame, number = depicted(subject)
                there = next(entry for entry in source["subjects"] if entry["id"] == number)
                picture = cut_subject(frame, there, self.subjects)
            except BadSample as error:
                drop(error)
                continue
            shown.append(subject)
            pictures.append(
                SubjectPicture(
                    label=subject["label"],
                    image=channels_first(picture),
                    subject_id=subject["id"],
                    source=f"{source['part']}/{source['id']}",
                    source_subject_id=number,
                    source_frame=annotated_frame(source),
                )
            )
        if len(pictures) < self.subjects.min_count:
            raise NoSubject(
                f"at least min_count={self.subjects.min_count} of its subjects must be usable (got {len(pictures)})"
            )
        return tuple(pictures)

    def _read_background(self, row: Row) -> torch.Tensor | None:
        if not self.background or row["background"] is None:
            return None
        try:
            picture = np.asarray(row["background"].load())
        except (ImageError, SourceError) as error:
            raise BadBackground(f"its background cannot be read: {error}") from error
        return channels_first(self.resize.apply(picture))


class _OtherClips:
    """The other sides of a sample's pairs, each clip read once."""

    def __init__(self, pairs: PairIndex, row: Row, subjects: list[Row], rng: np.random.Generator) -> None:
        of_subject = pairs.partners(row["part"], row["id"])
        self._pairs = pairs
        # A pair is drawn as a whole, never its sample and its subject apart.
        self._partners = {
            subject["id"]: choices[int(rng.integers(len(choices)))]
            for subject in subjects
            if (choices := of_subject.get(subject["id"]))
        }
        self._read: dict[int, tuple[Row, np.ndarray]] = {}

    def has(self, subject: Row) -> bool:
        return subject["id"] in self._partners

    def depicted(self, subject: Row) -> tuple[Row, np.ndarray, int]:
        partner = self._partners[subject["id"]]
        if partner.key not in self._read:
            row = self._pairs.row(partner)
            frames: list[np.ndarray] = []
            try:
                read_frames(row, (annotated_frame(row),), lambda _, frame: frames.append(frame))
            except BadSample as error:
                raise BadPartner(f"the other clip, {row['part']}/{row['id']}: {error}") from error
            self._read[partner.key] = (row, frames[0])
        row, frame = self._read[partner.key]
        if all(entry["id"] != partner.subject_id for entry in row["subjects"]):
            raise BadPartner(f"{row['part']}/{row['id']} has no subject {partner.subject_id}, which a pair names")
        return row, frame, partner.subject_id
