from opens2v_hf.data.opens2v5m.released.records import cluster_of
from opens2v_hf.pipeline.clip_ids import clip_id, file_id, whole_file
from opens2v_hf.pipeline.records import SourceFile


def test_a_plain_name_is_kept() -> None:
    assert clip_id("beach_01.mp4", 12, 95) == "beach_01_part12-95"
    assert whole_file(SourceFile("/data/a.mp4", "a.mp4")).id == "a"


def test_names_that_would_become_alike_stay_apart() -> None:
    files = ["a.mp4", "a.mov", "x/a.mp4", "y/a.mp4", "x-a.mp4", "a.MP4", "...mp4", "🙂.mp4"]
    names = [*files, "\u00e5.mp4", "a\u030a.mp4"]  # one letter, composed and not

    ids = [file_id(name) for name in names]

    assert len(set(ids)) == len(names)
    assert not any(set(found) & set("/\\ :*?\"'") or found.startswith((".", "-")) for found in ids)


def test_an_id_is_never_too_long_for_a_file_name() -> None:
    assert len((clip_id("ü" * 250 + ".mp4", 0, 10**6) + ".png").encode()) < 255


def test_clips_of_a_file_are_one_cluster_and_so_are_released_parts_of_a_source() -> None:
    assert cluster_of(clip_id("beach.mp4", 0, 50)) == cluster_of(clip_id("beach.mp4", 50, 90)) == "beach"
    assert cluster_of(clip_id("gm12_part2.mp4", 0, 50)) == cluster_of(clip_id("gm12_part7.mp4", 0, 9)) == "gm12"
    assert cluster_of(clip_id("x/beach.mp4", 0, 50)) != cluster_of(clip_id("y/beach.mp4", 0, 50))
