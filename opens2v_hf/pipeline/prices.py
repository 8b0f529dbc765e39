"""Cost of endpoints: from the tokens that replies report, by a dated table that the user can override."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from opens2v_hf._util.json_file import read_json
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.answers import token_count

_TOKEN_KINDS = ("input", "text_input", "image_input", "output")


@dataclass(frozen=True)
class Price:
    """The price of what one model makes.

    Attributes:
        per_million_tokens: by kind: "input" for all that is sent, or "text_input" and "image_input"; "output".
        per_image: by quality; "any" for every quality. Used where a reply reports no tokens, or where there
            is no price of tokens.
        source: where it was read.
        date: of the table.
        currency: of both.
    """

    per_million_tokens: Mapping[str, float]
    per_image: Mapping[str, float]
    source: str
    date: str
    currency: str

    def of_reply(self, usage: Mapping[str, Any] | None, quality: str | None) -> float | None:
        """Cost of a reply; None if it is unknown.

        Args:
            usage: as the reply has it: `input_tokens`, `output_tokens`, and perhaps `input_tokens_details` with
                `text_tokens` and `image_tokens`.
            quality: that was requested.

        Example:
            >>> price = Price({"input": 10.0, "output": 40.0}, {}, "", "", "USD")
            >>> price.of_reply({"input_tokens": 500, "output_tokens": 1000}, None)
            0.045
            >>> price.of_reply(None, "low") is None
            True
        """
        counted = self.of_tokens(usage or {})
        return self.of_image(quality) if counted is None else counted

    def of_image(self, quality: str | None) -> float | None:
        """Cost of a picture before it is requested; None if only tokens have a price."""
        return self.per_image.get(quality or "any", self.per_image.get("any"))

    def of_tokens(self, usage: Mapping[str, Any]) -> float | None:
        """Cost of the tokens of one or several replies; None if they are not reported or have no price.

        Example:
            >>> Price({"input": 2.5, "output": 10.0}, {}, "", "", "USD").of_tokens(
            ...     {"calls": 9, "input_tokens": 40_000, "output_tokens": 1_000}
            ... )
            0.11
        """
        rates = self.per_million_tokens
        sent, made = token_count(usage, "input_tokens"), token_count(usage, "output_tokens")
        if sent is None or made is None or "output" not in rates:
            return None
        details = usage.get("input_tokens_details")
        details = details if isinstance(details, Mapping) else {}
        texts, images = token_count(details, "text_tokens"), token_count(details, "image_tokens")
        if texts is None or images is None:
            rate = rates.get("input", max(rates.get("text_input", 0.0), rates.get("image_input", 0.0)))
            cost = sent * rate
        else:
            cost = sum(
                count * rates.get(kind, rates.get("input", 0.0))
                for count, kind in ((texts, "text_input"), (images, "image_input"))
            )
        return (cost + made * rates["output"]) / 1e6


def price_of(model: str, override: str | Path | None = None) -> Price | None:
    """The price of a model by the user's table, else by the one that comes with the package.

    Args:
        model: as the endpoint knows it.
        override: a JSON file of the same form.

    Returns:
        None where neither has the model.

    Raises:
        ResultError: the user's file cannot be read.
        ArgumentError: it has another form.
    """
    own = json.loads(files("opens2v_hf.pipeline").joinpath("prices.json").read_text("utf-8"))
    for name, table in ((override, None if override is None else read_json(override)), ("prices.json", own)):
        if table is not None:
            found = _parse(table, model, str(name))
            if found is not None:
                return found
    return None


def _parse(table: Any, model: str, name: str) -> Price | None:
    models = table.get("models") if isinstance(table, dict) else None
    if not isinstance(models, dict) or not isinstance(table.get("date"), str):
        raise ArgumentError(f'{name}: a table of prices must be {{"date": "...", "models": {{...}}}}')
    entry = models.get(model)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ArgumentError(f"{name}: the price of {model!r} must be an object (got {entry!r})")
    tokens, images = entry.get("per_million_tokens", {}), entry.get("per_image", {})
    for rates, known in ((tokens, _TOKEN_KINDS), (images, None)):
        if not isinstance(rates, dict) or not all(_is_price(rate) for rate in rates.values()):
            raise ArgumentError(f"{name}: prices of {model!r} must be numbers from 0 (got {rates!r})")
        if known is not None and set(rates) - set(known):
            raise ArgumentError(f"{name}: tokens of {model!r} are of the kinds {', '.join(known)} (got {rates!r})")
    return Price(tokens, images, str(entry.get("from", name)), table["date"], str(table.get("currency", "USD")))


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
