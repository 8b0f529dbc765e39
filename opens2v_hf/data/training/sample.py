"""What a trainer is fed: samples and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Place:
    """How far a consumer has come with its share of the rows; it lies behind the sample that carries it.

    Attributes:
        epoch: number of the epoch.
        consumer: whose share; a process that reads alone, or one of the workers of a DataLoader.
        consumers: how many share the rows of this node.
        position: see `row_stream.Position`, as JSON knows it.
    """

    epoch: int
    consumer: int
    consumers: int
    position: dict[str, Any]


@dataclass(frozen=True, eq=False)
class SubjectPicture:
    """A picture of a subject.

    Attributes:
        label: the tag under which the subject was found in the sample's own clip.
        image: uint8 [C, h, w]; C is 4 (RGBA) for transparent pictures, else 3.
        subject_id: of the subject in the sample's own row.
        source: "<part>/<sample id>" of the clip that the picture is cut from.
        source_subject_id: of the subject there.
        source_frame: index of the frame in that clip's file.
    """

    label: str
    image: torch.Tensor
    subject_id: int
    source: str
    source_subject_id: int
    source_frame: int


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """A clip and what it is conditioned on.

    Attributes:
        id: of the sample.
        part: of the dataset in which it lies.
        clip: uint8 [T, 3, H, W], RGB; in memory the channels come last, as decoders give them.
        frame_indices: of the clip's frames in the file.
        caption: of the clip.
        subjects: in the order asked for.
        background: uint8 [3, H, W], the annotated frame with its subjects painted out, cut and resized as the clip is;
            None where the dataset has none or none was asked for.
        place: behind this sample.
    """

    id: str
    part: str
    clip: torch.Tensor
    frame_indices: tuple[int, ...]
    caption: str
    subjects: tuple[SubjectPicture, ...]
    background: torch.Tensor | None
    place: Place


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Samples, the clips stacked; subject pictures stay lists, because samples differ in how many they have.

    Attributes:
        ids: of the samples.
        parts: in which they lie.
        clips: uint8 [B, T, 3, H, W], RGB; in memory the channels come last.
        captions: of the clips.
        subjects: of each sample.
        backgrounds: of each sample, see `TrainingSample.background`.
        place: behind the last sample.
    """

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    clips: torch.Tensor
    captions: tuple[str, ...]
    subjects: tuple[tuple[SubjectPicture, ...], ...]
    backgrounds: tuple[torch.Tensor | None, ...]
    place: Place


def collate(samples: Sequence[TrainingSample]) -> TrainingBatch:
    """A batch of samples, for `DataLoader(collate_fn=...)`."""
    return TrainingBatch(
        ids=tuple(sample.id for sample in samples),
        parts=tuple(sample.part for sample in samples),
        clips=torch.stack([sample.clip.permute(0, 2, 3, 1) for sample in samples]).permute(0, 1, 4, 2, 3),
        captions=tuple(sample.caption for sample in samples),
        subjects=tuple(sample.subjects for sample in samples),
        backgrounds=tuple(sample.background for sample in samples),
        place=samples[-1].place,
    )


def channels_first(picture: np.ndarray) -> torch.Tensor:
    """A picture uint8 [H, W, C] as a tensor uint8 [C, H, W], in memory of its own with its channels last."""
    return torch.from_numpy(np.array(picture, order="C")).permute(2, 0, 1)
