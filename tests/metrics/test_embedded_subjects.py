"""`subject_identity` and `copypaste` with the embedded models on scenes that none of them was trained on."""

from functools import partial

import numpy as np
import pytest

from opens2v_hf.data.synthetic.references import subject_reference, subject_views
from opens2v_hf.data.synthetic.scenes import draw_scene, label
from opens2v_hf.data.synthetic.simulated import shows_fault, simulate
from opens2v_hf.metrics.apply import Task
from opens2v_hf.metrics.base import score_video
from opens2v_hf.metrics.registry import load_metrics
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.frames_in_memory import ArrayVideo

pytestmark = pytest.mark.slow

FIRST_SEED = 901_000
CATEGORIES = ("singleobj", "multiobject", "humanobj", "singlehuman")
MODELS = ("perfect", "pasted_reference", "wrong_subject", "missing_subject", "swapped_subjects")
NAMES = ("subject_identity", "copypaste")


@pytest.fixture(scope="module")
def scores():
    """Scene to model to metric to outcome."""
    metrics = load_metrics(NAMES, options={name: {"num_frames": 4} for name in NAMES}, embedded=True)
    found = {}
    for number in range(2 * len(CATEGORIES)):
        category = CATEGORIES[number % len(CATEGORIES)]
        scene = draw_scene(FIRST_SEED + number, category, num_frames=8)
        count = range(len(scene.actors))
        reference = SubjectReference(
            tuple(subject_reference(scene, index) for index in count),
            tuple(label(sprite) for sprite in scene.sprites),
            views=tuple(subject_views(scene, index) for index in count),
        )
        tasks = [Task(metric, partial(lambda given: given, reference)) for metric in metrics]
        found[number] = {
            model: score_video(tasks, ArrayVideo(np.stack(list(simulate(model, scene))), scene.fps))
            for model in MODELS
            if shows_fault(model, scene)
        }
    return found


def values(scores, metric, model):
    """Scene to the values of the perfect video and of a model's, where both have one."""
    pairs = {
        number: (by_model["perfect"][metric].value, by_model[model][metric].value)
        for number, by_model in scores.items()
        if model in by_model
    }
    return {number: pair for number, pair in pairs.items() if None not in pair}


@pytest.mark.parametrize(
    ("model", "least"),
    [("wrong_subject", 1.0), ("missing_subject", 1.0), ("swapped_subjects", 0.75)],
)
def test_another_subject_has_less_identity(scores, model, least):
    pairs = values(scores, "subject_identity", model)
    assert len(pairs) == sum(model in by_model for by_model in scores.values()) > 0
    assert np.mean([perfect > fault for perfect, fault in pairs.values()]) >= least


def test_a_missing_subject_has_no_identity_and_nothing_to_compare(scores):
    missing = [by_model["missing_subject"] for by_model in scores.values()]
    assert max(one["subject_identity"].value for one in missing) < 0.35
    assert np.mean([one["copypaste"].status is Status.NOT_APPLICABLE for one in missing]) >= 0.7


def test_a_pasted_reference_is_a_copy_in_every_scene_where_it_is_found(scores):
    pairs = values(scores, "copypaste", "pasted_reference")
    assert len(pairs) >= len(scores) / 2
    assert all(perfect > pasted for perfect, pasted in pairs.values())
    assert np.mean([perfect - pasted for perfect, pasted in pairs.values()]) > 0.3
