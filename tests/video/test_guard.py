import io
import os
import struct

import av
import pytest
from helpers.videos import encode, numbered_frames, numbers_of

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.video import truncation
from opens2v_hf.video.guard import errors_as_video_errors
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.source import Source


@pytest.mark.parametrize(
    "error",
    [OSError(5, "I/O"), OverflowError("big"), ValueError("v"), MemoryError(), RuntimeError("r"), RecursionError("deep"),
     struct.error("s"), IndexError(), NotImplementedError(), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("place", ["open", "decode", "boxes"])
def test_any_exception_becomes_a_video_error(tmp_path, monkeypatch, error, place):
    path = encode(tmp_path / "v.mp4", numbered_frames(4))

    def raising(*arguments, **options):
        raise error

    if place == "open":
        monkeypatch.setattr(av, "open", raising)
    elif place == "decode":
        monkeypatch.setattr("opens2v_hf.video.rgb.RgbConverter.convert", raising)
    else:
        monkeypatch.setattr(truncation.Boxes, "read", raising)
    with pytest.raises(VideoError, match=r"v\.mp4: ") as caught:
        list(open_video(path).iter_frames())
    chain, link = [], caught.value
    while link is not None:
        chain.append(link)
        link = link.__cause__
    assert error in chain


def test_own_errors_pass_unchanged():
    with pytest.raises(ArgumentError, match="mine"), errors_as_video_errors("a"):
        raise ArgumentError("mine")


@pytest.mark.parametrize("size", [0, 7, 15, 1 << 63, (1 << 64) - 1, (1 << 64) - 16])
def test_boxes_of_impossible_64_bit_sizes(tmp_path, size):
    content = encode(tmp_path / "v.mp4", numbered_frames(4)).read_bytes()
    start = content.index(b"moov") - 4
    for place in (start, len(content)):
        broken = content[:place] + struct.pack(">I4sQ", 1, b"free", size) + content[place:]
        try:
            outcome = str(numbers_of(open_video(broken).iter_frames()))
        except VideoError as error:
            outcome = str(error)
        assert outcome == "[0, 1, 2, 3]" or outcome.startswith("<bytes>: ")


def test_half_surrogates_in_names(tmp_path):
    with pytest.raises(VideoError, match=r"a\\ud800\.mp4: ") as caught:
        open_video("a\ud800.mp4")
    str(caught.value).encode()  # can be printed
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/caf\xe9.mp4")  # no UTF-8, and a good name on Linux
    path = encode(tmp_path / "v.mp4", numbered_frames(4))
    os.link(path, name)
    assert numbers_of(open_video(name).iter_frames()) == [0, 1, 2, 3]


def test_a_pipe_that_takes_the_files_place_is_not_waited_for(tmp_path):
    path = encode(tmp_path / "v.mp4", numbered_frames(4))
    source = Source.of(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(VideoError, match="no regular file"), source.opened():
        pass


def test_an_open_file_is_read_from_where_it_is(tmp_path):
    path = encode(tmp_path / "v.mp4", numbered_frames(4))
    with path.open("rb") as file:
        video = open_video(file)
    path.write_bytes(b"something else")  # what was read is what counts
    assert numbers_of(video.iter_frames()) == [0, 1, 2, 3]
    with pytest.raises(VideoError, match="holds no bytes"):
        open_video(io.BytesIO())
    with pytest.raises(VideoError, match="mode 'rb'"):
        open_video(io.StringIO("text"))


def test_no_more_boxes_than_a_video_has(monkeypatch):
    monkeypatch.setattr(truncation, "_MAX_BOXES", 100)
    with pytest.raises(VideoError, match="<bytes>: has more than 100 boxes"):
        open_video(struct.pack(">I4s", 8, b"free") * 101)
