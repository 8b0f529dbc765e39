from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.render import (
    environment_picture,
    mask_box,
    reference_face,
    reference_picture,
    render_background,
    render_frame,
    render_video,
)
from opens2v_hf.data.synthetic.scenes import (
    Actor,
    Background,
    ObjectSprite,
    Occluder,
    PersonSprite,
    Scene,
    Track,
    draw_scene,
    with_hidden,
)
from opens2v_hf.errors import ArgumentError

FLOOR = Background("a wooden floor", 4)
MAN = PersonSprite("face", "man", "black", "blue")


def scene_of(*actors: Actor, occluder: Occluder | None = None) -> Scene:
    return Scene(0, "multiobject", actors, FLOOR, occluder)


def test_a_square_is_at_the_position_of_its_track():
    # A large object is half of 112 px high; the square fills 0.08 to 0.92 of it: 47.04 px around the centre.
    scene = scene_of(Actor(ObjectSprite("box", "red"), Track(0.25, 0.5, dx=0.5)))
    for index, centre_x in ((0, 42.0), (15, 126.0)):
        rendered = render_frame(scene, index)
        expected = [centre_x - 23.52, 56 - 23.52, centre_x + 23.52, 56 + 23.52]
        np.testing.assert_allclose(rendered.boxes[0], expected, atol=1.0)
        assert rendered.masks[0].sum() == pytest.approx(47.04**2, rel=0.05)
        middle = rendered.image[46:66, int(centre_x) - 10 : int(centre_x) + 10].reshape(-1, 3)
        assert np.array_equal(np.unique(middle, axis=0), [words.COLOURS["red"]])


def test_a_ball_has_the_area_of_a_circle():
    scene = scene_of(Actor(ObjectSprite("ball", "green", size="small"), Track(0.5, 0.5)))
    assert render_frame(scene, 0).masks[0].sum() == pytest.approx(np.pi * (0.46 * 0.32 * 112) ** 2, rel=0.04)


