"""Files that are no video, or no whole one: each ends as a VideoError that names the file, through either backend."""

import io
import math
import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.videos import (
    Pipe,
    encode,
    media_data,
    numbered_frames,
    numbers_of,
    remux,
    sound_only,
    with_cover,
    with_matrix,
    without_frames,
)
from PIL import Image

from opens2v_hf.errors import VideoError
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video

COUNT = 60
pytestmark = pytest.mark.parametrize("backend", ["decord", "pyav"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return write_video(folder / "whole.mp4", numbered_frames(COUNT, 192, 128), 24, keyframe_interval=12)


def copy_of(whole: Path, folder: Path, name: str, **options) -> bytes:
    remux(whole, folder / name, **options)
    return (folder / name).read_bytes()


def refused(source, backend: str, match: str, folder: Path | None = None) -> str:
    """Read it all; with a folder, bytes are read as a file there, so that decord sees them, too."""
    if folder is not None:
        (folder / "broken.mp4").write_bytes(source)
        source = folder / "broken.mp4"

    def read_all() -> None:
        for _ in open_video(source, backend=backend).iter_frames():
            continue

    with pytest.raises(VideoError, match=match) as caught:
        read_all()
    return str(caught.value)


def test_missing(tmp_path, backend):
    assert str(tmp_path / "no.mp4") in refused(tmp_path / "no.mp4", backend, "no such file")
    (tmp_path / "file").write_bytes(b"x")
    refused(tmp_path / "file" / "below.mp4", backend, "no such file")


def test_folder(tmp_path, backend):
    assert refused(tmp_path, backend, "is a folder").startswith(str(tmp_path))


def test_no_regular_file(tmp_path, backend):
    os.mkfifo(tmp_path / "pipe.mp4")  # opening it would wait for ever
    refused(tmp_path / "pipe.mp4", backend, r"pipe\.mp4: is no regular file")


@pytest.mark.parametrize("name", ["a\0b.mp4", "a" * 5000])
def test_impossible_names(name, backend):
    refused(name, backend, "cannot be read")


def test_no_path_and_no_bytes(backend):
    refused(3, backend, "path or the bytes of a file")


def test_empty(tmp_path, backend):
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", backend, r"empty\.mp4: is empty")
    refused(b"", backend, "<bytes>: holds no bytes")


def test_video_track_without_frames(tmp_path, backend):
    refused(without_frames(tmp_path / "zero.mp4"), backend, r"zero\.mp4: has no frame")


def test_sound_only(tmp_path, backend):
    refused(sound_only(tmp_path / "sound.mp4"), backend, r"sound\.mp4: holds no video stream \(only: audio\)")
    with wave.open(str(tmp_path / "wav.mp4"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    refused(tmp_path / "wav.mp4", backend, "holds no video stream")


def test_a_cover_picture_is_no_video(tmp_path, backend):
    music = sound_only(tmp_path / "music.mp3", codec="libmp3lame").read_bytes()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    refused(with_cover(music, buffer.getvalue()), backend, "holds no video stream")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_pictures_named_mp4(tmp_path, kind, backend):
    Image.fromarray(next(numbered_frames(1))).save(tmp_path / "picture.mp4", format=kind)
    refused(tmp_path / "picture.mp4", backend, r"picture\.mp4: .*(no video|cannot be read)")


@pytest.mark.parametrize(
    "text",
    [
        "a cat on a mat\n" * 50,
        "#EXTM3U\n#EXTINF:10,\nwhole.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile whole.mp4\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        '{"video": "https://example.org/whole.mp4"}',
    ],
    ids=["prose", "m3u8", "ffconcat", "dash", "json"],
)
def test_texts_and_playlists_are_no_videos(whole, text, backend):
    """A playlist would make the decoder open other files or addresses."""
    playlist = whole.parent / "playlist.mp4"
    playlist.write_text(text)
    refused(playlist, backend, r"playlist\.mp4: .*(no video|cannot be read)")


@pytest.mark.parametrize(
    "content", [b"x", bytes(50_000), np.random.default_rng(0).bytes(50_000)], ids=["byte", "zeros", "noise"]
)
def test_noise(content, backend):
    refused(content, backend, "<bytes>: ")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["v.mp4", "faststart.mp4", "fragments.mp4", "v.mkv", "v.avi"])
def test_cut_off(whole, tmp_path, name, share, backend):
    movflags = {"faststart.mp4": "faststart", "fragments.mp4": "frag_keyframe+empty_moov+default_base_moof"}.get(name)
    if name == "v.avi":
        content = encode(tmp_path / name, numbered_frames(COUNT), codec="mpeg4").read_bytes()
    else:
        content = copy_of(whole, tmp_path, name, container_options={"movflags": movflags} if movflags else None)
    refused(content[: int(len(content) * share)], backend, "<bytes>: ")
    refused(content[: int(len(content) * share)], backend, r"broken\.mp4: ", tmp_path)


def test_cut_off_between_two_frames(whole, tmp_path, backend):
    """The box of the pictures ends where the file does, and only the table of frames tells that some are missing."""
    content = bytearray(copy_of(whole, tmp_path, "fast.mp4", container_options={"movflags": "faststart"}))
    with av.open(str(tmp_path / "fast.mp4")) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
    start, _ = media_data(content)
    content[start - 8 : start - 4] = (ends[39] - start + 8).to_bytes(4, "big")
    refused(bytes(content[: ends[39]]), backend, "announces 60 frames and holds 40", tmp_path)


def test_a_live_recording_that_stops_has_the_frames_it_has(whole, backend):
    pipe = Pipe()
    remux(whole, pipe, container="matroska")
    video = open_video(bytes(pipe.content[: len(pipe.content) // 2]), backend=backend)
    assert 10 < video.num_frames < COUNT
    assert numbers_of(video.iter_frames()) == list(range(video.num_frames))


@pytest.mark.parametrize("seed", range(4))
def test_pictures_overwritten_in_the_middle_are_not_patched_up(whole, tmp_path, seed, backend):
    content = bytearray(whole.read_bytes())
    start, end = media_data(content)
    middle = (start + end) // 2
    content[middle : middle + 2000] = np.random.default_rng(seed).bytes(2000)
    refused(bytes(content), backend, "damaged", tmp_path)


def test_frames_before_the_damage_are_still_read(whole, tmp_path, backend):
    content = bytearray(whole.read_bytes())
    _, end = media_data(content)
    content[end - 1500 : end - 500] = bytes(1000)
    (tmp_path / "damaged.mp4").write_bytes(content)
    video = open_video(tmp_path / "damaged.mp4", backend=backend)
    assert video.backend == backend
    assert numbers_of(video.read([0, 5, 20])) == [0, 5, 20]
    refused(bytes(content), backend, "damaged", tmp_path)


def test_a_size_that_changes(tmp_path, backend):
    small = encode(tmp_path / "small.h264", numbered_frames(10, 96, 64)).read_bytes()
    large = encode(tmp_path / "large.h264", numbered_frames(10, 120, 80)).read_bytes()
    refused(small + large, backend, "frame 10 is 120x80, the first is 96x64")


def test_a_rotation_by_no_quarter_turn(whole, backend):
    content = with_matrix(whole.read_bytes(), math.cos(0.7), math.sin(0.7), -math.sin(0.7), math.cos(0.7))
    refused(content, backend, "no quarter turn")


def test_offsets_far_beyond_the_end(whole, tmp_path, backend):
    """The second fragment says that its pictures lie a terabyte further on: no decoder may follow it in memory."""
    content = bytearray(copy_of(whole, tmp_path, "v.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}))
    second = content.index(b"tfhd", content.index(b"tfhd") + 4)
    base_data_offset = second + 4 + 4 + 4  # after name, version with flags, and track
    assert content[second + 7] & 1  # the flag that it is there (ISO/IEC 14496-12, 8.8.7)
    content[base_data_offset : base_data_offset + 8] = (1 << 40).to_bytes(8, "big")
    (tmp_path / "broken.mp4").write_bytes(content)
    for source in (bytes(content), tmp_path / "broken.mp4"):
        video = open_video(source, backend=backend)
        assert numbers_of(video.iter_frames()) == list(range(12))  # the first fragment
