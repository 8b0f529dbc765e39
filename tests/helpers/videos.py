"""Videos whose frames carry their own number, in all the shapes that videos come in, and broken ones."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

BITS = 12
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def numbered_frames(count: int, width: int = 96, height: int = 64, start: int = 0) -> Iterator[np.ndarray]:
    """Frames with their number in black and white blocks along the top, over a picture that moves."""
    block = width // BITS
    ramp = np.linspace(40, 200, width).astype(np.uint8)
    for number in range(start, start + count):
        frame = np.empty((height, width, 3), np.uint8)
        frame[..., 0] = np.roll(ramp, 3 * number)
        frame[..., 1] = np.linspace(60, 160, height)[:, None]
        frame[..., 2] = 120
        for bit in range(BITS):
            frame[: height // 2, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
        yield frame


def number_of(frame: np.ndarray) -> int:
    """The number that an upright frame of `numbered_frames` carries."""
    block = frame.shape[1] // BITS
    row = frame[frame.shape[0] // 4, :, 1]
    return sum(int(row[bit * block + block // 2] > 128) << bit for bit in range(BITS))


def numbers_of(frames: Iterable[np.ndarray]) -> list[int]:
    return [number_of(frame) for frame in frames]


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    container: str | None = None,
    fps: int = 24,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    milliseconds: Sequence[int] | None = None,
) -> Path:
    """Encode with the encoder's own settings; `milliseconds` gives each frame its time (variable frame rate)."""
    with av.open(str(path), "w", format=container, container_options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=fps, options=options or {})
        stream.pix_fmt = pix_fmt
        base = Fraction(1, 1000) if milliseconds is not None else Fraction(1, fps)
        stream.codec_context.time_base = base
        for index, frame in enumerate(frames):
            if index == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = milliseconds[index] if milliseconds is not None else index
            picture.time_base = base
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def remux(
    source: Path,
    target: Path | io.RawIOBase,
    *,
    shift_frames: int = 0,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
) -> None:
    """Copy the packets into a new file; those that a shift puts before time zero are hidden by an edit list."""
    output_name = str(target) if isinstance(target, Path) else target
    with (
        av.open(str(source)) as opened,
        av.open(output_name, "w", format=container, container_options=container_options or {}) as output,
    ):
        stream = opened.streams.video[0]
        copy = output.add_stream_from_template(stream)
        shift = round(shift_frames / stream.average_rate / stream.time_base)
        for packet in opened.demux(stream):
            if packet.dts is None:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copy
            output.mux(packet)


class Pipe(io.RawIOBase):
    """A file that cannot be rewound, so that a writer cannot note lengths at its beginning afterwards."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += data
        return len(data)


def rotated(content: bytes, quarter_turns: int) -> bytes:
    """An mp4 that asks players to turn it anticlockwise: the matrix of its track header is replaced."""
    a, b = {0: (1, 0), 1: (0, -1), 2: (-1, 0), 3: (0, 1)}[quarter_turns]
    return with_matrix(content, a, b, -b, a)


def with_matrix(content: bytes, a: float, b: float, c: float, d: float) -> bytes:
    """Put the matrix [a b; c d] into the track header; ISO/IEC 14496-12, 8.3.2 (version 0)."""
    start = content.index(b"tkhd") + 4 + 40
    numbers = [round(value * 65536) for value in (a, b, 0, c, d, 0, 0, 0)] + [0x40000000]
    return content[:start] + struct.pack(">9i", *numbers) + content[start + 36 :]


def sound_only(path: Path, *, codec: str = "aac", container: str | None = None) -> Path:
    """Half a second of silence."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=44100, layout="mono")
        for index in range(20):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
            sound.rate, sound.pts = 44100, index * 1152
            output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    return path


def with_cover(mp3: bytes, png: bytes) -> bytes:
    """Put an ID3v2.3 tag with a cover picture before a piece of music."""
    picture = b"\0image/png\0\x03\0" + png
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + mp3


def without_frames(path: Path) -> Path:
    """An mp4 with a video track that has no frame."""
    with av.open(str(path), "w", format="mp4", container_options={"movflags": "frag_keyframe+empty_moov"}) as output:
        stream = output.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.start_encoding()
    return path


def media_data(content: bytes) -> tuple[int, int]:
    """Where the pictures of an mp4 lie in it: first byte and one past the last."""
    start = content.index(b"mdat") - 4
    return start + 8, start + int.from_bytes(content[start : start + 4], "big")


def ffmpeg_frames(path: Path, width: int, height: int) -> np.ndarray:
    """All frames as ffmpeg's command line gives them, uint8 [N, H, W, 3]; its whole output has to have that size."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo"]
    done = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, timeout=600)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def matroska_with_roll(frames: Iterable[np.ndarray], roll: float) -> bytes:
    """A Matroska file of JPEG pictures, with a projection that is turned by some degrees (RFC 9559, 5.1.4.1.28.44)."""

    def element(name: str, *content: bytes) -> bytes:
        data = b"".join(content)
        return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data

    def number(name: str, value: int) -> bytes:
        return element(name, value.to_bytes(4, "big"))

    pictures = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=95)
        pictures.append(buffer.getvalue())
        height, width = frame.shape[:2]
    projection = element("7670", number("7671", 0), element("7675", struct.pack(">d", roll)))
    video = element("E0", number("B0", width), number("BA", height), projection)
    track = element("AE", number("D7", 1), number("73C5", 1), number("83", 1), element("86", b"V_MJPEG"), video)
    blocks = [
        element("A3", b"\x81" + (40 * index).to_bytes(2, "big") + b"\x80" + picture)
        for index, picture in enumerate(pictures)
    ]
    return b"".join([
        element("1A45DFA3", element("4282", b"matroska"), number("4287", 4), number("4285", 2)),
        element(
            "18538067",
            element("1549A966", number("2AD7B1", 1_000_000)),
            element("1654AE6B", track),
            element("1F43B675", number("E7", 0), *blocks),
        ),
    ])  # fmt: skip
