"""Thumbnails of videos for the report: a strip of a few frames each, in a folder next to the result."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.video.sampling import linspace

STRIP_FRAMES = 4
FRAME_HEIGHT_PX = 112
MAX_FRAME_WIDTH_PX = 200

SUFFIX = ".jpg"
_QUALITY = 80


def thumbnails_folder(result_path: str | os.PathLike[str]) -> Path:
    """The folder of the thumbnails of a result: `<split>.thumbnails/` next to `<split>.json`.

    Example:
        >>> thumbnails_folder("out/open-domain.json").as_posix()
        'out/open-domain.thumbnails'
    """
    return Path(result_path).with_suffix(".thumbnails")


def write_thumbnail(folder: str | os.PathLike[str], sample_id: str, frames: np.ndarray) -> Path:
    """Write a strip of up to four of the frames, evenly spread, as `<folder>/<sample id>.jpg`.

    Readers see the whole file or none, and the same frames give the same bytes.

    Args:
        folder: created if missing.
        sample_id: of the video; a plain file name.
        frames: uint8 [N, H, W, 3] RGB, N at least 1.

    Raises:
        ArgumentError: the frames are another array, or the id is no plain file name.
        ResultError: the file cannot be written.
    """
    if Path(sample_id).name != sample_id or sample_id in ("", ".", ".."):
        raise ArgumentError(f"sample_id must be a plain file name (got {sample_id!r})")
    data = strip(frames)
    target = Path(folder) / f"{sample_id}{SUFFIX}"
    try:
        # no wait for the disk: a picture that a crash of the machine loses is no loss of a score
        with atomic_file(target, suffix=".part", sync=False) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise ResultError(f"cannot write {target}: {error.strerror}; free space or choose another folder") from error
    return target


def strip(frames: np.ndarray) -> bytes:
    """Up to four frames side by side as the bytes of a JPEG file.

    Args:
        frames: uint8 [N, H, W, 3] RGB, N at least 1.

    Raises:
        ArgumentError: the frames are another array.
    """
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ArgumentError(f"frames must be uint8 [N, H, W, 3] (got {frames.dtype} {list(frames.shape)})")
    height, width = frames.shape[1:3]
    scale = min(FRAME_HEIGHT_PX / height, MAX_FRAME_WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    chosen = sorted(set(linspace(STRIP_FRAMES).indices(len(frames))))
    sheet = Image.new("RGB", (size[0] * len(chosen), size[1]))
    for position, index in enumerate(chosen):
        sheet.paste(Image.fromarray(frames[index]).resize(size, Image.Resampling.LANCZOS), (position * size[0], 0))
    buffer = io.BytesIO()
    sheet.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()


def find_thumbnails(result_path: str | os.PathLike[str]) -> dict[str, Path]:
    """Sample id to thumbnail of a result; empty if there are none."""
    folder = thumbnails_folder(result_path)
    # the folder is listed, so that an id of a result, which may be hostile, never becomes a path
    return {path.stem: path for path in sorted(folder.glob(f"[!.]*{SUFFIX}")) if path.is_file()}
