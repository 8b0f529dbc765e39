from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.aesthetic_models import save_aesthetic_models
from helpers.videos import encode, numbered_frames
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.aesthetics import Aesthetics
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.video.clip import Clip


class BrightnessEncoder:
    """A picture's embedding is its mean level."""

    info = ModelInfo("aesthetic_encoder", "openai/clip-vit-large-patch14")

    def __init__(self):
        self.seen = 0

    def embed(self, images):
        self.seen += len(images)
        return torch.tensor([[float(np.mean(image))] for image in images])


class LevelHead:
    info = ModelInfo("aesthetic_head", "BestWishYsh/OpenS2V-Weight")

    def rate(self, embeds):
        return (embeds[:, 0] / 10).tolist()


def grey_video(path, levels):
    return encode(path, [np.full((64, 96, 3), level, np.uint8) for level in levels], options={"qp": "0"})


def score(metric, path):
    return metric.score(Clip(path, rules=(metric.sampling,)))


def test_the_score_is_the_mean_rating_of_the_sampled_frames(tmp_path):
    outcome = score(
        Aesthetics(BrightnessEncoder(), LevelHead(), num_frames=3),
        grey_video(tmp_path / "v.mp4", [0, 50, 100, 150, 200, 250]),
    )
    assert outcome.details["frame_indices"] == [0, 2, 5]
    assert outcome.details["ratings"] == pytest.approx([0, 10, 25], abs=0.2)
    assert outcome.value == pytest.approx(35 / 3, abs=0.2)


def test_a_frame_that_is_sampled_twice_is_rated_once_and_counts_twice(tmp_path):
    metric = Aesthetics(BrightnessEncoder(), LevelHead(), num_frames=6)
    outcome = score(metric, grey_video(tmp_path / "v.mp4", [0, 240]))
    assert metric.encoder.seen == 2
    assert outcome.details["frame_indices"] == [0, 0, 0, 0, 0, 1]
    assert outcome.value == pytest.approx(24 / 6, abs=0.1)


def test_what_cannot_be_rated_fails_with_its_reason(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    metric = Aesthetics(BrightnessEncoder(), LevelHead())
    outcome = score(metric, tmp_path / "broken.mp4")
    assert (str(outcome.status), "broken.mp4" in outcome.reason) == ("failed", True)
    metric.head.rate = lambda embeds: [float("nan")] * len(embeds)
    outcome = score(metric, grey_video(tmp_path / "v.mp4", [0, 255]))
    assert str(outcome.status) == "failed"
    assert "finite" in outcome.reason


def test_it_loads_from_folders_and_rates_the_frames_of_a_video(tmp_path):
    folders = save_aesthetic_models(tmp_path / "models")
    metric = Aesthetics.from_pretrained(
        folders["aesthetic_encoder"], folders["aesthetic_head"], num_frames=4, device="cpu"
    )
    assert [info.role for info in metric.models] == ["aesthetic_encoder", "aesthetic_head"]
    clip = Clip(encode(tmp_path / "v.mp4", numbered_frames(9)), rules=(metric.sampling,))
    one_by_one = [
        metric.head.rate(metric.encoder.embed([Image.fromarray(frame)]))[0] for frame in clip.frames(metric.sampling)
    ]
    assert metric.score(clip).value == pytest.approx(sum(one_by_one) / 4, abs=1e-3)


def test_an_encoder_with_a_head_of_another_size_is_refused(tmp_path):
    folders = save_aesthetic_models(tmp_path / "models")
    metric = Aesthetics.from_pretrained(folders["aesthetic_encoder"], folders["aesthetic_head"], device="cpu")
    metric.encoder = BrightnessEncoder()
    with pytest.raises(ArgumentError, match="trained with the encoder"):
        score(metric, grey_video(tmp_path / "v.mp4", [0, 255]))


def test_only_the_released_procedure_is_without_caveats():
    assert Aesthetics(BrightnessEncoder(), LevelHead()).caveats == ()
    (caveat,) = Aesthetics(BrightnessEncoder(), LevelHead(), num_frames=16).caveats
    assert "16 frames" in caveat
    head = LevelHead()
    head.info = ModelInfo("aesthetic_head", "org/other")
    (caveat,) = Aesthetics(BrightnessEncoder(), head).caveats
    assert "org/other" in caveat


def test_a_bad_count_shows_before_anything_is_loaded():
    with pytest.raises(ArgumentError, match="number of frames"):
        Aesthetics.from_pretrained("no-such-folder", num_frames=0)
