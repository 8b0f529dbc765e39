"""How many overlays the stage "crop" finds, and how many it finds where there is none.

    OMP_NUM_THREADS=1 python benchmarks/overlays.py

Frames of 180x320 pixels show a camera that pans over noise of several sizes, by 1 to 7 pixels a frame. On 12 of them
is drawn nothing, a line of words (thin, bold, or with a dark outline), or a half-transparent logo in a corner; on 34 of
them nothing, or two or three lines of words one after another, as subtitles that change. An overlay is found if the
boxes together cover it, up to 3 pixels on each side.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

from opens2v_hf.pipeline.overlays import OverlayRules, find_overlays, find_static

HEIGHT, WIDTH, FRAMES, MORE_FRAMES = 180, 320, 12, 34
SUBTITLES = ("who are you talking to", "nobody. go back to sleep", "then I was dreaming")
LINE, LOGO = ("who are you talking to", (40, 168), 0.6), ("TV8", (262, 26), 0.7)
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


def written(words: tuple[str, tuple[int, int], float], width: int) -> np.ndarray:
    """Coverage of a text, 0..1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
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
    seeds = parser.parse_args().seeds
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
