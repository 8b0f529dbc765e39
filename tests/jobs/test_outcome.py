from __future__ import annotations

import json
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.jobs.outcome import Outcome, Retry, plain

KEYS = st.text(st.characters(exclude_categories=["Cs"])) | st.integers()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
)


@settings(max_examples=30)
@given(VALUES)
def test_a_plain_value_is_what_json_gives_back(value):
    assert json.dumps(plain(value)) == json.dumps(json.loads(json.dumps(value)))


def test_values_that_json_lacks_are_replaced():
    class Colour(StrEnum):
        RED = "red"

    value = {
        "numpy": (np.float32(0.5), np.int64(3), np.bool_(True)),
        "none": [float("nan"), float("inf")],
        "colour": Colour.RED,
        "bytes in a name": "a\udcff",
        True: 1,
        None: 2,
    }
    assert plain(value) == {
        "numpy": [0.5, 3, True],
        "none": [None, None],
        "colour": "red",
        "bytes in a name": "a?",
        "true": 1,
        "null": 2,
    }
    assert type(plain(Colour.RED)) is str
    with pytest.raises(TypeError, match="got set"):
        plain({"a": {1}})


@pytest.mark.parametrize("outcome", [Outcome({"a": 1}), Outcome(None, "broken"), Outcome([1], "no", Retry.NEXT_RUN)])
def test_an_outcome_survives_json(outcome):
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome
