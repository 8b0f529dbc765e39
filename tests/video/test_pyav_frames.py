from dataclasses import replace

import numpy as np
from helpers.videos import encode, number_of, numbered_frames

from opens2v_hf.video.index import index_video
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.pyav_frames import read_frames
from opens2v_hf.video.source import Source


def test_a_seek_that_misses_starts_over(tmp_path):
    """Without whole keyframes, the decoder shows nothing for some frames after a seek."""
    options = {"x264-params": "intra-refresh=1:keyint=12"}
    source = Source.of(encode(tmp_path / "clip.mkv", numbered_frames(60), options=options))
    index = index_video(source, Limits())
    assert index.entries.tolist() == [0]
    misled = replace(index, entries=np.arange(60))
    wanted = [3, 30, 31, 59]
    assert [number_of(frame) for frame in read_frames(source, misled, wanted)] == wanted
