import json
from pathlib import Path

import pytest
from helpers.results import make_result

from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.run.result import RunResult, notes, write_json


def test_a_saved_result_is_read_back_equal(tmp_path: Path) -> None:
    result = make_result()
    assert RunResult.load(result.save(tmp_path / "deep" / "result.json")) == result


def test_the_file_says_what_its_numbers_rest_on(tmp_path: Path) -> None:
    record = json.loads(make_result(values=(0.25, 0.75, None)).save(tmp_path / "r.json").read_text())
    metric = record["metrics"]["gmescore"]
    assert metric["summary"]["mean"] == 0.5
    assert metric["summary"]["num_scored"] == 2
    assert metric["summary"]["num_failed"] == 1
    assert metric["scores"]["singleobj_2"] == {"status": "failed", "value": None, "reason": "broken file"}
    # singleobj_1 has 0.25 and singleobj_2 failed; faceobj_1 has 0.75
    assert metric["by_category"]["singleobj"]["mean"] == 0.25
    assert metric["by_category"]["faceobj"]["mean"] == 0.75
    assert record["coverage"]["expected"] == 4
    assert record["coverage"]["scored"] == {"gmescore": 2}
    assert record["videos"][0]["sha256"] == "ab" * 32


def test_a_result_made_with_embedded_models_says_so() -> None:
    result = make_result(embedded=True)
    assert not result.comparable
    assert "not comparable" in result.to_dict()["metrics"]["gmescore"]["note"]
    assert make_result().comparable


def test_asking_for_a_metric_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ResultError, match=r"no 'nexusscore'.*gmescore"):
        make_result().metric("nexusscore")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no result of format"),
        ('{"format": "other"}', "no result of format"),
        ('{"format": "opens2v-hf/result/1"}', "malformed"),
    ],
)
def test_a_file_that_is_no_result_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ResultError, match=message) as caught:
        RunResult.load(path)
    assert "bad.json" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"absent\.json"):
        RunResult.load(tmp_path / "absent.json")


def test_a_value_outside_its_status_is_malformed(tmp_path: Path) -> None:
    record = make_result().to_dict()
    record["metrics"]["gmescore"]["scores"]["singleobj_1"]["value"] = None
    write_json(tmp_path / "r.json", record)
    with pytest.raises(ResultError, match="malformed"):
        RunResult.load(tmp_path / "r.json")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    write_json(path, {"old": True})

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(ResultError, match="No space left"):
        write_json(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]


def test_a_reason_that_holds_for_all_results_is_said_once() -> None:
    assert notes([make_result("a", embedded=True), make_result("b", embedded=True)]) == [EMBEDDED_NOTE]
    assert notes([make_result()]) == []
