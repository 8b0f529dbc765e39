"""One Chromium for all pages of a session."""

from __future__ import annotations

import pytest
from helpers.browser import DOWNLOADS, chromium


@pytest.fixture(scope="session")
def profile(tmp_path_factory):
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="session")
def driver(profile):
    """A headless Chromium for all pages; tests that need it are skipped where it is not installed."""
    with chromium(profile) as driven:
        yield driven


@pytest.fixture
def downloads(profile):
    """The folder that gets what is downloaded."""
    return profile / DOWNLOADS
