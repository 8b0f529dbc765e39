"""Seconds a video of every part of the scorecard on a GPU, with networks of the released sizes and random weights.

    python benchmarks/gpu.py --out results.json            # all parts in float32, float16 and bfloat16; some minutes
    python benchmarks/gpu.py --device cpu --tiny           # small networks, to try the script out

No released weights are needed: what a network costs does not depend on them. Where numbers are compared between types,
the differences are those of random weights. The video is the project's synthetic one, enlarged; the detector keeps one
box a frame and reference. Each part is run once to warm up and then `--rounds` times; the best counts.

Then all parts together score `--videos` videos, one after another and `--workers` at a time (the engine's prefetch),
and the share of the time in which the GPU computes for metrics is measured.

After `--time-limit` seconds nothing more is begun, and what was measured until then is in the file; the first type
comes first, alone and together, so that the most important figures are there.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection, Qwen2VLConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel

from opens2v_hf.data.synthetic.eval_layout import eval_scene
from opens2v_hf.data.synthetic.render import reference_picture, render_video
from opens2v_hf.metrics.aesthetics import Aesthetics
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.metrics.facesim_cur import FaceSimCur
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.ir_network import IrConfig, IrNetwork
from opens2v_hf.models.faces.loading import load_face_detector
from opens2v_hf.models.gme import MAX_PIXELS, MIN_PIXELS, GmeEmbedder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, QAlignConfig, VisionConfig
from opens2v_hf.models.q_align.network import QAlign
from opens2v_hf.models.q_align.preprocess import FramePreprocessor
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.scores.nexus import Thresholds
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.writer import write_video

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from helpers.detectors import random_network

SAMPLE = "singlehuman_1"
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# random weights know no threshold: every box is kept, so that none is spared its embeddings
THRESHOLDS = Thresholds(0.0, -2.0)
PROMPT = "A person walks from the left to the right."


@dataclass(frozen=True)
class Part:
    """A metric and what it needs of a sample."""

    metric: Any
    reference: Any

    def score(self, clip: Clip) -> Any:
        return self.metric.score(clip, self.reference)


@contextmanager
def made_on(device: str, dtype: torch.dtype) -> Iterator[None]:
    """Weights are made where they are used, in the type in which they are used."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def embedder(device: str, dtype: str, *, tiny: bool) -> GmeEmbedder:
    """A Qwen2-VL-7B, with the embedded set's tokenizer."""
    embedded = GmeEmbedder.from_pretrained("embedded", device="cpu")
    config = embedded.model.config.to_dict()
    if not tiny:
        text = config["text_config"] | {
            "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "vocab_size": 152064, "layer_types": ["full_attention"] * 28,
            "initializer_range": 0.02, "max_position_embeddings": 32768,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        }  # fmt: skip
        vision = config["vision_config"] | {
            "depth": 32, "embed_dim": 1280, "hidden_size": 3584, "num_heads": 16, "mlp_ratio": 4,
            "initializer_range": 0.02,
        }  # fmt: skip
        config |= {"text_config": text, "vision_config": vision, "tie_word_embeddings": False}
    with made_on(device, DTYPES[dtype]):
        network = Qwen2VLModel(Qwen2VLConfig.from_dict(config))
    for weights in network.parameters():  # the configuration's own type came first; buffers stay as they are
        weights.data = weights.data.to(DTYPES[dtype])
    processor = embedded.image_processor
    if not tiny:
        processor.size = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    info = ModelInfo("embedder", "random")
    return GmeEmbedder(network.eval().requires_grad_(False), embedded.tokenizer, processor, info)


def clip_tower(kind: Any, device: str, *, large: bool, tiny: bool) -> Any:
    """CLIP ViT-B/32 or ViT-L/14."""
    sizes: dict[str, Any] = (
        {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
         "patch_size": 14, "projection_dim": 768}
        if large
        else {"projection_dim": 512}
    )  # fmt: skip
    if tiny:
        sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "projection_dim": 768 if large else 512}  # fmt: skip
    with made_on(device, torch.float32):
        network = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes))
    return kind(network.eval().requires_grad_(False), CLIPImageProcessorPil(), ModelInfo(kind.role, "random"))


def detector(device: str, dtype: str, *, tiny: bool) -> YoloWorldDetector:
    """A YOLO-World-v2-L; types other than float32 are autocast, as users choose them."""
    narrow: dict[str, Any] = {"widen_factor": 0.125, "deepen_factor": 0.33, "image_size": 128} if tiny else {}
    config = YoloWorldConfig(score_threshold=0.0, pre_score_threshold=0.0, pre_max=1000, max_detections=1, **narrow)
    precision = {"float32": "no", "float16": "fp16", "bfloat16": "bf16"}[dtype]
    return YoloWorldDetector(
        random_network(config), info=ModelInfo("detector", "random"), device=device, mixed_precision=precision
    )