@pytest.mark.parametrize("category", PREFIXES)
def test_masks_are_exactly_what_differs_from_the_painted_out_frame(category):
    scene = draw_scene(11, category)
    rendered, painted_out = render_frame(scene, 7), render_background(scene)
    anywhere = rendered.masks.any(axis=0)
    differs = (rendered.image != painted_out).any(axis=2)
    # The antialiased rim is two pixels wide and may be mixed on either side of a mask's edge; beyond it only the last
    # trace of a sharp tip, which covers far less than half of a pixel.
    reached = cv2.dilate(anywhere.astype(np.uint8), np.ones((5, 5), np.uint8)) == 1
    assert np.count_nonzero(differs & ~reached) <= 4
    inside = cv2.erode(anywhere.astype(np.uint8), np.ones((3, 3), np.uint8)) == 1
    assert differs[inside].mean() > 0.98
    assert rendered.masks.sum(axis=0).max() == 1


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_tight(seed):
    rendered = render_frame(draw_scene(seed), 3)
    for mask, box in zip(rendered.masks, rendered.boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert mask_box(np.zeros((4, 5), bool)).tolist() == [0, 0, 0, 0]


def test_later_actors_hide_earlier_ones():
    back = Actor(ObjectSprite("box", "red", size="large"), Track(0.5, 0.5))
    front = Actor(ObjectSprite("ball", "blue", size="small"), Track(0.5, 0.5))
    both, alone = render_frame(scene_of(back, front), 0), render_frame(scene_of(back), 0)
    assert not (both.masks[0] & both.masks[1]).any()
    assert np.array_equal(both.masks[0] | both.masks[1], alone.masks[0])
    assert both.image[56, 84].tolist() == list(words.COLOURS["blue"])


@pytest.mark.parametrize("name", words.OCCLUDERS)
def test_an_occluder_hides_the_subjects_behind_it(name):
    actor = Actor(ObjectSprite("box", "red"), Track(0.5, 0.74))
    free, behind = scene_of(actor), scene_of(actor, occluder=Occluder(name, 0.5))
    seen, left = render_frame(free, 0), render_frame(behind, 0)
    assert 0.3 * seen.masks.sum() < left.masks.sum() < 0.95 * seen.masks.sum()
    hidden = cv2.erode((seen.masks[0] & ~left.masks[0]).astype(np.uint8), np.ones((5, 5), np.uint8)) == 1
    assert hidden.any()
    assert np.array_equal(left.image[hidden], render_background(behind)[hidden])


def test_a_hidden_actor_leaves_no_trace():
    scene = with_hidden(draw_scene(2, "singlehuman"), 0, [4])
    rendered = render_frame(scene, 4)
    assert np.array_equal(rendered.image, render_background(scene))
    assert not rendered.masks.any()
    assert rendered.boxes.tolist() == [[0, 0, 0, 0]]
    assert np.isnan(rendered.heads).all()
    assert np.isnan(rendered.landmarks).all()
    assert render_frame(scene, 5).masks.any()


@pytest.mark.parametrize("category", ["singleface", "singlehuman"])
def test_a_person_has_a_head_with_a_face_in_it(category):
    scene = draw_scene(21, category)
    rendered = render_frame(scene, 0)
    head, box = rendered.heads[0], rendered.boxes[0]
    assert (head[:2] >= box[:2] - 1.5).all()
    assert (head[2:] <= box[2:] + 1.5).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = rendered.landmarks[0]
    assert head[0] < left_eye[0] < nose[0] < right_eye[0] < head[2]
    assert head[1] < left_eye[1] < nose[1] < left_mouth[1] == right_mouth[1] < head[3]
    assert np.isnan(render_frame(draw_scene(1, "singleobj"), 0).heads).all()


def test_a_video_is_its_frames():
    scene = draw_scene(8, num_frames=5)
    video = render_video(scene)
    assert video.shape == (5, 112, 168, 3)
    assert video.dtype == np.uint8
    assert np.array_equal(video[3], render_frame(scene, 3).image)


def test_other_sizes():
    rendered = render_frame(draw_scene(8, "multiface", width=300, height=201), 0)
    assert rendered.image.shape == (201, 300, 3)
    assert rendered.masks.shape[1:] == (201, 300)


def test_the_same_pixels_in_another_process():
    code = (
        "import hashlib; from opens2v_hf.data.synthetic.render import render_video;"
        "from opens2v_hf.data.synthetic.scenes import draw_scene;"
        "print(hashlib.sha256(b''.join(render_video(draw_scene(s)).tobytes() for s in range(6))).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    here = hashlib.sha256(b"".join(render_video(draw_scene(seed)).tobytes() for seed in range(6))).hexdigest()
    assert other.stdout.strip() == here


def test_references_show_the_subject_alone():
    red = np.array(words.COLOURS["red"])
    picture = np.asarray(reference_picture(ObjectSprite("ball", "red"), 100))
    assert picture.shape == (100, 100, 3)
    assert (picture[:4, :4] == 255).all()
    # A ball of diameter 0.92 * 90 px, less its dark outline.
    assert 0.35 < (picture == red).all(axis=2).mean() < np.pi / 4 * 0.83**2
    on_texture = np.asarray(reference_picture(ObjectSprite("ball", "red"), 100, "textured", seed=2))
    assert not (on_texture[:10, :10] == 255).all()
    assert np.array_equal(on_texture[40:60, 40:60], picture[40:60, 40:60])


def test_a_face_crop_is_a_person_s_head_enlarged():
    whole, face = (np.asarray(reference_picture(MAN, 120, crop=crop)) for crop in ("whole", "face"))
    hair = [(picture == words.HAIR["black"]).all(axis=2).mean() for picture in (whole, face)]
    assert hair[1] > 1.3 * hair[0]


@pytest.mark.parametrize(
    ("sprite", "arguments"),
    [
        (ObjectSprite("ball", "red"), {"crop": "face"}),
        (MAN, {"crop": "foot"}),
        (MAN, {"background": "green"}),
    ],
)
def test_references_that_do_not_exist_are_refused(sprite, arguments):
    with pytest.raises(ArgumentError):
        reference_picture(sprite, **arguments)


def test_the_environment_is_the_background_without_anything():
    scene = scene_of(Actor(ObjectSprite("box", "red"), Track(0.5, 0.5)))
    assert np.array_equal(np.asarray(environment_picture(FLOOR)), render_background(scene))


@pytest.mark.parametrize("name", words.BACKGROUNDS)
def test_two_backgrounds_of_a_name_are_alike_and_not_the_same(name):
    first, second = (np.asarray(environment_picture(Background(name, seed)), float) for seed in (1, 2))
    assert not np.array_equal(first, second)
    others = [
        np.asarray(environment_picture(Background(other, 1)), float) for other in words.BACKGROUNDS if other != name
    ]
    mean_colour_gap = np.abs(first.mean((0, 1)) - second.mean((0, 1))).mean()
    assert mean_colour_gap < np.median([np.abs(first.mean((0, 1)) - other.mean((0, 1))).mean() for other in others])


@pytest.mark.parametrize("figure", ["face", "human"])
@pytest.mark.parametrize("crop", ["whole", "face"])
def test_the_head_of_a_reference_is_where_it_is_said_to_be(figure, crop):
    person = PersonSprite(figure, "woman", "black", "green", glasses=True)
    box, landmarks = reference_face(person, 224, crop=crop)
    picture = np.asarray(reference_picture(person, 224, crop=crop)).astype(int)

    def colour(x, y):
        return picture[round(float(y)), round(float(x))]

    lips = (landmarks[3] + landmarks[4]) / 2
    assert np.abs(colour(*lips) - (180, 40, 50)).max() < 60
    for eye in landmarks[:2]:
        assert colour(*eye).max() < 60  # behind dark glasses
    assert (box[:2] < landmarks).all()
    assert (landmarks < box[2:]).all()
    if crop == "face":  # nine tenths of the picture, by the longer side
        assert (box[2:] - box[:2]).max() == pytest.approx(0.9 * 224, rel=1e-4)
