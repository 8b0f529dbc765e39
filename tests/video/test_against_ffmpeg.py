"""Every frame of generated files is ffmpeg's, to the bit: codecs, pixel formats, sizes, containers, cuts and flags."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.videos import encode, ffmpeg_frames, needs_ffmpeg, numbered_frames, rotated

from opens2v_hf.errors import VideoError
from opens2v_hf.video.reader import open_video

pytestmark = needs_ffmpeg

X264 = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "gray"]
X265 = ["yuv420p", "yuv420p10le", "yuv420p12le", "yuv422p", "yuv444p12le", "gbrp"]
FFV1 = ["yuv420p", "yuva420p", "yuv410p", "yuv411p", "yuv440p", "gray16le", "bgr0", "yuv444p16le", "yuv420p10le"]
FORMATS = {
    **{("libx264", pix_fmt): ("mp4", "mkv", "mov", "ts", "avi", "flv", "nut", "h264") for pix_fmt in X264},
    ("libx264rgb", "rgb24"): ("mp4", "mkv"),
    **{("libx265", pix_fmt): ("mp4", "mkv", "ts", "hevc") for pix_fmt in X265},
    **{("libvpx-vp9", pix_fmt): ("webm", "mp4", "ivf") for pix_fmt in ("yuv420p", "yuv440p", "yuv444p")},
    ("libvpx", "yuv420p"): ("webm", "ivf"),
    **{("ffv1", pix_fmt): ("mkv", "avi") for pix_fmt in FFV1},
    ("mpeg4", "yuv420p"): ("mp4", "avi", "mkv"),
    ("mpeg2video", "yuv422p"): ("ts", "mkv"),
    ("mjpeg", "yuvj422p"): ("mov", "avi", "mkv"),
    ("png", "rgb48be"): ("mov", "mkv"),
    ("prores_ks", "yuva444p10le"): ("mov",),
    ("rawvideo", "nv12"): ("mkv", "avi"),
    ("rawvideo", "yuyv422"): ("mov",),
    ("gif", "rgb8"): ("gif",),
    ("apng", "rgba"): ("apng",),
    ("qtrle", "rgb24"): ("mov",),
}
QUIET = {"libx265": {"x265-params": "log-level=none:keyint=8:bframes=3"}}
INTERLACED = {
    "libx264": {"x264-params": "interlaced=1:tff=1"},
    "mpeg2video": {"flags": "+ilme+ildct"},
    "ffv1": {},
}
FLAGGED = {"libx264": {"x264-params": "fake-interlaced=1:bff=1"}}
COLOURS = ["bt709", "bt470bg", "smpte240m", "fcc", "ycgco", "bt2020nc", "bt2020c", "smpte2085", "ictcp"]


def combinations():
    """Every codec with every pixel format, in containers and sizes drawn at random; turned where an mp4 can be."""
    rng = random.Random(0)
    for (codec, pix_fmt), containers in FORMATS.items():
        container = rng.choice(containers)
        odd = codec in ("ffv1", "png", "libvpx-vp9", "gif", "apng") or "444" in pix_fmt or "rgb" in pix_fmt
        size = rng.choice([(97, 65), (99, 49)] if odd else [(96, 64), (98, 66), (118, 54)])
        turns = rng.randrange(4) if container in ("mp4", "mov") else 0
        yield codec, pix_fmt, container, size, turns, {**QUIET.get(codec, {})}
    for codec, options in (*INTERLACED.items(), *FLAGGED.items()):
        yield codec, "yuv420p", "mkv", (96, 64), 0, options
        yield codec, "yuv420p" if codec != "libx264" else "yuv420p10le", "mkv", (98, 72), 0, options


def assert_is_ffmpegs(path: Path) -> None:
    """By path and by bytes, in order and one by one, through either backend."""
    video = open_video(path)
    frames = ffmpeg_frames(path, video.width, video.height)
    assert len(frames) == video.num_frames
    assert np.array_equal(np.stack(list(video.iter_frames())), frames)
    assert np.array_equal(np.stack(list(open_video(path.read_bytes()).iter_frames())), frames)
    wanted = random.Random(1).choices(range(video.num_frames), k=5)
    assert np.array_equal(video.read(wanted), frames[wanted])
    assert np.array_equal(open_video(path, backend="decord").read(wanted), frames[wanted])


def refusal_of(path: Path) -> str:
    """Why a file is refused; empty where it is read, and then its frames are ffmpeg's."""
    try:
        assert_is_ffmpegs(path)
    except VideoError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("codec", "pix_fmt", "container", "size", "turns", "options"), combinations())
def test_frames_are_ffmpegs(tmp_path, codec, pix_fmt, container, size, turns, options):
    path = encode(tmp_path / f"v.{container}", numbered_frames(9, *size), codec=codec, pix_fmt=pix_fmt, options=options)
    if turns:
        path.write_bytes(rotated(path.read_bytes(), turns))
    assert_is_ffmpegs(path)


@pytest.mark.parametrize(("number", "colour"), enumerate(COLOURS))
def test_every_colour_matrix(tmp_path, number, colour):
    path = tmp_path / "v.mp4"
    tags = f"colormatrix={colour}:fullrange={'on' if number % 2 else 'off'}:colorprim=bt2020:transfer=smpte2084"
    options = {"x264-params": tags}
    encode(path, numbered_frames(3, 96, 64), options=options)
    assert_is_ffmpegs(path)


CUTS = {
    "h264 cut at an open group": ("libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}, "cut.mkv"),
    "hevc cut at an open group": ("libx265", {"x265-params": "log-level=none:keyint=12:open-gop=1"}, "cut.mkv"),
    "h264 cut with an edit list": ("libx264", {"x264-params": "keyint=12"}, "cut.mp4"),
    "h264 cut in a stream": ("libx264", {"x264-params": "keyint=12"}, "cut.ts"),
}


@pytest.mark.parametrize(("codec", "options", "name"), CUTS.values(), ids=CUTS)
def test_parts_that_are_cut_out_by_copying(tmp_path, codec, options, name):
    whole = encode(tmp_path / "whole.mp4", numbered_frames(48), codec=codec, options=options)
    command = ["ffmpeg", "-v", "error", "-ss", "1.1", "-i", whole, "-c", "copy", tmp_path / name]
    subprocess.run(command, check=True)
    assert_is_ffmpegs(tmp_path / name)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_clips_joined_at_an_open_group_are_ffmpegs_or_refused(tmp_path, codec):
    options = CUTS["h264 cut at an open group" if codec == "libx264" else "hevc cut at an open group"][1]
    whole = encode(tmp_path / "whole.mp4", numbered_frames(48), codec=codec, options=options)
    cut = ["ffmpeg", "-v", "error", "-ss", "1.1", "-i", whole, "-c", "copy", tmp_path / "cut.mp4"]
    subprocess.run(cut, check=True)
    (tmp_path / "list").write_text("file whole.mp4\nfile cut.mp4\nfile whole.mp4\n")
    path = tmp_path / "joined.mkv"
    join = ["ffmpeg", "-v", "error", "-f", "concat", "-i", tmp_path / "list", "-c", "copy", path]
    subprocess.run(join, check=True)
    refusal = refusal_of(path)
    assert not refusal or "joined" in refusal


TIMES = {
    "times in decoding order": "setts=pts=N*512:dts=N*512",
    "no durations": "setts=duration=0",
    "dropped packets": "noise=drop=eq(mod(n\\,7)\\,3)",
    "another crop than the container says": "h264_metadata=crop_right=6:crop_bottom=10",
}


@pytest.mark.parametrize("bitstream_filter", TIMES.values(), ids=TIMES)
def test_times_and_sizes_that_contradict_the_pictures(tmp_path, bitstream_filter):
    whole = encode(tmp_path / "whole.mp4", numbered_frames(24))
    command = ["ffmpeg", "-v", "error", "-i", whole, "-c", "copy", "-bsf:v", bitstream_filter, tmp_path / "v.mp4"]
    subprocess.run(command, check=True)
    refusal = refusal_of(tmp_path / "v.mp4")
    assert not refusal or refusal.startswith(str(tmp_path))


RIGHT = {
    "an.mp4": 14, "hflip.mp4": 36, "ictcp10.mp4": 8, "prog_as_interlaced.mp4": 24, "two_dur0.mp4": 2, "ycgco.mp4": 16,
    "zero.mp4": 36,
}  # fmt: skip


@pytest.mark.parametrize(("name", "count"), RIGHT.items())
def test_files_that_were_read_wrongly(shared, name, count):
    path = shared / "cases" / name
    if not path.exists():
        pytest.skip("the file is not next to this checkout")
    assert open_video(path).num_frames == count
    assert_is_ffmpegs(path)
