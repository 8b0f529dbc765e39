"""The embedded detector and prompt encoder find what is there, and only that, in scenes they were not trained on."""

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

from opens2v_hf.embedded.training.detector_evaluation import evaluate_detector
from opens2v_hf.models import hub
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

FOLDER = Path(hub.__file__).parents[1] / "embedded" / "weights"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["committed", "few scenes"])
def figures(request):
    if request.param == "committed":
        return committed_figures("detector")
    return evaluate_detector("embedded", "embedded", num_scenes=24, first_seed=650_000)


@pytest.mark.parametrize("which", ["all", "single", "multi"])
def test_subjects_are_found(figures, which):
    # of few scenes one subject is three in a hundred
    assert figures[f"recall_{which}"] >= (0.95 if figures == committed_figures("detector") else 0.9)


@pytest.mark.parametrize("why", ["stranger", "random", "environment"])
def test_absent_subjects_are_not_found(figures, why):
    assert figures[f"false_{why}"] <= 0.05


def test_boxes_lie_on_the_subject(figures):
    assert figures["extra"] <= 0.1


def test_both_are_small_and_say_that_they_are_embedded():
    detector = YoloWorldDetector.from_pretrained("embedded", device="cpu")
    encoder = ClipPromptEncoder.from_pretrained("embedded", device="cpu")
    for model, role in ((detector, "detector"), (encoder, "prompt_encoder")):
        assert model.info.embedded
        assert model.info.revision == hub.weights_sha256(FOLDER / role)
    weights = [*FOLDER.glob("detector/*.safetensors"), *FOLDER.glob("prompt_encoder/*.safetensors")]
    assert sum(path.stat().st_size for path in weights) < 4_000_000
