"""The aesthetic models that travel with the package, on scenes that they were not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

import opens2v_hf
from opens2v_hf.embedded.training.held_out_videos import evaluate_aesthetics
from opens2v_hf.metrics.aesthetics import Aesthetics
from opens2v_hf.metrics.base import answer
from opens2v_hf.models.info import EMBEDDED

FAULTS = ("noise", "blocks", "tearing", "warp", "channels", "corrupted_frames")


@pytest.fixture(scope="module", params=["committed", "few scenes"])
def figures(request: pytest.FixtureRequest) -> dict[str, float]:
    if request.param == "committed":
        return committed_figures("aesthetics")
    return evaluate_aesthetics(EMBEDDED, EMBEDDED, num_scenes=3, first_seed=600_000)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_clean_videos_score_higher_than_broken_ones(figures: dict[str, float], fault: str) -> None:
    # the simulated model with corrupted frames is the task; single faults at half of the frames are harder
    assert figures[f"clean > {fault}"] >= (0.95 if fault == "corrupted_frames" else 0.8)


@pytest.mark.slow
def test_ratings_lie_within_the_range_that_the_leaderboard_scales(figures: dict[str, float]) -> None:
    assert 5.5 < figures["mean clean"] < 7.0
    assert 3.0 < figures["mean corrupted_frames"] < 4.5


def test_they_are_small_and_say_what_they_are() -> None:
    metric = Aesthetics.from_pretrained(EMBEDDED, EMBEDDED, device="cpu")
    assert [(info.role, info.name, info.embedded) for info in metric.models] == [
        ("aesthetic_encoder", EMBEDDED, True),
        ("aesthetic_head", EMBEDDED, True),
    ]
    assert all((info.revision or "").startswith("sha256:") for info in metric.models)
    assert "embedded" in answer(metric, [])["note"]
    folder = Path(opens2v_hf.__file__).parent / "embedded" / "weights"
    files = [path for role in ("aesthetic_encoder", "aesthetic_head") for path in (folder / role).iterdir()]
    assert sum(path.stat().st_size for path in files) < 1_500_000
