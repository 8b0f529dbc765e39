"""The faults of the simulated models, measured in pixels against the clean rendering."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import simulated
from opens2v_hf.data.synthetic.render import render_background, render_frame, render_video
from opens2v_hf.data.synthetic.scenes import (
    ASPECT,
    SUBJECT_HEIGHT,
    ObjectSprite,
    PersonSprite,
    Track,
    draw_scene,
    with_hidden,
    with_sprite,
)
from opens2v_hf.data.synthetic.simulated import (
    NOISE_LEVEL,
    SIMULATED_MODELS,
    flickering_frames,
    other_way,
    shows_fault,
    simulate,
)
from opens2v_hf.errors import ArgumentError

SCENES = [draw_scene(40 + i, category) for i, category in enumerate(PREFIXES)]


def video(model, scene):
    return np.stack(list(simulate(model, scene)))


def everyone(scene):
    """bool [T, H, W]: where any subject is visible in the clean rendering."""
    return np.stack([render_frame(scene, t).masks.any(axis=0) for t in range(scene.num_frames)])


def whereabouts(scene, t):
    """bool [H, W]: the boxes that the subjects' kinds and sizes take on their tracks, and two pixels more."""
    rows, columns = np.mgrid[: scene.height, : scene.width]
    inside = np.zeros((scene.height, scene.width), dtype=bool)
    for actor in scene.actors:
        x, y = actor.track.position(scene.progress(t))
        height = SUBJECT_HEIGHT[actor.sprite.kind][actor.sprite.size] * scene.height
        near_x = np.abs(columns + 0.5 - x * scene.width) <= height * ASPECT[actor.sprite.kind] / 2 + 2
        inside |= near_x & (np.abs(rows + 0.5 - y * scene.height) <= height / 2 + 2)
    return inside


@pytest.mark.parametrize("model", SIMULATED_MODELS)
@pytest.mark.parametrize("scene", SCENES[:3], ids=lambda scene: scene.category)
def test_same_scene_same_frames(model, scene):
    frames = video(model, scene)
    assert frames.shape == (scene.num_frames, scene.height, scene.width, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, video(model, scene))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.category)
