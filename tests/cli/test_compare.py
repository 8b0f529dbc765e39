import json
from pathlib import Path

import pytest
from helpers.scorecards import full_result

from opens2v_hf.cli import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    results = [full_result("alpha", quality=0.6), full_result("beta"), full_result("gamma", split="human-domain")]
    return [str(result.save(tmp_path / f"{result.model}.json")) for result in results]


def test_two_results_as_text(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *files[:2], "--scoring", "strict", "--top", "1"]) == 0
    printed = capsys.readouterr().out
    assert "strict scoring, weights of v1.1" in printed
    assert "alpha is ahead in the total" in printed


def test_two_results_as_json(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *files[:2], "--weights", "v1.0", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["a"], record["b"], record["version"]) == ("alpha", "beta", "v1.0")
    assert record["columns"]["motion_smoothness"]["real"] is True


def test_other_splits_files_and_numbers_are_refused(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        ((files[0], files[2]), "compare results of one split"),
        ((files[0], "absent.json"), "absent.json"),
        ((*files[:2], "--top", "-1"), "top must be a whole number from 0 (got -1)"),
    ):
        assert main(["compare", *words]) == 2
        assert message in capsys.readouterr().err
