"""Run the benchmarks one after another and write docs/performance.md from one file of results.

    python benchmarks/page.py                     # what `make bench` does; some twenty minutes, on a quiet machine
    python benchmarks/page.py --only masks        # one of them; the ratios of the others stay
    python benchmarks/page.py --gpu gpu.json      # take in what benchmarks/gpu.py wrote on a machine with a GPU
    python benchmarks/page.py --page              # write the page anew, run nothing

The ratios are compared with those of `benchmarks/results.json` before they replace them; one that fell by more than a
tenth is named, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image
from ratios import VARIABLE

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"
PICTURE = HERE.parent / "docs" / "images" / "performance.png"

SCRIPTS = {
    "read_frames": [],
    "masks": [],
    "json_stream": ["--gigabytes", "0.5"],
    "opens2v5m": ["--clips", "48", "--rounds", "2"],
    "gmescore": ["--model", "medium", "--frames", "4", "--rounds", "3"],
    "motion_smoothness": [],
    "nexusscore": ["--frames", "4", "--rounds", "1"],
    "overlap": [],
    "runner": ["--only", "overhead", "processes"],
    "scaling": [],
}
"""With arguments that keep each under some three minutes on two cores."""
LOST = 0.9
"""Below this share of the committed ratio a part has become slower."""
VERSIONS = (
    "torch",
    "transformers",
    "av",
    "decord",
    "pycocotools",
    "pyarrow",
    "opencv-python-headless",
    "numpy",
    "numba",
)


LIMITS = {
    ("all columns: shards",): (
        "half of the processor time of a row is Parquet's, on both sides, for its 2.5 MB (a mapped file here, as for "
        "pyarrow), a quarter the copy of the video into Python and the values of the subjects, in a third of the time "
        "of pyarrow's `to_pylist`. What is left on top is opening a file and checking a row group's size before it is "
        "unpacked, types, objects of videos and masks. Over 1,536 rows in a warm process it is 0.84; "
        "here opening the dataset is some 5 % of a run."
    ),
    ("training: view",): (
        "decoding alone does not resize. The view crops and resizes luma and chroma by themselves and makes RGB of the "
        "final size only. By the profile of clips of 49 frames from 720p to 832x480 (processor time a frame): 7.5 ms "
        "decoding on both sides; here 0.50 resizing in OpenCV, 0.17 converting, 0.40 writing into the clip (0.12 are "
        "the copy, the rest is new memory, a clip being 59 MB), 0.19 for three subject pictures; there 0.28 for RGB of "
        "the full size, which is not stored. That is 0.87, and 0.94 if pictures and new memory took no time. Memory "
        "of earlier clips is not used again, because a sample belongs to its caller. Converting at full size and "
        "resizing RGB takes 1.28 ms. Scaling in libswscale takes longer (1.15 to 2.8 ms) and is farther from a bicubic "
        "reference (31 to 40 dB on four generated clips; the view 38 to 44, resized RGB 42 to 45)."
    ),
    ("32 of",): (
        "four fifths of the time are decoding by ffmpeg's threads; opening, the index, checks and conversion are the "
        "rest. By processor time this package takes 0.6 of decord's (300 frames); by wall clock it depends on the free "
        "cores."
    ),
    ("a device and",): (
        "one video at a time already spreads its flow over both cores, and the flow of a video takes some 4.6 seconds "
        "of a core, next to 1.6 of the simulated device: cores are what is scarce here. With the flow simulated as "
        "well, as if there were enough cores, six videos at a time keep the device busy for 91 % of the time "
        "(`benchmarks/overlap.py --simulated-flow 18`)."
    ),
    ("masks: encode",): "between 0.8 and 1.1 from run to run on this machine, busy with other work.",
}
"""Why a goal is not reached, by the beginnings of the parts' names."""
REMARKS = {
    "masks: area": (
        "lists of masks are read by code that numba compiles (the extra `fast`), which checks each code as NumPy's "
        "passes do; pycocotools checks nothing: counts that do not fill the picture or end within a number give wrong "
        "numbers there. A list of 16 spends a quarter of its time on collecting the codes and sizes. Without numba, "
        "NumPy makes some fifteen passes over the codes of a list, 9 to 16 ns a character. numba is loaded once half a "
        "second has been spent so: that takes 0.6 s, and the first time, when it compiles, some 4 s."
    ),
    "two processes": (
        "the ratio by processor time is twice the processor time of one process over that of both: what sharing the "
        "work costs, whatever else the machine does. By the clock, a single process already reads and decodes the next "
        "video on the other core, which keeps 1.14 of two cores busy, so that at most 1.88 is possible here."
    ),
}
"""What to know of a ratio, by the beginning of the part's name."""


def run(name: str, arguments: list[str]) -> list[dict[str, Any]]:
    """The ratios that a benchmark leaves."""
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        left = Path(folder) / "ratios"
        environment = {**os.environ, VARIABLE: str(left)}
        subprocess.run([sys.executable, str(HERE / f"{name}.py"), *arguments], check=True, env=environment)
        return [json.loads(line) for line in left.read_text().splitlines()]


def machine() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    found |= {"commit": commit.stdout.strip(), "date": datetime.now(UTC).date().isoformat()}
    found |= {"load": f"{os.getloadavg()[2]:.1f}"}
    return found | {name: importlib.metadata.version(name) for name in VERSIONS}


