"""The embedded text detector and captioner know scenes that they were not trained on."""

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

from opens2v_hf.data.synthetic.render import render_video
from opens2v_hf.data.synthetic.scenes import draw_scene, phrase
from opens2v_hf.embedded.training.text_detector_evaluation import evaluate_text_detector
from opens2v_hf.models import hub
from opens2v_hf.models.captioner.loading import load_captioner
from opens2v_hf.models.text_detector.loading import load_text_detector

FOLDER = Path(hub.__file__).parents[1] / "embedded" / "weights" / "text_detector"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["committed", "few scenes"])
def figures(request):
    if request.param == "committed":
        return committed_figures("text_detector")
    return evaluate_text_detector("embedded", num_scenes=30, first_seed=670_000)


def test_tags_are_found_where_they_are(figures):
    assert figures["right"] >= 0.9
    assert figures["recall_label"] >= 0.88


def test_tags_of_what_is_not_there_are_not_found(figures):
    assert figures["false"] <= 0.05
    for why in ("stranger", "random", "environment"):
        assert figures[f"false_{why}"] <= 0.05


def test_captions_name_what_is_in_the_clip():
    captioner = load_captioner("embedded", device="cpu")
    named = backgrounds = subjects = scenes = 0
    for seed in range(660_000, 660_016):
        scene = draw_scene(seed)
        caption = captioner.caption(list(render_video(scene)[[0, 8, 15]]), "Describe the clip.").lower()
        named += sum(phrase(sprite) in caption for sprite in scene.sprites)
        subjects += len(scene.sprites)
        backgrounds += scene.background.name in caption
        scenes += 1
    assert named >= 0.8 * subjects
    assert backgrounds >= 0.9 * scenes
    assert captioner.info.embedded


def test_it_is_small_and_says_that_it_is_embedded():
    detector = load_text_detector("embedded", device="cpu")
    assert detector.info.embedded
    assert detector.info.revision == hub.weights_sha256(FOLDER)
    assert (FOLDER / "model.safetensors").stat().st_size < 2_000_000