class TestFaults:
    def test_perfect_is_the_rendering(self, scene):
        np.testing.assert_array_equal(video("perfect", scene), render_video(scene))

    def test_flicker_shows_no_subject_in_half_of_the_frames(self, scene):
        frames, clean, empty = video("flicker", scene), render_video(scene), render_background(scene)
        gone = flickering_frames(scene.num_frames)
        assert len(gone) == scene.num_frames // 2
        for t in range(scene.num_frames):
            np.testing.assert_array_equal(frames[t], empty if t in gone else clean[t])

    def test_missing_subject_shows_the_background_alone(self, scene):
        empty = render_background(scene)
        assert all((frame == empty).all() for frame in simulate("missing_subject", scene))
        assert everyone(scene).mean() > 0.02

    def test_wrong_subject_differs_where_the_subjects_are_and_nowhere_else(self, scene):
        frames, clean = video("wrong_subject", scene).astype(int), render_video(scene).astype(int)
        difference = np.abs(frames - clean).max(axis=-1)
        assert (difference[everyone(scene)] > 40).mean() > 0.2
        for t in range(scene.num_frames):
            difference[t][whereabouts(scene, t)] = 0
        assert (difference == 0).all()

    def test_text_ignored_keeps_the_subjects_and_changes_the_rest(self, scene):
        frames, clean = video("text_ignored", scene).astype(int), render_video(scene).astype(int)
        bare = replace(scene, occluder=None)
        surroundings = ~everyone(bare)
        assert (np.abs(frames - clean).max(axis=-1)[surroundings] > 10).mean() > 0.5
        if all(actor.track.direction != "still" for actor in scene.actors):
            # The tracks run backwards: the last frame has the subjects where the prompt has them first.
            at_first = render_frame(bare, 0)
            difference = np.abs(frames[-1] - at_first.image.astype(int)).max(axis=-1)
            assert np.median(difference[at_first.masks.any(axis=0)]) <= 2

    def test_corrupted_frames_are_far_from_the_clean_ones(self, scene):
        frames, clean = video("corrupted_frames", scene).astype(float), render_video(scene).astype(float)
        error = np.sqrt(((frames - clean) ** 2).mean(axis=(1, 2, 3)))
        assert (error > NOISE_LEVEL / 2).all()
        assert np.abs(frames[1] - frames[0]).mean() > np.abs(clean[1] - clean[0]).mean() + 20

    def test_pasted_reference_slides_the_pictures_over_the_scene(self, scene):
        frames = video("pasted_reference", scene).astype(int)
        bare = replace(scene, occluder=None)
        last = bare.num_frames - 1
        top = len(scene.actors) - 1  # nothing but the foreground lies over the last actor
        at_last = render_frame(bare, last)
        inside = at_last.masks[top] & (np.abs(frames[last] - at_last.image).max(axis=-1) < 60)
        if scene.occluder is None:
            # it is the same subject in the same place, drawn smaller or larger
            assert inside.sum() > 0.6 * at_last.masks[top].sum()
        empty = render_background(scene).astype(int)
        rim = ~everyone(scene)[0] & (np.abs(frames[0] - empty).max(axis=-1) > 10)
        assert rim.mean() > 0.01  # with a background of its own around it

    def test_pictures_are_resized_one_axis_at_a_time(self, scene, monkeypatch):
        """Which axis Pillow begins with depends on its release."""
        resized, changed = Image.Image.resize, []

        def one_resize(image, size, *arguments, **options):
            changed.append(sum(old != new for old, new in zip(image.size, size, strict=True)))
            return resized(image, size, *arguments, **options)

        monkeypatch.setattr(Image.Image, "resize", one_resize)
        next(iter(simulate("pasted_reference", scene)))
        assert max(changed) == 1

    def test_drifting_subject_is_right_at_first_and_wrong_at_the_end(self, scene):
        frames = video("drifting_subject", scene)
        np.testing.assert_array_equal(frames[:3], render_video(scene)[:3])
        np.testing.assert_array_equal(frames[-1], video("wrong_subject", scene)[-1])
        half_way = frames[9].astype(int)  # (9/15 - 0.2) / 0.8
        mixed = 0.5 * render_frame(scene, 9).image + 0.5 * video("wrong_subject", scene)[9]
        assert np.abs(half_way - mixed).max() <= 0.5

    def test_identity_alone_keeps_the_subjects_and_nothing_else(self, scene):
        frames, clean = video("identity_alone", scene).astype(int), render_video(scene).astype(int)
        still = replace(scene, occluder=None, actors=tuple(
            replace(actor, track=Track(*actor.track.position(0.5))) for actor in scene.actors))  # fmt: skip
        at_rest = render_frame(still, 0)
        visible = at_rest.masks.any(axis=0)
        # the pixels of an outline are partly background
        inner = cv2.erode(visible.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        assert inner.sum() > 0.4 * visible.sum()
        assert (np.abs(frames - at_rest.image).max(axis=-1)[:, inner] <= 2).mean() > 0.95
        assert (np.abs(frames - clean).max(axis=-1)[:, ~visible] > 20).mean() > 0.6

    def test_broken_tail_breaks_the_end_alone(self, scene):
        frames, clean = video("broken_tail", scene), render_video(scene)
        np.testing.assert_array_equal(frames[:12], clean[:12])
        error = np.sqrt(((frames[12:].astype(float) - clean[12:]) ** 2).mean(axis=(1, 2, 3)))
        assert (error > NOISE_LEVEL / 2).all()

    def test_subjects_are_swapped_and_merged_only_where_there_are_several(self, scene):
        several = len(scene.actors) > 1
        assert shows_fault("merged_subjects", scene) is several
        merged = video("merged_subjects", scene)
        if several:
            one = with_sprite(scene, 0, merged_sprite(scene))
            for index in range(1, len(scene.actors)):
                one = with_hidden(one, index)
            np.testing.assert_array_equal(merged, render_video(one))
        else:
            np.testing.assert_array_equal(merged, render_video(scene))
            assert not shows_fault("swapped_subjects", scene)
        if shows_fault("swapped_subjects", scene):
            assert (video("swapped_subjects", scene) != render_video(scene)).any()

    def test_a_scene_at_rest_cannot_freeze(self, scene):
        at_rest = replace(scene, actors=tuple(replace(actor, track=Track(0.5, 0.5)) for actor in scene.actors))
        assert not shows_fault("frozen", at_rest)
        assert (video("frozen", scene) != video("perfect", scene)).any() == shows_fault("frozen", scene)

    def test_frozen_is_the_first_frame(self, scene):
        frames = video("frozen", scene)
        assert (frames == render_frame(scene, 0).image).all()


def merged_sprite(scene):
    """By hand: the first one's shape or gender, and what the second one has besides."""
    first, second = scene.sprites[:2]
    if isinstance(first, ObjectSprite):
        return replace(first, colour=second.colour, texture=second.texture)
    if isinstance(second, ObjectSprite):
        return replace(first, shirt=second.colour)
    return replace(first, hair=second.hair, shirt=second.shirt, glasses=second.glasses, skin=second.skin)


def test_swapped_subjects_change_clothes_and_keep_their_form():
    man = PersonSprite("human", "man", "black", "red", glasses=True, skin="dark", size="small")
    woman = PersonSprite("human", "woman", "grey", "blue")
    cross = ObjectSprite("cross", "green", "striped")
    assert simulated.swapped_sprites((man, woman)) == (
        PersonSprite("human", "man", "grey", "blue", size="small"),
        PersonSprite("human", "woman", "black", "red", glasses=True, skin="dark"),
    )
    assert simulated.swapped_sprites((woman, cross)) == (
        replace(woman, shirt="green"),
        ObjectSprite("cross", "blue", "striped"),
    )
    alike = (replace(man, shirt="green"), cross)
    assert simulated.swapped_sprites(alike) == alike


def test_subjects_of_one_form_that_swap_all_their_looks_only_change_places():
    man = PersonSprite("human", "man", "black", "red", glasses=True, skin="dark", size="small")
    other_man = PersonSprite("human", "man", "grey", "blue")
    woman = replace(other_man, gender="woman")
    scene = next(s for s in map(draw_scene, range(100), itertools.repeat("multihuman")) if len(s.actors) == 2)
    for others, shown in (((other_man,), False), ((woman,), True)):
        changed = scene
        for index, sprite in enumerate((man, *others)):
            changed = with_sprite(changed, index, sprite)
        assert shows_fault("swapped_subjects", changed) is shown


def test_some_of_the_scenes_move():
    assert sum(any(actor.track.direction != "still" for actor in scene.actors) for scene in SCENES) >= 6


@pytest.mark.parametrize(
    "track",
    [Track(0.2, 0.3, dx=0.5), Track(0.7, 0.3, dx=-0.5), Track(0.5, 0.2, dy=0.4), Track(0.3, 0.5), Track(0.7, 0.5)],
)
def test_another_way_has_another_direction(track):
    other = other_way(track)
    assert other.direction != track.direction
    for progress in (0.0, 1.0):
        x, y = other.position(progress)
        assert 0 < x < 1
        assert 0 < y < 1


@pytest.mark.parametrize("category", ["multiobject", "multiface", "multihuman", "humanobj"])
def test_strangers_share_no_feature_with_the_references(category, monkeypatch):
    """By the words of the scene that is drawn in the end: no shape, colour, hair or shirt of any asked for subject."""
    drawn = []
    monkeypatch.setattr(simulated, "perfect", lambda scene: drawn.append(scene))
    for seed in range(40):
        scene = draw_scene(seed, category)
        simulated.wrong_subject(scene)
        for old, new in itertools.product(scene.sprites, drawn[-1].sprites):
            if isinstance(old, ObjectSprite) and isinstance(new, ObjectSprite):
                assert {old.shape, old.colour}.isdisjoint({new.shape, new.colour})
            elif isinstance(old, PersonSprite) and isinstance(new, PersonSprite):
                assert old.hair != new.hair
                assert old.shirt != new.shirt


def test_unknown_model():
    for call in (simulate, shows_fault):
        with pytest.raises(ArgumentError, match="perfect, flicker"):
            call("sora", SCENES[0])
