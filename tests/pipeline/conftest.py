"""Nothing decoded in one test may serve another."""

from collections.abc import Iterator

import pytest

from opens2v_hf.pipeline import media


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    media.forget()
    yield
    media.forget()
