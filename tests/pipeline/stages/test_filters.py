"""The rules of the released subset, counted one by one."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import rules

from opens2v_hf.data.opens2v5m.filters import PRESETS
from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks.rle import RLE, encode
from opens2v_hf.pipeline.records import ClipRecord, SourceFile, Subject
from opens2v_hf.pipeline.stages.filters import Filters

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def subject(number: int, rows: tuple[int, int], aesthetic: float | None = 5.0, similarity: float = 0.5) -> Subject:
    mask = np.zeros((480, 640), bool)
    mask[rows[0] : rows[1]] = True
    return Subject(
        number, f"s{number}", (0, 0, 9, 9), 0.9, encode(mask), text_similarity=similarity, aesthetic=aesthetic
    )


def clip(*subjects: Subject, frames: int = 120, size: tuple[int, int] = (480, 640)) -> ClipRecord:
    source = SourceFile("a.mp4", "a.mp4", fps=24.0, size=size)
    return ClipRecord("a", source, 0, frames, subjects=subjects)


def test_the_preset_drops_by_each_of_its_rules() -> None:
    subjects = [
        subject(1, (0, 100), 4.4),
        subject(2, (0, 14)),  # 14 of 480 rows are less than a 32nd
        subject(3, (0, 15)),
        subject(4, (100, 200)),
        subject(5, (100, 210)),  # IoU 100 / 110 with the one before
        replace(subject(6, (0, 400)), mask=None),
        subject(7, (300, 400), None),
    ]

    output = Filters(preset="high-quality")([clip(*subjects)])

    (kept,) = output.kept
    assert [(found.id, found.label) for found in kept.subjects] == [(1, "s3"), (2, "s5")]
    assert [(drop.subject, drop.rule) for drop in output.dropped] == [
        ("s1", "low_aesthetic"),
        ("s2", "small_mask"),
        ("s4", "overlap"),
        ("s6", "no_mask"),
        ("s7", "low_aesthetic"),
    ]
    assert output.dropped[2].reason == "IoU 0.91 with a larger mask, at most 0.8"
    assert kept.provenance["filters"]["rules"]["min_aesthetic"] == 4.5


def test_the_best_six_stay_in_the_order_of_their_ids() -> None:
    ratings = [5.0, 6.0, 5.5, 7.0, 6.5, 4.6, 8.0, 4.9]
    subjects = [subject(i + 1, (60 * i, 60 * i + 60), rating) for i, rating in enumerate(ratings)]

    output = Filters(preset="high-quality")([clip(*subjects)])

    assert [found.label for found in output.kept[0].subjects] == ["s1", "s2", "s3", "s4", "s5", "s7"]
    assert rules(output.dropped) == ["beyond_best"] * 2


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"frames": 47}, "too_short"),
        ({"frames": 48}, None),
        ({"frames": 240}, None),
        ({"frames": 241}, "too_long"),
    ],
)
def test_clips_are_2_to_10_seconds_long(changes: dict, rule: str | None) -> None:
    output = Filters(preset="high-quality")([clip(subject(1, (0, 100)), **changes)])

    assert rules(output.dropped) == ([rule] if rule else [])


def test_small_frames_and_clips_without_a_subject_are_dropped() -> None:
    small = clip(size=(478, 640))
    assert rules(Filters(preset="high-quality")([small]).dropped) == ["small_frame"]
    assert rules(Filters(preset="high-quality")([clip(subject(1, (0, 99), 1.0))]).dropped) == [
        "low_aesthetic",
        "no_subject",
    ]
    assert rules(Filters()([clip()]).dropped) == ["no_subject"]
    assert Filters(need_subject=False)([clip()]).kept[0].subjects == ()


def test_without_a_preset_only_given_rules_drop() -> None:
    whole = clip(subject(1, (0, 1), None, -0.2), subject(2, (0, 1)), frames=1, size=(480, 640))

    assert Filters()([whole]).kept[0].subjects == whole.subjects
    output = Filters(min_text_similarity=0.4)([whole])
    assert rules(output.dropped) == ["low_similarity"]
    assert output.dropped[0].reason == "its text similarity must be at least 0.4 (got -0.200)"


def test_rules_over_a_preset() -> None:
    stage = Filters(preset="high-quality", max_duration_s=20, max_subjects=1)

    assert (stage.rules.max_duration_s, stage.rules.max_subjects, stage.rules.min_aesthetic) == (20, 1, 4.5)
    json.dumps(stage.facts(), allow_nan=False)
    json.dumps(Filters().facts(), allow_nan=False)


@pytest.mark.skipif(not SHARED.exists(), reason="needs the released files")
def test_the_authors_thresholds_leave_no_subject_of_the_real_clip() -> None:
    """As it is known of the released record: 7 of its 16 subjects reach an aesthetic of 4.5, none 0.6."""
    record = next(iter(json.loads((SHARED / "opens2v-5m-demo/regular/dataset1.json").read_text()).values()))
    annotation = record["annotation"]
    masks = next(iter(annotation["mask_annotation"].values()))
    frame = annotation["ann_frame_data"]
    subjects = [
        Subject(
            number, entry["class_name"], tuple(entry["bbox"]), 1.0, RLE.from_dict(masks[str(number)]),
            text_similarity=entry["gme_score"], aesthetic=entry["aes_score"],
        )
        for number, entry in enumerate(frame["annotations"], 1)
    ]  # fmt: skip
    real = clip(*subjects, frames=95, size=(frame["img_height"], frame["img_width"]))

    by_looks = Filters(min_aesthetic=4.5)([real])
    both = Filters(min_aesthetic=4.5, min_text_similarity=0.6)([real])

    assert (len(by_looks.kept[0].subjects), len(subjects)) == (7, 16)
    assert Counter(rules(both.dropped)) == {"low_aesthetic": 9, "low_similarity": 7, "no_subject": 1}


def test_the_rules_are_those_of_the_loader() -> None:
    assert Filters(preset="high-quality").rules is PRESETS["high-quality"] or (
        Filters(preset="high-quality").rules == PRESETS["high-quality"]
    )
    with pytest.raises(ArgumentError, match=r"the presets of rules are high-quality \(got preset='best'\)"):
        Filters(preset="best")
    with pytest.raises(ArgumentError, match=r"the rules are min_duration_s.*\(got 'min_beauty'\)"):
        Filters(min_beauty=4)
    with pytest.raises(ArgumentError, match="min_area must be a number"):
        Filters(min_area="large")
