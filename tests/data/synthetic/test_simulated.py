"""The faults of the simulated models, measured in pixels against the clean rendering."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import simulated
from opens2v_hf.data.synthetic.render import render_background, render_frame, render_video
from opens2v_hf.data.synthetic.scenes import ASPECT, SUBJECT_HEIGHT, ObjectSprite, PersonSprite, Track, draw_scene
from opens2v_hf.data.synthetic.simulated import (
    NOISE_LEVEL,
    SIMULATED_MODELS,
    flickering_frames,
    other_way,
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

    def test_flicker_shows_nobody_in_half_of_the_frames(self, scene):
        frames, clean, empty = video("flicker", scene), render_video(scene), render_background(scene)
        gone = flickering_frames(scene.num_frames)
        assert len(gone) == scene.num_frames // 2
        for t in range(scene.num_frames):
            np.testing.assert_array_equal(frames[t], empty if t in gone else clean[t])

    def test_missing_subject_shows_nobody(self, scene):
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

    def test_frozen_is_the_first_frame(self, scene):
        frames = video("frozen", scene)
        assert (frames == render_frame(scene, 0).image).all()


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
def test_strangers_look_like_none_of_the_references(category, monkeypatch):
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
    with pytest.raises(ArgumentError, match="perfect, flicker"):
        simulate("sora", SCENES[0])
