"""Files are whole or not there, and their modes follow the umask, wherever the package writes them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opens2v_hf._util.atomic import atomic_file, temporary_folder
from opens2v_hf._util.files import visible_files, whole_file
from opens2v_hf.evaluation.thumbnails import write_thumbnail
from opens2v_hf.generators.files import remove_leftovers
from opens2v_hf.results.result import write_json
from opens2v_hf.video.writer import write_video

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_mode_follows_the_umask(tmp_path: Path, umask: int) -> None:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    with atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("a")
    with whole_file(tmp_path / "b.parquet") as temporary:
        temporary.write_text("b")
    files = [
        tmp_path / "a.txt",
        tmp_path / "b.parquet",
        write_json(tmp_path / "c.json", {}),
        write_thumbnail(tmp_path / "d", "singleobj_1", frames),
        write_video(tmp_path / "e.mp4", frames, fps=8.0),
    ]
    assert {file.name: _mode(file) for file in files} == {file.name: 0o666 & ~umask for file in files}
    assert _mode(temporary_folder(tmp_path, ".new-")) == 0o777 & ~umask


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_file(path) as temporary:  # noqa: PT012  the block is what fails
        temporary.write_text("new")
        raise KeyError
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125, "\N{GRINNING FACE}" * 62])
def test_a_name_as_long_as_names_can_be(tmp_path: Path, stem: str) -> None:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    with atomic_file(tmp_path / f"{stem}.txt") as temporary:
        temporary.write_text("new")
    written = [write_video(tmp_path / f"{stem}.mp4", frames, fps=8.0), write_thumbnail(tmp_path, stem, frames)]
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.txt", *(path.name for path in written)}
    assert temporary_folder(tmp_path, stem).is_dir()


def test_the_ending_is_seen_in_the_temporary_name(tmp_path: Path) -> None:
    """By it the leftovers of a killed process are found."""
    with atomic_file(tmp_path / ("x" * 200 + ".mp4"), suffix=".partial") as temporary:
        temporary.touch()
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == []
        temporary.touch()


def test_hidden_files_are_in_no_listing(tmp_path: Path) -> None:
    for name in ("b.parquet", "a.parquet", "._a.parquet", ".hidden/c.parquet", "d/e.parquet", "d/._e.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, "*.parquet")] == ["a.parquet", "b.parquet"]
    assert [path.name for path in visible_files(tmp_path, "**/*.parquet")] == ["a.parquet", "b.parquet", "e.parquet"]