def quality_scorer(device: str, dtype: str, *, tiny: bool) -> QAlignScorer:
    """A Q-Align (mPLUG-Owl2 7B), with the embedded set's tokens."""
    config = QAlignConfig()
    if tiny:
        config = QAlignConfig(
            VisionConfig(32, 64, 1, 2, image_size=56),
            AbstractorConfig(4, 32, 1, 2, 32),
            LanguageConfig(256, 32, 64, 1, 2),
        )
    with made_on(device, DTYPES[dtype]):
        network = QAlign(config).to(device, DTYPES[dtype])
    side = config.vision.image_size
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    prompt = QAlignScorer.from_pretrained("embedded", device="cpu").prompt
    info = ModelInfo("quality_scorer", "random")
    return QAlignScorer(network.eval().requires_grad_(False), prompt, FramePreprocessor(processor), info)


def parts(device: str, dtype: str, *, tiny: bool) -> dict[str, Part]:
    """Every part of the scorecard that needs no judge."""
    torch.manual_seed(0)
    scene = eval_scene(SAMPLE)
    picture = reference_picture(scene.actors[0].sprite).convert("RGB")
    shared = embedder(device, dtype, tiny=tiny)
    with made_on(device, torch.float32):
        layers = [torch.nn.Linear(*size) for size in ((768, 1024), (1024, 128), (128, 64), (64, 16), (16, 1))]
    face_config = IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), embed_dim=8) if tiny else IrConfig()
    nexus = NexusScore(
        detector(device, dtype, tiny=tiny),
        shared,
        clip_tower(ClipPromptEncoder, device, large=False, tiny=tiny),
        thresholds=THRESHOLDS,
    )
    return {
        "gmescore": Part(GmeScore(shared), PROMPT),
        "nexusscore": Part(nexus, NexusReference((picture,), ("Person",), SAMPLE)),
        "motion_smoothness": Part(MotionSmoothness(quality_scorer(device, dtype, tiny=tiny)), None),
        "aesthetics": Part(
            Aesthetics(
                clip_tower(AestheticEncoder, device, large=True, tiny=tiny),
                AestheticHead(torch.nn.Sequential(*layers), ModelInfo("aesthetic_head", "random")),
            ),
            None,
        ),
        "facesim_cur": Part(
            FaceSimCur(
                load_face_detector("embedded", device=device),
                IrFaceEmbedder(
                    IrNetwork(face_config), ModelInfo("face_embedder", "random"), device=device,
                    dtype=dtype,
                ),
            ),
            FaceReference((picture,), ("Person",), SAMPLE),
        ),
        "motion_amplitude": Part(MotionAmplitude(), None),
    }  # fmt: skip


def write_videos(folder: Path, count: int, size: tuple[int, int], num_frames: int) -> list[Path]:
    """The synthetic sample's scene, enlarged, once for each video with other noise."""
    folder.mkdir()
    frames = render_video(eval_scene(SAMPLE, num_frames=num_frames))
    found = []
    for number in range(count):
        generator = np.random.default_rng(number)
        enlarged = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in frames])
        enlarged[::2, :8, :8] = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)  # videos differ in their bytes
        found.append(write_video(folder / f"{number}.mp4", enlarged, 24) or folder / f"{number}.mp4")
    return found


def timed(clips: Sequence[Callable[[], Clip]], work: Callable[[Clip], Any], device: str) -> tuple[float, Any]:
    """Seconds of the best round after one to warm up, and what came of the first; each round has another video, since
    metrics remember the last ones."""
    best, values = float("inf"), []
    for number, clip in enumerate(clips):
        fresh = clip()
        begin = time.perf_counter()
        values.append(work(fresh))
        if device == "cuda":
            torch.cuda.synchronize()
        if number:
            best = min(best, time.perf_counter() - begin)
    return best, values[0]


def decoded(path: Path, rules: tuple[Any, ...]) -> Clip:
    """A clip whose frames are in memory, so that a part's time is not the decoder's."""
    clip = Clip(path, rules=rules, max_kept_bytes=1 << 33)
    read(clip, rules)
    return clip


def read(clip: Clip, rules: tuple[Any, ...]) -> None:
    """All frames once, which serves the rules as well."""
    for _ in clip.stream():
        pass
    for rule in rules:
        if not rule.is_every:
            clip.frames(rule)


