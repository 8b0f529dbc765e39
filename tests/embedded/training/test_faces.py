import math

import numpy as np
import pytest
import torch

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import Actor, Background, PersonSprite, Scene, Track, draw_scene, with_hidden
from opens2v_hf.embedded.training import faces
from opens2v_hf.embedded.training.faces_data import (
    IDENTITIES,
    DetectorBatch,
    DetectorBatches,
    Head,
    cell_targets,
    draw_faces,
    draw_picture,
    heads_of,
    identity_of,
)
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.heatmap_network import FaceMap, HeatmapConfig
from opens2v_hf.models.faces.ir_network import IrConfig
from opens2v_hf.models.faces.loading import load_face_detector

PERSON = PersonSprite("face", "man", "black", "blue", glasses=False, skin="tan")


def head(left, top, right, bottom, seen=1.0):
    box = np.float32([left, top, right, bottom])
    landmarks = np.float32([[0.3, 0.5], [0.7, 0.5], [0.5, 0.7], [0.4, 0.8], [0.6, 0.8]]) * (box[2:] - box[:2]) + box[:2]
    return Head(box, landmarks, seen, PERSON)


def test_cells_near_the_middle_of_a_head_are_faces_and_those_around_are_left_out():
    # in the input, which is half as large as the picture: from 20 to 60 px, its middle at 40
    is_face, boxes, landmarks = cell_targets([head(40, 40, 120, 120)], 0.5, 160)
    middles = np.arange(40) * 4 + 2
    near, around = np.abs(middles - 40) <= 0.18 * 40, np.abs(middles - 40) <= 0.36 * 40
    assert near.sum() == 4  # cells at 34, 38, 42 and 46 px
    assert np.array_equal(is_face == 1, np.outer(near, near))
    assert np.array_equal(np.isnan(is_face), np.outer(around, around) & ~np.outer(near, near))
    assert boxes[9, 10].tolist() == [20, 20, 60, 60]
    assert landmarks[10, 9][0].tolist() == pytest.approx([32, 40])
    assert (boxes[0, 0] == 0).all()


def test_a_small_head_has_a_cell_too():
    is_face, _, _ = cell_targets([head(100, 61, 104, 66)], 1.0, 160)
    assert (is_face == 1).sum() >= 1
    assert is_face[15, 25] == 1  # the cell from (100, 60) to (104, 64) holds the middle (102, 63.5)


def test_hidden_heads_are_no_faces_and_half_hidden_ones_are_arguable():
    assert (cell_targets([head(40, 40, 80, 80, seen=0.1)], 1.0, 160)[0] == 0).all()
    is_face, _, _ = cell_targets([head(40, 40, 80, 80, seen=0.4)], 1.0, 160)
    assert not (is_face == 1).any()
    assert np.isnan(is_face).any()


def test_heads_of_a_frame_have_their_visible_share():
    actors = tuple(Actor(PERSON, Track(x, 0.5)) for x in (0.3, 0.35))
    scene = Scene(1, "multiface", actors, Background("a night sky"))
    behind, front = heads_of(render_frame(scene, 0), scene.sprites)
    assert front.seen > 0.95
    assert behind.seen < 0.5
    hidden = with_hidden(scene, 1)
    [alone] = heads_of(render_frame(hidden, 0), hidden.sprites)
    assert alone.seen > 0.95
    things = draw_scene(3, "singleobj")
    assert heads_of(render_frame(things, 0), things.sprites) == []


def test_pictures_and_batches_depend_on_their_number_only():
    first, again = draw_picture(11), draw_picture(11)
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], draw_picture(12)[0])
    data = DetectorBatches(0, 4, 3, 96)
    assert torch.equal(data[2].pictures, data[2].pictures)
    assert data[2].pictures.shape == (3, 96, 96, 3)
    assert data[2].is_face.shape == (3, 24, 24)
    with pytest.raises(IndexError):
        data[4]


def test_faces_are_drawn_with_who_they_are():
    crops, who = draw_faces(0, 40, 32)
    assert crops.shape == (40, 32, 32, 3)
    assert who.shape == (40,)
    assert len(IDENTITIES) == 2 * 5 * 3 * 2
    assert IDENTITIES[who[0]] in IDENTITIES
    assert identity_of(PERSON) == ("man", "black", "tan", False)
    # a face's crop shows its skin below the eyes: dark ones are darker
    brightness = {skin: [] for skin in ("light", "tan", "dark")}
    for crop, position in zip(crops, who, strict=True):
        brightness[IDENTITIES[position][2]].append(crop[17:20, 14:18].mean())
    means = {skin: np.mean(values) for skin, values in brightness.items()}
    assert means["dark"] < means["tan"] < means["light"]


def test_the_loss_of_the_detector_by_hand():
    is_face = torch.tensor([[[1.0, 0.0, float("nan")]]])
    wanted = torch.tensor([0.0, 0.0, 10.0, 10.0])
    batch = DetectorBatch(torch.zeros(1), is_face, wanted.expand(1, 1, 3, 4), torch.zeros(1, 1, 3, 5, 2))
    found = FaceMap(
        logits=torch.tensor([[[0.0, 0.0, 50.0]]]),
        boxes=torch.tensor([5.0, 0.0, 15.0, 10.0]).expand(1, 1, 3, 4),
        landmarks=torch.ones(1, 1, 3, 5, 2),
    )
    parts = {name: float(part) for name, part in faces.detection_loss(found, batch).items()}
    assert parts["face"] == pytest.approx(2 * 0.25 * math.log(2))  # two undecided cells, surprise (1/2)^2 each
    assert parts["overlap"] == pytest.approx(1 - 50 / 150)
    assert parts["box"] == pytest.approx(2 * (0.5 + 0 + 0.5 + 0) / 4)
    assert parts["landmarks"] == pytest.approx(4 * 0.1)


def test_a_short_training_learns_and_its_folders_load(tmp_path, monkeypatch):
    monkeypatch.setattr(faces, "DETECTOR_CONFIG", HeatmapConfig(widths=(8, 8, 8, 8, 8), neck_width=8, input_px=64))
    monkeypatch.setattr(
        faces, "EMBEDDER_CONFIG", IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), input_px=32, embed_dim=8)
    )
    monkeypatch.setattr(faces, "_FACES_PER_STEP", 32)
    detector, history = faces.train_detector(0, 16, 4, 3e-3, workers=0)
    sums = [sum(parts.values()) for parts in history]
    assert np.mean(sums[-4:]) < np.mean(sums[:4])
    embedder, history = faces.train_embedder(0, 24, 40, 3e-3)
    assert np.mean([parts["identity"] for parts in history[-6:]]) < np.mean([p["identity"] for p in history[:6]])
    found = load_face_detector(faces.save(detector, tmp_path / "face_detector"), device="cpu")
    embed = IrFaceEmbedder.from_pretrained(faces.save(embedder, tmp_path / "face_embedder"), device="cpu")
    assert found.options["input_px"] == 64
    assert embed.embed([np.zeros((224, 224, 3), np.uint8)]).shape == (1, 8)
    # weights are stored in half precision
    picture = torch.rand(1, 3, 64, 64)
    assert torch.allclose(found.network(picture).logits, detector(picture).logits, atol=0.05)
