"""Seconds for MotionSmoothness of one video: here next to the released procedure, on the same weights in one run.

    python benchmarks/motion_smoothness.py                    # random weights: released sizes, widths a sixteenth
    python benchmarks/motion_smoothness.py --model embedded   # the embedded scorer
    python benchmarks/motion_smoothness.py --model FOLDER --video FILE

The released procedure encodes every frame anew for each of the three windows that it is part of, and computes the whole
prompt for each window. Both sides get the same decoded frames and as many windows at a time; the scores are compared
before anything is timed. Rounds alternate, and the best of each side counts. The language model alone is timed as well,
with the text in front of the frames computed once and anew for each window. On a CPU the seconds are those of this
process, so that others on the machine count as little as may be. A sixteenth of the widths makes the language model
cheaper next to the picture encoder than it is at full width: by multiplications, the released network gains a factor of
some 1.4.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ratios import note

from opens2v_hf.embedded.training.quality_scorer_network import build_network, build_preprocessor, build_tokenizer
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, QAlignConfig, VisionConfig
from opens2v_hf.models.q_align.prompt import prompt_ids
from opens2v_hf.models.q_align.scorer import CPU_BATCH_TOKENS, QAlignScorer
from opens2v_hf.scores.motion_smoothness import WINDOW_SIZE, level_scores, windows
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import every


def random_scorer(device: str) -> QAlignScorer:
    """Depths, tokens and picture size of the released network, a sixteenth of its widths."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = QAlignConfig(
        VisionConfig(hidden_size=64, intermediate_size=256, num_attention_heads=2),
        AbstractorConfig(hidden_size=64, intermediate_size=176, num_attention_heads=2),
        LanguageConfig(vocab_size=len(tokenizer), hidden_size=256, intermediate_size=688, num_attention_heads=8),
    )
    network = build_network(config).eval().requires_grad_(False).to(device)
    info = ModelInfo("quality_scorer", "random", dtype="float32", device=device)
    preprocessor = build_preprocessor(config.vision.image_size)
    return QAlignScorer(network, prompt_ids(tokenizer), preprocessor, info, batch_tokens=CPU_BATCH_TOKENS)


@torch.inference_mode()
def released_scores(scorer: QAlignScorer, frames: list[np.ndarray]) -> list[float]:
    """The released procedure: batches of windows, all of whose frames are encoded."""
    rows = windows(len(frames))
    length = scorer.prompt.layout(WINDOW_SIZE * scorer.network.config.frame_tokens).length
    at_once = max(1, scorer.batch_tokens // length)
    frames_at_once = max(1, scorer.batch_tokens // scorer.network.config.vision.num_tokens)
    pixels = torch.cat([scorer.preprocessor([frame]) for frame in frames])
    scores: list[float] = []
    for start in range(0, len(rows), at_once):
        indices = torch.tensor(rows[start : start + at_once])
        shown = pixels[indices.flatten()]
        tokens = torch.cat([scorer.network.encode_frames(part) for part in shown.split(frames_at_once)])
        logits = scorer.network.level_logits(tokens.unflatten(0, tuple(indices.shape)), scorer.prompt)
        scores += level_scores(logits.cpu().numpy()).tolist()
    return scores


def language_seconds(
    scorer: QAlignScorer, frames: list[np.ndarray], rounds: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Best seconds of the language model for all windows: whole sequences, and the prompt's beginning computed once."""
    network, prompt = scorer.network, scorer.prompt
    with torch.inference_mode():
        tokens = torch.cat([network.encode_frames(scorer.preprocessor([frame])) for frame in frames])
        shown = tokens[torch.tensor(windows(len(frames)))]
        prefix = network.prefix(prompt)
        pairs = [
            (
                seconds(lambda: network.level_logits(shown, prompt), clock),
                seconds(lambda: network.level_logits(shown, prompt, prefix), clock),
            )
            for _ in range(rounds + 1)
        ]
    whole, cached = zip(*pairs[1:], strict=True)  # the first one warms up
    return min(whole), min(cached)


def generated_frames(count: int) -> list[np.ndarray]:
    """A square that moves over a textured background."""
    generator = np.random.default_rng(0)
    background = generator.integers(60, 200, (60, 104, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    frames = []
    for index in range(count):
        frame = background.copy()
        frame[160:280, 4 * index : 4 * index + 120] = (210, 30, 40)
        frames.append(frame)
    return frames


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="random", help='"random", "embedded", a folder or a Hub id')
    parser.add_argument("--video", type=Path, help="by default a generated one of 832 x 480")
    parser.add_argument("--frames", type=int, default=12, help="of the video, from the first")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.model == "random":
        scorer = random_scorer("cpu")
    else:
        scorer = QAlignScorer.from_pretrained(arguments.model, device=arguments.device, dtype=arguments.dtype)
    if arguments.video is None:
        frames = generated_frames(arguments.frames)
    else:
        streamed = Clip(arguments.video, rules=(every(),)).stream()
        frames = [frame.copy() for frame, _ in zip(streamed, range(arguments.frames), strict=False)]
    clock = time.process_time if scorer.network.device.type == "cpu" else time.perf_counter
    ours, released = scorer.score_frames(frames), released_scores(scorer, frames)
    apart = float(np.abs(np.subtract(ours, released)).max())
    if apart > (1e-5 if scorer.network.dtype == torch.float32 else 4e-3):
        raise SystemExit(f"the two sides do not compute the same: {ours} and {released}")
    preparing = min(
        seconds(lambda: [scorer.preprocessor([frame]) for frame in frames], clock) for _ in range(arguments.rounds)
    )
    times = [
        (
            seconds(lambda: released_scores(scorer, frames), clock),
            seconds(lambda: scorer.score_frames(frames), clock),
        )
        for _ in range(arguments.rounds)
    ]
    before, after = (min(side) for side in zip(*times, strict=True))
    whole, cached = language_seconds(scorer, frames, arguments.rounds, clock)
    print(f"scorer {arguments.model} ({scorer.info.dtype}, {scorer.info.device}), {torch.get_num_threads()} threads")
    print(f"{len(frames)} frames, scores at most {apart:.1e} apart")
    print(f"released  {before:.3f} s, every frame encoded {WINDOW_SIZE} times")
    print(f"here      {after:.3f} s, every frame encoded once; {preparing:.3f} s of it prepare pictures")
    note(f"MotionSmoothness, {len(frames)} frames", "the released procedure", before / after)
    print(f"language model alone: whole sequences {whole:.3f} s, prompt's beginning computed once {cached:.3f} s")
    note("language model of MotionSmoothness", "whole sequences", whole / cached)
    print(f"ratio     {before / after:.2f} (without preparing {(before - preparing) / (after - preparing):.2f})")


if __name__ == "__main__":
    main()
