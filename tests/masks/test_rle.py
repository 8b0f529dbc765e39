"""The codec against pycocotools as the oracle, and against codes written to do harm."""

import tracemalloc

import numpy as np
import pytest
from helpers.masks import HOSTILE_CODES, masks, oracle_encode, released_masks
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as oracle

from opens2v_hf.errors import MaskError
from opens2v_hf.masks import compiled
from opens2v_hf.masks.rle import MAX_PIXELS, RLE, decode, encode, from_runs, run_pairs, runs


@given(masks())
def test_encodes_as_pycocotools(mask):
    assert encode(mask).to_dict() == oracle_encode(mask)


@given(masks())
def test_decodes_what_pycocotools_encoded(mask):
    decoded = decode(RLE.from_dict(oracle_encode(mask)))
    assert decoded.dtype == np.bool_
    np.testing.assert_array_equal(decoded, mask)


@given(masks())
def test_pycocotools_decodes_what_was_encoded(mask):
    np.testing.assert_array_equal(oracle.decode(encode(mask).to_dict()), mask)


def test_long_runs_take_several_characters():
    mask = np.zeros((700, 900), dtype=bool)
    mask[100:650, 300:301] = True
    mask[699, 899] = True
    assert encode(mask).to_dict() == oracle_encode(mask)


def test_released_masks_survive_a_round_trip(shared_data):
    records = released_masks(shared_data)
    assert len(records) == 16
    for record in records:
        rle = RLE.from_dict(record)
        np.testing.assert_array_equal(decode(rle), oracle.decode(record))
        assert encode(decode(rle)).counts == record["counts"]


def test_hand_written_code():
    # 3 x 2 pixels: 1 of background, 2 of subject, 0 of background, 3 of subject (stored as 3 - 2 = 1).
    rle = RLE((3, 2), "1201")
    assert runs(rle).tolist() == [1, 2, 0, 3]
    assert decode(rle).tolist() == [[False, True], [True, True], [True, True]]


def test_negative_difference():
    # 10 = 01010 needs 5 bits (character 58 = ':'); 4 - 10 = -6 = 11010 likewise, 26 + 48 = 74 = 'J'.
    rle = from_runs((4, 5), np.array([3, 10, 3, 4]))
    assert rle.counts == "3:3J"
    assert runs(rle).tolist() == [3, 10, 3, 4]


@pytest.mark.parametrize("record", [{"size": [2, 2], "counts": b"22"}, {"size": (2, 2), "counts": [2, 2]}])
def test_other_forms_of_counts(record):
    assert RLE.from_dict(record) == RLE((2, 2), "22")


@pytest.mark.parametrize(("size", "counts", "message"), HOSTILE_CODES.values(), ids=HOSTILE_CODES.keys())
def test_hostile_codes(size, counts, message):
    with pytest.raises(MaskError, match=message):
        decode(RLE(size, counts))
    with pytest.raises(MaskError, match=message):
        run_pairs([RLE((2, 2), "22"), RLE(size, counts), RLE((2, 2), "4")])


def test_runs_of_several_masks():
    # runs 4; 2 2; 1 2 0 3; 1 3; 3 10 3 4 (as 4 - 10)
    rles = [RLE((2, 2), "4"), RLE((2, 2), "22"), RLE((3, 2), "1201"), RLE((2, 2), "13"), RLE((4, 5), "3:3J")]
    found = run_pairs(rles)
    assert found.pairs.tolist() == [[4, 0], [2, 2], [1, 2], [0, 3], [1, 3], [3, 10], [3, 4]]
    assert found.firsts.tolist() == [0, 1, 2, 4, 5]
    assert run_pairs(rles[:1]).pairs.tolist() == [[4, 0]]


def test_a_billion_pixels_are_refused_before_any_allocation():
    tracemalloc.start()
    try:
        with pytest.raises(MaskError, match="larger than any picture"):
            RLE((40_000, 25_000), "PPPPd81")
        # A run of 2^29 - 1 pixels in a mask of 2^27: refused by its sum, which costs no more than the code.
        with pytest.raises(MaskError, match="cover 536870911 pixels"):
            decode(RLE((MAX_PIXELS // 8, 8), "ooooo?"))
        with pytest.raises(MaskError, match="at least 1"):
            RLE((-1, -1), "1")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_sum_that_wraps_around_to_the_right_one_is_refused():
    # Runs r, a, 0, a + d, d, a + 2 d, 2 d, ... whose sum is 2**64 more than the picture has pixels.
    d, excess, num_runs = 2**29 - 1, 2**64 + MAX_PIXELS, 3
    while (grown := d * ((num_runs - 1) // 2)) <= excess:
        excess, num_runs = excess - grown, num_runs + 1
    a, r = divmod(excess, num_runs // 2)

    def six_groups(number):
        return "".join(chr(80 + (number >> 5 * group & 31)) for group in range(5)) + chr(48 + (number >> 25))

    rle = RLE((MAX_PIXELS // 8, 8), six_groups(r) + six_groups(a) + "0" + six_groups(d) * (num_runs - 3))
    with pytest.raises(MaskError, match=f"cover 1844674407\\d+ pixels, not {MAX_PIXELS}"):
        runs(rle)
    with pytest.raises(MaskError, match="cover"):
        run_pairs([rle, rle])
    assert compiled.areas([rle, rle]) is None


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (2,), (2, 2, 2), (2.5, 2), ("2", "2")])
def test_bad_sizes(size):
    with pytest.raises(MaskError):
        RLE(size, "4")


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        {"size": [2, 2]},
        {"size": "22", "counts": "4"},
        {"size": 4, "counts": "4"},
        {"size": [2, 2], "counts": b"\xff"},
        {"size": [2, 2], "counts": [5]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": [1.5, 2.5]},
        {"size": [2, 2], "counts": []},
        {"size": [2, 2], "counts": None},
        {"size": [2, 2], "counts": [[1, 2], [1]]},
        {"size": [2, 2], "counts": [10**400, 4]},
        {"size": [10**5_000, 1], "counts": "4"},
        {"size": [2, 2], "counts": [2**62, 2**62, 2**62, 2**62, 4]},
    ],
)
def test_bad_records(record):
    with pytest.raises(MaskError):
        RLE.from_dict(record)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=130), max_size=12), st.integers(1, 9))
def test_any_text_is_a_mask_or_a_mask_error(counts, height):
    rle = RLE((height, 7), counts)
    try:
        lengths = runs(rle)
    except MaskError:
        return
    assert lengths.min() >= 0
    assert decode(rle).sum() == lengths[1::2].sum()


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2), (0, 5)])
def test_only_pictures_are_encoded(shape):
    with pytest.raises(MaskError):
        encode(np.zeros(shape, dtype=bool))
