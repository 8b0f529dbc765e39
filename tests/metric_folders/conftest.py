"""Fixtures of the tests of metrics as modules of `evaluate`."""

from pathlib import Path

import evaluate
import pytest
from helpers.videos import encode, numbered_frames

METRICS = Path(__file__).resolve().parents[2] / "metrics"


@pytest.fixture
def load(tmp_path):
    """Loads a module from its folder; the tests of its inputs load all by their bare names."""
    return lambda name, **defaults: evaluate.load(str(METRICS / name), cache_dir=str(tmp_path / "cache"), **defaults)


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Two videos of 9 and 12 frames."""
    folder = tmp_path_factory.mktemp("videos")
    return [encode(folder / "one.mp4", numbered_frames(9)), encode(folder / "two.mp4", numbered_frames(12, start=40))]
