"""Candidates against plain loops over all pairs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from opens2v_hf.pipeline.pairs.search import Rules, search, search_by_index
from opens2v_hf.pipeline.pairs.subjects import SubjectTable
from opens2v_hf.pipeline.pairs.thresholds import Thresholds

MANY = 10_000


def table(clips: list[int], *, seed: int = 0, kinds: int = 6, width: int = 16, noise: float = 0.35) -> SubjectTable:
    """Subjects of a few kinds with noise, so that similarities lie on both sides of any threshold."""
    rng = np.random.default_rng(seed)
    count = len(clips)
    kind = rng.integers(kinds, size=count)

    def vectors(centres: np.ndarray) -> np.ndarray:
        made = centres[kind] + noise * rng.normal(size=(count, width))
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)

    hashes = rng.integers(0, 2**63, size=max(clips) + 1, dtype=np.uint64)
    hashes[1::5] = hashes[0] ^ np.uint64(0b111)  # some frames are near-duplicates
    numbers = np.array(clips)
    return SubjectTable(
        clip_ids=np.array([f"c{number:04d}" for number in clips]),
        subject_ids=np.array([clips[:place].count(number) + 1 for place, number in enumerate(clips)], np.int32),
        labels=np.array([f"kind {one}" for one in kind]),
        image=vectors(rng.normal(size=(kinds, width))),
        text=vectors(rng.normal(size=(kinds, width))),
        frame_phash=hashes[numbers],
        starts=(numbers % 3 * 10).astype(np.int32),
        ends=(numbers % 3 * 10 + 15).astype(np.int32),
        files=np.array([f"f{number // 4}" for number in clips]),
        frame_index=np.zeros(count, np.int32),
    )


def by_loops(subjects: SubjectTable, groups: np.ndarray, rules: Rules) -> set[tuple[int, int]]:
    """All pairs that fulfil the rules, one pair at a time; of each subject the best in each other clip, from both."""
    good = {}
    for one, other in combinations(range(len(subjects)), 2):
        if groups[one] != groups[other] or subjects.clip_ids[one] == subjects.clip_ids[other]:
            continue
        if rules.apart is not None and rules.apart[one] == rules.apart[other]:
            continue
        image = round(float(np.dot(subjects.image[one].astype(float), subjects.image[other].astype(float))), 4)
        text = round(float(np.dot(subjects.text[one].astype(float), subjects.text[other].astype(float))), 4)
        bits = bin(int(subjects.frame_phash[one]) ^ int(subjects.frame_phash[other])).count("1")
        frames = [set(range(subjects.starts[row], subjects.ends[row])) for row in (one, other)]
        overlap = subjects.files[one] == subjects.files[other] and frames[0] & frames[1]
        alike = image > rules.thresholds.image and text >= rules.thresholds.text
        if alike and bits > rules.near_duplicate and not overlap:
            good[one, other] = (image, text)

    def is_best(subject: int, elsewhere: int) -> bool:
        rivals = {}
        for pair, scores in good.items():
            if subject in pair:
                rival = pair[0] if pair[1] == subject else pair[1]
                if subjects.clip_ids[rival] == subjects.clip_ids[elsewhere]:
                    rivals[rival] = (*scores, -rival)
        return max(rivals, key=rivals.__getitem__) == elsewhere

    return {(one, other) for one, other in good if is_best(one, other) and is_best(other, one)}


def pairs_of(found) -> set[tuple[int, int]]:
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


CLIPS = sorted([*range(24), *range(0, 24, 2), *range(0, 24, 3)])
RULES = Rules(Thresholds(text=0.5, image=0.55), near_duplicate=10, keep=MANY)


@pytest.mark.parametrize("block", [1, 5, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_find_what_loops_find(seed: int, block: int) -> None:
    subjects = table(CLIPS, seed=seed, kinds=3)
    groups = np.array([number // 8 for number in CLIPS])
    dropped: Counter[str] = Counter()
    found = search(subjects, groups, RULES, dropped, block=block)
    expected = by_loops(subjects, groups, RULES)
    assert len(expected) > 10
    assert pairs_of(found) == expected
    # each pair of subjects of two clips of a group is either found or counted once
    comparable = sum(groups[a] == groups[b] and CLIPS[a] != CLIPS[b] for a, b in combinations(range(len(subjects)), 2))
    assert len(found) + sum(dropped.values()) == comparable
    assert dropped["same moment"] > 0
    assert dropped["overlapping clips"] > 0
    assert dropped["a better match in that clip"] > 0


def test_rows_of_one_number_are_left_to_another_search() -> None:
    subjects = table(CLIPS)
    groups = np.zeros(len(CLIPS), np.int64)
    rules = Rules(RULES.thresholds, 10, MANY, apart=np.array([number // 8 for number in CLIPS]))
    assert pairs_of(search(subjects, groups, rules, Counter(), block=7)) == by_loops(subjects, groups, rules)


def test_similarities_and_contexts_are_those_of_the_rows() -> None:
    subjects = table(CLIPS)
    found = search(subjects, np.zeros(len(CLIPS), np.int64), RULES, Counter())
    for place in range(len(found)):
        one, other = found.first[place], found.second[place]
        exact = float(np.dot(subjects.image[one].astype(float), subjects.image[other].astype(float)))
        assert abs(found.image[place] - exact) <= 5.1e-5
        bits = bin(int(subjects.frame_phash[one]) ^ int(subjects.frame_phash[other])).count("1")
        assert found.context[place] == bits


def test_the_most_distant_contexts_of_each_subject_remain() -> None:
    subjects = table(CLIPS, kinds=1, noise=0.05)
    groups = np.zeros(len(CLIPS), np.int64)
    every = search(subjects, groups, RULES, Counter())
    few = search(subjects, groups, Rules(RULES.thresholds, 10, keep=3), Counter(), block=4)
    order = sorted(
        zip(every.first.tolist(), every.second.tolist(), every.context.tolist(), every.image.tolist(), strict=True),
        key=lambda pair: (-pair[2], -pair[3], pair[0], pair[1]),
    )
    expected = set()
    for subject in range(len(subjects)):  # of its pairs with later subjects, and of those with earlier ones
        for side in (0, 1):
            expected |= {pair[:2] for pair in [pair for pair in order if pair[side] == subject][:3]}
    assert pairs_of(few) == expected
    assert len(few) < len(every)


def test_an_index_finds_what_blocks_find() -> None:
    pytest.importorskip("faiss")
    clips = sorted([*range(150), *range(0, 150, 2)])
    subjects = table(clips, kinds=40, noise=0.1)
    groups = np.zeros(len(clips), np.int64)
    exact = pairs_of(search(subjects, groups, RULES, Counter()))
    found = pairs_of(search_by_index(subjects, groups, RULES, Counter(), neighbours=60))
    again = pairs_of(search_by_index(subjects, groups, RULES, Counter(), neighbours=60))
    assert found == again
    assert len(exact) > 100
    assert len(found & exact) >= 0.95 * len(exact)


def test_a_clip_with_more_subjects_than_a_block_is_one_block() -> None:
    clips = [0] * 7 + [1] * 5 + [2]
    subjects = table(clips, kinds=2)
    groups = np.zeros(len(clips), np.int64)
    assert pairs_of(search(subjects, groups, RULES, Counter(), block=3)) == by_loops(subjects, groups, RULES)
