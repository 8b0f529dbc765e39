"""Area, box, overlap and crop against pycocotools and against plain pixels."""

import numpy as np
import pytest
from helpers.masks import HOSTILE_CODES, masks, oracle_encode, released_masks
from hypothesis import assume, given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from opens2v_hf.errors import MaskError
from opens2v_hf.masks import compiled, geometry
from opens2v_hf.masks.rle import RLE, decode, encode, runs


@pytest.fixture(params=["numpy", "compiled"], scope="module", autouse=True)
def passes(request):
    """All of this file with NumPy's passes, and once more with the compiled ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geometry, "_seconds_before_loading", float("inf") if request.param == "numpy" else 0)
        yield request.param


@given(masks())
def test_area_and_box(mask):
    rle, record = encode(mask), oracle_encode(mask)
    assert geometry.area(rle) == oracle.area(record)
    if not mask.any():
        assert geometry.box(rle) is None
        return
    left, top, width, height = oracle.toBbox(record)
    assert geometry.box(rle) == (left, top, left + width, top + height)


@given(st.lists(masks(max_side=12), max_size=5))
def test_areas_and_boxes_of_several_masks(pictures):
    rles, records = [encode(mask) for mask in pictures], [oracle_encode(mask) for mask in pictures]
    assert geometry.areas(rles).tolist() == [oracle.area(record) for record in records]
    boxes = [oracle.toBbox(record) for record in records]
    corners = [[left, top, left + width, top + height] for left, top, width, height in boxes]
    is_empty = [not mask.any() for mask in pictures]
    assert geometry.boxes(rles).tolist() == [[0] * 4 if e else box for box, e in zip(corners, is_empty, strict=True)]


@given(masks(max_side=12), masks(max_side=12))
def test_iou(first, second):
    height, width = min(first.shape[0], second.shape[0]), min(first.shape[1], second.shape[1])
    first, second = first[:height, :width], second[:height, :width]
    assume(first.any() or second.any())  # pycocotools divides 0 by 0 there
    expected = oracle.iou([oracle_encode(first)], [oracle_encode(second)], [False])[0, 0]
    assert geometry.iou(encode(first), encode(second)) == pytest.approx(expected, abs=1e-12)
    assert geometry.intersection(encode(first), encode(second)) == int((first & second).sum())


@given(st.lists(masks(max_side=12), min_size=1, max_size=5))
def test_iou_of_all_pairs(pictures):
    pictures = [np.pad(mask, ((0, 12 - mask.shape[0]), (0, 12 - mask.shape[1]))) for mask in pictures]
    rles = [encode(mask) for mask in pictures]
    expected = [[(one & two).sum() / max((one | two).sum(), 1) for two in pictures[:3]] for one in pictures]
    np.testing.assert_array_equal(geometry.iou_matrix(rles, rles[:3]), expected)


def test_iou_of_empty_masks_is_zero():
    empty = encode(np.zeros((3, 3), dtype=bool))
    assert geometry.iou(empty, empty) == 0.0
    assert geometry.iou_matrix([], [empty, empty]).shape == (0, 2)


@given(masks(), st.data())
def test_crop(mask, data):
    height, width = mask.shape
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    cropped = geometry.crop(encode(mask), (left, top, right, bottom))
    assert cropped.to_dict() == oracle_encode(mask[top:bottom, left:right])


def test_released_masks(shared_data):
    records = released_masks(shared_data)
    rles = [RLE.from_dict(record) for record in records]
    np.testing.assert_allclose(geometry.iou_matrix(rles, rles), oracle.iou(records, records, [False] * 16), atol=1e-12)
    for rle, record in zip(rles, records, strict=True):
        left, top, width, height = oracle.toBbox(record)
        assert geometry.area(rle) == oracle.area(record)
        assert geometry.box(rle) == (left, top, left + width, top + height)
        np.testing.assert_array_equal(
            decode(geometry.crop(rle, (100, 50, 1000, 700))), oracle.decode(record)[50:700, 100:1000]
        )


def test_empty_runs_of_the_subject_do_not_count():
    # Background 1, subject 0, background 1, subject 2 (stored as 2 - 0): the empty run must not pull the box to row 1.
    rle = RLE((2, 2), "1012")
    assert geometry.box(rle) == (1, 0, 2, 2)
    assert geometry.crop(rle, (0, 0, 2, 1)).to_dict() == {"size": [1, 2], "counts": "11"}


@pytest.mark.parametrize("corners", [(0, 0, 0, 2), (0, 0, 5, 2), (-1, 0, 1, 1), (1, 1, 1, 1), (0, 2, 2, 1)])
def test_crop_outside(corners):
    with pytest.raises(MaskError, match="does not lie within"):
        geometry.crop(RLE((4, 4), "88"), corners)


@pytest.mark.parametrize(("size", "counts", "message"), HOSTILE_CODES.values(), ids=HOSTILE_CODES.keys())
def test_hostile_codes_in_lists(size, counts, message):
    listed = [RLE((2, 2), "22"), RLE(size, counts), RLE((2, 2), "4")]
    for function in (geometry.areas, geometry.boxes):
        with pytest.raises(MaskError, match=message):
            function(listed)
    with pytest.raises(MaskError, match=message):
        geometry.iou_matrix([RLE(size, counts)], [RLE(size, counts)])
    assert compiled.areas(listed) is compiled.boxes(listed) is None  # it is NumPy's passes that say what is wrong
    assert compiled.iou_matrix(listed[1:2], []) is None


@given(
    st.lists(st.text(alphabet=st.characters(min_codepoint=46, max_codepoint=113), max_size=8), min_size=1, max_size=3)
)
def test_compiled_refuses_what_numpy_refuses(codes):
    listed = [RLE((3, 7), counts) for counts in codes]
    try:
        lengths = [runs(rle) for rle in listed]
    except MaskError:
        assert compiled.areas(listed) is compiled.boxes(listed) is compiled.iou_matrix(listed, []) is None
        return
    assert compiled.areas(listed).tolist() == [int(one[1::2].sum()) for one in lengths]


def test_compiled_code_is_loaded_only_where_it_pays(monkeypatch):
    monkeypatch.setattr(geometry, "_load_compiled", lambda: pytest.fail("loaded for one list"))
    monkeypatch.setattr(geometry, "_seconds_before_loading", 60)
    assert geometry.areas([RLE((2, 2), "22"), RLE((2, 2), "13")]).tolist() == [2, 3]
    assert geometry._seconds_before_loading < 60
    # without numba the passes remain NumPy's
    monkeypatch.setattr(geometry, "_load_compiled", lambda: None)
    monkeypatch.setattr(geometry, "_seconds_before_loading", 0)
    assert geometry.areas([RLE((2, 2), "22"), RLE((2, 2), "13")]).tolist() == [2, 3]


def test_masks_of_different_pictures():
    with pytest.raises(MaskError, match="different pictures"):
        geometry.iou(RLE((4, 4), "88"), RLE((8, 2), "88"))
    with pytest.raises(MaskError, match="different pictures"):
        geometry.intersection(RLE((4, 4), "88"), RLE((8, 2), "88"))
