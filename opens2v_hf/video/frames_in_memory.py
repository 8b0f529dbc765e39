"""A video that is in memory as frames: the output of a pipeline that has not been written to a file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError, VideoError

_LARGEST_FPS = 1e6
_ADVICE = "give a uint8 array or tensor [T, H, W, 3] in RGB, or a list of such frames or PIL images"


class ArrayVideo:
    """Frames in memory, with the interface of `VideoReader`; `Clip` and `open_video` take it in place of a file.

    The frames are used as they are and are not copied; do not change them while the video is in use.

    Args:
        frames: uint8 [T, H, W, 3] in RGB (an array, or a tensor that NumPy can read), or a sequence of T frames, each
            uint8 [H, W, 3] or a PIL image, all of one size.
        fps: frames per second, above 0.
        name: for messages and results.

    Attributes:
        name: for messages.
        num_frames: at least 1.
        fps: frames per second.
        width: in pixels.
        height: in pixels.
        backend: "memory".

    Raises:
        ArgumentError: if `fps` is no number above 0.
        VideoError: if there is no frame, or the frames have another type, shape or layout.

    Example:
        >>> video = ArrayVideo(np.zeros((9, 48, 64, 3), np.uint8), fps=8)
        >>> video.num_frames, video.width, video.height
        (9, 64, 48)
    """

    def __init__(self, frames: Any, fps: float, *, name: str = "<frames>") -> None:
        if (
            isinstance(fps, bool)
            or not isinstance(fps, int | float | np.integer | np.floating)
            or not 0 < fps <= _LARGEST_FPS
        ):
            raise ArgumentError(f"{name}: fps must be a number above 0 (got {fps=})")
        self.name = name
        self.fps = float(fps)
        self.backend = "memory"
        self._frames = _checked(frames, name)
        self.num_frames = len(self._frames)
        self.height, self.width = self._frames[0].shape[:2]

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the frame rate, the frames' shape and their pixels."""
        digest = hashlib.sha256(f"{self.fps!r} {self.num_frames} {self.height} {self.width}\n".encode())
        for frame in self._frames:
            digest.update(np.ascontiguousarray(frame).data)
        return digest.hexdigest()

    def read(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """See `VideoReader.read`."""
        wanted = frame_indices(indices, self.num_frames, self.name)
        if not wanted:
            return np.empty((0, self.height, self.width, 3), np.uint8)
        return np.stack([self._frames[index] for index in wanted])

    def iter_frames(self, indices: Sequence[int] | np.ndarray | None = None) -> Iterator[np.ndarray]:
        """See `VideoReader.iter_frames`; each frame is a copy."""
        wanted: Sequence[int] = range(self.num_frames)
        if indices is not None:
            wanted = ascending_indices(indices, self.num_frames, self.name)
        return (np.array(self._frames[index], order="C") for index in wanted)


def frame_indices(indices: Sequence[int] | np.ndarray, num_frames: int, name: str) -> list[int]:
    """Frame indices as whole numbers.

    Raises:
        ArgumentError: if one is no whole number or not in 0..num_frames - 1.
    """
    wanted = np.asarray(indices)
    if wanted.ndim != 1 or (wanted.size and not np.issubdtype(wanted.dtype, np.integer)):
        raise ArgumentError(f"{name}: frame indices are a list of whole numbers (got {indices!r})")
    for number in wanted.tolist():
        if not 0 <= number < num_frames:
            raise ArgumentError(f"{name}: there is no frame {number}; it has frames 0 to {num_frames - 1}")
    return [int(number) for number in wanted]


def ascending_indices(indices: Sequence[int] | np.ndarray, num_frames: int, name: str) -> list[int]:
    """As `frame_indices`, each above the one before.

    Raises:
        ArgumentError: also if one is not.
    """
    wanted = frame_indices(indices, num_frames, name)
    if any(later <= earlier for earlier, later in pairwise(wanted)):
        raise ArgumentError(f"{name}: frames are streamed in strictly ascending order; use read()")
    return wanted


def _checked(frames: Any, name: str) -> Sequence[np.ndarray]:
    if not isinstance(frames, list | tuple):
        if not hasattr(frames, "shape"):
            raise VideoError(f"{name}: frames must be uint8 [T, H, W, 3] (got {type(frames).__name__}); {_ADVICE}")
        return list(_checked_array(_as_array(frames, name), name))
    if not frames:
        raise VideoError(f"{name}: a video must have at least one frame (got none)")
    checked = [
        _checked_frame(_as_array(_in_rgb(frame, index, name), name), index, name) for index, frame in enumerate(frames)
    ]
    sizes = [frame.shape for frame in checked]
    for index, size in enumerate(sizes):
        if size != sizes[0]:
            raise VideoError(
                f"{name}: frame {index} is {size[1]}x{size[0]}, the first is {sizes[0][1]}x{sizes[0][0]}; "
                "all frames of a video have one size"
            )
    return checked


def _in_rgb(frame: Any, index: int, name: str) -> Any:
    """A PIL image in RGB (recognised by its methods, so that Pillow is not imported); anything else unchanged."""
    if not (hasattr(frame, "convert") and hasattr(frame, "getbands")):
        return frame
    if frame.mode[0] in "IF":  # Pillow would clip 16 and 32 bits at 255
        raise VideoError(f"{name}: frame {index} must have 8 bits a channel (got a PIL image of mode {frame.mode!r})")
    try:
        return frame.convert("RGB")
    except Exception as error:  # Pillow passes on any error of its decoders
        raise VideoError(f"{name}: frame {index} is a PIL image that cannot be decoded ({error})") from error


def _as_array(value: Any, name: str) -> np.ndarray:
    """The value as an array; tensors are taken off the graph and the device first."""
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # bfloat16 tensors, ragged lists
        got = f"{getattr(value, 'dtype', type(value).__name__)}: {error}"
        raise VideoError(f"{name}: frames must be uint8 [T, H, W, 3] (got {got}); {_ADVICE}") from error


def _checked_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        raise VideoError(
            f"{name}: frames must be uint8 [T, H, W, 3] (got {_shown(array)}); {_what_to_do(array, 'T, 3, H, W')}"
        )
    return array


def _checked_frame(array: np.ndarray, index: int, name: str) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise VideoError(
            f"{name}: frame {index} must be uint8 [H, W, 3] (got {_shown(array)}); {_what_to_do(array, '3, H, W')}"
        )
    return array


def _shown(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _what_to_do(array: np.ndarray, channels_first: str) -> str:
    if np.issubdtype(array.dtype, np.floating):
        lowest, highest = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        if math.isfinite(lowest) and -1.001 <= lowest < 0 and highest <= 1.001:
            return "its values are in [-1, 1]: convert them with ((x + 1) * 127.5).round().clip(0, 255), then to uint8"
        if lowest >= 0 and highest <= 1.001:
            return "its values are in [0, 1]: convert them with (x * 255).round().clip(0, 255), then to uint8"
    channel_axis = channels_first.split(", ").index("3")
    if array.ndim == len(channels_first.split(", ")) and array.shape[channel_axis] == 3 and array.shape[-1] != 3:
        return f"it looks like [{channels_first}]: move the channels to the end"
    return _ADVICE
