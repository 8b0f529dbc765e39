"""Operations, tokens and seconds of each part of a run: formulas over `cost_constants`.

A forward pass of a network takes 2 P N operations, of P parameters and N tokens, and 2 P N / (peak * utilisation)
seconds on a GPU. The terms of attention that grow with the square of the tokens are left out of the metrics, where they
are some percent, and counted for models that make videos, where they are half.
"""

from __future__ import annotations

from dataclasses import dataclass

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation import cost_constants as c
from opens2v_hf.generators.recipe import Recipe


@dataclass(frozen=True)
class VideoShape:
    """Size of the videos.

    Attributes:
        num_frames: of each video.
        width: in pixels.
        height: in pixels.
    """

    num_frames: int = 121
    width: int = 1280
    height: int = 720

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not is_whole(value, 1):
                raise ArgumentError(f"{name} must be a whole number of at least 1 (got {value!r})")

    @property
    def pixels(self) -> int:
        """Of a frame."""
        return self.width * self.height


def picture_tokens(pixels: float) -> float:
    """Tokens of a picture in the language model of the embedder.

    Example:
        >>> picture_tokens(1280 * 720), picture_tokens(28 * 28), picture_tokens(4000 * 3000)
        (1175.5102040816328, 256, 1280)
    """
    low, high = c.TOKEN_BOUNDS
    return min(max(pixels / c.PIXELS_A_TOKEN, low), high)


def picture_flops(pixels: float) -> float:
    """Operations of embedding one picture: 2 P N in the language model and in the vision tower."""
    tokens = picture_tokens(pixels)
    language = 2 * c.EMBEDDER.parameters * (tokens + c.EMBEDDER_TEXT_TOKENS)
    return language + 2 * c.EMBEDDER_VISION.parameters * c.VISION_TOKENS_A_TOKEN * tokens


def gmescore_flops(size: VideoShape) -> float:
    """Of one video: the embedding of each sampled frame."""
    return c.SAMPLED_FRAMES * picture_flops(size.pixels)


def nexusscore_flops(size: VideoShape, references: float) -> float:
    """Of one video: the detector for each frame and reference, and the embedding of the crops."""
    num_pairs = c.SAMPLED_FRAMES * references
    return num_pairs * (c.DETECTOR_FLOPS + c.BOXES_A_FRAME * picture_flops(size.pixels * c.CROP_SHARE))


def subject_flops(references: float) -> float:
    """Of one video: the detector for each frame and reference, and the embedding of the crops."""
    crop = 2 * c.SUBJECT_EMBEDDER.parameters * c.CLIP_TOKENS
    return c.SAMPLED_FRAMES * references * (c.DETECTOR_FLOPS + c.BOXES_A_FRAME * crop)


def motion_smoothness_flops(size: VideoShape) -> float:
    """Of one video: each frame in the vision tower once, a window around each in the language model."""
    windows = 2 * c.QUALITY_SCORER.parameters * c.WINDOW_TOKENS
    return size.num_frames * (windows + 2 * c.QUALITY_SCORER_VISION.parameters * c.WINDOW_VISION_TOKENS)


def generation_flops(model: c.VideoModel, recipe: Recipe) -> float:
    """Of one video: for every step and pass 2 P N, and 4 N^2 d in the attention of each layer; with one reference."""
    frames = -(-((recipe.num_frames or 81) - 1) // model.frames_a_token) + 2
    tokens = frames * ((recipe.width or 832) // model.pixels_a_token) * ((recipe.height or 480) // model.pixels_a_token)
    one_pass = 2 * model.parameters * tokens + 4 * tokens**2 * model.width * model.layers
    return (recipe.steps or 50) * model.passes_a_step * one_pass


def gpu_seconds(flops: float, gpu: c.Gpu) -> float:
    """Seconds that operations take on a GPU."""
    return flops / (gpu.tflops * 1e12 * c.UTILISATION)


def judge_tokens() -> int:
    """Input tokens of the released judge for one video."""
    return c.JUDGE_RUNS * (c.JUDGE_FRAMES * c.JUDGE_IMAGE_TOKENS + c.JUDGE_TEXT_TOKENS)
