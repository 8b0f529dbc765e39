"""Masks to test with."""

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from pycocotools import mask as oracle

HOSTILE_CODES = {
    "runs past the end": ((2, 2), "23", "cover 5 pixels, not 4"),
    "too short": ((2, 2), "21", "cover 3 pixels, not 4"),
    "negative run": ((2, 2), "O5", "negative length -1"),
    "negative by difference": ((2, 2), "221J", "negative length"),
    "not ascii": ((2, 2), "2é", "not ASCII"),
    "foreign character": ((2, 2), "2 2", "position 1"),
    "character above the alphabet": ((2, 2), "2p", "position 1"),
    "truncated number": ((2, 2), "2R", "middle of a number"),
    "empty": ((2, 2), "", "empty"),
    "number of ten characters": ((100, 100), "P" * 9 + "1", "10 characters"),
    "more characters than pixels": ((1, 1), "0" * 100, "too long"),
    "a number of six characters": ((2, 2), "PPPPP24", "cover 67108868 pixels"),
}
"""Size, code and what its refusal says."""


@st.composite
def masks(draw, max_side: int = 40) -> np.ndarray:
    """Masks of all densities, noisy and blocky, so that runs are short, long and across columns."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    block = draw(st.sampled_from([1, 1, 3, 9]))
    coarse = generator.random((height // block + 1, width // block + 1)) < draw(
        st.sampled_from([0, 0.05, 0.5, 0.95, 1])
    )
    return np.kron(coarse, np.ones((block, block), dtype=bool))[:height, :width].astype(bool)


def oracle_encode(mask: np.ndarray) -> dict:
    record = oracle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(record["size"]), "counts": record["counts"].decode("ascii")}


def released_masks(shared_data: Path) -> list[dict]:
    records = json.loads((shared_data / "opens2v-5m-demo/regular/dataset1.json").read_text())
    return [
        mask
        for record in records.values()
        for frame in record["annotation"]["mask_annotation"].values()
        for mask in frame.values()
    ]