def slower(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """Which ratios fell by more than a tenth, in words."""
    known = {(one["part"], one["against"]): one["ratio"] for one in before}
    return [
        f"{one['part']} against {one['against']}: {one['ratio']:.2f}, was {was:.2f}"
        for one in after
        if (was := known.get((one["part"], one["against"]))) is not None and one["ratio"] < LOST * was
    ]


def draw(ratios: list[dict[str, Any]]) -> None:
    """A bar a ratio on a logarithmic axis; left of 1 the other side is faster."""
    figure = Figure(figsize=(9, 0.7 + 0.32 * len(ratios)), layout="constrained")
    panel = figure.subplots()
    for row, one in enumerate(reversed(ratios)):
        panel.barh(row, one["ratio"] - 1, left=1, color="#4f6df5" if one["ratio"] >= (one["goal"] or 1) else "#f0803c")
        if one["goal"]:
            panel.plot([one["goal"]] * 2, [row - 0.4, row + 0.4], color="#131a26", linewidth=1.5)
    panel.set_yticks(
        range(len(ratios)), [f"{one['part']}\nvs {one['against']}" for one in reversed(ratios)], fontsize=7
    )
    panel.set_xscale("log")
    ticks = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.minorticks_off()
    panel.axvline(1, color="#5b6778", linewidth=1)
    panel.set_xlabel("speed of this package over the other's; line: goal; orange: not reached")
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=90)
    with Image.open(PICTURE) as picture:  # few colours: a third of the bytes
        few = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
    few.save(PICTURE, optimize=True)


def cpu_lines(results: dict[str, Any]) -> list[str]:
    about = results["machine"]
    lines = [
        f"Measured on {about['date']}, commit `{about['commit']}`: {about['cores']} cores ({about['machine']}), "
        f"{'mean load ' + about['load'] + ', ' if 'load' in about else ''}"
        f"no GPU, Python {about['python']}, " + ", ".join(f"{name} {about[name]}" for name in VERSIONS) + ".",
        "",
        "![A bar for each part of the package: its speed over that of the alternative](images/performance.png)",
        "",
        "| part | against | ratio | goal |",
        "|---|---|---|---|",
    ]
    for one in results["ratios"]:
        goal = f">= {one['goal']:.2f}" if one["goal"] else ""
        verdict = " (not reached)" if one["goal"] and one["ratio"] < one["goal"] else ""
        lines.append(f"| {one['part']} | {one['against']} | {one['ratio']:.2f} | {goal}{verdict} |")
    missed = [one["part"] for one in results["ratios"] if one["goal"] and one["ratio"] < one["goal"]]
    for beginnings, reason in LIMITS.items():
        if parts := [part for part in missed if part.startswith(beginnings)]:
            lines += ["", f"Not reached, {'; '.join(parts)}: {reason}"]
    for beginning, remark in REMARKS.items():
        if any(one["part"].startswith(beginning) for one in results["ratios"]):
            lines += ["", f"Of {beginning}: {remark}"]
    return lines


def gpu_lines(gpu: dict[str, Any] | None) -> list[str]:
    if gpu is None:
        return ["No figures yet: run `python benchmarks/gpu.py --out gpu.json` on a machine with a GPU."]
    about = gpu["machine"]
    width, height, frames = gpu["video"]
    names = list(dict.fromkeys(name for parts in gpu["parts"].values() for name in parts))
    lines = [
        f"Seconds for one video of {frames} frames, {width}x{height}, on one {about['device']} with "
        f"{about['cores']} cores (Python {about['python']}, torch {about['torch']}, transformers "
        f"{about['transformers']}), networks of the released sizes with random weights. " + gpu.get("note", ""),
        "",
        f"| part | {' | '.join(gpu['parts'])} |",
        f"|---|{'---|' * len(gpu['parts'])}",
    ]
    for name in names:
        cells = [f"{parts[name]['seconds']:.2f}" if name in parts else "" for parts in gpu["parts"].values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for dtype, several in gpu["together"].items():
        lines += [""] + [
            f"All parts in {dtype}, {one['workers']} videos at a time: {one['seconds_a_video']:.1f} s a video, "
            f"{3600 / one['seconds_a_video']:.0f} videos an hour, the GPU busy {100 * one['busy']:.0f} % of the time."
            for one in several
        ]
    return lines


def write_page(results: dict[str, Any]) -> None:
    draw(results["ratios"])
    lines = [
        "# Performance",
        "",
        "Written by `make bench` from `benchmarks/results.json`. Each ratio is the speed of this package over that of",
        "what a user could take instead; both sides run in turns in one run, and what they compute is compared first.",
        "Above 1 this package is faster. Seconds depend on the machine; ratios do so much less.",
        "",
        *cpu_lines(results),
        "",
        "## On a GPU",
        "",
        *gpu_lines(results.get("gpu")),
        "",
    ]
    PAGE.write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(SCRIPTS))
    parser.add_argument("--gpu", type=Path, help="JSON file of benchmarks/gpu.py")
    parser.add_argument("--page", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"ratios": []}
    before = results["ratios"]
    if arguments.gpu:
        results["gpu"] = json.loads(arguments.gpu.read_text())
    if not (arguments.page or arguments.gpu):
        chosen = {arguments.only: SCRIPTS[arguments.only]} if arguments.only else SCRIPTS
        found = {name: run(name, options) for name, options in chosen.items()}
        others = [one for one in before if one["script"] not in found]
        fresh = [{"script": name, **one} for name, several in found.items() for one in several]
        results["ratios"] = sorted(others + fresh, key=lambda one: list(SCRIPTS).index(one["script"]))
        results["machine"] = machine()
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write_page(results)
    if lost := slower(before, results["ratios"]):
        print("slower than the committed results by more than a tenth:", *lost, sep="\n  ")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
