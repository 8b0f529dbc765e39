from pathlib import Path

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.videos import find_videos

IDS = ["singleobj_1", "singleobj_2", "faceobj_1"]


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_files_are_matched_by_stem_in_the_order_of_the_split(tmp_path: Path) -> None:
    found = find_videos(
        str(_touch(tmp_path, "faceobj_1.webm", "singleobj_1.mp4", "extra.mp4", "singleobj_2.json")), IDS
    )
    assert list(found.file_names.items()) == [("singleobj_1", "singleobj_1.mp4"), ("faceobj_1", "faceobj_1.webm")]
    assert found.missing == ("singleobj_2",)
    assert found.unknown == ("extra.mp4", "singleobj_2.json")
    assert found.fetch["faceobj_1"]() == tmp_path / "faceobj_1.webm"
    assert found.source == tmp_path.name


def test_hidden_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "singleobj_2.mp4").mkdir()
    found = find_videos(str(_touch(tmp_path, "singleobj_1.mp4", ".DS_Store")), IDS)
    assert found.unknown == ()
    assert found.missing == ("singleobj_2", "faceobj_1")


def test_two_videos_of_one_sample_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="two videos of singleobj_1"):
        find_videos(str(_touch(tmp_path, "singleobj_1.mp4", "singleobj_1.webm")), IDS)


def test_a_folder_without_any_sample_says_how_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"singleobj_1\.mp4"):
        find_videos(str(_touch(tmp_path, "a.mp4")), IDS)


def test_a_file_and_a_name_that_is_nothing_are_refused(tmp_path: Path) -> None:
    video = _touch(tmp_path, "singleobj_1.mp4") / "singleobj_1.mp4"
    with pytest.raises(ArgumentError, match="is a file"):
        find_videos(str(video), IDS)
    with pytest.raises(ArgumentError, match="no folder"):
        find_videos(str(tmp_path / "absent"), IDS)


def test_a_repo_that_cannot_be_reached_is_a_clear_error() -> None:
    with pytest.raises(ArgumentError, match="org/absent"):
        find_videos("org/absent", IDS)
