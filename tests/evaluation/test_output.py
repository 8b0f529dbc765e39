from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.results import make_result

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.evaluation import output
from opens2v_hf.evaluation.output import Output
from opens2v_hf.jobs.lock import only_run

ASKED = {"model": "mine", "source": "videos", "metrics": ["gmescore"]}


def test_a_refused_run_leaves_nothing_behind(tmp_path: Path) -> None:
    make_result("other").save(tmp_path / "open-domain.json")
    with pytest.raises(ArgumentError, match="without a journal"), Output(tmp_path, "open-domain").held(**ASKED):
        pytest.fail("it went on")
    assert [path.name for path in tmp_path.iterdir()] == ["open-domain.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_at_the_path_of_the_result_is_refused_before_the_work(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "open-domain.json").mkdir()
    output = Output(tmp_path, "open-domain", overwrite=overwrite)
    with pytest.raises(ArgumentError, match=r"open-domain\.json must be a file"), output.held(**ASKED):
        pytest.fail("it went on")


def test_a_folder_name_that_is_too_long_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot lock"), Output(tmp_path / ("x" * 300), "open-domain").held(**ASKED):
        pytest.fail("it went on")


def test_a_result_that_is_written_before_the_lock_is_held_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may finish between the check of the folder and the lock."""

    @contextmanager
    def late(folder: Path) -> Iterator[None]:
        make_result("other").save(tmp_path / "open-domain.json")
        with only_run(folder):
            yield

    monkeypatch.setattr(output, "only_run", late)
    with pytest.raises(ArgumentError, match=r"open-domain\.json exists"), Output(tmp_path, "open-domain").held(**ASKED):
        pytest.fail("it went on")
    with only_run(tmp_path / "open-domain.journal"):
        assert (tmp_path / "open-domain.json").exists()
    with Output(tmp_path, "open-domain", overwrite=True).held(**ASKED):
        assert (tmp_path / "open-domain.json").exists()
