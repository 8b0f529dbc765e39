from dataclasses import fields, replace

import numpy as np
import torch

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import Background, ObjectSprite, PersonSprite, draw_scene, with_hidden
from opens2v_hf.embedded.training import detector_data
from opens2v_hf.embedded.training.detector_data import FEATURES, NO_FEATURE, DetectorBatches, Reference, _placed
from opens2v_hf.models.yolo_world.preprocess import fit

STAR = ObjectSprite("star", "red", "striped", "small")
ANN = PersonSprite("face", "woman", "black", "blue", glasses=True, skin="tan", size="small")


def test_a_reference_shows_its_subject_in_any_size():
    assert Reference(STAR).shows(replace(STAR, size="large")) == 1
    for other in (replace(STAR, shape="heart"), replace(STAR, colour="blue"), replace(STAR, texture="dotted"), ANN):
        assert Reference(STAR).shows(other) == 0


def test_a_person_is_the_same_seen_as_a_whole():
    assert Reference(ANN).shows(replace(ANN, figure="human", size="large")) == 1
    assert Reference(ANN).shows(replace(ANN, hair="blond")) == 0
    assert Reference(ANN).shows(replace(ANN, shirt="red")) == 0


def test_a_face_does_not_tell_the_shirt():
    face = Reference(ANN, "face")
    assert face.shows(ANN) == 1
    assert np.isnan(face.shows(replace(ANN, shirt="red")))
    assert face.shows(replace(ANN, shirt="red", hair="blond")) == 0


def test_an_environment_has_no_box():
    assert Reference(Background("a green park", 3)).shows(STAR) == 0
    assert Reference(STAR).shows(ANN) == 0


def test_a_batch_depends_on_seed_and_step_only():
    first, again = (DetectorBatches(3, 9, 2, 2)[5] for _ in range(2))
    other = DetectorBatches(3, 9, 2, 2)[6]
    for field in fields(first):
        one, two = getattr(first, field.name), getattr(again, field.name)
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(first.pictures, other.pictures)


def test_a_batch_holds_together():
    batch = DetectorBatches(0, 9, 6, 3)[0]
    size = batch.pictures.shape[-1]
    assert batch.pictures.shape == (6, 3, size, size)
    assert batch.picture_of_reference.tolist() == [i for i in range(6) for _ in range(3)]
    assert batch.shown.shape == (18, len(batch.boxes))
    assert (batch.boxes[:, 2:] > batch.boxes[:, :2]).all()
    place = fit(112, 168, size)
    frame = torch.tensor([place.left, place.top, place.left + place.width, place.top + place.height])
    assert (batch.boxes[:, :2] >= frame[:2]).all()
    assert (batch.boxes[:, 2:] <= frame[2:]).all()
    assert batch.features_of_box.shape == (len(batch.boxes), len(FEATURES))
    assert set(batch.shown.nan_to_num(-1).unique().tolist()) >= {0.0, 1.0}


def test_features_are_those_of_the_subject():
    names = list(FEATURES)
    batch = DetectorBatches(1, 9, 8, 2)[0]
    kinds = batch.features[:, names.index("kind")]
    objects = kinds == FEATURES["kind"].index("object")
    assert objects.any()
    for name in ("shape", "colour", "texture"):
        assert (batch.features[objects, names.index(name)] >= 0).all()
    for name in ("gender", "hair", "shirt", "name"):
        assert (batch.features[objects, names.index(name)] == NO_FEATURE).all()


def test_boxes_lie_where_the_input_shows_the_subject():
    scene = draw_scene(
        5,
        "singleobj",
        sprites=[ObjectSprite("box", "red")],
        background=Background("the blue sea"),
        width=160,
        height=80,
    )
    picture, boxes = _placed(render_frame(replace(scene, occluder=None), 0), np.random.default_rng(0))
    blue, green, red = picture.astype(int).transpose(2, 0, 1)
    rows, columns = np.nonzero((red > 150) & (green < 100) & (blue < 100))
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    # a dark outline of some px goes around the red
    np.testing.assert_allclose(found, boxes[0], atol=6)


def test_pictures_without_subjects_make_a_batch(monkeypatch):
    empty = with_hidden(draw_scene(3, "singleobj"), 0)
    monkeypatch.setattr(detector_data, "draw_scene", lambda seed: empty)
    batch = DetectorBatches(0, 9, 2, 2)[0]
    assert batch.boxes.shape == (0, 4)
    assert batch.shown.shape == (4, 0)
    assert batch.features_of_box.shape == (0, len(FEATURES))
