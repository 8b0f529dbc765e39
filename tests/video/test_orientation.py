"""Display matrices: what ffmpeg's command line makes of each, and what a person would see."""

import math
import struct
import subprocess

import av
import numpy as np
import pytest
from helpers.videos import (
    encode,
    ffmpeg_frames,
    matroska_with_roll,
    needs_ffmpeg,
    numbered_frames,
    numbers_of,
    with_matrix,
)

from opens2v_hf.errors import VideoError
from opens2v_hf.video.orientation import upright_filters
from opens2v_hf.video.reader import open_video

BACKENDS = ["pyav", "decord"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("plain") / "plain.mp4", numbered_frames(3), options={"qp": "0"})


def turned(degrees: float) -> tuple[float, float, float, float]:
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle)


# [a b; c d] takes a point (x, y) of the stored picture to (a x + c y, b x + d y); y points downwards.
MATRICES = {
    "none": ((1, 0, 0, 1), lambda frame: frame),
    "clockwise": ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
    "half": ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
    "anticlockwise": ((0, -1, 1, 0), lambda frame: np.rot90(frame)),
    "mirrored": ((-1, 0, 0, 1), lambda frame: frame[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda frame: frame[::-1]),
    "diagonal": ((0, 1, 1, 0), lambda frame: frame.transpose(1, 0, 2)),
    "other diagonal": ((0, -1, -1, 0), lambda frame: np.rot90(frame, 2).transpose(1, 0, 2)),
    "zero": ((0, 0, 0, 0), lambda frame: frame),
    "scaled": ((2, 0, 0, 0.5), lambda frame: frame),
    "0.4 degrees": (turned(0.4), lambda frame: frame),
    "-0.4 degrees": (turned(-0.4), lambda frame: frame),
    "90.4 degrees": (turned(90.4), lambda frame: np.rot90(frame, -1)),
    "180.4 degrees": (turned(180.4), lambda frame: np.rot90(frame, 2)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("matrix", "upright"), MATRICES.values(), ids=MATRICES)
def test_frames_are_shown_as_the_matrix_says(plain, tmp_path, matrix, upright, backend):
    path = tmp_path / "turned.mp4"
    path.write_bytes(with_matrix(plain.read_bytes(), *matrix))
    stored = list(open_video(plain).iter_frames())
    video = open_video(path, backend=backend)
    frames = video.read(range(3))
    assert frames.shape == (3, video.height, video.width, 3)
    assert np.array_equal(frames, np.stack([upright(frame) for frame in stored]))
    assert np.array_equal(frames, open_video(path.read_bytes()).read(range(3)))


@needs_ffmpeg
@pytest.mark.parametrize("name", MATRICES)
def test_ffmpeg_shows_the_same(tmp_path, name):
    matrix, pix_fmt = MATRICES[name][0], "yuv422p10le" if list(MATRICES).index(name) % 2 else "yuv420p"
    content = encode(tmp_path / "plain.mp4", numbered_frames(2, 98, 66), pix_fmt=pix_fmt).read_bytes()
    path = tmp_path / "turned.mp4"
    path.write_bytes(with_matrix(content, *matrix))
    video = open_video(path)
    assert np.array_equal(video.read([0, 1]), ffmpeg_frames(path, video.width, video.height))


@pytest.mark.parametrize(
    ("degrees", "said"), [(2, "2"), (45, "45"), (-45, "-45"), (88.7, "88.7"), (91.6, "91.6"), (178, "178")]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_other_angles_are_refused_with_their_value(plain, degrees, said, backend):
    with pytest.raises(VideoError, match=rf"<bytes>: is to be shown turned by {said}° clockwise, .*no quarter turn"):
        open_video(with_matrix(plain.read_bytes(), *turned(degrees)), backend=backend)


def test_a_matrix_of_extreme_numbers_is_an_angle_or_none():
    high = (1 << 31) - 1
    assert upright_filters(struct.pack("=9i", high, 0, 0, 0, high, 0, 0, 0, 0), "a") == ()
    assert upright_filters(None, "a") == ()


@pytest.mark.parametrize("backend", BACKENDS)
@needs_ffmpeg
def test_an_orientation_in_the_pictures_holds_for_all_of_them(tmp_path, backend):
    """It is in front of the first picture only; H.264 lets it persist, and so do players."""
    plain = encode(tmp_path / "plain.mp4", numbered_frames(9), options={"qp": "0"})
    path = tmp_path / "turned.mp4"
    bitstream_filter = "h264_metadata=display_orientation=insert:rotate=90"
    subprocess.run(["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-bsf:v", bitstream_filter, path], check=True)
    with av.open(str(path)) as container:
        assert [frame.rotation for frame in container.decode(video=0)] == [90] + [0] * 8
    video = open_video(path, backend=backend)
    assert (video.backend, video.width, video.height) == ("pyav", 64, 96)
    expected = np.stack([np.rot90(frame) for frame in open_video(plain).iter_frames()])
    assert np.array_equal(video.read(range(9)), expected)
    assert np.array_equal(expected[0], ffmpeg_frames(path, 64, 96)[0])  # later ones it leaves lying, and squeezes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("roll", "turns"), [(0.0, 0), (90.0, 1), (-90.0, -1), (180.0, 2)])
def test_a_roll_in_matroska(tmp_path, roll, turns, backend):
    frames = list(numbered_frames(3))
    path = tmp_path / "rolled.mkv"
    path.write_bytes(matroska_with_roll(frames, roll))
    video = open_video(path, backend=backend)
    assert (video.width, video.height) == ((64, 96) if turns % 2 else (96, 64))
    assert numbers_of(np.rot90(frame, -turns) for frame in video.iter_frames()) == [0, 1, 2]
    assert np.array_equal(video.read([0, 1, 2]), open_video(path.read_bytes()).read([0, 1, 2]))
