"""Training samples and batches of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from opens2v_hf.errors import ArgumentError


@dataclass(frozen=True)
class ConsumerPosition:
    """The position of a consumer in its share of the rows, after the sample that carries it.

    Attributes:
        epoch: number of the epoch.
        consumer: whose share; a process that reads alone, or one of the workers of a DataLoader.
        consumers: how many share the rows of this node.
        rows: a `row_stream.Position` as a dict that JSON can hold.
    """

    epoch: int
    consumer: int
    consumers: int
    rows: dict[str, Any]


@dataclass(frozen=True, eq=False)
class SubjectPicture:
    """A picture of a subject.

    Attributes:
        label: the tag by which the subject was detected in the sample's own clip.
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
    """A clip and its conditions.

    Attributes:
        id: of the sample.
        part: of the dataset.
        clip: uint8 [T, 3, H, W], RGB; in memory the channels come last, as decoders give them.
        frame_indices: of the clip's frames in the file.
        caption: of the clip.
        subjects: in the order of the rule.
        background: uint8 [3, H, W], the annotated frame with its subjects painted out, cut and resized as the clip is;
            None where the dataset has none or the view leaves it out.
        position: after this sample.
    """

    id: str
    part: str
    clip: torch.Tensor
    frame_indices: tuple[int, ...]
    caption: str
    subjects: tuple[SubjectPicture, ...]
    background: torch.Tensor | None
    position: ConsumerPosition


class TrainingBatch(Mapping[str, torch.Tensor]):
    """Samples, the clips stacked; subject pictures stay lists, because samples differ in how many they have.

    `to` and `pin_memory` do what those of a tensor do. As a mapping it is two tensors whose rows are the samples, the
    clips and all the rest as bytes, which is what accelerate needs to join, send and split batches. The bytes are made
    on first use.

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
        """Of the dataset, one for each sample."""
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
    def position(self) -> ConsumerPosition:
        """After the last sample."""
        return self._unpacked()[-1].position

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
            # accelerate sends the memory of a tensor to a receiver that has the channels first. While a batch is
            # received, a description takes the place of each tensor.
            return self.clips.contiguous() if isinstance(self.clips, torch.Tensor) else self.clips
        if name != "rest":
            raise KeyError(name)
        if self._packed is None:
            rows = [rest.moved(torch.Tensor.cpu).to_bytes() for rest in self._unpacked()]
            packed = np.zeros((len(rows), _LENGTH_BYTES + max(map(len, rows))), np.uint8)
            for row, content in zip(packed, rows, strict=True):
                whole = len(content).to_bytes(_LENGTH_BYTES, "little") + content
                row[: len(whole)] = np.frombuffer(whole, np.uint8)
            # Cached: another pass may give another number of bytes than the one that accelerate has announced.
            self._packed = torch.from_numpy(packed).to(self.clips.device).as_subclass(_PackedRows)
        return self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(("clips", "rest"))

    def __len__(self) -> int:
        """Number of tensors as a mapping; `len(batch.ids)` is the number of samples."""
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
    """All of a sample but its clip."""

    id: str
    part: str
    caption: str
    subjects: tuple[SubjectPicture, ...]
    background: torch.Tensor | None
    position: ConsumerPosition

    def to_bytes(self) -> bytes:
        """Its fields, for another process."""
        subjects = [vars(subject) for subject in self.subjects]
        plain = {**vars(self), "subjects": subjects, "position": vars(self.position)}
        stream = io.BytesIO()
        torch.save(plain, stream)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> _Rest:
        """The inverse of `to_bytes`. Nothing in the bytes is executed: they come over the network of the launch."""
        fields = torch.load(io.BytesIO(content), weights_only=True)
        subjects = tuple(SubjectPicture(**subject) for subject in fields.pop("subjects"))
        return cls(**fields | {"subjects": subjects, "position": ConsumerPosition(**fields["position"])})

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
    """A batch of samples, for `DataLoader(collate_fn=...)`.

    Raises:
        ArgumentError: there is no sample, or their clips have several shapes.
    """
    shapes = sorted({tuple(sample.clip.shape) for sample in samples})
    if len(shapes) != 1:
        raise ArgumentError(f"a batch needs samples whose clips have one shape (got {shapes})")
    clips = torch.stack([sample.clip.permute(0, 2, 3, 1) for sample in samples]).permute(0, 1, 4, 2, 3)
    batch = TrainingBatch({"clips": clips, "rest": None})
    batch._rest = tuple(
        _Rest(sample.id, sample.part, sample.caption, sample.subjects, sample.background, sample.position)
        for sample in samples
    )
    return batch


def channels_first(picture: np.ndarray) -> torch.Tensor:
    """A picture uint8 [H, W, C] as a tensor uint8 [C, H, W], in memory of its own with its channels last."""
    return torch.from_numpy(np.array(picture, order="C")).permute(2, 0, 1)
