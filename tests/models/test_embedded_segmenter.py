"""The embedded segmenter cuts out the subjects of scenes that it was not trained on."""

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

from opens2v_hf.embedded.training.segmenter_evaluation import evaluate_segmenter
from opens2v_hf.models import hub
from opens2v_hf.models.segmenter.sam import SamSegmenter

FOLDER = Path(hub.__file__).parents[1] / "embedded" / "weights" / "segmenter"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("num_scenes", [None, 20])
def test_masks_agree_with_the_true_ones(num_scenes):
    few = num_scenes is not None
    figures = evaluate_segmenter("embedded", num_scenes=num_scenes) if few else committed_figures("segmenter")
    assert figures["mean IoU"] >= 0.9
    assert figures["mean IoU, boxes off by 3 %"] >= 0.9
    assert figures["mean IoU, boxes off by 6 %"] >= 0.88


def test_it_is_small_and_says_that_it_is_embedded():
    segmenter = SamSegmenter.from_pretrained("embedded", device="cpu")
    assert segmenter.info.embedded
    assert segmenter.info.revision == hub.weights_sha256(FOLDER)
    assert (FOLDER / "model.safetensors").stat().st_size < 1_000_000
