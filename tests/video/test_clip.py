import hashlib

import numpy as np
import psutil
import pytest
from helpers.videos import numbered_frames, numbers_of

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.video import pyav_frames
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import every, linspace, stride
from opens2v_hf.video.writer import write_video

COUNT = 81


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", numbered_frames(COUNT), 15)


@pytest.fixture
def decoded(monkeypatch):
    """The indices of all frames that the reader decodes, as they come."""
    seen = []
    read_frames = pyav_frames.read_frames

    def spy(source, index, wanted):
        for number, frame in zip(wanted, read_frames(source, index, wanted), strict=True):
            seen.append(number)
            yield frame

    monkeypatch.setattr(pyav_frames, "read_frames", spy)
    return seen


def test_each_rule_gets_its_frames(path):
    clip = Clip(path, rules=(linspace(32), stride(16)))
    # 80 * i / 31 in whole numbers; 81 // 16 = 5
    assert numbers_of(clip.frames(linspace(32))) == [80 * i // 31 for i in range(32)]
    assert numbers_of(clip.frames(stride(16))) == list(range(0, 80, 5))
    assert clip.frames(linspace(32)).shape == (32, 64, 96, 3)
    assert clip.frames(linspace(32)).dtype == np.uint8


def test_one_decode_serves_all_rules(path, decoded):
    clip = Clip(path, rules=(linspace(32), stride(16)), backend="pyav")
    assert (clip.num_frames, clip.fps, clip.width, clip.height) == (COUNT, 15.0, 96, 64)
    assert decoded == []  # nothing before it is needed
    for rule in (linspace(32), stride(16), linspace(32)):
        clip.frames(rule)
    assert decoded == sorted({80 * i // 31 for i in range(32)} | set(range(0, 80, 5)))


def test_a_stream_serves_the_other_rules_on_its_way(path, decoded):
    clip = Clip(path, rules=(linspace(4), every()), backend="pyav")
    assert numbers_of(clip.stream()) == list(range(COUNT))
    assert numbers_of(clip.frames(linspace(4))) == [0, 26, 53, 80]
    assert decoded == list(range(COUNT))


def test_a_stream_that_is_left_early_stores_no_frames(path):
    clip = Clip(path, rules=(linspace(4), every()))
    next(clip.stream())
    assert numbers_of(clip.frames(linspace(4))) == [0, 26, 53, 80]


def test_changing_a_frame_changes_no_other(path):
    clip = Clip(path, rules=(linspace(4), every()))
    for frame in clip.stream():
        frame[:] = 0
    clip.frames(linspace(4))[:] = 0
    assert numbers_of(clip.frames(linspace(4))) == [0, 26, 53, 80]


def test_a_clip_shorter_than_its_rules(tmp_path):
    clip = Clip(write_video(tmp_path / "short.mp4", numbered_frames(3), 8), rules=(linspace(5), stride(16)))
    assert numbers_of(clip.frames(linspace(5))) == [0, 0, 1, 1, 2]
    assert numbers_of(clip.frames(stride(16))) == [0, 1, 2]


def test_names_and_digest(path):
    content = path.read_bytes()
    expected = hashlib.sha256(content).hexdigest()
    assert (Clip(path).name, Clip(path).sha256) == (str(path), expected)
    assert (Clip(content).name, Clip(content).sha256) == ("<bytes>", expected)
    named = Clip(path, name="singleface_1")
    assert named.name == "singleface_1"
    assert named.num_frames == COUNT


def test_messages_carry_the_name(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"^singleface_1: "):
        Clip(broken, name="singleface_1").frames(linspace(32))
    with pytest.raises(VideoError, match=r"broken\.mp4: "):
        Clip(broken).frames(linspace(32))
    with pytest.raises(VideoError, match="no such file"):
        Clip(tmp_path / "absent.mp4")


def test_rules_that_were_not_announced_are_refused(path):
    with pytest.raises(ArgumentError, match="opened for the rules linspace-32 and not for stride-16"):
        Clip(path).frames(stride(16))
    with pytest.raises(ArgumentError, match="use stream"):
        Clip(path, rules=(every(),)).frames(every())
    with pytest.raises(ArgumentError, match="SamplingRule"):
        Clip(path, rules=("all",))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    def frames():
        picture = next(numbered_frames(1, 320, 192))
        for number in range(1500):
            picture[:, number % 320] = 255 - picture[:, number % 320]
            yield picture

    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", frames(), 24, quality=30)


def test_a_long_clip_is_not_held(long_clip):
    """Its 1,500 frames of 320x192 would take 276 MB."""
    process = psutil.Process()
    clip = Clip(long_clip, rules=(linspace(32), stride(16), every()))
    assert (clip.num_frames, clip.backend) == (1500, "pyav")
    before = peak = process.memory_info().rss
    for number, _ in enumerate(clip.stream()):
        if number % 20 == 0:
            peak = max(peak, process.memory_info().rss)
    assert number == 1499
    assert clip.frames(linspace(32)).shape == (32, 192, 320, 3)
    sparse = Clip(long_clip)
    sparse.frames(linspace(32))
    peak = max(peak, process.memory_info().rss)
    assert peak - before < 120e6


def test_one_decode_serves_several_streams_where_all_frames_fit(path, decoded):
    num_bytes = COUNT * 96 * 64 * 3
    clip = Clip(path, rules=(every(), linspace(4)), backend="pyav", max_kept_bytes=num_bytes)
    for _ in range(2):
        for number, frame in enumerate(clip.stream()):
            assert numbers_of([frame]) == [number]
            frame[:] = 0  # the frame is the caller's own
    assert numbers_of(clip.frames(linspace(4))) == [0, 26, 53, 80]
    assert decoded == list(range(COUNT))


def test_frames_that_do_not_all_fit_are_decoded_anew_by_each_stream(path, decoded):
    clip = Clip(path, rules=(every(),), backend="pyav", max_kept_bytes=COUNT * 96 * 64 * 3 - 1)
    assert sum(1 for _ in clip.stream()) + sum(1 for _ in clip.stream()) == 2 * COUNT
    assert decoded == [*range(COUNT), *range(COUNT)]
