from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED
from opens2v_hf.embedded.training.embedder_network import Pictures
from opens2v_hf.embedded.training.held_out_videos import HELD_OUT_SEED
from opens2v_hf.embedded.training.judge import level_loss, main
from opens2v_hf.embedded.training.judge_data import CLIPS_PER_SCENE, JudgeBatches, damage_level, labelled_clips
from opens2v_hf.embedded.training.judge_network import as_judge, build_network, build_tokenizer, clip_logits
from opens2v_hf.models.judge.local import LocalJudge
from opens2v_hf.models.judge.rubric import Rubric


def test_training_computes_what_the_judge_computes() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    network = build_network(tokenizer)
    judge = as_judge(network, tokenizer)
    rng = np.random.default_rng(0)
    clips = [[Image.fromarray(rng.integers(0, 256, (112, 168, 3), dtype=np.uint8)) for _ in range(3)] for _ in range(2)]
    rubric = Rubric.of_protocol("released")
    inputs = [judge.encode(clip, rubric.text) for clip in clips]
    pictures = Pictures(
        torch.cat([one["pixel_values"] for one in inputs]), torch.cat([one["image_grid_thw"] for one in inputs])
    )
    with torch.no_grad():
        together = clip_logits(network, inputs[0]["input_ids"], inputs[0]["mm_token_type_ids"], pictures)[:, -1]
    for row, clip in zip(together, clips, strict=True):
        torch.testing.assert_close(row, judge.next_token_logits(clip, rubric), atol=1e-5, rtol=1e-5)


def test_the_loss_wants_the_level_as_the_mean_of_two_digits() -> None:
    # a vocabulary of six, the digits last; 2.25 is 3/4 of a "2" and 1/4 of a "3"
    probabilities = torch.tensor([[0.1, 0.1, 0.3, 0.2, 0.2, 0.1], [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    loss = level_loss(probabilities.log(), torch.tensor([2.25, math.nan]), torch.arange(1, 6))
    assert float(loss) == pytest.approx(-0.75 * math.log(0.3) - 0.25 * math.log(0.2), abs=1e-6)


def test_the_level_falls_with_strength_and_share() -> None:
    # 4.2 - 3.2 * 0.5 * (0.4 + 0.6 * 0.5) = 3.08
    assert damage_level(0.5, 0.5) == pytest.approx(3.08)
    assert damage_level(1.0, 1.0) == 1.0
    assert damage_level(0.01, 0.1) == 4.0


def test_each_scene_gives_a_clean_clip_and_broken_ones() -> None:
    for seed in range(8):
        clean, *broken = labelled_clips(FIRST_TRAINING_SEED + seed, np.random.default_rng(seed))
        assert len(broken) == CLIPS_PER_SCENE - 1
        assert clean.level == 5.0
        assert (clean.frame_levels == 5.0).all()
        for clip in broken:
            assert 1.0 <= clip.level <= 4.0
            known = clip.frame_levels[~np.isnan(clip.frame_levels)]
            assert ((known >= 1.0) & (known <= 5.0)).all()
            faulty = np.nan_to_num(clip.frame_levels, nan=5.0) < 5.0
            assert (clip.frames[faulty] != clean.frames[faulty]).any()


def test_a_batch_is_the_same_each_time_and_held_out_scenes_are_not_in_it() -> None:
    first, again, other = (JudgeBatches(seed, steps=1, scenes_per_step=1)[0] for seed in (0, 0, 1))
    assert torch.equal(first.pictures.patches, again.pictures.patches)
    assert not torch.equal(first.levels, other.levels)
    assert len(first.levels) == CLIPS_PER_SCENE
    assert first.frame_levels.shape == (CLIPS_PER_SCENE, first.num_frames)
    assert len(first.pictures.grid) == CLIPS_PER_SCENE * first.num_frames
    assert HELD_OUT_SEED + 100_000 < FIRST_TRAINING_SEED


def test_the_command_writes_a_folder_that_loads(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path), "--steps", "1", "--scenes", "1", "--workers", "0", "--held-out", "1"])
    assert "clean > noise" in capsys.readouterr().out
    judge = LocalJudge.from_pretrained(tmp_path, device="cpu")
    assert (judge.options["min_pixels"], judge.options["max_pixels"]) == (4 * 28 * 28, 5200)
    [rating] = judge.rate([Image.new("RGB", (512, 341))] * 16, Rubric.of_protocol("full"))
    assert rating.score is not None
