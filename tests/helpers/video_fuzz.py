"""Read damaged copies of small videos; run as a program, because a fault may take the process down or never end.

    python -m helpers.video_fuzz FOLDER SEED COUNT

FOLDER holds whole videos. Prints how many copies were read and how many were refused, and ends with status 1 at the
first that does anything but give frames of the size that it tells, or a VideoError.
"""

from __future__ import annotations

import random
import resource
import sys
from pathlib import Path

import numpy as np

from opens2v_hf.errors import VideoError
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.probe import probe
from opens2v_hf.video.reader import open_video

_MEMORY_BYTES = 3 << 30
_EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0)
_LIMITS = Limits(max_frames=10_000, max_frame_pixels=1 << 20, max_video_pixels=1 << 26)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A copy with one to four faults: bytes or whole fields replaced, parts left out, doubled or cut off."""
    copy = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        # Tables lie at one of the ends.
        reach = rng.choice((64, 1024, len(copy)))
        place = rng.randrange(min(reach, len(copy)))
        place = len(copy) - 1 - place if rng.random() < 0.5 else place
        kind = rng.randrange(5)
        if kind == 0:
            copy[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            copy[place : place + 4] = rng.choice(_EXTREMES).to_bytes(4, "big")
        elif kind == 2:
            del copy[place : place + rng.randint(1, 40)]
        elif kind == 3:
            copy[place:place] = copy[place : place + rng.randint(1, 200)]
        else:
            copy[place : place + 8] = rng.randbytes(8)
        if len(copy) < 16:
            return bytes(copy)
    return bytes(copy[: rng.randrange(1, len(copy))]) if rng.random() < 0.1 else bytes(copy)


def main() -> None:
    """See the module."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    whole = [path.read_bytes() for path in sorted(folder.iterdir())]
    read = refused = 0
    for number in range(seed, seed + count):
        rng = random.Random(number)
        content = damaged(whole[number % len(whole)], rng)
        try:
            probe(content)
            video = open_video(content, limits=_LIMITS)
            shape = (video.height, video.width, 3)
            shapes = {(frame.shape, frame.dtype) for frame in video.iter_frames()}
            if shapes != {(shape, np.dtype(np.uint8))}:
                raise SystemExit(f"{number}: frames are {shapes}, {shape} was announced")
            read += 1
        except VideoError:
            refused += 1
        except Exception as error:
            raise SystemExit(f"{number}: {type(error).__name__}: {error}") from error
    print(f"{read} read, {refused} refused")


if __name__ == "__main__":
    main()
