from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.frames_in_memory import ArrayVideo
from opens2v_hf.video.sampling import linspace


class BrightnessEmbedder:
    """Puts a picture at an angle given by its brightness, and every text along the first axis."""

    info = ModelInfo("embedder", ROLES["embedder"].released)

    def __init__(self):
        self.options = {"min_pixels": 256 * 784, "max_pixels": 1280 * 784, "max_length": 1800}
        self.seen = []
        self.instructions = []

    def embed_images(self, images, instruction=None):
        self.instructions.append(instruction)
        self.seen.extend(images)
        angles = torch.tensor([float(np.mean(image)) / 255 for image in images])
        return torch.stack([angles.cos(), angles.sin()], dim=1)

    def embed_texts(self, texts, instruction=None):
        self.instructions.append(instruction)
        return torch.tensor([[1.0, 0.0]] * len(texts))


def grey_video(path, levels):
    """Lossless, so that levels come back to within the rounding of the colour conversion."""
    return encode(path, [np.full((64, 96, 3), level, np.uint8) for level in levels], options={"qp": "0"})


def test_the_score_is_the_mean_cosine_of_prompt_and_frames(tmp_path):
    levels = [0, 50, 100, 150, 200, 250]
    metric = GmeScore(BrightnessEmbedder(), num_frames=3)
    score = metric.score(Clip(grey_video(tmp_path / "v.mp4", levels), rules=(metric.sampling,)), "grey")
    assert score.details["frame_indices"] == [0, 2, 5]
    expected = [np.cos(level / 255) for level in (0, 100, 250)]
    assert score.details["similarities"] == pytest.approx(expected, abs=0.01)
    assert score.value == pytest.approx(np.mean(expected), abs=0.01)
    assert metric.embedder.instructions == [None, RETRIEVAL_INSTRUCTION]


def test_the_variant_lowest_is_the_lowest_cosine_of_a_frame_and_fills_no_column(tmp_path):
    metric = GmeScore(BrightnessEmbedder(), num_frames=3, variant="lowest")
    clip = Clip(grey_video(tmp_path / "v.mp4", [0, 250, 100]), rules=(metric.sampling,))
    score = metric.score(clip, "grey")
    assert score.value == score.variants["lowest"] == pytest.approx(np.cos(250 / 255), abs=0.01)
    assert metric.options["variant"] == "lowest"
    assert "lowest" in metric.caveats[-1]
    released = GmeScore(BrightnessEmbedder(), num_frames=3)
    assert released.companion is None
    assert (metric.companion.name, metric.companion.options) == ("gmescore_released", released.options)
    found = released.score(clip, "grey")
    assert score.by_variant("released").value == found.value
    assert found.variants["lowest"] == score.value
    with pytest.raises(ArgumentError, match="variant='other'"):
        GmeScore(BrightnessEmbedder(), variant="other")


def test_a_frame_that_is_sampled_twice_is_embedded_once_and_counts_twice(tmp_path):
    metric = GmeScore(BrightnessEmbedder(), num_frames=6)
    score = metric.score(Clip(grey_video(tmp_path / "v.mp4", [0, 255]), rules=(metric.sampling,)), "grey")
    assert len(metric.embedder.seen) == 2
    assert score.details["frame_indices"] == [0, 0, 0, 0, 0, 1]
    assert score.value == pytest.approx((5 + np.cos(1)) / 6, abs=0.01)


def test_frames_that_look_the_same_are_embedded_once():
    metric = GmeScore(BrightnessEmbedder(), num_frames=5)
    frames = np.array([0, 0, 255, 255, 0], np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    score = score_clip(metric, ArrayVideo(frames, 8), "grey")
    assert len(metric.embedder.seen) == 2, "the last frame is like the first"
    assert score.value == pytest.approx((3 + 2 * np.cos(1)) / 5, abs=0.01)


def test_a_broken_video_fails_with_its_reason(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all")
    metric = GmeScore(BrightnessEmbedder(), num_frames=2)
    score = metric.score(Clip(path, rules=(metric.sampling,)), "a prompt")
    assert score.value is None
    assert str(score.status) == "failed"
    assert "broken.mp4" in score.reason


def test_vectors_that_overflow_fail(tmp_path):
    metric = GmeScore(BrightnessEmbedder(), num_frames=2)
    metric.embedder.embed_texts = lambda texts, instruction: torch.tensor([[torch.nan, 0.0]])
    score = metric.score(Clip(grey_video(tmp_path / "v.mp4", [0, 255]), rules=(metric.sampling,)), "grey")
    assert str(score.status) == "failed"
    assert "finite number" in score.reason


@pytest.mark.parametrize("prompt", ["", " \n", None, 3])
def test_an_empty_prompt_is_refused(tmp_path, prompt):
    metric = GmeScore(BrightnessEmbedder(), num_frames=2)
    with pytest.raises(ArgumentError, match="prompt"):
        metric.score(Clip(grey_video(tmp_path / "v.mp4", [0, 255]), rules=(metric.sampling,)), prompt)


def test_only_the_released_procedure_is_without_caveats():
    assert GmeScore(BrightnessEmbedder()).caveats == ()
    (caveat,) = GmeScore(BrightnessEmbedder(), num_frames=16).caveats
    assert "16 frames" in caveat
    other = BrightnessEmbedder()
    other.info = ModelInfo("embedder", "org/other")
    other.options["max_pixels"] = 100_000
    caveats = GmeScore(other).caveats
    assert "org/other" in caveats[0]
    assert "max_pixels" in caveats[1]


def test_a_bad_count_shows_before_anything_is_loaded():
    with pytest.raises(ArgumentError, match="number of frames"):
        GmeScore.from_pretrained("no-such-folder", num_frames=0)


def test_it_loads_from_a_folder(tmp_path):
    folder = save_tiny_qwen2vl(tmp_path / "model")
    metric = GmeScore.from_pretrained(str(folder), num_frames=4, device="cpu", batch_tokens=100)
    assert metric.sampling == linspace(4)
    assert metric.embedder.batch_tokens == 100
    assert metric.models[0].name == str(folder)
    assert metric.options == {
        "num_frames": 4, "instruction": "Find an image that matches the given text.", "rounding": "float64",
        "min_pixels": 3136, "max_pixels": 12544, "max_length": 1800,
    }  # fmt: skip
    clip = Clip(encode(tmp_path / "v.mp4", numbered_frames(9)), rules=(metric.sampling,))
    frames = clip.frames(metric.sampling)
    vectors = metric.embedder.embed_images(list(frames))
    prompt = metric.embedder.embed_texts(["a number"], RETRIEVAL_INSTRUCTION)[0]
    expected = sum(float(vector @ prompt) for vector in vectors) / 4
    assert metric.score(clip, "a number").value == pytest.approx(expected, abs=1e-5)


def test_quantised_weights_are_a_caveat():
    embedder = BrightnessEmbedder()
    embedder.info = ModelInfo("embedder", ROLES["embedder"].released, quantization="bitsandbytes")
    assert GmeScore(embedder).caveats == ("made with weights of the embedder quantised by bitsandbytes",)
