"""Constants of the estimate of time, memory and dollars, each with its source.

"assumed" marks constants without a source; `opens2v doctor --estimate --measured RUN` uses measured seconds instead.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU.

    Attributes:
        name: argument of `--gpu`.
        tflops: of dense matrix products in 16 bits, 10^12 operations a second.
        memory_gb: of the card.
        dollars_per_hour: of one card as a Hugging Face Job; None if unknown. `--job` uses the current price of the Hub.
        source: of these figures.
    """

    name: str
    tflops: float
    memory_gb: float
    dollars_per_hour: float | None
    source: str


_PRICES = "Hugging Face's price list for Jobs, 2025"

GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("h200", 989, 141, 5.00, f"NVIDIA H200 data sheet; {_PRICES}"),
        Gpu("h100", 989, 80, None, "NVIDIA H100 SXM data sheet"),
        Gpu("a100", 312, 80, 2.50, f"NVIDIA A100 data sheet; {_PRICES} (a100-large)"),
        Gpu("l40s", 362, 48, 1.80, f"NVIDIA L40S data sheet; {_PRICES} (l40sx1)"),
        Gpu("l4", 121, 24, 0.80, f"NVIDIA L4 data sheet; {_PRICES} (l4x1)"),
        Gpu("a10g", 70, 24, 1.50, f"AWS's page on G5 instances; {_PRICES} (a10g-large)"),
        Gpu("t4", 65, 16, 0.40, f"NVIDIA T4 data sheet; {_PRICES} (t4-small)"),
    )
}
"""Name to GPU."""

UTILISATION = 0.4
"""Share of a GPU's peak that large matrix products reach in a forward pass: assumed."""


@dataclass(frozen=True)
class Network:
    """A network: its forward pass takes two operations for each parameter and token.

    Attributes:
        parameters: without embeddings.
        source: of the figure.
    """

    parameters: float
    source: str


EMBEDDER = Network(6.53e9, "Qwen2 technical report (arXiv 2407.10671), 7B without embeddings")
EMBEDDER_VISION = Network(0.675e9, "Qwen2-VL report (arXiv 2409.12191)")
QUALITY_SCORER = Network(6.48e9, "LLaMA 2 7B (arXiv 2307.09288), 6.74 billion without two embeddings of 0.13")
QUALITY_SCORER_VISION = Network(0.304e9, "ViT-L/14 (arXiv 2103.00020), of 448 pixels in mPLUG-Owl2 (arXiv 2311.04257)")
AESTHETIC_ENCODER = Network(0.304e9, "ViT-L/14 (arXiv 2103.00020)")

SUBJECT_EMBEDDER = Network(86e6, "DINOv2 ViT-B/14 (arXiv 2304.07193)")

SAMPLED_FRAMES = 32
"""Released sampling of every metric that samples frames, except NaturalScore."""

PIXELS_A_TOKEN = 28 * 28
TOKEN_BOUNDS = (256, 1280)
"""Of the embedder's picture: released processor settings."""

VISION_TOKENS_A_TOKEN = 4
"""Patches of the embedder's vision tower that are merged into one token (arXiv 2409.12191)."""

EMBEDDER_TEXT_TOKENS = 25
"""Of the embedder's template around a picture: counted."""

DETECTOR_FLOPS = 0.2e12
"""Of one picture of 640 pixels: YOLOv8-L has 0.165e12 (Ultralytics), and the text-guided neck comes on top: assumed."""

BOXES_A_FRAME = 1.5
"""Boxes that are cropped and embedded, for each frame and reference: assumed."""

CROP_SHARE = 0.2
"""Share of a frame that a crop covers: assumed."""

REFERENCES = {"open-domain": 320 / 180, "human-domain": 1.0, "single-domain": 1.0}
"""References a sample: the released prompt files."""

WINDOW_TOKENS = 3 * 65 + 40
"""Of MotionSmoothness: three frames of 65 tokens (arXiv 2311.04257), and the question: counted."""

WINDOW_VISION_TOKENS = 1025
CLIP_TOKENS = 257
"""Of ViT/14 at 448 and 224 pixels: patches and one more."""

REFERENCE_PIXELS = 1280 * 720
FLOW_SECONDS = 0.15
"""Farneback flow of one pair of frames of 720p on one core: measured by this project."""

DECODE_SECONDS = 0.0037
"""Decoding one frame of 720p on one core: measured by this project (0.30 s for 81 frames)."""

FACE_DETECTION_SECONDS = 0.05
"""Finding the faces of one frame at 320 pixels on one core: assumed."""

JUDGE_RUNS, JUDGE_FRAMES = 3, 16
JUDGE_IMAGE_TOKENS = 85 + 170
"""One tile of 512 pixels (OpenAI's guide to vision, gpt-4o)."""

JUDGE_TEXT_TOKENS = 700
JUDGE_ANSWER_TOKENS = 5
"""The rubric and the number that answers it: counted."""

JUDGE_SECONDS_A_CALL = 3.0
JUDGE_CONCURRENCY = 8
"""Of one call, and number of calls at a time: assumed."""

JUDGE_DOLLARS_IN, JUDGE_DOLLARS_OUT = 2.50e-6, 10.0e-6
"""A token of gpt-4o-2024-11-20 (OpenAI's price list, 2025)."""

LOCAL_JUDGE_TOKENS = JUDGE_FRAMES * 512 * 288 / PIXELS_A_TOKEN
"""Of the frames in a judge of Qwen2-VL's kind, 512 pixels wide."""

ACTIVATIONS_GB = 4.0
"""On top of weights in 16 bits: frames, activations, the allocator: assumed."""


@dataclass(frozen=True)
class VideoModel:
    """A model that makes videos.

    Attributes:
        parameters: of its transformer.
        width: of its hidden states.
        layers: of its transformer.
        passes_a_step: 2 with classifier-free guidance.
        pixels_a_token: on each side of a frame.
        frames_a_token: frames that the video autoencoder compresses into one.
        source: of these figures.
    """

    parameters: float
    width: int
    layers: int
    passes_a_step: int
    pixels_a_token: int
    frames_a_token: int
    source: str


_WAN = "config.json of the repo; parameters counted on the class"

VIDEO_MODELS = {
    "Wan-AI/Wan2.1-VACE-1.3B-diffusers": VideoModel(2.15e9, 1536, 30, 2, 16, 4, _WAN),
    "Wan-AI/Wan2.1-VACE-14B-diffusers": VideoModel(17.34e9, 5120, 40, 2, 16, 4, _WAN),
}
"""Hub id to model; for others the first video of a run gives the seconds."""
