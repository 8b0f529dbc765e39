import decord
import pytest
from helpers.videos import numbered_frames, numbers_of, remux

from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video


@pytest.mark.parametrize("good_batches", [0, 1, 2])
def test_where_decord_fails_pyav_gives_the_rest(tmp_path, monkeypatch, good_batches):
    video = open_video(write_video(tmp_path / "clip.mp4", numbered_frames(40), 24), backend="decord")
    get_batch = decord.VideoReader.get_batch
    calls = []

    def failing(reader, indices):
        calls.append(indices)
        if len(calls) > good_batches:
            raise decord.DECORDError("cannot seek")
        return get_batch(reader, indices)

    monkeypatch.setattr(decord.VideoReader, "get_batch", failing)
    assert video.backend == "decord"
    assert numbers_of(video.iter_frames()) == list(range(40))
    assert len(calls) == good_batches + 1


def test_decord_numbers_a_trimmed_file_in_two_ways_and_is_not_followed(tmp_path):
    """Why PyAV reads such files: decord's frames depend on the frames that were asked for before."""
    whole = write_video(tmp_path / "whole.mp4", numbered_frames(90), 24)
    remux(whole, tmp_path / "trimmed.mp4", shift_frames=30)
    path = str(tmp_path / "trimmed.mp4")
    reader = decord.VideoReader(path)
    in_order = numbers_of(reader.get_batch(range(len(reader))).asnumpy())
    by_seeking = numbers_of(decord.VideoReader(path)[index].asnumpy() for index in range(0, len(reader), 25))
    assert in_order[:60] == list(range(30, 90))
    assert by_seeking != in_order[::25]
    assert numbers_of(open_video(path, backend="decord").iter_frames()) == list(range(30, 90))
