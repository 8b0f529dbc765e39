"""Seconds for GmeScore of one video: this package and the released procedure, on the same weights in one run.

    python benchmarks/gmescore.py                       # the embedded embedder, a generated video
    python benchmarks/gmescore.py --model random        # a tiny Qwen2-VL with random weights, pictures of released size
    python benchmarks/gmescore.py --model medium --frames 2 --rounds 2       # a network of 290 million parameters
    python benchmarks/gmescore.py --model FOLDER --video FILE --prompt TEXT

The released procedure embeds the prompt anew for every frame, and one picture at a time. Both sides decode the same
frames; the scores are compared before anything is timed. Rounds alternate, and the best of each side counts. On a CPU
the seconds are those of this process, so that others on the machine count as little as may be.

"Forward passes alone" repeats the passes of the network on the inputs recorded from a run of ours. What our total takes
beyond them is decoding, comparing and preparing frames, which does not grow with the network: of a tiny one it is most
of the time, of one of 70 million parameters a tenth, of the medium one some percent, and the released one is twenty
times larger.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from ratios import note

from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.models.gme import DEFAULT_INSTRUCTION, RETRIEVAL_INSTRUCTION, VISION_TOKENS, GmeEmbedder
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.writer import write_video

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from helpers.tiny_qwen2vl import save_tiny_qwen2vl, save_wide_qwen2vl

RELEASED_BOUNDS = {"min_pixels": 256 * 28 * 28, "max_pixels": 1280 * 28 * 28}
PROMPT = (
    "A small red square with stripes moves slowly from the left to the right over a grainy blue background, while a "
    "large green circle behind it stays where it is. The light does not change, and the camera keeps still all along."
)


@torch.inference_mode()
def released_score(embedder: GmeEmbedder, clip: Clip, prompt: str, metric: GmeScore) -> float:
    """The released procedure, one picture and one prompt at a time."""
    similarities = []
    for frame in clip.frames(metric.sampling):
        text = _embed(embedder, RETRIEVAL_INSTRUCTION, prompt)
        image = _embed(embedder, DEFAULT_INSTRUCTION, VISION_TOKENS, frame)
        similarities.append(float(text @ image))
    return statistics.fmean(similarities)


def _embed(embedder: GmeEmbedder, instruction: str, content: str, frame: np.ndarray | None = None) -> torch.Tensor:
    model, token = embedder.model, embedder.model.config.image_token_id
    turns = f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{content}<|im_end|>\n"
    ids = embedder.tokenizer(f"{turns}<|im_start|>assistant\n<|endoftext|>")["input_ids"]
    features = None
    if frame is not None:
        picture = Image.fromarray(frame)
        inputs = embedder.image_processor(
            [picture.resize((_nearest_28(picture.width), _nearest_28(picture.height)))], return_tensors="pt"
        )
        pixels = inputs["pixel_values"].to(model.device, model.dtype)
        features = model.visual(pixels, grid_thw=inputs["image_grid_thw"].to(model.device)).pooler_output
        at = ids.index(token)
        ids = ids[:at] + [token] * len(features) + ids[at + 1 :]
    tokens = torch.tensor([ids], device=model.device)
    embeddings = model.language_model.embed_tokens(tokens)
    if features is not None:
        embeddings[tokens == token] = features
    hidden = model.language_model(inputs_embeds=embeddings, attention_mask=torch.ones_like(tokens)).last_hidden_state
    return F.normalize(hidden[0, -1], dim=0)


def _nearest_28(side: int) -> int:
    return round(side / 28) * 28


def generated_video(path: Path, *, num_frames: int = 81, width: int = 832, height: int = 480) -> Path:
    """A square that moves over a textured background."""
    generator = np.random.default_rng(0)
    background = generator.integers(60, 200, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)

    def frame(index: int) -> np.ndarray:
        picture = background.copy()
        left = 4 * index
        picture[height // 3 : height // 3 + 120, left : left + 120] = (210, 30, 40)
        return picture

    write_video(path, (frame(index) for index in range(num_frames)), 16)
    return path


class Passes:
    """Records the passes of an embedder's network, and repeats them."""

    def __init__(self, embedder: GmeEmbedder) -> None:
        self._run = embedder._last_hidden_states
        self._calls: list[tuple[Any, ...]] = []
        embedder._last_hidden_states = self._recorded  # type: ignore[method-assign, assignment]

    def _recorded(self, *given: Any) -> torch.Tensor:
        self._calls.append(given)
        return self._run(*given)

    def repeat(self) -> float:
        for given in self._calls:
            self._run(*given)
        return 0.0


def seconds(work: Callable[[], float], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help='"embedded", "random", "medium", a folder or Hub id')
    parser.add_argument("--video", type=Path, help="by default a generated one of 81 frames of 832 x 480")
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--frames", type=int, default=32, help="of the video that are embedded")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if model in ("random", "medium"):
            target = Path(folder) / "model"
            save = save_tiny_qwen2vl if model == "random" else partial(save_wide_qwen2vl, width=1024)
            model = str(save(target, **RELEASED_BOUNDS))
        video = arguments.video or generated_video(Path(folder) / "video.mp4")
        load = {"device": arguments.device, "dtype": arguments.dtype}
        metric = GmeScore.from_pretrained(model, num_frames=arguments.frames, **load)

        def fresh() -> GmeEmbedder:
            # A fresh metric around the loaded network, so that no prompt is remembered from the round before.
            old = metric.embedder
            parts = (old.model, old.tokenizer, old.image_processor, old.info)
            return GmeEmbedder(*parts, max_length=old.max_length, batch_tokens=old.batch_tokens)

        def ours(embedder: GmeEmbedder | None = None) -> float:
            found = GmeScore(embedder or fresh(), num_frames=arguments.frames)
            score = found.score(Clip(video, rules=(metric.sampling,)), arguments.prompt)
            if score.value is None:
                raise SystemExit(score.reason)
            return score.value

        def released() -> float:
            return released_score(metric.embedder, Clip(video, rules=(metric.sampling,)), arguments.prompt, metric)

        clock = time.process_time if metric.embedder.model.device.type == "cpu" else time.perf_counter
        watched = fresh()
        passes = Passes(watched)
        one, other = ours(watched), released()
        if abs(one - other) > 1e-3:
            raise SystemExit(f"the two sides do not compute the same: {one} and {other}")
        decoding = min(
            seconds(lambda: float(Clip(video, rules=(metric.sampling,)).frames(metric.sampling)[0, 0, 0, 0]), clock)
            for _ in range(arguments.rounds)
        )
        works = (released, ours, passes.repeat)
        times = [[seconds(work, clock) for work in works] for _ in range(arguments.rounds)]
    before, after, forward = (min(side) for side in zip(*times, strict=True))
    info = metric.embedder.info
    print(f"embedder {arguments.model} ({info.dtype}, {info.device}), {torch.get_num_threads()} threads")
    print(f"score     {one:.6f} here, {other:.6f} by the released procedure")
    print(f"released  {before:.3f} s a video")
    print(f"here      {after:.3f} s a video, of which decoding {decoding:.3f} s")
    print(f"its forward passes alone {forward:.3f} s")
    part = f"GmeScore, {arguments.frames} frames, embedder {arguments.model}"
    note(part, "the released procedure", before / after)
    if arguments.model != "embedded":
        note(part, "its forward passes alone", forward / after, goal=1 / 1.05)
    print(f"here / forward passes alone {after / forward:.3f}")
    print(f"ratio     {before / after:.2f} (without decoding {(before - decoding) / (after - decoding):.2f})")


if __name__ == "__main__":
    main()
