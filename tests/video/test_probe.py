from __future__ import annotations

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import VideoError
from opens2v_hf.video.probe import Header, probe


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_the_header_tells_length_and_size(tmp_path, name, codec):
    video = encode(tmp_path / name, numbered_frames(30, width=96, height=64), codec=codec)
    assert probe(video) == probe(video.read_bytes()) == Header(num_frames=30, width=96, height=64)


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"absent\.mp4"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(VideoError):
        probe(b"no video")
