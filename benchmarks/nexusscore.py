"""Seconds for NexusScore of one video: this package and the released procedure, on the same modules and weights.

    python benchmarks/nexusscore.py                          # detector and CLIP of released size, random weights
    python benchmarks/nexusscore.py --frames 32 --rounds 1   # as many frames as the leaderboard's
    python benchmarks/nexusscore.py --width 0.125            # a narrow detector

The released procedure, for every frame and reference: encode the reference picture with CLIP, run the detector's
backbone twice, its neck and head; for every box: embed its crop, the reference and the label anew. The scores are
compared before anything is reported. Rounds alternate, and the best of each side counts.

"Forward passes alone" replays, on the inputs recorded from a run of ours, the network calls that no procedure can do
without: CLIP once a reference, backbone once a frame, neck and head once a frame and reference, the embedder once a
crop, reference and label. What our total takes beyond them is decoding, resizing, cropping, suppression, bookkeeping.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from ratios import note
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.gme import GmeEmbedder, similarities
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.vector_cache import VectorCache
from opens2v_hf.models.yolo_world.boxes import decode, select
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.models.yolo_world.preprocess import letterbox
from opens2v_hf.scores.nexus import Thresholds
from opens2v_hf.video.clip import Clip

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from gmescore import generated_video
from helpers.detectors import random_network
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

LABELS = ("Cup", "Dog", "Cup")
# random weights know no threshold: every box is kept, so that none is spared its embeddings
THRESHOLDS = Thresholds(0.5, -2.0)


@torch.inference_mode()
def released_score(metric: Any, clip: Clip, reference: NexusReference) -> float:
    """The released procedure, one frame, reference and box at a time."""
    detector, embedder, encoder = metric.detector, metric.embedder, metric.prompt_encoder
    network, config = detector.network, detector.config
    kept, frames_with_box = [], set()
    for number, frame in enumerate(clip.frames(metric.sampling)):
        for picture, label in zip(reference.images, reference.labels, strict=True):
            prompts = detector.prompts(encoder.embed([picture]))
            detector.features(frame[None])
            features = detector.features(frame[None])
            boxes, scores = decode(network.predict(features.features, prompts[:, None]), config.reg_max)
            found = select(boxes[0], scores[0, :, 0], features.letterbox, config)
            for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True):
                frames_with_box.add(number)
                embedder._texts = VectorCache()  # every box embeds its label anew
                pixels = Image.fromarray(frame).crop(box)
                if 0 in pixels.size:  # the released code stops at such a box
                    continue
                crop = embedder.embed_images([pixels])[0]
                g_i = similarities(crop, embedder.embed_images([picture])[0])
                g_t = similarities(crop, embedder.embed_texts([label], metric.label_instruction)[0])
                if score > THRESHOLDS.box_score and g_t > THRESHOLDS.text_similarity and g_i != 0:
                    kept.append(float(g_i))
    return float(np.mean(kept)) / len(frames_with_box) if kept else 0.0


class Replay:
    """Records the network calls of a run, and times them again alone."""

    def __init__(self, metric: Any) -> None:
        self.methods = {
            "CLIP": (metric.prompt_encoder.model, "forward"),
            "backbone": (metric.detector.network, "image_features"),
            "neck and head": (metric.detector.network, "predict"),
            "embedder": (metric.embedder, "_last_hidden_states"),
        }
        self.calls: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {name: [] for name in self.methods}

    @contextmanager
    def recording(self) -> Iterator[None]:
        for name, (owner, method) in self.methods.items():
            setattr(owner, method, self._recorded(name, getattr(owner, method)))
        try:
            yield
        finally:
            for owner, method in self.methods.values():
                delattr(owner, method)

    def _recorded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name].append((args, kwargs))
            return function(*args, **kwargs)

        return call

    @torch.inference_mode()
    def seconds(self, name: str) -> float:
        owner, method = self.methods[name]
        return seconds(lambda: [getattr(owner, method)(*args, **kwargs) for args, kwargs in self.calls[name]])


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = time.perf_counter


def seconds(work: Callable[[], Any]) -> float:
    start = clock()
    work()
    return clock() - start


def build(width: float, boxes: int, frames: int, folder: Path) -> NexusScore:
    config = replace(YoloWorldConfig(widen_factor=width), max_detections=boxes)
    detector = YoloWorldDetector(random_network(config), info=ModelInfo("detector", "random"))
    torch.manual_seed(0)
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(patch_size=32, projection_dim=512)).eval()
    encoder = ClipPromptEncoder(clip, CLIPImageProcessorPil(), ModelInfo("prompt_encoder", "random"))
    bounds = {"min_pixels": 256 * 28 * 28, "max_pixels": 1280 * 28 * 28}
    embedder = GmeEmbedder.from_pretrained(save_tiny_qwen2vl(folder, **bounds), device="cpu", dtype="float32")
    return NexusScore(detector, embedder, encoder, num_frames=frames, thresholds=THRESHOLDS)


@torch.no_grad()
def make_it_detect(metric: Any, clip: Clip, reference: NexusReference, share: float = 0.02) -> None:
    """Norm random weights on a frame, and shift their class logits so that about this share of cells is a detection."""
    network = metric.detector.network
    frame = clip.frames(metric.sampling)[:1]
    prompts = metric.detector.prompts(metric.prompt_encoder.embed(reference.images)).clone()

    def logits() -> torch.Tensor:
        features = network.image_features(pictures)
        each = features.select(torch.zeros(len(prompts), dtype=torch.long))
        return torch.cat([level.flatten() for level in network.predict(each, prompts[:, None]).logits])

    picture, _ = letterbox(frame[0], network.config.image_size)
    pictures = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of this frame take the place of random ones
    network.train()
    logits()
    network.eval()
    shift = logits().quantile(1 - share)
    for contrast in network.bbox_head["head_module"].cls_contrasts:
        contrast.bias -= shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8, help="sampled from the video; the leaderboard's: 32")
    parser.add_argument("--width", type=float, default=1.0, help="of the detector; the released one's: 1.0")
    parser.add_argument("--boxes", type=int, default=2, help="that a frame and reference have, at most")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: seconds of all threads, on a busy machine"
    )
    arguments = parser.parse_args()
    global clock
    clock = CLOCKS[arguments.clock]
    with tempfile.TemporaryDirectory() as folder:
        metric: Any = build(arguments.width, arguments.boxes, arguments.frames, Path(folder) / "embedder")
        video = generated_video(Path(folder) / "video.mp4", width=640, height=640)
        rng = np.random.default_rng(0)
        pictures = tuple(Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)) for _ in LABELS)
        reference = NexusReference(pictures, LABELS)

        def open_clip() -> Clip:
            return Clip(video, rules=(metric.sampling,))

        def ours() -> float:
            metric.embedder._texts = VectorCache()  # no label is remembered from the round before
            return metric.score(open_clip(), reference).value

        make_it_detect(metric, open_clip(), reference)
        replay = Replay(metric)
        with replay.recording():
            score = ours()
        released = released_score(metric, open_clip(), reference)
        if score == 0:
            raise SystemExit("nothing was detected, so that nothing is compared; try another width")
        if abs(score - released) > 1e-4 * max(abs(released), 1e-3):
            raise SystemExit(f"the two sides disagree: {score} and {released}")
        times: dict[str, list[float]] = {"ours": [], "released": [], **{name: [] for name in replay.methods}}
        for _ in range(arguments.rounds):
            times["released"].append(seconds(lambda: released_score(metric, open_clip(), reference)))
            times["ours"].append(seconds(ours))
            for name in replay.methods:
                times[name].append(replay.seconds(name))
        best = {name: min(values) for name, values in times.items()}
        forward = sum(best[name] for name in replay.methods)
        config = metric.detector.config
        print(
            f"{arguments.frames} frames, {len(LABELS)} references, at most {arguments.boxes} boxes each; detector "
            f"width {config.widen_factor} at {config.image_size} px, {torch.get_num_threads()} threads, "
            f"{arguments.clock} clock; score {score:.6f}, released procedure {released:.6f}"
        )
        for name, value in best.items():
            print(f"  {name:<16}{value:8.2f} s")
        print(f"  {'passes alone':<16}{forward:8.2f} s")
        note("NexusScore, one video", "the released procedure", best["released"] / best["ours"])
        note("NexusScore, one video", "its forward passes alone", forward / best["ours"], goal=1 / 1.1)
        print(f"released procedure / ours: {best['released'] / best['ours']:.2f}")
        print(f"ours / forward passes alone: {best['ours'] / forward:.2f}")


if __name__ == "__main__":
    main()
