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