def measure_parts(
    found: dict[str, Part], videos: list[Path], device: str, *, with_flow: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part alone, the first video to warm up; the flow has no network, and no type."""
    rules = tuple(dict.fromkeys(part.metric.sampling for part in found.values()))
    whole = [partial(decoded, video, rules) for video in videos]
    closed = [partial(Clip, video, rules=rules) for video in videos]
    yield "decode", {"seconds": timed(closed, partial(read, rules=rules), "cpu")[0]}
    for name, part in found.items():
        if name == "motion_amplitude" and not with_flow:
            continue
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds, score = timed(whole, part.score, device)
        measured = {"seconds": seconds, "value": score.value}
        if device == "cuda":
            measured["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        yield name, measured


class Turns:
    """The device, which one video at a time uses; counts how long."""

    def __init__(self, device: str) -> None:
        self.busy_s = 0.0
        self._device = device
        self._lock = threading.Lock()

    def use(self, work: Callable[[], Any]) -> Any:
        with self._lock:
            begin = time.perf_counter()
            value = work()
            if self._device == "cuda":
                torch.cuda.synchronize()
            self.busy_s += time.perf_counter() - begin
            return value


def measure_together(found: dict[str, Part], videos: list[Path], device: str, workers: int) -> dict[str, Any]:
    """All parts over all videos, with `workers` videos at a time around one device."""
    turns = Turns(device)
    rules = tuple(dict.fromkeys(part.metric.sampling for part in found.values()))

    def score(path: Path) -> dict[str, float | None]:
        clip = decoded(path, rules)
        on_device = {name: part for name, part in found.items() if name != "motion_amplitude"}
        values = {name: turns.use(partial(part.score, clip)).value for name, part in on_device.items()}
        return values | {"motion_amplitude": found["motion_amplitude"].score(clip).value}

    begin = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        values = list(pool.map(score, videos))
    wall = time.perf_counter() - begin
    return {"workers": workers, "seconds_a_video": wall / len(videos), "busy": turns.busy_s / wall, "values": values}


def machine(device: str) -> dict[str, str]:
    """What the numbers belong to."""
    names = ("torch", "transformers", "opens2v-hf", "numpy", "av")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "from a checkout"
    processor = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return {"device": processor, "cores": str(os.cpu_count()), "python": platform.python_version(), **versions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtypes", nargs="+", default=["float16", "bfloat16", "float32"], choices=list(DTYPES))
    parser.add_argument(
        "--together", default="float16", choices=list(DTYPES), help="type in which all parts run together"
    )
    parser.add_argument("--tiny", action="store_true", help="small networks and pictures")
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--frames", type=int, default=121)
    parser.add_argument("--time-limit", type=float, default=480, metavar="S", help="after which nothing is begun")
    parser.add_argument("--out", type=Path, help="JSON file, written anew after every step")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.time_limit
    size, frames = ((168, 112), 9) if arguments.tiny else ((1280, 720), arguments.frames)
    answer: dict[str, Any] = {
        "machine": machine(arguments.device),
        "video": [*size, frames],
        "parts": {},
        "together": {},
    }

    def write() -> None:
        if arguments.out:
            arguments.out.write_text(json.dumps(answer, indent=1))

    with tempfile.TemporaryDirectory() as folder:
        videos = write_videos(Path(folder) / "videos", arguments.videos + arguments.rounds + 1, size, frames)
        single, many = videos[arguments.videos :], videos[: arguments.videos]
        for dtype in arguments.dtypes:
            if time.monotonic() > end:
                print(f"{dtype:9s} is left out: {arguments.time_limit:g} s are over", flush=True)
                continue
            found = parts(arguments.device, dtype, tiny=arguments.tiny)
            measured = answer["parts"].setdefault(dtype, {})
            for name, one in measure_parts(found, single, arguments.device, with_flow=dtype == arguments.dtypes[0]):
                measured[name] = one
                print(f"{dtype:9s} {name:18s} {one['seconds']:8.3f} s  {one.get('value', '')}", flush=True)
                write()
                if time.monotonic() > end:
                    break
            for workers in arguments.workers if dtype == arguments.together else ():
                if time.monotonic() > end:
                    break
                one = measure_together(found, many, arguments.device, workers)
                answer["together"].setdefault(dtype, []).append(
                    {key: value for key, value in one.items() if key != "values"}
                )
                print(
                    f"{dtype:9s} {workers} at a time  {one['seconds_a_video']:.2f} s a video, "
                    f"{3600 / one['seconds_a_video']:.0f} an hour, device busy {100 * one['busy']:.0f} %",
                    flush=True,
                )
                write()
            del found
            gc.collect()
            if arguments.device == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
