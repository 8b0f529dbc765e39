from pathlib import Path

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.video_names import model_name
from opens2v_hf.evaluation.videos import find_videos

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


def test_a_folder_name_that_is_too_long_is_an_error_of_the_user() -> None:
    with pytest.raises(ArgumentError, match="there is no folder x"):
        find_videos("x" * 300, IDS)


def test_two_videos_of_one_sample_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="two videos of singleobj_1"):
        find_videos(str(_touch(tmp_path, "singleobj_1.mp4", "singleobj_1.webm")), IDS)


def test_a_folder_without_any_sample_says_how_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"singleobj_1\.mp4"):
        find_videos(str(_touch(tmp_path, "a.mp4")), IDS)


def test_a_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    video = _touch(tmp_path, "singleobj_1.mp4") / "singleobj_1.mp4"
    with pytest.raises(ArgumentError, match="is a file"):
        find_videos(str(video), IDS)
    with pytest.raises(ArgumentError, match="no folder"):
        find_videos(str(tmp_path / "absent"), IDS)


def test_a_repo_that_cannot_be_reached_is_a_clear_error() -> None:
    with pytest.raises(ArgumentError, match="org/absent"):
        find_videos("org/absent", IDS)


def _error(folder: Path, **arguments: bool) -> str:
    with pytest.raises(ArgumentError) as caught:
        find_videos(str(folder), IDS, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("singleobj_1_seed42.mp4", "singleobj_1_seed42.mp4 looks like singleobj_1 (suffix '_seed42')"),
        ("singleobj_1_0.mp4", "looks like singleobj_1 (suffix '_0')"),
        ("singleobj_2-0001.mp4", "looks like singleobj_2 (suffix '-0001')"),
        ("SingleObj_1.MP4", "looks like singleobj_1 (case 'SingleObj_1')"),
        ("wan_faceobj_1.mp4", "looks like faceobj_1 (prefix 'wan_')"),
        ("faceobj_1.flv", "looks like faceobj_1 (ending '.flv')"),
        ("faceobj_1\x1b[2J.mp4", r"faceobj_1\x1b[2J.mp4 looks like faceobj_1 (suffix '\x1b[2J')"),
    ],
)
def test_near_matches_are_listed_with_the_remedy(tmp_path: Path, name: str, said: str) -> None:
    message = _error(_touch(tmp_path, name))
    assert said in message
    assert "rename or link the files to <id>.mp4" in message
    assert "\x1b" not in message


@pytest.mark.parametrize("name", ["singleobj_12.mp4", "xsingleobj_1.mp4", "00001.mp4"])
def test_another_number_or_word_is_no_near_match(tmp_path: Path, name: str) -> None:
    message = _error(_touch(tmp_path, name))
    assert "looks like" not in message
    assert f"it holds 1 files: {name}" in message


def test_several_files_of_one_sample_need_separate_folders(tmp_path: Path) -> None:
    message = _error(_touch(tmp_path, "singleobj_1_seed1.mp4", "singleobj_1_seed2.mp4"))
    assert "several files belong to one sample" in message


def test_a_sample_of_another_split_is_named(tmp_path: Path) -> None:
    assert "like a sample of another split; choose it with `split=`" in _error(_touch(tmp_path, "multiface_7.mp4"))


def test_subfolders_are_searched_on_request_only(tmp_path: Path) -> None:
    (tmp_path / "seed1" / "deep").mkdir(parents=True)
    (tmp_path / "seed1" / ".hidden").mkdir()
    _touch(tmp_path / "seed1", "singleobj_1.mp4")
    _touch(tmp_path / "seed1" / "deep", "faceobj_1.mp4")
    _touch(tmp_path / "seed1" / ".hidden", "singleobj_2.mp4")
    message = _error(tmp_path)
    assert "its subfolders hold 2 of them" in message
    assert "seed1/singleobj_1.mp4" in message
    assert "`recursive=True`" in message
    found = find_videos(str(tmp_path), IDS, recursive=True)
    assert found.file_names == {"singleobj_1": "seed1/singleobj_1.mp4", "faceobj_1": "seed1/deep/faceobj_1.mp4"}
    assert found.fetch["faceobj_1"]() == tmp_path / "seed1" / "deep" / "faceobj_1.mp4"
    _touch(tmp_path, "singleobj_1.mp4")
    assert find_videos(str(tmp_path), IDS).not_searched == ("seed1/singleobj_1.mp4", "seed1/deep/faceobj_1.mp4")
    with pytest.raises(ArgumentError, match=r"two videos of singleobj_1: singleobj_1\.mp4 and seed1/singleobj_1\.mp4"):
        find_videos(str(tmp_path), IDS, recursive=True)


def test_near_matches_in_subfolders_are_found(tmp_path: Path) -> None:
    (tmp_path / "seed1").mkdir()
    _touch(tmp_path / "seed1", "singleobj_1_0.mp4")
    assert "seed1/singleobj_1_0.mp4 looks like singleobj_1 (suffix '_0', in a subfolder)" in _error(tmp_path)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/data/wan-14b/videos", "wan-14b"),
        ("/data/wan-14b/open-domain/Videos", "wan-14b"),
        ("/data/wan-14b", "wan-14b"),
        ("/videos", None),
        ("/", None),
    ],
)
def test_a_model_is_named_after_the_last_folder_that_is_not_generic(place: str, name: str | None) -> None:
    assert model_name(place) == name
