"""Masks to test with."""

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from pycocotools import mask as oracle


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
