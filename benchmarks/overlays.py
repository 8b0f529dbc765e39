"""How many overlays the stage "crop" finds, and how many it finds where there is none.

    OMP_NUM_THREADS=1 python benchmarks/overlays.py
    OMP_NUM_THREADS=1 python benchmarks/overlays.py --seeds 5 --clips FOLDER

Frames of 180x320 pixels show a camera that pans over noise of several sizes, by 1 to 7 pixels a frame. On 12 of them
is drawn nothing, a line of words (thin, bold, or with a dark outline), or a half-transparent logo in a corner; on 34 of
them nothing, or two or three lines of words one after another, as subtitles that change. An overlay is found if the
boxes together cover it, up to 3 pixels on each side.

Then one line is drawn on all frames of clips that are shorter than 12 frames; and with `--clips` two or three lines,
one after another, on the videos of a folder, in four looks.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from opens2v_hf.pipeline.overlays import OverlayRules, find_overlays, find_static
from opens2v_hf.video.reader import open_video

HEIGHT, WIDTH, FRAMES, MORE_FRAMES = 180, 320, 12, 34
SUBTITLES = ("who are you talking to", "nobody. go back to sleep", "then I was dreaming")
LINE, LOGO = ("who are you talking to", (40, 168), 0.6), ("TV8", (262, 26), 0.7)
LOOKS = ((0.6, 1.0, 1, 0), (0.7, 1.0, 2, 0), (0.6, 1.0, 1, 3), (0.5, 0.8, 1, 0))
"""Size, opacity, width and width of a dark outline of lines on the clips of a folder."""
SHORT = (6, 8, 10)
KINDS = {
    "nothing": None,
    "thin line": (LINE, 1, 0, 1.0),
    "bold line": (LINE, 2, 0, 1.0),
    "outlined line": (LINE, 1, 3, 1.0),
    "logo of 60 %": (LOGO, 2, 0, 0.6),
}


def pan(seed: int, step: int, count: int = FRAMES) -> np.ndarray:
    """The moving picture, uint8 [count, 180, 320]."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((HEIGHT, WIDTH + count * step), np.float32)
    for sigma in (1.5, 4, 12):
        layer = cv2.GaussianBlur(rng.normal(size=canvas.shape).astype(np.float32), (0, 0), sigma)
        canvas += layer / layer.std()
    canvas = np.clip(128 + 30 * canvas, 0, 255)
    return np.stack([canvas[:, number * step : number * step + WIDTH] for number in range(count)]).astype(np.uint8)


def written(
    words: tuple[str, tuple[int, int], float], width: int, size: tuple[int, ...] = (HEIGHT, WIDTH)
) -> np.ndarray:
    """Coverage of a text, 0..1."""
    mask = np.zeros(size, np.uint8)
    text, corner, scale = words
    cv2.putText(mask, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)
    return mask / 255.0


def covered(found: list[tuple[int, int, int, int]], truth: np.ndarray) -> bool:
    """Whether the boxes cover what was drawn."""
    boxes = np.array(found)
    if not len(boxes):
        return False
    ys, xs = np.nonzero(truth)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return bool((low <= (xs.min() + 3, ys.min() + 3)).all() and (high >= (xs.max() - 2, ys.max() - 2)).all())


def main() -> None:
    """Print a row for each kind of overlay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=25)
    parser.add_argument("--clips", type=Path, help="folder of videos to draw lines on")
    arguments = parser.parse_args()
    seeds = arguments.seeds
    steps = (1, 2, 3, 5, 7)
    print(f"of {seeds}; pixels a frame: {', '.join(map(str, steps))}")
    for kind, drawn in KINDS.items():
        counts = []
        for step in steps:
            count = 0
            for seed in range(seeds):
                frames = pan(seed, step)
                if drawn is None:
                    count += bool(find_static(frames, OverlayRules()))
                    continue
                words, width, outline, alpha = drawn
                dark, white = written(words, width + outline) if outline else 0.0, alpha * written(words, width)
                frames = (frames * (1 - dark) * (1 - white) + 255 * white).astype(np.uint8)
                count += covered(find_static(frames, OverlayRules()), white)
            counts.append(count)
        print(f"{kind}: {', '.join(map(str, counts))}", flush=True)
    for lines in (0, 2, 3):
        counts = [sum(changing(seed, step, lines) for seed in range(seeds)) for step in steps]
        print(f"{lines or 'no'} lines one after another: {', '.join(map(str, counts))}", flush=True)
    for count in SHORT:
        line = written(LINE, 1)
        found = [find_overlays((pan(seed, 3, count) * (1 - line) + 255 * line).astype(np.uint8), OverlayRules())
                 for seed in range(seeds)]  # fmt: skip
        whole = sum(covered(boxes, line) for boxes in found)
        print(f"a line in {count} frames, 3 pixels a frame: {whole} whole, {sum(map(bool, found)) - whole} in part")
    for path in sorted(arguments.clips.rglob("*.mp4")) if arguments.clips else ():
        print(f"{path.name}: {on_clip(path)}", flush=True)


def on_clip(path: Path) -> str:
    """How many looks of two and of three lines are found in a clip, and what is found without any."""
    rules = OverlayRules()
    video = open_video(path)
    scale = 360 / min(video.height, video.width)
    clean = np.stack([
        cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for frame in video.iter_frames(rules.positions(video.num_frames))
    ])  # fmt: skip
    found: Counter[str] = Counter()
    for lines in (2, 3):
        for size, alpha, width, outline in LOOKS:
            frames, truth = clean.astype(np.float32), np.zeros(clean.shape[1:])
            for number in range(lines):
                part = slice(number * len(frames) // lines, (number + 1) * len(frames) // lines)
                words = SUBTITLES[number], (20 + 8 * number, clean.shape[1] - 12), size
                white = alpha * written(words, width, clean.shape[1:])
                dark = written(words, width + outline, clean.shape[1:]) if outline else 0.0
                frames[part] = frames[part] * (1 - dark) * (1 - white) + 255 * white
                truth = np.maximum(truth, white)
            found[f"{lines} lines"] += covered(find_overlays(frames.astype(np.uint8), rules), truth)
    counts = ", ".join(f"{kind} {count} of {len(LOOKS)}" for kind, count in found.items())
    return f"{counts}; without any {len(find_overlays(clean, rules))}"


def changing(seed: int, step: int, lines: int) -> bool:
    """Whether lines one after another are found; without lines, whether anything is."""
    frames = pan(seed, step, MORE_FRAMES)
    truth = np.zeros((HEIGHT, WIDTH))
    for number in range(lines):
        part = slice(number * MORE_FRAMES // lines, (number + 1) * MORE_FRAMES // lines)
        white = written((SUBTITLES[number], (40 + 10 * number, 168), 0.6), 1)
        frames[part] = (frames[part] * (1 - white) + 255 * white).astype(np.uint8)
        truth = np.maximum(truth, white)
    boxes = find_overlays(frames, OverlayRules())
    return covered(boxes, truth) if lines else bool(boxes)


if __name__ == "__main__":
    main()
