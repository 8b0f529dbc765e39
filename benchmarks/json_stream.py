"""Reads a generated object of released records a record at a time: MB/s, time to the first record, peak memory.

    python benchmarks/json_stream.py --gigabytes 4

The file is written to a temporary folder and removed again. Each reader runs in its own process, so that its peak
memory is its own; `ijson` and `json.load` (which holds everything, and runs on a hundredth of the file) are there for
comparison. Rates are per second of processor time and of wall-clock time on a warm file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from ratios import note

from opens2v_hf.data.opens2v5m.released.byte_source import LocalSource
from opens2v_hf.data.opens2v5m.released.json_stream import read_object
from opens2v_hf.masks.rle import encode

HEIGHT, WIDTH, SUBJECTS = 720, 1280, 16


def generated_record(seed: int) -> dict:
    """A record as released, with masks of wavy blobs, each some 2 KB of run-length code."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    boxes, masks = [], {}
    for subject in range(1, SUBJECTS + 1):
        cx, cy, r = rng.uniform(200, 1000), rng.uniform(150, 550), rng.uniform(80, 300)
        wobble = 1 + 0.2 * np.sin(rng.uniform(3, 9) * np.arctan2(y - cy, x - cx)) + rng.normal(0, 0.01, (HEIGHT, WIDTH))
        mask = encode(np.hypot(x - cx, y - cy) < r * wobble)
        masks[str(subject)] = {**mask.to_dict(), "score": [0.5]}
        boxes.append(
            {"class_name": "blob", "bbox": [cx - r, cy - r, cx + r, cy + r], "gme_score": 0.3, "aes_score": 5.0}
        )
    return {
        "metadata": {
            "cut": [0, 95],
            "crop": [0, WIDTH, 0, HEIGHT],
            "fps": 29.97,
            "num_frames": 95,
            "resolution": {"height": HEIGHT, "width": WIDTH},
            "path": f"clip{seed}.mp4",
            "aesthetic": 5.07,
            "face_cut": [0, 95],
            "face_cap_qwen": "A blob drifts past other blobs. " * 20,
        },
        "word_tags": {"background": ["park"], "subject": ["blob"], "object": [], "pre_define": ["person"]},
        "annotation": {
            "ann_frame_data": {"ann_frame_idx": 0, "annotations": boxes, "box_format": "xyxy"},
            "mask_map": {key: {"class_name": "blob"} for key in masks},
            "mask_annotation": {"0": masks},
        },
    }


def write(path: Path, num_bytes: int, indent: int | None) -> int:
    bodies = [json.dumps(generated_record(seed), indent=indent).encode() for seed in range(8)]
    count = 0
    with path.open("wb", buffering=1 << 20) as file:
        file.write(b"{")
        while file.tell() < num_bytes:
            file.write((b", " if count else b"") + f'"clip_{count:09d}": '.encode() + bodies[count % len(bodies)])
            count += 1
        file.write(b"}")
    return count


def with_this_package(path: Path) -> Iterator[Any]:
    yield from read_object(LocalSource(path))


def with_ijson(path: Path) -> Iterator[Any]:
    import ijson

    with path.open("rb") as file:
        yield from ijson.kvitems(file, "", use_float=True)


def with_json(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from json.load(file).items()


def measure(reader: Callable[[Path], Iterator[Any]], path: Path, connection: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    entries = reader(path)
    next(entries)
    first = time.perf_counter() - wall
    count = 1 + sum(1 for _ in entries)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    connection.send((count, first, wall, processor, before / 1024, peak / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--indent", type=int, default=None, help="as json.dumps knows it")
    parser.add_argument("--folder", type=Path, default=None, help="where the file is written for the time of the run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "total_part1.json"
        small = Path(folder) / "small.json"
        written = write(path, int(arguments.gigabytes * 1e9), arguments.indent)
        written_small = write(small, int(arguments.gigabytes * 1e7), arguments.indent)
        print(f"{written} records, {path.stat().st_size / 1e9:.2f} GB")
        print("| reader | file | first record | MB/s (processor) | MB/s (wall) | peak memory (at start) |")
        print("|---|---|---|---|---|---|")
        jobs = [(with_this_package, path, written), (with_ijson, path, written), (with_json, small, written_small)]
        rates = {}
        for reader, file, expected in jobs:
            mine, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(reader, file, theirs))
            process.start()
            count, first, wall, processor, before, peak = mine.recv()
            process.join()
            if count != expected:
                raise SystemExit(f"{reader.__name__} read {count} records where {expected} were written")
            size = file.stat().st_size / 1e6
            rates[reader] = size / processor
            print(
                f"| {reader.__name__} | {size:.0f} MB | {first * 1000:.1f} ms | {size / processor:.0f} "
                f"| {size / wall:.0f} | {peak:.0f} MB ({before:.0f} MB) |"
            )
        note("released JSON, by processor time", "ijson", rates[with_this_package] / rates[with_ijson])


if __name__ == "__main__":
    main()
