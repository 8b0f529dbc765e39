import av
import numpy as np
import pytest
from helpers.videos import numbered_frames, numbers_of

from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.writer import write_video


def test_what_is_written_is_what_a_decoder_finds(tmp_path):
    frames = list(numbered_frames(30))
    path = write_video(tmp_path / "clip.mp4", frames, 30000 / 1001)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.width, stream.height) == ("h264", "yuv420p", 96, 64)
        assert float(stream.average_rate) == pytest.approx(29.97003, abs=1e-5)
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert numbers_of(decoded) == list(range(30))
    # away from the edges of blocks, which 4:2:0 colour blurs
    assert np.abs(np.stack(decoded)[:, 40:].astype(int) - np.stack(frames)[:, 40:]).mean() < 3


def test_same_frames_same_bytes(tmp_path):
    first = write_video(tmp_path / "a.mp4", numbered_frames(50), 24).read_bytes()
    second = write_video(tmp_path / "b.mp4", numbered_frames(50), 24).read_bytes()
    other = write_video(tmp_path / "c.mp4", numbered_frames(50, start=1), 24).read_bytes()
    assert first == second != other


def test_keyframes_come_as_often_as_asked(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(30), 24, keyframe_interval=10)
    with av.open(str(path)) as container:
        keys = [n for n, packet in enumerate(p for p in container.demux(video=0) if p.size) if packet.is_keyframe]
    assert {0, 10, 20} <= set(keys)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(5), 24)
    before = path.read_bytes()

    def broken():
        yield from numbered_frames(3)
        raise RuntimeError("the renderer stopped")

    with pytest.raises(RuntimeError, match="the renderer stopped"):
        write_video(path, broken(), 24)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "at least one frame"),
        ([np.zeros((47, 64, 3), np.uint8)], "even width and height"),
        ([np.zeros((48, 63, 3), np.uint8)], "even width and height"),
        ([np.zeros((48, 64, 3), np.float32)], "uint8 array"),
        ([np.zeros((48, 64), np.uint8)], "uint8 array"),
        ([np.zeros((48, 64, 4), np.uint8)], "uint8 array"),
        (["picture"], "uint8 array"),
        ([np.zeros((0, 64, 3), np.uint8)], "at least one pixel"),
        ([np.zeros((48, 64, 3), np.uint8), np.zeros((48, 66, 3), np.uint8)], "frame 1 is 66x48, the first is 64x48"),
    ],
)
def test_frames_that_make_no_video_are_refused(tmp_path, frames, message):
    with pytest.raises(ArgumentError, match=message):
        write_video(tmp_path / "clip.mp4", frames, 24)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates_that_are_none_are_refused(tmp_path, fps):
    with pytest.raises(ArgumentError, match="frames per second"):
        write_video(tmp_path / "clip.mp4", numbered_frames(2), fps)


@pytest.mark.parametrize("quality", [-1, 52])
def test_qualities_out_of_range_are_refused(tmp_path, quality):
    with pytest.raises(ArgumentError, match="0 to 51"):
        write_video(tmp_path / "clip.mp4", numbered_frames(2), 24, quality=quality)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ArgumentError, match="absent"):
        write_video(tmp_path / "absent" / "clip.mp4", numbered_frames(2), 24)
