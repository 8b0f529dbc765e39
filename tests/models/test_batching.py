from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opens2v_hf.models.batching import token_batches


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120))
def test_every_item_comes_once_and_no_batch_passes_the_budget(lengths, budget):
    batches = list(token_batches(lengths, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= budget


def test_equal_items_fill_the_budget():
    assert list(token_batches([4] * 7, budget=12)) == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_batch_of_a_quarter_of_the_budget_ends_before_much_padding():
    # 4 x 20 tokens are a quarter of 320; with 22 the padding would be 8 of 102, with 21 it is 4 of 101
    assert list(token_batches([20, 20, 20, 20, 22], budget=320)) == [[0, 1, 2, 3], [4]]
    assert list(token_batches([20, 20, 20, 20, 21], budget=320)) == [[0, 1, 2, 3, 4]]
    assert list(token_batches([20, 20, 20, 22], budget=320)) == [[0, 1, 2, 3]], "60 tokens are less than a quarter"


def test_crops_of_many_sizes_hold_little_padding():
    # of 281 to 1200 tokens, evenly: batches of the full budget would be 11.5 % longer
    lengths = [281 + 919 * number // 47 for number in range(48)]
    padded = sum(max(lengths[index] for index in batch) * len(batch) for batch in token_batches(lengths, 8192))
    assert padded / sum(lengths) < 1.06
