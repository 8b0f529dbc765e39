"""Masks per second: this package's codec and pycocotools, on the same masks in the same run.

    python benchmarks/masks.py                      # masks of the project's own synthetic scenes
    python benchmarks/masks.py --records FILE.json  # masks of a released file of OpenS2V-5M records

Each operation is repeated over all masks for at least `--seconds`, both sides in turn, several rounds; the best round
of each counts. What both give is compared before anything is timed. Lists are read by compiled code, as they are where
numba is installed (it is loaded before), and once more by NumPy. `--profile` shows where NumPy's time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as oracle
from ratios import note

from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE, decode, encode

ROUNDS = 5
COLUMN = 240
"""Masks of a long list; pycocotools takes at most 255 at once."""


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


def rate(work: Callable[[], Any], count: int, seconds: float) -> float:
    """Items per second over at least one call and so many seconds, where each call works on `count` of them."""
    done, elapsed, start = 0, 0.0, time.perf_counter()
    while not done or elapsed < seconds:
        work()
        done += count
        elapsed = time.perf_counter() - start
    return done / elapsed


def check(rles: list[RLE], records: list[dict[str, Any]]) -> None:
    """Leave with a message if the two codecs disagree."""
    corners = oracle.toBbox(records)
    corners[:, 2:] += corners[:, :2]
    for name, same in {
        "pixels": all(np.array_equal(decode(r), oracle.decode(o)) for r, o in zip(rles, records, strict=True)),
        "code": all(encode(decode(rle)).counts == rle.counts for rle in rles),
        "areas": np.array_equal(geometry.areas(rles), oracle.area(records)),
        "areas without numba": np.array_equal(unwrap(geometry.areas)(rles), oracle.area(records)),
        "boxes": np.array_equal(geometry.boxes(rles), corners),
        "boxes without numba": np.array_equal(unwrap(geometry.boxes)(rles), corners),
    }.items():
        if not same:
            raise SystemExit(f"the two codecs disagree on the {name}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="a released JSON file of OpenS2V-5M records")
    parser.add_argument("--count", type=int, default=16, help="how many masks to generate where no file is given")
    parser.add_argument("--seconds", type=float, default=0.3, help="per operation, side and round")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    arguments = parser.parse_args()

    geometry._seconds_before_loading = 0
    rles = released(arguments.records) if arguments.records else generated(arguments.count)
    records = [rle.to_dict() for rle in rles]
    check(rles, records)
    pixels = [decode(rle) for rle in rles]
    fortran = [np.asfortranarray(mask, dtype=np.uint8) for mask in pixels]
    nothing_is_a_crowd = [False] * len(rles)
    count = len(rles)
    column, column_records = (rles * COLUMN)[:COLUMN], (records * COLUMN)[:COLUMN]
    operations: dict[str, tuple[Callable[[], Any], Callable[[], Any], int, float | None]] = {
        "decode": (lambda: [decode(r) for r in rles], lambda: [oracle.decode(r) for r in records], count, 4.0),
        "encode": (lambda: [encode(p) for p in pixels], lambda: [oracle.encode(p) for p in fortran], count, 1.0),
        "area, one by one": (
            lambda: [geometry.area(r) for r in rles], lambda: [oracle.area(r) for r in records], count, None
        ),
        f"area of a list of {count}": (lambda: geometry.areas(rles), lambda: oracle.area(records), count, None),
        f"area of a list of {COLUMN}": (
            lambda: geometry.areas(column), lambda: oracle.area(column_records), COLUMN, 1.0
        ),
        f"area of a list of {COLUMN}, without numba": (
            lambda: unwrap(geometry.areas)(column), lambda: oracle.area(column_records), COLUMN, None
        ),
        "box, one by one": (
            lambda: [geometry.box(r) for r in rles], lambda: [oracle.toBbox(r) for r in records], count, None
        ),
        f"box of a list of {count}": (lambda: geometry.boxes(rles), lambda: oracle.toBbox(records), count, None),
        f"box of a list of {COLUMN}": (
            lambda: geometry.boxes(column), lambda: oracle.toBbox(column_records), COLUMN, 1.0
        ),
        f"box of a list of {COLUMN}, without numba": (
            lambda: unwrap(geometry.boxes)(column), lambda: oracle.toBbox(column_records), COLUMN, None
        ),
    }  # fmt: skip
    if len({rle.size for rle in rles}) == 1:  # masks of different pictures have no overlap
        for name, ious, goal in (
            ("IoU of all pairs of a list", geometry.iou_matrix, 1.0),
            ("IoU of all pairs of a list, without numba", unwrap(geometry.iou_matrix), None),
        ):
            operations[name] = (
                lambda ious=ious: ious(rles, rles),  # type: ignore[misc]
                lambda: oracle.iou(records, records, nothing_is_a_crowd),
                count**2,
                goal,
            )
    characters = sum(len(rle.counts) for rle in rles) / count
    print(f"{count} masks of {rles[0].size}, {characters:.0f} characters each on average; a second, best of {ROUNDS}")
    print(f"{'':42}{'this package':>14}{'pycocotools':>14}{'ratio':>8}")
    for name, (own, other, items, goal) in operations.items():
        rounds = [(rate(own, items, arguments.seconds), rate(other, items, arguments.seconds)) for _ in range(ROUNDS)]
        ours, theirs = (max(side) for side in zip(*rounds, strict=True))
        note(f"masks: {name}", "pycocotools", ours / theirs, goal=goal)
        print(f"{name:42}{ours:14,.0f}{theirs:14,.0f}{ours / theirs:8.2f}")
    if arguments.profile:
        print_profile(rles)


def print_profile(rles: list[RLE]) -> None:
    """Print the functions that take the time of the area, box and IoU of a list."""
    for name, work in {
        "area": lambda: unwrap(geometry.areas)(rles),
        "box": lambda: unwrap(geometry.boxes)(rles),
        "IoU": lambda: unwrap(geometry.iou_matrix)(rles, rles),
    }.items():
        with cProfile.Profile() as profile:
            for _ in range(50):
                work()
        print(f"\n{name} of a list, 50 times")
        pstats.Stats(profile).sort_stats("tottime").print_stats(8)


if __name__ == "__main__":
    main()
