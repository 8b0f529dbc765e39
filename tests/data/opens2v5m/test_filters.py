import numpy as np
import pyarrow as pa
import pytest

from opens2v_hf.data.opens2v5m.filters import QualityFilter, row_filter
from opens2v_hf.data.opens2v5m.shards.schema import REGULAR, SUBJECT
from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks.rle import encode

FRAME = (40, 80)  # 3200 pixels; 1/32 of them are 100


def subject(number: int, box: tuple[int, int, int, int] | None, aesthetic: float | None) -> dict:
    mask = None
    if box is not None:
        pixels = np.zeros(FRAME, bool)
        pixels[box[1] : box[3], box[0] : box[2]] = True
        mask = encode(pixels).to_dict()
    return {
        "id": number, "label": "x", "box": [0.0] * 4, "mask": mask,
        "mask_score": 1.0, "text_similarity": 0.5, "aesthetic": aesthetic,
    }  # fmt: skip


def kept(subjects: list[dict], **options) -> list[int]:
    return [entry["id"] for entry in QualityFilter(**options).select(subjects, FRAME[0] * FRAME[1])]


def test_low_scores_and_small_masks_are_dropped() -> None:
    subjects = [
        subject(1, (0, 0, 10, 10), 4.5),  # exactly 100 pixels, exactly 4.5
        subject(2, (20, 0, 29, 11), 6.0),  # 99 pixels
        subject(3, (40, 0, 60, 20), 4.49),
        subject(4, None, 9.0),
        subject(5, (60, 0, 80, 20), None),
        subject(6, (0, 20, 20, 40), 5.0),
    ]
    assert kept(subjects) == [1, 6]
    assert kept(subjects, min_area=0, min_aesthetic=0) == [1, 2, 3, 6]


def test_of_two_that_overlap_the_larger_is_kept() -> None:
    large, inner = (0, 0, 20, 20), (0, 0, 20, 17)  # IoU 340 / 400 = 0.85
    assert kept([subject(1, inner, 9.0), subject(2, large, 5.0)]) == [2]
    apart = (0, 0, 20, 16)  # IoU 320 / 400 = 0.8, not above it
    assert kept([subject(1, apart, 9.0), subject(2, large, 5.0)]) == [1, 2]


def test_the_best_six_are_kept_in_their_order() -> None:
    subjects = [
        subject(n, (10 * (n - 1), 0, 10 * n, 10), 5.0 + score)
        for n, score in enumerate("4071625", 1)
        for score in [int(score)]
    ]
    assert kept(subjects) == [1, 3, 4, 5, 6, 7]
    assert kept(subjects, max_subjects=2) == [3, 5]


def test_rows_without_a_subject_left_are_dropped() -> None:
    good, bad = subject(1, (0, 0, 20, 20), 5.0), subject(2, (0, 0, 20, 20), 1.0)
    columns = {"id": list("abcd"), "frame_height": [40] * 4, "frame_width": [80] * 4}
    table = pa.table(
        {**columns, "subjects": pa.array([[bad], [good, bad], [], None], pa.list_(SUBJECT)), "row": [0, 1, 2, 3]}
    )
    result = QualityFilter().keep(table, pytest.fail)
    assert result["row"].to_pylist() == [1]
    assert [s["id"] for s in result["subjects"].to_pylist()[0]] == [1]
    assert result.schema == table.schema


def test_a_row_with_a_malformed_mask_is_named_and_left_out() -> None:
    good = subject(1, (0, 0, 20, 20), 5.0)
    bad = {**good, "id": 3, "mask": {"size": [40, 80], "counts": "~"}}
    table = pa.table(
        {
            "id": ["a", "b"],
            "frame_height": [40] * 2,
            "frame_width": [80] * 2,
            "subjects": pa.array([[good, bad], [good]], pa.list_(SUBJECT)),
        }
    )
    found = []
    assert QualityFilter().keep(table, lambda *what: found.append(what))["id"].to_pylist() == ["b"]
    ((sample_id, reason),) = found
    assert sample_id == "a"
    assert "the mask of subject 3" in reason


def test_filters_and_preset_conditions_are_joined() -> None:
    table = pa.table({"aesthetic": [1.0, 5.0, 6.0, None], "fps": [24.0, 24.0, 30.0, 30.0]})
    for filters, expected in [
        ([("aesthetic", ">", 4)], [5.0, 6.0]),
        ([("aesthetic", ">", 4), ("fps", "==", 30.0)], [6.0]),
        ([[("aesthetic", "<", 2)], [("fps", "==", 30.0)]], [1.0, 6.0, None]),
    ]:
        found = row_filter(filters, [], REGULAR)
        assert table.filter(found.expression)["aesthetic"].to_pylist() == expected
    both = row_filter([[("aesthetic", "<", 2)], [("aesthetic", ">", 5)]], [("fps", "<", 25)], REGULAR)
    assert table.filter(both.expression)["aesthetic"].to_pylist() == [1.0]
    assert both.columns == ("aesthetic", "fps")
    assert row_filter(None, [], REGULAR) is row_filter((), [], REGULAR) is None
    assert row_filter([], [("fps", ">", 0)], REGULAR).columns == ("fps",)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([("beauty", ">", 1)], "cannot use 'beauty'; they can use id, part"),
        ([("subjects", "==", 1)], "cannot use 'subjects'"),
        ([("fps", "about", 1)], "cannot be used"),
        ([("fps", ">")], r"must be \(column, operator, value\)"),
        ("fps > 3", "must be a list"),
    ],
)
def test_conditions_that_do_not_fit(filters, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        row_filter(filters, [], REGULAR)
