"""What pictures cost, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.pipeline.prices import Price, price_of


def price(tokens: dict[str, float], images: dict[str, float] | None = None) -> Price:
    return Price(tokens, images or {}, "", "", "USD")


DETAILS = {"input_tokens_details": {"text_tokens": 200, "image_tokens": 800}}
SENT = {"input_tokens": 1000, "output_tokens": 4000}


@pytest.mark.parametrize(
    ("of", "usage", "cost"),
    [
        (price({"input": 10, "output": 40}), SENT, 0.01 + 0.16),
        (price({"input": 10, "output": 40}), SENT | DETAILS, 0.01 + 0.16),
        (price({"text_input": 5, "image_input": 10, "output": 40}), SENT | DETAILS, 0.001 + 0.008 + 0.16),
        (price({"text_input": 5, "image_input": 10, "output": 40}), SENT, 0.01 + 0.16),  # the dearer kind
        (price({"input": 10}), SENT, None),
        (price({"input": 10, "output": 40}), {"total_tokens": 9}, None),
        (price({"input": 10, "output": 40}), {"input_tokens": -1, "output_tokens": True}, None),
        (price({}, {"low": 0.011}), SENT, 0.011),
        (price({}, {"high": 0.1}), {}, None),
        (price({}, {"any": 0.02}), None, 0.02),
    ],
)
def test_cost_of_a_reply(of: Price, usage: dict | None, cost: float | None) -> None:
    assert of.of_reply(usage, "low") == (None if cost is None else pytest.approx(cost))


def test_the_own_table_has_dates_and_sources() -> None:
    found = price_of("gpt-image-1")
    assert found is not None
    assert found.date == "2026-11-28"
    assert "openai.com" in found.source
    assert price_of("unheard-of") is None


def test_a_table_of_the_user_wins(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"date": "2026-12-01", "models": {"gpt-image-1": {"per_image": {"any": 1}}}}))
    found = price_of("gpt-image-1", path)
    assert found is not None
    assert (found.of_image("high"), found.date) == (1, "2026-12-01")
    assert price_of("gpt-image-1-mini", path).of_image("low") == 0.005


@pytest.mark.parametrize(
    "table",
    [
        [], {"models": {}}, {"date": "x", "models": []}, {"date": "x", "models": {"m": 3}},
        {"date": "x", "models": {"m": {"per_image": {"low": -1}}}},
        {"date": "x", "models": {"m": {"per_image": {"low": "1"}}}},
        {"date": "x", "models": {"m": {"per_million_tokens": {"outptu": 1}}}},
    ],
)  # fmt: skip
def test_a_table_of_another_form_is_refused(tmp_path: Path, table: object) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(table))
    with pytest.raises(ArgumentError, match=r"own\.json"):
        price_of("m", path)


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ResultError):
        price_of("m", tmp_path / "none.json")
