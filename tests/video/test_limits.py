"""Videos that are too large are refused at once, in little memory, with the value and how to raise it."""

import struct
import subprocess
import sys

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.probe import probe
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.sampling import linspace

_READ = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from opens2v_hf.errors import VideoError
from opens2v_hf.video.reader import open_video
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try:
    open_video(sys.argv[1])
except VideoError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.monotonic() - start)
"""


def refused_in_little_memory(path) -> str:
    done = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    message, figures = done.stdout.splitlines()
    kilobytes, seconds = (float(figure) for figure in figures.split())
    assert kilobytes < 300_000
    assert seconds < 20
    return message


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("h264_8192.mp4", "OPENS2V_MAX_FRAME_PIXELS"),
        ("gif_12000px_1000frames.gif", "OPENS2V_MAX_FRAME_PIXELS"),
        ("frames_5e7_one_chunk.mp4", "OPENS2V_MAX_VIDEO_FRAMES"),
    ],
)
def test_files_that_filled_the_memory(shared, name, variable):
    path = shared / "cases" / name
    if not path.exists():
        pytest.skip("the file is not next to this checkout")
    message = refused_in_little_memory(path)
    assert str(path) in message
    assert variable in message


def test_a_table_that_claims_many_frames(tmp_path):
    """One size for all samples, so that a count is all that the table holds (ISO/IEC 14496-12, 8.7.3.2)."""
    content = bytearray(encode(tmp_path / "v.mp4", numbered_frames(4)).read_bytes())
    start = content.index(b"stsz") + 8
    content[start : start + 8] = struct.pack(">II", 1, 50_000_000)
    (tmp_path / "v.mp4").write_bytes(content)
    assert "claims 50000000 frames, and at most 1000000" in refused_in_little_memory(tmp_path / "v.mp4")
    with pytest.raises(VideoError, match="50000000"):
        probe(tmp_path / "v.mp4")


def test_a_fragment_that_claims_many_frames(tmp_path):
    """A run without flags takes all values from the defaults (ISO/IEC 14496-12, 8.8.8)."""
    options = {"movflags": "frag_keyframe+empty_moov"}
    content = bytearray(encode(tmp_path / "v.mp4", numbered_frames(4), container_options=options).read_bytes())
    start = content.index(b"trun") + 4
    content[start : start + 8] = struct.pack(">II", 0, 500_000_000)
    (tmp_path / "v.mp4").write_bytes(content)
    assert "claims 500000000 frames" in refused_in_little_memory(tmp_path / "v.mp4")


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        (Limits(max_frames=19), "claims 20 frames, and at most 19"),
        (Limits(max_frame_pixels=6143), "96x64, which is 6144 pixels, and at most 6143"),
        (Limits(max_video_pixels=122_879), "20 frames of 96x64 are 122880 pixels, and at most 122879"),
    ],
)
@pytest.mark.parametrize("name", ["v.mp4", "v.gif"])
def test_each_limit_holds_to_the_pixel(tmp_path, name, limits, match):
    settings = {"codec": "gif", "pix_fmt": "rgb8"} if name == "v.gif" else {}
    path = encode(tmp_path / name, numbered_frames(20), **settings)
    with pytest.raises(VideoError, match=match):
        open_video(path, limits=limits)
    with pytest.raises(VideoError, match=match):
        Clip(path, limits=limits).frames(linspace(32))
    exact = Limits(max_frames=20, max_frame_pixels=6144, max_video_pixels=122_880)
    assert open_video(path, limits=exact).num_frames == 20


def test_the_environment_sets_them(tmp_path, monkeypatch):
    path = encode(tmp_path / "v.mp4", numbered_frames(20))
    monkeypatch.setenv("OPENS2V_MAX_VIDEO_FRAMES", "19")
    with pytest.raises(VideoError, match=r"at most 19 .*OPENS2V_MAX_VIDEO_FRAMES"):
        open_video(path)
    monkeypatch.setenv("OPENS2V_MAX_VIDEO_FRAMES", "1_000")
    assert open_video(path).num_frames == 20
    assert Limits.from_environment() == Limits(max_frames=1000)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "9" * 5000])
def test_invalid_environment_variables(monkeypatch, text):
    monkeypatch.setenv("OPENS2V_MAX_FRAME_PIXELS", text)
    with pytest.raises(ArgumentError, match="OPENS2V_MAX_FRAME_PIXELS must be a whole number from 1"):
        Limits.from_environment()


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_limits_are_whole_numbers(value):
    with pytest.raises(ArgumentError, match="max_frames must be a whole number"):
        Limits(max_frames=value)
