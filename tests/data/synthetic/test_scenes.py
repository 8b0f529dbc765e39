from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.scenes import (
    ASPECT,
    SUBJECT_HEIGHT,
    Actor,
    Background,
    ObjectSprite,
    Occluder,
    PersonSprite,
    Scene,
    Track,
    caption,
    draw_scene,
    label,
    other_background,
    other_sprite,
    phrase,
    with_background,
    with_hidden,
    with_sprite,
)
from opens2v_hf.errors import ArgumentError

STAR = ObjectSprite("star", "orange", "striped", "small")
MAN = PersonSprite("human", "man", "black", "orange", glasses=True)
FACE = PersonSprite("face", "woman", "grey", "blue", size="small")


def test_one_seed_always_draws_the_same_scene_and_another_seed_another():
    assert draw_scene(5) == draw_scene(5)
    assert len({caption(draw_scene(seed)) for seed in range(50)}) == 50


@pytest.mark.parametrize(
    ("category", "kinds"),
    [
        ("singleface", {("face",)}),
        ("singlehuman", {("human",)}),
        ("singleobj", {("object",)}),
        ("multiface", {("face",) * 2, ("face",) * 3}),
        ("multihuman", {("human",) * 2, ("human",) * 3}),
        ("multiobject", {("object",) * 2, ("object",) * 3}),
        ("faceobj", {("face", "object")}),
        ("humanobj", {("human", "object")}),
    ],
)
def test_a_category_decides_the_kinds_of_its_subjects(category, kinds):
    scenes = [draw_scene(seed, category) for seed in range(30)]
    assert {tuple(sprite.kind for sprite in scene.sprites) for scene in scenes} == kinds
    assert all(scene.category == category for scene in scenes)
    assert all(len(scene.actors) + scene.environment <= 3 for scene in scenes)
    if category.startswith("multi"):
        assert all(len({phrase(sprite) for sprite in scene.sprites}) == len(scene.sprites) for scene in scenes)


def test_an_environment_is_a_reference_of_half_of_the_scenes_with_person_and_object_only():
    chosen = {prefix: [draw_scene(seed, prefix).environment for seed in range(60)] for prefix in PREFIXES}
    for prefix, environments in chosen.items():
        assert (15 < sum(environments) < 45) if prefix in ("faceobj", "humanobj") else not any(environments)


def test_given_parts_are_used():
    background = Background("the blue sea", 3)
    scene = draw_scene(1, "multiobject", sprites=[STAR, MAN], background=background, environment=True, num_frames=20)
    assert scene.sprites == (STAR, MAN)
    assert (scene.background, scene.environment, scene.num_frames) == (background, True, 20)
    assert len(draw_scene(1, "multiface", num_subjects=3).actors) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"category": "multicat"}, "multicat"),
        ({"category": "singleobj", "num_subjects": 2}, "num_subjects"),
        ({"category": "multiface", "num_subjects": 4}, "num_subjects=4"),
        ({"category": "multiface", "num_subjects": 3, "environment": True}, "three references"),
        ({"category": "multiface", "sprites": []}, "got 0"),
    ],
)
def test_scenes_that_cannot_be_drawn_are_refused(arguments, told):
    with pytest.raises(ArgumentError, match=told):
        draw_scene(0, **arguments)


@pytest.mark.parametrize("seed", range(0, 300, 7))
def test_subjects_stay_inside_the_frame(seed):
    scene = draw_scene(seed)
    for actor in scene.actors:
        half_h = SUBJECT_HEIGHT[actor.sprite.kind][actor.sprite.size] / 2
        half_w = half_h * ASPECT[actor.sprite.kind] * scene.height / scene.width
        for x, y in (actor.track.position(0.0), actor.track.position(1.0)):
            assert half_w - 1e-9 <= x <= 1 - half_w + 1e-9
            assert half_h - 1e-9 <= y <= 1 - half_h + 1e-9


