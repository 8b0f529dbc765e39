import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.evaluation.thumbnails import find_thumbnails, strip, write_thumbnail

COLORS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [0, 0, 0], [250, 250, 250]], dtype=np.uint8)


def _frames(count: int, height: int = 112, width: int = 168) -> np.ndarray:
    """Frames of one colour each."""
    return np.broadcast_to(COLORS[:count, None, None, :], (count, height, width, 3)).copy()


def test_a_strip_shows_frames_from_the_first_to_the_last() -> None:
    picture = np.asarray(Image.open(io.BytesIO(strip(_frames(6)))))
    assert picture.shape == (112, 4 * 168, 3)
    # linspace over 0..5 gives frames 0, 1, 3 and 5
    for place, frame in enumerate((0, 1, 3, 5)):
        shown = picture[20:90, place * 168 + 20 : place * 168 + 148].reshape(-1, 3).mean(axis=0)
        assert np.abs(shown - COLORS[frame]).max() < 8


@pytest.mark.parametrize(
    ("count", "height", "width", "size"),
    [(1, 112, 168, (168, 112)), (2, 1080, 1920, (398, 112)), (3, 20, 4000, (600, 1)), (4, 2000, 100, (24, 112))],
)
def test_sizes(count: int, height: int, width: int, size: tuple[int, int]) -> None:
    assert Image.open(io.BytesIO(strip(_frames(count, height, width)))).size == size


def test_thumbnails_are_written_and_found_next_to_the_result(tmp_path: Path) -> None:
    folder = tmp_path / "open-domain.thumbnails"
    path = write_thumbnail(folder, "singleobj_1", _frames(5))
    assert path.read_bytes() == strip(_frames(5))
    (folder / "notes.txt").write_text("x")
    assert find_thumbnails(tmp_path / "open-domain.json") == {"singleobj_1": path}
    assert find_thumbnails(tmp_path / "human-domain.json") == {}
    assert sorted(p.name for p in folder.iterdir()) == ["notes.txt", "singleobj_1.jpg"]


@pytest.mark.parametrize("name", ["../singleobj_1", "a/b", "", "..", "/etc/x"])
def test_an_id_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match="plain file name"):
        write_thumbnail(tmp_path, name, _frames(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((1, 4, 4, 3)),
        np.zeros((1, 4, 4, 4), np.uint8),
    ],
)
def test_other_arrays_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="frames must be uint8"):
        strip(frames)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(ResultError, match="No space left"):
        write_thumbnail(tmp_path, "singleobj_1", _frames(1))
    assert list(tmp_path.iterdir()) == []
