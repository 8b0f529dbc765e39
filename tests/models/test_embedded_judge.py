"""The judge that travels with the package, on scenes that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

from opens2v_hf.embedded.training.held_out_videos import evaluate_judge
from opens2v_hf.metrics.base import answer
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.judge.loading import load_judge

FAULTS = ("noise", "blocks", "tearing", "warp", "channels", "flicker", "corrupted_frames")


@pytest.fixture(scope="module", params=["committed", "released", "full"])
def figures(request: pytest.FixtureRequest) -> dict[str, float]:
    if request.param == "committed":
        return committed_figures("judge")
    return evaluate_judge(EMBEDDED, num_scenes=4 if request.param == "released" else 2, protocol=request.param)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_clean_videos_score_higher_than_broken_ones(figures: dict[str, float], fault: str) -> None:
    # the simulated model with corrupted frames is the judge's task; single faults at half the frames are harder
    assert figures[f"clean > {fault}"] >= (0.9 if fault == "corrupted_frames" else 0.7)


@pytest.mark.slow
def test_scores_are_high_and_low_in_absolute_terms_too(figures: dict[str, float]) -> None:
    assert figures["mean clean"] > 3.0
    assert figures["mean corrupted_frames"] < 2.0


def test_it_is_small_and_says_what_it_is() -> None:
    metric = NaturalScore(load_judge(EMBEDDED, device="cpu"))
    [info] = metric.models
    assert info.embedded
    assert info.name == EMBEDDED
    assert (info.revision or "").startswith("sha256:")
    result = answer(metric, [])
    assert not result["comparable"]
    assert "embedded" in result["note"]
    import opens2v_hf

    folder = Path(opens2v_hf.__file__).parent / "embedded" / "weights" / "judge"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_500_000
