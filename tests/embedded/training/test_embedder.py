from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, Background, ObjectSprite, PersonSprite, draw_scene
from opens2v_hf.embedded.training import embedder_data
from opens2v_hf.embedded.training.embedder import label_loss, main, margin_loss, match_loss, scene_loss
from opens2v_hf.embedded.training.embedder_data import EmbedderBatches
from opens2v_hf.embedded.training.embedder_network import (
    LABELS,
    Pictures,
    build_image_processor,
    build_network,
    build_tokenizer,
    embed_patches,
    embed_token_rows,
    pad_rows,
)
from opens2v_hf.models.gme import DEFAULT_INSTRUCTION, GmeEmbedder, conversation
from opens2v_hf.models.info import ModelInfo


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def network(tokenizer):
    torch.manual_seed(3)
    return build_network(tokenizer).eval()


@pytest.fixture(scope="module")
def batch(tokenizer):
    return EmbedderBatches(tokenizer, seed=4, num_steps=3, num_pairs=6, num_crops=5)[1]


def test_pictures_of_unlike_sizes_in_one_call_give_what_transformers_gives_one_by_one(network):
    frame = Image.fromarray(render_frame(draw_scene(0), 0).image)
    pictures = [frame, frame.crop((10, 10, 60, 90)), frame.resize((112, 112))]
    pixels = build_image_processor()(pictures, return_tensors="pt")
    assert len(set(pixels["image_grid_thw"].prod(-1).tolist())) > 1
    with torch.no_grad():
        together = embed_patches(network.model.visual, Pictures(pixels["pixel_values"], pixels["image_grid_thw"]))
        expected = network.model.visual(pixels["pixel_values"], grid_thw=pixels["image_grid_thw"]).pooler_output
    torch.testing.assert_close(together, expected, atol=2e-5, rtol=1e-4)


