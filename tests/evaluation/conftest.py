from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.fault_run import Runs, forked_runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with forked_runs(tmp_path_factory.mktemp("runs") / "stderr.txt") as started:
        yield started
