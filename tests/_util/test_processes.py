from __future__ import annotations

import subprocess
import sys

import pytest

from opens2v_hf._util import processes
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.budget import Budget


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WORLD_SIZE": "2", "RANK": "1"},
        {"WORLD_SIZE": "", "RANK": "1", "LOCAL_RANK": "1"},
        {"WORLD_SIZE": "0", "RANK": "0", "LOCAL_RANK": "0"},
        {"WORLD_SIZE": "two", "RANK": "1", "LOCAL_RANK": "1"},
        {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"},
    ],
)
def test_a_process_is_alone_unless_a_launcher_says_otherwise(environment):
    assert processes.num_processes(environment) == 1
    assert processes.process_index(environment) == 0
    assert processes.local_process_index(environment) is None


def test_the_launcher_says_which_one_it_is():
    environment = {"WORLD_SIZE": "8", "RANK": "6", "LOCAL_RANK": "2"}
    assert processes.num_processes(environment) == 8
    assert processes.process_index(environment) == 6
    assert processes.local_process_index(environment) == 2


def test_a_budget_is_divided_among_the_processes(monkeypatch):
    parts = []
    for rank in range(3):
        for name, value in {"WORLD_SIZE": "3", "RANK": str(rank), "LOCAL_RANK": str(rank)}.items():
            monkeypatch.setenv(name, value)
        part = Budget.of_this_process(max_calls=8, max_tokens=None)
        parts.append(part.max_calls)
        assert part.max_tokens is None
    assert parts == [3, 3, 2]
    with pytest.raises(ArgumentError, match="divided among 3 processes"):
        Budget.of_this_process(max_tokens=2)


def test_a_lone_process_never_sees_what_shares_work():
    """Neither accelerate's state nor the module that uses it is imported where there is nothing to share."""
    script = (
        "import sys; from opens2v_hf.metrics.each_video import for_each_video as each; "
        "same = dict(name=str, cost=float, setting=dict, failed=print, description='test'); "
        "assert each(lambda n: n * n, [1, 2, 3], **same) == [1, 4, 9]; "
        "assert not {'torch', 'accelerate', 'datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
