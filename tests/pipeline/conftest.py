"""Frames decoded in one test must not be used by another."""

from collections.abc import Iterator

import pytest

from opens2v_hf.pipeline import media


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    media.forget()
    yield
    media.forget()
