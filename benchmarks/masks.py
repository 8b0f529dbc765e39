"""Masks per second: this package's codec beside pycocotools, on the same masks in the same run.

    python benchmarks/masks.py                      # masks of the project's own synthetic scenes
    python benchmarks/masks.py --records FILE.json  # masks of a released file of OpenS2V-5M records

Each operation is repeated over all masks for at least `--seconds`, both sides in turn, several rounds; the best round
of each counts. What both give is compared before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as oracle
from ratios import note

from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE, decode, encode

ROUNDS = 5


def released(path: Path) -> list[RLE]:
    """All masks of a file of OpenS2V-5M records."""
    records = json.loads(path.read_text(encoding="utf-8"))
    return [
        RLE.from_dict(mask)
        for record in records.values()
        for frame in record["annotation"]["mask_annotation"].values()
        for mask in frame.values()
    ]


def generated(count: int) -> list[RLE]:
    """Masks of subjects of synthetic scenes, drawn at 1280 x 720 as the released ones are."""
    from opens2v_hf.data.synthetic.render import render_frame
    from opens2v_hf.data.synthetic.scenes import draw_scene

    masks: list[RLE] = []
    seed = 0
    while len(masks) < count:
        scene = draw_scene(seed, width=1280, height=720)
        masks += [encode(mask) for mask in render_frame(scene, 0).masks if mask.any()]
        seed += 1
    return masks[:count]


def rate(work: Callable[[Any], Any], items: Sequence[Any], seconds: float) -> float:
    """Items per second over at least so many seconds."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for item in items:
            work(item)
        done += len(items)
    return done / elapsed


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="a released JSON file of OpenS2V-5M records")
    parser.add_argument("--count", type=int, default=16, help="how many masks to generate where no file is given")
    parser.add_argument("--seconds", type=float, default=0.3, help="per operation, side and round")
    arguments = parser.parse_args()

    rles = released(arguments.records) if arguments.records else generated(arguments.count)
    records = [rle.to_dict() for rle in rles]
    pixels = [decode(rle) for rle in rles]
    fortran = [np.asfortranarray(mask, dtype=np.uint8) for mask in pixels]
    for rle, record, mask in zip(rles, records, fortran, strict=True):
        if not np.array_equal(decode(rle), oracle.decode(record)) or encode(mask).counts != rle.counts:
            raise SystemExit(f"the two codecs disagree on a mask of {rle.size}")
        if geometry.area(rle) != oracle.area(record):
            raise SystemExit(f"the two codecs disagree on the area of a mask of {rle.size}")

    pairs = list(zip(rles, reversed(rles), strict=True))
    record_pairs = list(zip(records, reversed(records), strict=True))
    operations: list[tuple[str, Callable[[Any], Any], Sequence[Any], Callable[[Any], Any], Sequence[Any]]] = [
        ("decode", decode, rles, oracle.decode, records),
        ("encode", encode, pixels, oracle.encode, fortran),
        ("area", geometry.area, rles, oracle.area, records),
        ("box", geometry.box, rles, oracle.toBbox, records),
        ("iou", lambda p: geometry.iou(*p), pairs, lambda p: oracle.iou([p[0]], [p[1]], [False]), record_pairs),
    ]
    if len({rle.size for rle in rles}) > 1:
        operations.pop()  # masks of different pictures have no overlap
    characters = sum(len(rle.counts) for rle in rles) / len(rles)
    print(
        f"{len(rles)} masks of {rles[0].size}, {characters:.0f} characters each on average; masks/s, best of {ROUNDS}"
    )
    print(f"{'':8}{'this package':>14}{'pycocotools':>14}{'ratio':>8}")
    for name, own, own_items, other, other_items in operations:
        rounds = [
            (rate(own, own_items, arguments.seconds), rate(other, other_items, arguments.seconds))
            for _ in range(ROUNDS)
        ]
        ours, theirs = (max(side) for side in zip(*rounds, strict=True))
        note(f"masks: {name}", "pycocotools", ours / theirs, goal=4.0 if name == "decode" else 1.0)
        print(f"{name:8}{ours:14,.0f}{theirs:14,.0f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main()
