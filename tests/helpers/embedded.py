"""Figures of the committed embedded weights."""

import json
from pathlib import Path

import opens2v_hf

MEASURED = Path(opens2v_hf.__file__).parent / "embedded" / "weights" / "measured.json"


def committed_figures(name: str) -> dict[str, float]:
    """Figures of many held-out scenes by the name of the training script; test_recipes.py compares the digests."""
    return json.loads(MEASURED.read_text())[name]["figures"]
