from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from opens2v_hf.embedded.training.aesthetics import EncoderWithHead, losses, main, save
from opens2v_hf.embedded.training.aesthetics_data import (
    FRAMES_PER_SCENE,
    AestheticBatches,
    build_image_processor,
    rated_frames,
)
from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead


def test_the_loss_wants_the_ratings_and_a_margin_under_the_clean_frame() -> None:
    ratings = torch.tensor([6.0, 4.0, 5.8, 6.4])
    wanted = torch.tensor([6.5, 3.5, 5.8, 3.4])
    parts = losses(ratings, wanted)
    # smooth L1: 0.5 d^2 below 1, |d| - 0.5 above: (0.125 + 0.125 + 0 + 2.5) / 4
    assert float(parts["rating"]) == pytest.approx(2.75 / 4)
    # 4.0 lies more than 0.5 under 6.0; 5.8 is 0.3 short of that, 6.4 0.9
    assert float(parts["margin"]) == pytest.approx((0 + 0.3 + 0.9) / 3)


def test_each_scene_gives_a_clean_frame_and_broken_ones() -> None:
    for seed in range(1_000_000, 1_000_005):
        (clean, best), *broken = rated_frames(seed, np.random.default_rng(seed))
        assert best == 6.5
        assert len(broken) == FRAMES_PER_SCENE - 1
        for frame, rating in broken:
            assert 3.5 <= rating < 6.0
            assert frame.shape == clean.shape
            assert (frame != clean).any()


def test_a_batch_is_the_same_each_time() -> None:
    first, again, other = (AestheticBatches(seed, steps=1, scenes_per_step=2)[0] for seed in (0, 0, 1))
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.ratings, other.ratings)
    assert first.pixels.shape == (2 * FRAMES_PER_SCENE, 3, 112, 112)


def test_what_is_saved_rates_as_what_was_trained(tmp_path) -> None:
    torch.manual_seed(0)
    network = EncoderWithHead().eval()
    pictures = [Image.fromarray(frame) for frame, _ in rated_frames(1_000_000, np.random.default_rng(0))]
    with torch.no_grad():
        wanted = network(build_image_processor()(pictures, return_tensors="pt")["pixel_values"]).tolist()
    save(network, tmp_path)
    encoder = AestheticEncoder.from_pretrained(tmp_path / "aesthetic_encoder", device="cpu")
    head = AestheticHead.from_pretrained(tmp_path / "aesthetic_head", device="cpu")
    assert head.rate(encoder.embed(pictures)) == pytest.approx(wanted, abs=0.05)  # weights are saved in float16


def test_the_command_writes_folders_and_starts_from_them(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--steps", "1", "--scenes", "1", "--workers", "0", "--held-out", "1"]
    main(["--out", str(tmp_path / "first"), *few])
    assert "clean > noise" in capsys.readouterr().out
    # a step of no length: the weights stay what they were
    main(["--out", str(tmp_path / "second"), *few, "--start-from", str(tmp_path / "first"), "--learning-rate", "0"])
    first, second = (
        AestheticEncoder.from_pretrained(tmp_path / name / "aesthetic_encoder", device="cpu").model.state_dict()
        for name in ("first", "second")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
