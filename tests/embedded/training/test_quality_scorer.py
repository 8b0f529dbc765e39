from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED
from opens2v_hf.embedded.training.held_out_videos import QUALITY_SEED
from opens2v_hf.embedded.training.quality_scorer import damage_loss, main, quality_losses, video_logits
from opens2v_hf.embedded.training.quality_scorer_data import (
    VIDEOS_PER_SCENE,
    QualityBatches,
    rated_videos,
    window_qualities,
)
from opens2v_hf.embedded.training.quality_scorer_network import (
    build_network,
    build_preprocessor,
    build_tokenizer,
    embedded_config,
    look_at_frequencies,
    save,
)
from opens2v_hf.models.q_align.prompt import prompt_ids
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.scores.motion_smoothness import level_scores


def test_the_loss_wants_the_quality_as_the_mean_of_two_levels_and_the_jumps() -> None:
    # 0.85 is 2/5 of "excellent" and 3/5 of "good"; 0 is all "bad"
    probabilities = torch.tensor([[[0.4, 0.3, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1, 0.6]]])
    parts = quality_losses(probabilities.log(), torch.tensor([[0.85, 0.0]]))
    level = (-0.4 * math.log(0.4) - 0.6 * math.log(0.3) - math.log(0.6)) / 2
    assert float(parts["level"]) == pytest.approx(level, abs=1e-6)
    # scores: 0.4 + 0.225 + 0.05 + 0.025 = 0.7 and 0.1 + 0.075 + 0.05 + 0.025 = 0.25, a step of -0.45 and not -0.85
    assert float(parts["jump"]) == pytest.approx(20 * 0.4**2, abs=1e-5)


def test_unknown_damages_are_left_out() -> None:
    loss = damage_loss(torch.tensor([0.5, 9.0, 0.0]), torch.tensor([0.3, math.nan, 0.0]))
    assert float(loss) == pytest.approx(10 * 0.2**2 / 2)


def test_a_window_is_as_good_as_its_frames_are_on_average() -> None:
    damages = np.array([0.0, 0.6, 0.0, 0.3, 0.0])
    # windows 000, 012, 123, 234, 334
    expected = [1.0, 1 - 0.6 / 3, 1 - 0.9 / 3, 1 - 0.3 / 3, 1 - 0.6 / 3]
    np.testing.assert_allclose(window_qualities(damages, np.zeros(5, bool)), expected, atol=1e-6)


def test_who_is_gone_from_all_frames_of_a_window_is_not_missed() -> None:
    gone = np.array([True, True, True, False, False])
    damages = np.where(gone, 0.9, 0.0)
    # windows 000 and 012 show no one; 123 shows someone once
    np.testing.assert_allclose(window_qualities(damages, gone), [1.0, 1.0, 0.4, 0.7, 1.0], atol=1e-6)


def test_each_scene_gives_a_clean_video_and_broken_ones() -> None:
    for seed in range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + 10):
        clean, *broken = rated_videos(seed, np.random.default_rng(seed), 8)
        assert (clean.qualities == 1.0).all()
        assert len(broken) == VIDEOS_PER_SCENE - 1
        for video in broken:
            assert video.frames.shape == clean.frames.shape
            assert ((video.qualities >= 0.0) & (video.qualities <= 1.0)).all()
            differs = (video.frames != clean.frames).any(axis=(1, 2, 3))
            damaged = np.nan_to_num(video.damages, nan=1.0) > 0
            assert not (differs & ~damaged).any()
            # a frame that is gone may show what it showed with its subject hidden behind something
            known = ~np.isnan(video.damages)
            assert differs[known & damaged].all()


def test_a_batch_is_the_same_each_time_and_no_held_out_scene_is_in_it() -> None:
    first, again, other = (QualityBatches(seed, steps=1, scenes_per_step=1)[0] for seed in (0, 0, 1))
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)
    assert first.pixels.shape == (VIDEOS_PER_SCENE * 8, 3, 84, 84)
    assert first.qualities.shape == first.damages.shape == (VIDEOS_PER_SCENE, 8)
    assert QUALITY_SEED + 100_000 < FIRST_TRAINING_SEED


def test_filters_begin_equally_loud() -> None:
    torch.manual_seed(0)
    network = build_network(embedded_config(30))
    pixels = QualityBatches(0, steps=1, scenes_per_step=2)[0].pixels
    look_at_frequencies(network, pixels)
    filters = network.model.vision_model.embeddings.patch_embed
    with torch.no_grad():
        loudness = filters(pixels).transpose(0, 1).flatten(1).std(dim=1)
    assert float(loudness.max()) <= 1.0
    assert float(loudness.max() / loudness.min()) < 10
    directions = torch.nn.functional.normalize(filters.weight.detach().flatten(1), dim=1)
    alike = (directions @ directions.T).abs() - torch.eye(len(directions))
    assert float(alike.max()) < 0.9


def test_what_is_saved_scores_as_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    network = build_network(embedded_config(len(tokenizer))).eval()
    frames = list(rated_videos(FIRST_TRAINING_SEED, np.random.default_rng(0), 8)[1].frames)
    with torch.no_grad():
        tokens = network.encode_frames(build_preprocessor()(frames))
        logits = video_logits(network, tokens, (1, 8), prompt_ids(tokenizer))[0]
    save(network, tokenizer, tmp_path)
    scorer = QAlignScorer.from_pretrained(tmp_path, device="cpu")
    # weights are saved in float16
    assert scorer.score_frames(frames) == pytest.approx(level_scores(logits.numpy()).tolist(), abs=5e-3)


def test_the_command_writes_a_folder_and_starts_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--steps", "1", "--scenes", "1", "--workers", "0", "--held-out", "1"]
    main(["--out", str(tmp_path / "first"), *few])
    assert "clean > noise" in capsys.readouterr().out
    main(["--out", str(tmp_path / "second"), "--start-from", str(tmp_path / "first"), "--learning-rate", "1e-9", *few])
    first, second = (
        QAlignScorer.from_pretrained(tmp_path / name, device="cpu").network.state_dict() for name in ("first", "second")
    )
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=1e-3, rtol=1e-3)
