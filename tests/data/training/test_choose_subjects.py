import numpy as np
import pytest

from opens2v_hf.data.opens2v5m.shards.blobs import SubjectMask
from opens2v_hf.data.training.choose_subjects import SubjectRule
from opens2v_hf.data.training.problems import BadMask
from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks.rle import encode


def mask(rows: slice, columns: slice) -> SubjectMask:
    pixels = np.zeros((10, 10), bool)
    pixels[rows, columns] = True
    return SubjectMask(encode(pixels).to_dict())


def subject(number: int, label: str, where: SubjectMask | None, **values) -> dict:
    scores = {"aesthetic": 5.0, "text_similarity": 0.5, "mask_score": 0.9, "box": [0.0, 0.0, 1.0, 1.0]}
    return {"id": number, "label": label, "mask": where, **scores, **values}


ROW = {
    "tags": {"background": ["park"]},
    "frame_height": 10,
    "frame_width": 10,
    "subjects": [
        subject(1, "dog", mask(slice(0, 2), slice(0, 5)), aesthetic=4.0),  # 10 pixels
        subject(2, "park", mask(slice(0, 10), slice(5, 10)), aesthetic=9.0),  # 50
        subject(3, "cat", mask(slice(5, 10), slice(0, 5)), aesthetic=None, text_similarity=0.7),  # 25
        subject(4, "person", None, aesthetic=6.0, mask_score=0.1),
    ],
}


def ids(rule: SubjectRule, seed: int = 0) -> list[int]:
    return [entry["id"] for entry in rule.candidates(ROW, np.random.default_rng(seed))]


def test_orders() -> None:
    assert ids(SubjectRule(order="id")) == [1, 3, 4]
    assert ids(SubjectRule(order="aesthetic")) == [4, 1, 3]
    assert ids(SubjectRule(order="area")) == [3, 1, 4]
    found = {tuple(ids(SubjectRule(order="random"), seed)) for seed in range(50)}
    assert len(found) == 6
    assert all(sorted(order) == [1, 3, 4] for order in found)


def test_filters() -> None:
    assert ids(SubjectRule(order="id", background_tags=True)) == [1, 2, 3, 4]
    assert ids(SubjectRule(order="id", labels=["cat", "park"])) == [3]
    assert ids(SubjectRule(order="id", min_aesthetic=4.0)) == [1, 4]
    assert ids(SubjectRule(order="id", min_aesthetic=4.1)) == [4]
    assert ids(SubjectRule(order="id", min_text_similarity=0.6)) == [3]
    assert ids(SubjectRule(order="id", min_mask_score=0.5)) == [1, 3]
    assert ids(SubjectRule(order="id", min_area=0.10)) == [1, 3]
    assert ids(SubjectRule(order="id", min_area=0.11)) == [3]
    assert ids(SubjectRule(max_count=0, min_count=0)) == []


def test_overlap_is_that_of_masks_or_of_boxes() -> None:
    upper, most = mask(slice(0, 8), slice(0, 10)), mask(slice(0, 10), slice(0, 10))  # intersection over union 0.8
    first = subject(1, "person", most, box=[0.0, 0.0, 10.0, 10.0])
    second = subject(2, "woman", upper, box=[0.0, 0.0, 10.0, 7.0])  # 0.7 by boxes
    for form, overlap in (("white", 0.8), ("box", 0.7)):
        assert not SubjectRule(form, max_iou=overlap).shown_already(second, [first])
        assert SubjectRule(form, max_iou=overlap - 0.01).shown_already(second, [first])
        assert not SubjectRule(form, max_iou=0).shown_already(second, [])
    apart = subject(3, "dog", None, box=[20.0, 20.0, 30.0, 30.0])
    assert not SubjectRule("box", max_iou=0).shown_already(apart, [first])


def test_a_malformed_mask_is_a_bad_sample() -> None:
    broken = subject(1, "dog", SubjectMask({"size": [10, 10], "counts": "0"}))
    with pytest.raises(BadMask, match="the mask of subject 1 is malformed"):
        SubjectRule(min_area=0.1).candidates({**ROW, "subjects": [broken]}, np.random.default_rng(0))


@pytest.mark.parametrize(
    "values",
    [
        {"form": "grey"},
        {"order": "size"},
        {"max_count": -1},
        {"min_count": 4},
        {"min_area": 2.0},
        {"max_iou": -0.1},
        {"size": (0, 5)},
        {"labels": "dog"},
    ],
)
def test_values_out_of_range(values) -> None:
    with pytest.raises(ArgumentError):
        SubjectRule(**values)
