import io
import random
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.videos import Pipe, encode, number_of, numbered_frames, numbers_of, remux, rotated
from PIL import Image

from opens2v_hf.errors import ArgumentError, MissingDependencyError, VideoError
from opens2v_hf.video.container import IGNORED_TAGS
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video

COUNT = 60
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}
INTRA_REFRESH = {"x264-params": "intra-refresh=1:keyint=12"}
HEVC = {"x265-params": "log-level=none:keyint=10"}
CLOSED_HEVC = {"x265-params": "log-level=none:keyint=10:open-gop=0"}
MANY_KEYFRAMES = {"x264-params": "keyint=3:min-keyint=3:bframes=2:b-pyramid=0:b-adapt=0"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", numbered_frames(COUNT), 24)


def trimmed(folder):
    remux(write_video(folder / "whole.mp4", numbered_frames(90), 24), folder / "trimmed.mp4", shift_frames=30)
    return folder / "trimmed.mp4"


def copied(name, **options):
    def make(folder):
        remux(write_video(folder / "whole.mp4", numbered_frames(COUNT), 24), folder / name, **options)
        return folder / name

    return make


def live(folder):
    pipe = Pipe()
    remux(write_video(folder / "whole.mp4", numbered_frames(COUNT), 24), pipe, container="matroska")
    (folder / "live.mkv").write_bytes(pipe.content)
    return folder / "live.mkv"


def encoded(name, count=COUNT, size=(96, 64), **settings):
    return lambda folder: encode(folder / name, numbered_frames(count, *size), **settings)


def pictures(name, kind, count=10):
    def make(folder):
        first, *others = (Image.fromarray(frame) for frame in numbered_frames(count))
        first.save(folder / name, format=kind, save_all=True, append_images=others, duration=100)
        return folder / name

    return make


def miscounted_avi(folder):
    """The header says 1000 frames, in both places where it can; 40 are there."""
    path = encode(folder / "clip.avi", numbered_frames(40), codec="mpeg4", options={"bf": "2"})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        start = content.index(mark) + offset
        content[start : start + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


VIDEOS = {
    "trimmed by an edit list": (trimmed, range(30, 90), (96, 64)),
    "index in front": (copied("v.mp4", container_options={"movflags": "faststart"}), range(COUNT), (96, 64)),
    "fragments": (copied("v.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}), range(COUNT), (96, 64)),
    "mkv": (copied("v.mkv"), range(COUNT), (96, 64)),
    "mkv without ending": (live, range(COUNT), (96, 64)),
    "transport stream": (copied("v.ts"), range(COUNT), (96, 64)),
    "flv under a wrong name": (copied("v.mp4", container="flv"), range(COUNT), (96, 64)),
    "variable rate": (encoded("v.mp4", milliseconds=[i * i + 7 * i for i in range(COUNT)]), range(COUNT), (96, 64)),
    "variable rate mkv": (encoded("v.mkv", milliseconds=[9 * i + i % 3 for i in range(COUNT)]), range(COUNT), (96, 64)),
    "open groups": (encoded("v.mp4", options=OPEN_GOP), range(COUNT), (96, 64)),
    "no whole keyframes": (encoded("v.mkv", options=INTRA_REFRESH), range(COUNT), (96, 64)),
    "a keyframe every 3": (encoded("v.mp4", options=MANY_KEYFRAMES), range(COUNT), (96, 64)),
    "only keyframes": (encoded("v.mp4", options={"g": "1"}), range(COUNT), (96, 64)),
    "interlaced": (encoded("v.mp4", options={"x264-params": "interlaced=1"}), range(COUNT), (96, 64)),
    "hevc": (encoded("v.mp4", codec="libx265", options=HEVC), range(COUNT), (96, 64)),
    "hevc with closed groups": (encoded("v.mp4", codec="libx265", options=CLOSED_HEVC), range(COUNT), (96, 64)),
    "vp8 hidden frames": (
        encoded("v.webm", codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}), range(COUNT), (96, 64),
    ),
    "vp9 odd size": (encoded("v.webm", 20, (97, 65), codec="libvpx-vp9"), range(20), (97, 65)),
    "h264 odd size": (encoded("v.mp4", 20, (97, 65), pix_fmt="yuv444p"), range(20), (97, 65)),
    "10 bits": (encoded("v.mp4", 20, pix_fmt="yuv420p10le"), range(20), (96, 64)),
    "mpeg4 avi, wrong count": (miscounted_avi, range(40), (96, 64)),
    "gif named mp4": (pictures("v.mp4", "gif"), range(10), (96, 64)),
    "one frame": (encoded("v.mp4", 1), range(1), (96, 64)),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["decord", "pyav"])
@pytest.mark.parametrize(("make", "numbers", "size"), VIDEOS.values(), ids=VIDEOS)
def test_every_kind_of_video_gives_its_own_frames(tmp_path, make, numbers, size, backend):
    numbers = list(numbers)
    with open_video(make(tmp_path), backend=backend) as video:
        assert (video.num_frames, video.width, video.height) == (len(numbers), *size)
        assert numbers_of(video.iter_frames()) == numbers
        for seed in range(3):
            wanted = random.Random(seed).choices(range(len(numbers)), k=12)
            assert numbers_of(video.read(wanted)) == [numbers[index] for index in wanted]
        for index in (len(numbers) - 1, len(numbers) // 2, 0):  # each from a fresh start
            assert number_of(video.read([index])[0]) == numbers[index]


@pytest.mark.parametrize("make", [encoded("v.mp4"), trimmed, encoded("v.mp4", options=OPEN_GOP)])
def test_both_backends_give_the_same_bits(tmp_path, make):
    path = make(tmp_path)
    first, second = open_video(path, backend="decord"), open_video(path, backend="pyav")
    assert np.array_equal(first.read(range(COUNT)), second.read(range(COUNT)))


def test_the_reader_names_its_decoder(plain, tmp_path):
    assert open_video(plain).backend == open_video(plain, backend="pyav").backend == "pyav"
    assert open_video(plain, backend="decord").backend == "decord"
    assert open_video(trimmed(tmp_path), backend="decord").backend == "pyav"


def test_real_videos_are_the_same_to_the_bit_through_both_and_frame_by_frame(shared_data):
    folder = shared_data / "eval-demo" / "videos"
    paths = [*sorted(folder.glob("*.mp4")), next((shared_data / "opens2v-5m-demo" / "videos").rglob("*.mp4"))]
    assert len(paths) == 3
    for path in paths:
        with av.open(str(path), **IGNORED_TAGS) as container:
            one_by_one = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
            readers = [open_video(path, backend="decord"), open_video(path, backend="pyav")]
            assert [reader.backend for reader in readers] == ["decord", "pyav"]
            streams = [reader.iter_frames() for reader in readers]
            for expected, *got in zip(one_by_one, *streams, strict=True):
                assert all(np.array_equal(expected, frame) for frame in got)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_rotated_videos_come_upright(plain, tmp_path, turns, backend):
    path = tmp_path / "turned.mp4"
    path.write_bytes(rotated(plain.read_bytes(), turns))
    video = open_video(path, backend=backend)
    assert video.backend == ("pyav" if turns else backend)
    assert (video.width, video.height) == ((64, 96) if turns % 2 else (96, 64))
    turned = video.read([7, 21])
    assert turned.shape == (2, video.height, video.width, 3)
    assert numbers_of(np.rot90(frame, -turns) for frame in turned) == [7, 21]
    assert np.array_equal(turned, np.rot90(open_video(plain).read([7, 21]), turns, axes=(1, 2)))


def test_forced_keyframes_that_a_seek_overshoots(tmp_path):
    """Keyframes in a row amid reordered frames: their decoding times lie before the frame that is sought."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(
            "libx264", rate=24, options={"x264-params": "bframes=3:b-adapt=0:keyint=99:scenecut=0"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index, frame in enumerate(numbered_frames(COUNT)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 24)
            if 20 <= index < 30:
                picture.pict_type = av.video.frame.PictureType.I
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    for backend in ("decord", "pyav"):
        video = open_video(path, backend=backend)
        for index in range(15, 35):
            assert number_of(video.read([index])[0]) == index


def test_bytes_read_as_the_file_does(plain):
    content = plain.read_bytes()
    for backend in ("decord", "pyav"):
        video = open_video(content, backend=backend)
        assert video.backend == "pyav"  # decord reads beyond the end of bytes that name a wrong offset
        assert numbers_of(video.read([5, 50, 5])) == [5, 50, 5]
    assert open_video(content).name == "<bytes>"
    assert open_video(content, name="upload.mp4").name == "upload.mp4"


def test_properties(plain):
    video = open_video(str(plain))
    assert (video.name, video.num_frames, video.fps, video.width, video.height) == (str(plain), COUNT, 24.0, 96, 64)
    frames = video.read(np.array([3, 1]))
    assert (frames.shape, frames.dtype) == ((2, 64, 96, 3), np.uint8)
    assert video.read([]).shape == (0, 64, 96, 3)


def test_names_that_look_like_protocols_are_names(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:a|b.mp4").write_bytes(plain.read_bytes())
    assert open_video("concat:a|b.mp4").num_frames == COUNT


def test_tags_that_are_no_utf8_do_no_harm(plain, tmp_path):
    buffer = io.BytesIO()
    with av.open(str(plain)) as source, av.open(buffer, "w", format="matroska") as output:
        output.metadata["title"] = "TITLE-TO-SPOIL"
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    spoilt = buffer.getvalue().replace(b"TITLE-TO-SPOIL", b"\xff\xfe" * 7)
    assert open_video(spoilt).num_frames == COUNT


@pytest.mark.parametrize("indices", [[COUNT], [-1], [0, 10**9]])
def test_frames_out_of_range_are_refused(plain, indices):
    for read in (open_video(plain).read, open_video(plain).iter_frames):
        with pytest.raises(ArgumentError, match=rf"plain\.mp4: there is no frame .*0 to {COUNT - 1}"):
            read(indices)


@pytest.mark.parametrize("indices", [[0.5], ["1"], [[1]], [True]])
def test_indices_that_are_none_are_refused(plain, indices):
    with pytest.raises(ArgumentError, match="whole numbers"):
        open_video(plain).read(indices)


@pytest.mark.parametrize("indices", [[2, 1], [1, 1]])
def test_a_stream_goes_forwards(plain, indices):
    with pytest.raises(ArgumentError, match="ascending"):
        open_video(plain).iter_frames(indices)


def test_reading_from_a_closed_reader_raises(plain):
    with open_video(plain) as video:
        assert video.num_frames == COUNT
    with pytest.raises(VideoError, match=r"plain\.mp4: the reader is closed"):
        video.read([0])
    with pytest.raises(VideoError, match="closed"):
        video.iter_frames()


def test_without_decord_pyav_reads(plain, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)  # the import of it now fails
    video = open_video(plain)
    assert (video.backend, numbers_of(video.read([3, 40]))) == ("pyav", [3, 40])
    with pytest.raises(MissingDependencyError, match="pip install decord"):
        open_video(plain, backend="decord")


def test_unknown_backends_are_refused(plain):
    with pytest.raises(ArgumentError, match="auto, decord, pyav"):
        open_video(plain, backend="opencv")
