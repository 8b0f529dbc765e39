"""Which subjects qualify, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from opens2v_hf.data.opens2v5m.shards.blobs import SubjectMask
from opens2v_hf.masks.rle import encode
from opens2v_hf.pipeline.views.choose import chosen_subjects, crop_of
from opens2v_hf.pipeline.views.options import ViewOptions

SIZE = (40, 80)


def subject(number: int, label: str, box: tuple[int, int, int, int], aesthetic: float | None = 5.0) -> dict[str, Any]:
    mask = np.zeros(SIZE, bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return {
        "id": number, "label": label, "box": [float(corner) for corner in box], "aesthetic": aesthetic,
        "mask": SubjectMask(encode(mask).to_dict()),
    }  # fmt: skip


def row(*subjects: dict[str, Any]) -> dict[str, Any]:
    tags = {"background": ["grass"], "subject": ["man"], "object": ["cup"], "pre_define": ["person"]}
    return {"id": "a", "frame_height": SIZE[0], "frame_width": SIZE[1], "tags": tags, "subjects": list(subjects)}


def ids(subjects: list[Any]) -> list[int]:
    return [one["id"] for one in subjects]


BEST = ViewOptions(model="openai:m")


def test_the_best_are_large_whole_and_one_for_each_thing() -> None:
    found = row(
        subject(1, "man", (10, 10, 30, 40), 4.0),  # touches one border
        subject(2, "person", (10, 10, 30, 39), 6.0),  # the same thing, nicer
        subject(3, "cup", (40, 10, 50, 19)),  # 90 pixels, less than 100 of 3200
        subject(4, "cup", (40, 10, 50, 20)),  # 100 pixels
        subject(5, "grass", (0, 20, 80, 40)),
        subject(6, "man", (0, 0, 20, 30)),  # in a corner
        subject(7, "hat", (60, 5, 75, 15), None),
    )
    assert ids(chosen_subjects(found, BEST)) == [2, 4, 7]
    few = ViewOptions(model="openai:m", max_views_per_clip=2)
    assert ids(chosen_subjects(found, few)) == [2, 4]


def test_a_mask_that_is_missing_or_empty_is_no_subject() -> None:
    empty = subject(1, "man", (5, 5, 5, 5))
    without = {**subject(2, "man", (10, 10, 30, 39)), "mask": None}
    assert chosen_subjects(row(empty, without), BEST) == []


def test_the_released_are_named_with_boxes_over_eight_percent() -> None:
    released = ViewOptions(model="openai:m", choice="released", max_views_per_clip=4)
    found = row(
        subject(1, "man", (0, 0, 16, 16)),  # 256 pixels, exactly 8 %
        subject(2, "man", (0, 0, 17, 16)),
        subject(3, "person", (0, 0, 40, 40)),  # always looked for, so never
        subject(4, "grass", (0, 20, 80, 40)),
    )
    seen = set()
    for number in range(20):
        chosen = ids(chosen_subjects({**found, "id": f"clip {number}"}, released))
        assert chosen == sorted(set(chosen) & {2, 4})
        seen.add(tuple(chosen))
    assert seen == {(2,), (4,), (2, 4)}


def test_a_crop_is_the_box_grown_by_a_fifth_within_the_frame() -> None:
    frame = np.arange(40 * 80 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 80, 3)
    assert np.array_equal(crop_of(frame, (20, 10, 40, 30)), frame[8:32, 18:42])
    assert np.array_equal(crop_of(frame, (0, 0, 80, 40)), frame)
