"""Reading vectors, clusters and thresholds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.pipeline.pairs.clusters import by_look, by_source
from opens2v_hf.pipeline.pairs.options import PairOptions
from opens2v_hf.pipeline.pairs.search import Candidates
from opens2v_hf.pipeline.pairs.select import Ranked, select
from opens2v_hf.pipeline.pairs.subjects import read_subjects
from opens2v_hf.pipeline.pairs.thresholds import Thresholds, thresholds_for


def arrays(clips: list[str], width: int = 4) -> dict[str, np.ndarray]:
    count = len(clips)
    vectors = np.eye(count, width, dtype=np.float16) + np.float16(0.25)
    numbers = np.arange(count, dtype=np.int32)
    return {
        "clip_ids": np.array(clips, np.str_), "subject_ids": numbers, "labels": np.array(["dog"] * count, np.str_),
        "image": vectors, "text": vectors, "frame_phash": numbers.astype(np.uint64), "starts": numbers,
        "ends": numbers + 5, "files": np.array(clips, np.str_), "frame_index": numbers,
    }  # fmt: skip


def save(folder: Path, name: str, **changed: np.ndarray) -> None:
    (folder / "vectors").mkdir(exist_ok=True)
    np.savez(folder / "vectors" / name, **{**arrays(["b", "a", "b"]), **changed})


def test_rows_of_all_files_are_sorted_by_clip_and_subject(tmp_path: Path) -> None:
    save(tmp_path, "1.npz")
    save(tmp_path, "0.npz", **arrays(["c", "a"], width=4) | {"subject_ids": np.array([7, 0], np.int32)})
    table, left_out = read_subjects(tmp_path)
    assert [*zip(table.clip_ids, table.subject_ids, strict=True)] == [("a", 0), ("a", 1), ("b", 0), ("b", 2), ("c", 7)]
    assert left_out == {}


def test_rows_without_a_direction_or_a_clip_are_left_out_and_counted(tmp_path: Path) -> None:
    image = arrays(["b", "a", "b"])["image"].copy()
    image[0] = 0
    image[2, 1] = np.nan
    save(tmp_path, "0.npz", image=image)
    table, left_out = read_subjects(tmp_path)
    assert table.clip_ids.tolist() == ["a"]
    assert left_out == {"no vector": 2}
    _, left_out = read_subjects(tmp_path, clips=["b"])
    assert left_out == {"no vector": 2, "clip not in the dataset": 1}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": np.ones((3, 4), np.int32)}, "image is int32"),
        ({"text": np.ones((3, 5), np.float16)}, "text is float16 of shape"),
        ({"starts": np.ones(2, np.int32)}, "starts is int32 of shape"),
    ],
)
def test_a_file_of_another_form_is_an_error_that_names_it(tmp_path: Path, changed: dict, message: str) -> None:
    save(tmp_path, "0.npz", **changed)
    with pytest.raises(ResultError, match=message):
        read_subjects(tmp_path)


def test_unreadable_vectors_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no vectors in"):
        read_subjects(tmp_path)
    save(tmp_path, "0.npz")
    path = tmp_path / "vectors" / "0.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ResultError, match=r"cannot read .*0\.npz"):
        read_subjects(tmp_path)
    np.savez(path, clip_ids=np.array(["a"]))
    with pytest.raises(ResultError, match="has no array"):
        read_subjects(tmp_path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "0.npz", labels=np.array(["a", "b", None], dtype=object))
    with pytest.raises(ResultError, match="cannot read"):
        read_subjects(tmp_path)


def test_two_embedders_and_a_clip_in_two_units_are_errors(tmp_path: Path) -> None:
    save(tmp_path, "0.npz")
    save(tmp_path, "1.npz", **arrays(["x"], width=6))
    with pytest.raises(ResultError, match="two embedders"):
        read_subjects(tmp_path)
    save(tmp_path, "1.npz")
    with pytest.raises(ResultError, match="has two vectors"):
        read_subjects(tmp_path)


def candidates(*pairs: tuple[int, int, float]) -> Candidates:
    first, second, image = (np.array(column) for column in zip(*pairs, strict=True))
    return Candidates(first, second, image.astype(float), np.ones(len(pairs)), np.full(len(pairs), 20))


def test_visual_clusters_have_a_leader_and_do_not_chain() -> None:
    # 0-1-2-3 is a chain; 2 is not like 0, so it leads a cluster of its own
    chain = candidates((0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9))
    assert by_look(chain, 5, most=64).tolist() == [0, 0, 2, 2, 4]
    star = candidates((0, 1, 0.7), (0, 2, 0.9), (0, 3, 0.8))
    assert by_look(star, 4, most=3).tolist() == [0, 1, 0, 0]


def test_sources_are_the_clusters_of_the_clips(tmp_path: Path) -> None:
    save(tmp_path, "0.npz", **arrays(["b_part2_x", "b_part1-9", "a_part1_segment2"]))
    table, _ = read_subjects(tmp_path)
    numbers, names = by_source(table)
    assert [names[number] for number in numbers] == ["a_part1", "b", "b"]


def test_caps_take_the_best_candidates() -> None:
    ranked = Ranked(np.array([0, 0, 0, 3, 5]), np.array([1, 2, 3, 4, 6]), np.array([0, 0, 0, 0, 1]))
    dropped: Counter[str] = Counter()
    used: Counter[int] = Counter()
    assert select(ranked, per_clip=2, per_cluster=9, used=used, dropped=dropped) == [0, 1, 3, 4]
    assert dropped["beyond the cap"] == 1
    assert used == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}
    assert select(ranked, per_clip=9, per_cluster=2, used=Counter(), dropped=Counter()) == [0, 1, 4]
    assert select(ranked, per_clip=2, per_cluster=9, used=used, dropped=Counter()) == [3, 4]


@pytest.mark.parametrize("refused", [{0}, {0, 1}, {2, 3}, set(), {0, 1, 2, 3, 4, 5}])
def test_a_refusal_makes_room_as_if_each_were_asked_in_turn(refused: set[int]) -> None:
    ranked = Ranked(np.array([0, 0, 0, 0, 1, 2]), np.array([1, 2, 3, 4, 2, 3]), np.zeros(6, int))
    asked: list[int] = []

    def accept(numbers):
        asked.extend(numbers)
        return [number not in refused for number in numbers]

    taken, wanted = [], []  # one after the other, by hand
    load: Counter[int] = Counter()
    for number, (one, other) in enumerate(zip(ranked.first.tolist(), ranked.second.tolist(), strict=True)):
        if load[one] < 2 and load[other] < 2 and len(taken) < 3:
            wanted.append(number)
            if number not in refused:
                taken.append(number)
                load.update([one, other])
    dropped: Counter[str] = Counter()
    found = select(ranked, per_clip=2, per_cluster=3, used=Counter(), dropped=dropped, accept=accept)
    assert found == taken
    assert sorted(asked) == wanted
    assert dropped["verifier"] == len(set(wanted) & refused)


def test_thresholds_belong_to_a_model() -> None:
    assert thresholds_for("embedded", "source", None) == Thresholds(0.6, 0.6)
    assert thresholds_for("org/other", "visual", Thresholds(0.7, 0.8)) == Thresholds(0.7, 0.8)
    with pytest.raises(ArgumentError, match=r"no thresholds are known for the embedder 'org/other' in source clusters"):
        thresholds_for("org/other", "source", None)
    with pytest.raises(ArgumentError, match="unnamed embedder"):
        thresholds_for(None, "visual", None)


@pytest.mark.parametrize(
    "options",
    [
        {"clusters": ()}, {"clusters": ("name",)}, {"index": "tree"}, {"max_pairs_per_clip": 0}, {"max_cluster": 1},
        {"near_duplicate": 65}, {"near_duplicate": -1}, {"neighbours": True},
    ],
)  # fmt: skip
def test_options_that_cannot_be_used(options: dict) -> None:
    with pytest.raises(ArgumentError):
        PairOptions(**options)


def test_thresholds_must_be_between_minus_one_and_one() -> None:
    with pytest.raises(ArgumentError, match="image similarity"):
        Thresholds(0.5, 1.2)