@pytest.mark.parametrize(
    ("dx", "dy", "direction"),
    [(0, 0, "still"), (0.2, 0, "right"), (-0.2, 0.1, "left"), (0, -0.3, "up"), (0.1, 0.3, "down")],
)
def test_a_track_goes_evenly_and_has_a_direction(dx, dy, direction):
    track = Track(0.5, 0.4, dx, dy)
    assert track.direction == direction
    assert track.position(0.5) == pytest.approx((0.5 + dx / 2, 0.4 + dy / 2))


def test_the_progress_of_a_frame():
    scene = draw_scene(0, num_frames=5)
    assert [scene.progress(index) for index in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(ArgumentError, match="frame_index=5"):
        scene.progress(5)


def test_the_words_for_subjects():
    assert (label(STAR), phrase(STAR)) == ("Star", "orange striped star")
    assert phrase(ObjectSprite("box", "red")) == "red box"
    assert (label(MAN), phrase(MAN)) == ("Man", "man with black hair and glasses in an orange shirt")
    assert (label(FACE), phrase(FACE)) == ("Woman", "face of a woman with grey hair in a blue shirt")
    assert (label(Background("a green park")), phrase(Background("a green park"))) == ("Park", "a green park")


def test_a_caption_names_every_property():
    actors = (Actor(STAR, Track(0.2, 0.5, dx=0.1)), Actor(MAN, Track(0.8, 0.5)))
    scene = Scene(2, "humanobj", actors, Background("a night sky"), Occluder("pole", 0.5))
    assert caption(scene) == (
        "A small orange striped star moves to the right and a large man with black hair and glasses in an orange shirt "
        "stands still under a night sky. A pole stands in the foreground."
    )
    three = replace(scene, seed=3, actors=(*actors, Actor(FACE, Track(0.5, 0.5, dx=-0.1))), occluder=None)
    assert caption(three) == (
        "Under a night sky, a small orange striped star moves to the right, a large man with black hair and glasses in "
        "an orange shirt stands still and a small face of a woman with grey hair in a blue shirt moves to the left."
    )
    walking = replace(scene, actors=(Actor(MAN, Track(0.8, 0.5, dx=-0.3)), Actor(STAR, Track(0.5, 0.5, dy=-0.2))))
    assert "shirt walks to the left and a small orange striped star moves up under" in caption(walking)


@pytest.mark.parametrize("seed", range(20))
def test_a_caption_holds_the_phrases_of_its_scene(seed):
    scene = draw_scene(seed)
    for subject in (*scene.sprites, scene.background):
        assert phrase(subject) in caption(scene) or phrase(subject).capitalize() in caption(scene)


def test_another_sprite_differs_in_all_that_is_named_first():
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = other_sprite(STAR, rng)
        assert (other.kind, other.size) == ("object", "small")
        assert other.shape != STAR.shape
        assert other.colour != STAR.colour
        person = other_sprite(MAN, rng)
        assert (person.kind, person.gender, person.glasses) == ("human", "woman", False)
        assert person.hair != MAN.hair
        assert person.shirt != MAN.shirt
        assert other_background(Background("a night sky"), rng).name in set(words.BACKGROUNDS) - {"a night sky"}


def test_edits_change_what_they_name_and_nothing_else():
    scene = draw_scene(3, "multiobject", num_subjects=2)
    swapped = with_sprite(scene, 1, MAN)
    assert swapped.sprites == (scene.sprites[0], MAN)
    assert swapped.actors[1].track == scene.actors[1].track
    hidden = with_hidden(with_hidden(scene, 0, [1, 2]), 0, [5])
    assert hidden.actors[0].hidden == {1, 2, 5}
    assert with_hidden(scene, 1).actors[1].hidden == set(range(16))
    assert caption(hidden) == caption(scene)
    elsewhere = with_background(scene, Background("the blue sea", 1))
    assert elsewhere == replace(scene, background=Background("the blue sea", 1))
