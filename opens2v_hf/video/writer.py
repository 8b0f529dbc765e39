"""Writing a video: H.264 in mp4, the same bytes for the same frames."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf.errors import ArgumentError

_LARGEST_RATE_DENOMINATOR = 1001
"""NTSC rates are whole numbers over 1001; no rate in use needs a larger denominator."""


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float | Fraction,
    *,
    quality: int = 18,
    keyframe_interval: int = 24,
) -> Path:
    """Write frames as an mp4 (H.264, yuv420p), in memory of a few frames.

    The file appears under its name only when it is complete. Frames are encoded on one thread and without date or tool
    tags, so that equal frames and arguments give equal bytes under the same version of PyAV.

    Args:
        path: of the file; its folder must exist, and an existing file is replaced.
        frames: each uint8 [H, W, 3] RGB, all of one size. H and W are even: 4:2:0 colour has no odd sizes, and padding
            here would silently shift what masks and boxes point at; pad or crop before.
        fps: frames per second, above 0.
        quality: constant rate factor of x264, 0 (lossless up to the colour conversion) to 51 (worst).
        keyframe_interval: frames from one keyframe to the next at most.

    Returns:
        The path.

    Raises:
        ArgumentError: if there is no frame, a frame has another shape or dtype or an odd size, `fps`, `quality` or
            `keyframe_interval` is out of range, or the folder does not exist.
    """
    target = Path(path)
    if not 0 <= quality <= 51:
        raise ArgumentError(f"{target}: the quality of H.264 goes from 0 to 51 (got {quality=})")
    if keyframe_interval < 1:
        raise ArgumentError(f"{target}: a keyframe comes at least every frame (got {keyframe_interval=})")
    if not 0 < fps < 1e6:  # also catches NaN
        raise ArgumentError(f"{target}: frames per second are a number above 0 (got {fps=})")
    if not target.parent.is_dir():
        raise ArgumentError(f"{target}: its folder {target.parent} does not exist; make it first")

    # no wait for the disk, which would be one for each video
    with atomic_file(target, suffix=".partial", sync=False) as partial:
        _encode(partial, target, frames, Fraction(fps).limit_denominator(_LARGEST_RATE_DENOMINATOR), quality,
                keyframe_interval)  # fmt: skip
    return target


def _encode(
    partial: Path, target: Path, frames: Iterable[np.ndarray], rate: Fraction, quality: int, keyframe_interval: int
) -> None:
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ArgumentError(f"{target}: a video has at least one frame (got none)")
    _check_frame(first, 0, np.shape(first), target)
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ArgumentError(
            f"{target}: H.264 with 4:2:0 colour needs an even width and height (got {width}x{height}); "
            "pad or crop the frames by one pixel first"
        )

    with av.open(str(partial), "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            "libx264",
            rate=rate,
            options={
                "crf": str(quality),
                "preset": "veryfast",
                "threads": "1",
                "g": str(keyframe_interval),
                # x264's fast paths else give other bytes now and then, even for the same frames in one process.
                "x264-params": "cpu-independent=1",
            },
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.codec_context.time_base = 1 / rate
        frame: np.ndarray | None = first
        index = 0
        while frame is not None:
            _check_frame(frame, index, first.shape, target)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = index, 1 / rate
            container.mux(stream.encode(picture))
            frame = next(iterator, None)
            index += 1
        container.mux(stream.encode(None))


def _check_frame(frame: np.ndarray, index: int, shape: tuple[int, ...], target: Path) -> None:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        got = f"{frame.dtype} {list(frame.shape)}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ArgumentError(f"{target}: frame {index} must be a uint8 array [H, W, 3] in RGB (got {got})")
    if frame.shape != shape or 0 in frame.shape:
        raise ArgumentError(
            f"{target}: frame {index} is {frame.shape[1]}x{frame.shape[0]}, the first is {shape[1]}x{shape[0]}; "
            "all frames of a video have one size, of at least one pixel"
        )