def test_the_training_s_forward_pass_is_that_of_the_metric(network, tokenizer, batch):
    embedder = GmeEmbedder(network.model, tokenizer, build_image_processor(), ModelInfo("embedder", "new"))
    frame = render_frame(draw_scene(9), 2).image
    data = EmbedderBatches(tokenizer, 0, 1, 1, 1)
    pictures, tokens = data._pictures([Image.fromarray(frame), Image.fromarray(frame[20:70, 30:61])])
    texts = ["Star", "A small red ball moves up over the blue sea."]
    ids, mask = pad_rows(
        tokenizer([conversation(DEFAULT_INSTRUCTION, text) for text in texts])["input_ids"], tokenizer.pad_token_id
    )
    with torch.no_grad():
        vectors = embed_token_rows(network, tokens.ids, tokens.mask, pictures)
        text_vectors = embed_token_rows(network, ids, mask)
    torch.testing.assert_close(vectors, embedder.embed_images([frame, frame[20:70, 30:61]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(text_vectors, embedder.embed_texts(texts), atol=1e-5, rtol=0)


def test_the_tokenizer_knows_every_word_and_accepts_others(tokenizer):
    text = conversation("Find an image that matches the given text.", "On a snowy hill, a small Woman; a zebra.")
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
    assert tokens[:3] == ["<|im_start|>", "system", "find"]
    assert tokens[-1] == "<|endoftext|>"
    # Neither the semicolon nor the animal belongs to this world.
    assert tokens.count("<unk>") == 2
    assert tokens[tokens.index("zebra" if "zebra" in tokens else "<unk>") - 1] == "woman"
    for seed in range(1000, 1050):
        assert tokenizer.unk_token_id not in tokenizer(embedder_data.caption(draw_scene(seed)))["input_ids"]
    assert all(len(tokenizer(label)["input_ids"]) == 1 for label in LABELS)


def test_a_batch_depends_on_seed_and_step_only(tokenizer, batch):
    again = EmbedderBatches(tokenizer, seed=4, num_steps=3, num_pairs=6, num_crops=5)[1]
    other = EmbedderBatches(tokenizer, seed=5, num_steps=3, num_pairs=6, num_crops=5)[1]
    assert torch.equal(batch.frames.patches, again.frames.patches)
    assert torch.equal(batch.crops.patches, again.crops.patches)
    assert torch.equal(batch.captions.ids, again.captions.ids)
    assert not torch.equal(batch.frames.patches, other.frames.patches)


def test_the_shapes_of_a_batch(batch):
    # Six pairs; frames 0 and 4 come a second time nearly right, captions 1 and 4 as well.
    assert batch.frames.grid.tolist() == [[1, 8, 12]] * 8
    assert len(batch.captions.ids) == 8
    assert batch.frame_origins.tolist() == [0, 4]
    assert batch.caption_origins.tolist() == [1, 4]
    assert len(batch.crops.grid) == len(batch.crop_rows.ids) == 10
    assert len(batch.short_texts.ids) == 5 + len(LABELS)
    assert batch.same_subject.shape == (5, 5)
    assert batch.same_subject.diagonal().all()
    assert batch.label_targets.shape == (5, len(LABELS))


def test_training_scenes_are_none_of_the_sample_s(tokenizer, monkeypatch):
    seeds = []
    monkeypatch.setattr(embedder_data, "draw_scene", lambda seed: seeds.append(seed) or draw_scene(seed))
    data = EmbedderBatches(tokenizer, seed=0, num_steps=2, num_pairs=3, num_crops=1)
    assert len(data) == 2
    for step in range(2):
        data[step]
    assert seeds == [FIRST_TRAINING_SEED + offset for offset in range(6)]
    with pytest.raises(IndexError):
        data[2]


def test_which_labels_hold():
    def held(subject):
        targets = dict(zip(LABELS, embedder_data._label_targets(subject), strict=True))
        return {name for name, value in targets.items() if value == 1}, {n for n, v in targets.items() if math.isnan(v)}

    assert held(ObjectSprite("star", "red")) == ({"Star"}, set())
    assert held(Background("the blue sea")) == ({"Sea"}, set())
    assert held(PersonSprite("human", "man", "red", "red")) == ({"Man", "human"}, {"face"})
    assert held(PersonSprite("face", "woman", "red", "red")) == ({"Woman", "face"}, {"human"})


def test_the_loss_of_scenes_by_hand():
    # Two pairs at cosines 1 and a further caption that is as near to frame 0 as its own.
    cosines = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    e = math.exp(2.0)
    to_text = -(math.log(e / (2 * e + 1)) + math.log(e / (e + 2))) / 2
    to_frame = -math.log(e / (e + 1))
    assert float(scene_loss(cosines, 2, torch.tensor(2.0))) == pytest.approx((to_text + to_frame) / 2, abs=1e-6)
    # At cosine 0 everywhere nothing is told apart (log 2, log 3), and both pairs lie 0.6 under the floor.
    flat = scene_loss(torch.zeros(2, 3), 2, torch.tensor(2.0))
    assert float(flat) == pytest.approx((math.log(3) + math.log(2)) / 2 + 2 * 0.36, abs=1e-6)


def test_what_is_nearly_right_is_to_lie_a_margin_under_the_right():
    # Frame 2 nearly shows pair 1: 0.8 against 0.9 falls 0.15 short of 0.25. Caption 2 nearly describes pair 0: 0.2
    # against 0.9 is far enough.
    cosines = torch.tensor([[0.9, 0.0, 0.2], [0.0, 0.9, 0.9], [0.9, 0.8, 0.9]])
    loss = margin_loss(cosines, frame_origins=torch.tensor([1]), caption_origins=torch.tensor([0]))
    assert float(loss) == pytest.approx(0.15**2, abs=1e-6)


def test_a_second_picture_of_the_same_subject_is_no_wrong_answer():
    cosines = torch.tensor([[0.8, 0.8, 0.0], [0.8, 0.8, 0.0], [0.0, 0.0, 0.8]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    e = math.exp(4.0)
    pair, single = -math.log(e / (e + 1)), -math.log(e / (e + 2))
    assert float(match_loss(cosines, same, torch.tensor(5.0))) == pytest.approx((2 * pair + single) / 3, abs=1e-6)


def test_the_border_of_labels_lies_at_0_30():
    nan = float("nan")
    # On the border either answer costs log 2, the right label four times that; what may be argued costs nothing.
    loss = label_loss(torch.tensor([[0.3, 0.3, 0.9]]), torch.tensor([[1.0, 0.0, nan]]))
    assert float(loss) == pytest.approx((4 + 1) / 2 * math.log(2), abs=1e-5)
    good = label_loss(torch.tensor([[0.9, -0.1]]), torch.tensor([[1.0, 0.0]]))
    bad = label_loss(torch.tensor([[-0.1, 0.9]]), torch.tensor([[1.0, 0.0]]))
    assert good < 0.05 < bad


def test_the_command_writes_a_folder_that_loads_as_any_other_model(tmp_path, capsys, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "opens2v_hf.embedded.training.embedder.evaluate_embedder",
        lambda folder: seen.update(folder=folder) or {"top1": 0.5},
    )
    arguments = ["--seed", "1", "--steps", "2", "--pairs", "4", "--crops", "3", "--workers", "0"]
    for name in ("a", "b"):
        main(["--out", str(tmp_path / name), *arguments])
    assert seen == {"folder": tmp_path / "b"}
    assert "top1" in capsys.readouterr().out
    assert json.loads((tmp_path / "a" / "opens2v.json").read_text()) == {"min_pixels": 7056, "max_pixels": 18816}
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
    main(["--out", str(tmp_path / "c"), *arguments, "--start-from", str(tmp_path / "a"), "--learning-rate", "1e-12"])
    assert (tmp_path / "c" / "model.safetensors").read_bytes() == weights[0]
    embedder = GmeEmbedder.from_pretrained(tmp_path / "a", device="cpu")
    vectors = embedder.embed_images([np.zeros((40, 30, 3), np.uint8)])
    assert vectors.shape == (1, 128)
    assert float(vectors.norm()) == pytest.approx(1, abs=1e-5)
