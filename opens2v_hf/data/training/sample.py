"""What a trainer is fed: samples and batches of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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


class TrainingBatch(Mapping[str, torch.Tensor]):
    """Samples, the clips stacked; subject pictures stay lists, because samples differ in how many they have.

    `to` and `pin_memory` do what those of a tensor do. As a mapping it is two tensors whose rows are the samples, the
    clips and all the rest as bytes, which is what accelerate needs to join, send and split batches. Nothing is turned
    into bytes before somebody asks for them.

    Attributes:
        clips: uint8 [B, T, 3, H, W], RGB; in memory the channels come last.
    """

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        """Takes the two tensors; `collate` makes a batch of samples."""
        self.clips: torch.Tensor = tensors["clips"]
        self._rest: tuple[_Rest, ...] | None = None
        self._packed: Any = tensors["rest"]
        if isinstance(self._packed, torch.Tensor):
            self._packed = self._packed.as_subclass(_PackedRows)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the samples."""
        return tuple(rest.id for rest in self._unpacked())

    @property
    def parts(self) -> tuple[str, ...]:
        """In which the samples lie."""
        return tuple(rest.part for rest in self._unpacked())

    @property
    def captions(self) -> tuple[str, ...]:
        """Of the clips."""
        return tuple(rest.caption for rest in self._unpacked())

    @property
    def subjects(self) -> tuple[tuple[SubjectPicture, ...], ...]:
        """Of each sample."""
        return tuple(rest.subjects for rest in self._unpacked())

    @property
    def backgrounds(self) -> tuple[torch.Tensor | None, ...]:
        """Of each sample, see `TrainingSample.background`."""
        return tuple(rest.background for rest in self._unpacked())

    @property
    def place(self) -> Place:
        """Behind the last sample."""
        return self._unpacked()[-1].place

    def to(self, device: torch.device | str | int, non_blocking: bool = False) -> TrainingBatch:
        """The batch with all its tensors on a device."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TrainingBatch:
        """The batch with all its tensors in page-locked memory; `DataLoader(pin_memory=True)` calls it."""
        return self._with(torch.Tensor.pin_memory)

    def _with(self, move: Callable[[torch.Tensor], torch.Tensor]) -> TrainingBatch:
        packed = self._packed if self._packed is None else move(self._packed)
        moved = TrainingBatch({"clips": move(self.clips), "rest": packed})
        if self._rest is not None:
            moved._rest = tuple(rest.moved(move) for rest in self._rest)
        return moved

    def _unpacked(self) -> tuple[_Rest, ...]:
        if self._rest is None:
            rows = self._packed.cpu().numpy()
            rest = (_Rest.from_bytes(row[_LENGTH_BYTES:][: _length_of(row)].tobytes()) for row in rows)
            self._rest = tuple(one.moved(lambda tensor: tensor.to(self.clips.device)) for one in rest)
        return self._rest

    def __getitem__(self, name: str) -> torch.Tensor:
        if name == "clips":
            # Processes send each other memory as it lies, and that of a receiver has its channels first. Before it
            # receives, a description replaces each tensor.
            return self.clips.contiguous() if isinstance(self.clips, torch.Tensor) else self.clips
        if name != "rest":
            raise KeyError(name)
        if self._packed is None:
            rows = [rest.moved(torch.Tensor.cpu).to_bytes() for rest in self._unpacked()]
            packed = np.zeros((len(rows), _LENGTH_BYTES + max(map(len, rows))), np.uint8)
            for row, content in zip(packed, rows, strict=True):
                whole = len(content).to_bytes(_LENGTH_BYTES, "little") + content
                row[: len(whole)] = np.frombuffer(whole, np.uint8)
            # Kept, because another pass need not give the same number of bytes, which accelerate announces before.
            self._packed = torch.from_numpy(packed).to(self.clips.device).as_subclass(_PackedRows)
        return self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(("clips", "rest"))

    def __len__(self) -> int:
        """How many tensors it is as a mapping; `len(batch.ids)` is the number of samples."""
        return 2

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"TrainingBatch(clips={list(self.clips.shape)})"


_LENGTH_BYTES = 8


def _length_of(row: np.ndarray) -> int:
    return int.from_bytes(row[:_LENGTH_BYTES].tobytes(), "little")


@dataclass(frozen=True, eq=False)
class _Rest:
    """What a batch knows of a sample besides its clip."""

    id: str
    part: str
    caption: str
    subjects: tuple[SubjectPicture, ...]
    background: torch.Tensor | None
    place: Place

    def to_bytes(self) -> bytes:
        """Its fields, for another process."""
        plain = {**vars(self), "subjects": [vars(subject) for subject in self.subjects], "place": vars(self.place)}
        stream = io.BytesIO()
        torch.save(plain, stream)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> _Rest:
        """What `to_bytes` gave. Nothing in the bytes is run: they came over the network of the launch."""
        fields = torch.load(io.BytesIO(content), weights_only=True)
        subjects = tuple(SubjectPicture(**subject) for subject in fields.pop("subjects"))
        return cls(**fields | {"subjects": subjects, "place": Place(**fields["place"])})

    def moved(self, move: Callable[[torch.Tensor], torch.Tensor]) -> _Rest:
        return replace(
            self,
            subjects=tuple(replace(subject, image=move(subject.image)) for subject in self.subjects),
            background=None if self.background is None else move(self.background),
        )


class _PackedRows(torch.Tensor):
    """uint8 [B, L]; rows of different lengths can be joined, zeros fill the shorter ones."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if func is torch.cat:
                longest = max(rows.shape[1] for rows in args[0])
                args = ([torch.nn.functional.pad(rows, (0, longest - rows.shape[1])) for rows in args[0]], *args[1:])
            return func(*args, **(kwargs or {}))


def collate(samples: Sequence[TrainingSample]) -> TrainingBatch:
    """A batch of samples, for `DataLoader(collate_fn=...)`."""
    clips = torch.stack([sample.clip.permute(0, 2, 3, 1) for sample in samples]).permute(0, 1, 4, 2, 3)
    batch = TrainingBatch({"clips": clips, "rest": None})
    batch._rest = tuple(
        _Rest(sample.id, sample.part, sample.caption, sample.subjects, sample.background, sample.place)
        for sample in samples
    )
    return batch


def channels_first(picture: np.ndarray) -> torch.Tensor:
    """A picture uint8 [H, W, C] as a tensor uint8 [C, H, W], in memory of its own with its channels last."""
    return torch.from_numpy(np.array(picture, order="C")).permute(2, 0, 1)
