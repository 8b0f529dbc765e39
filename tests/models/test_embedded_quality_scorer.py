"""The quality scorer that travels with the package, on scenes that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.embedded import committed_figures

import opens2v_hf
from opens2v_hf.embedded.training.held_out_videos import QUALITY_SEED, evaluate_quality_scorer
from opens2v_hf.metrics.base import answer
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
from opens2v_hf.models.info import EMBEDDED

FAULTS = ("noise", "blocks", "tearing", "warp", "channels", "flicker")
"""Of half of a video's frames; subjects that flicker are gone from half of them, too."""

FIRST_SEED = QUALITY_SEED + 10_000
"""Scenes that no training saw."""


@pytest.fixture(scope="module", params=["committed", "few scenes"])
def figures(request: pytest.FixtureRequest) -> dict[str, float]:
    if request.param == "committed":
        return committed_figures("quality_scorer")
    return evaluate_quality_scorer(EMBEDDED, num_scenes=3, first_seed=FIRST_SEED)


@pytest.mark.parametrize("fault", FAULTS)
def test_clean_videos_are_smoother_than_those_with_broken_frames(figures: dict[str, float], fault: str) -> None:
    # one of three scenes is one that the scorer gets wrong
    few = figures != committed_figures("quality_scorer")
    assert figures[f"clean > {fault}"] >= (0.65 if few or fault == "tearing" else 0.8)
    assert figures["mean clean"] > figures[f"mean {fault}"] + 0.2


@pytest.mark.parametrize("fault", [*FAULTS, "corrupted_frames"])
def test_clean_windows_are_better_than_broken_ones(figures: dict[str, float], fault: str) -> None:
    assert figures["quality clean"] > figures[f"quality {fault}"]


def test_what_is_bad_all_along_is_bad_but_not_rough(figures: dict[str, float]) -> None:
    """The metric sees changes only: it is no fault of the scorer that this video is smooth."""
    assert figures["quality corrupted_frames"] < 0.6
    assert figures["mean corrupted_frames"] > max(figures[f"mean {fault}"] for fault in FAULTS)


def test_it_is_small_and_says_what_it_is() -> None:
    metric = MotionSmoothness.from_pretrained(EMBEDDED, device="cpu")
    [info] = metric.models
    assert (info.role, info.name, info.embedded) == ("quality_scorer", EMBEDDED, True)
    assert (info.revision or "").startswith("sha256:")
    result = answer(metric, [])
    assert not result["comparable"]
    assert "embedded" in result["note"]
    folder = Path(opens2v_hf.__file__).parent / "embedded" / "weights" / "quality_scorer"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000
