import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.results import make_result

from opens2v_hf._util.json_file import read_json
from opens2v_hf.errors import ResultError
from opens2v_hf.results.problem import ProblemsError
from opens2v_hf.results.result import RunResult, read_results, write_json
from opens2v_hf.results.result_file import ResultFile


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a result of format"),
        ('{"format": "other"}', "not a result of format"),
        ('{"format": "opens2v-hf/result/1"}', "malformed"),
        ("[" * 100_000, "not JSON"),
        ('{"format": NaN}', "NaN is not a number"),
        ("\ud800", "not JSON"),
    ],
)
def test_a_file_that_is_no_result_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
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


def _at(record: dict, path: str, value: object) -> dict:
    *way, last = path.split("/")
    place = record
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is DROPPED:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return record


DROPPED = object()


SCORE = "metrics/gmescore/scores/singleobj_1"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model", 3),
        ("model", "   "),
        ("model", None),
        ("model", "a\x1b[2Jb"),
        ("model", "a\u202eb"),
        ("model", "a\nb"),
        ("model", "a" * 1001),
        ("metrics/gmescore/models/0/name", "a\x07"),
        ("metrics/gmescore/caveats", ["a\x07"]),
        ("split", DROPPED),
        ("benchmark", []),
        ("source", {}),
        ("coverage", "all"),
        ("coverage/expected", -1),
        ("coverage/expected", True),
        ("coverage/found", 4),
        ("coverage/missing", "humanobj_1"),
        ("coverage/missing", [1]),
        ("coverage/missing", []),
        ("coverage/missing", ["singleobj_1"]),
        ("coverage/applicable", {"gmescore": [2]}),
        ("videos", {}),
        ("coverage/missing", ["../../etc_1"]),
        ("videos/0/category", "<b>new</b>"),
        ("videos/0/category", "faceobj"),
        ("metrics/..", {}),
        ("videos/0", "singleobj_1"),
        ("videos/0/id", ["singleobj_1"]),
        ("videos/0/id", "faceobj_1"),
        ("videos/0/width", 1.5),
        ("videos/0/fps", 10**400),
        ("metrics", []),
        ("metrics/gmescore", None),
        ("metrics/gmescore/caveats", "one"),
        ("metrics/gmescore/models", {}),
        ("metrics/gmescore/models/0/embedded", "no"),
        ("metrics/gmescore/models/0/revision", 7),
        ("metrics/gmescore/scores", {}),
        (SCORE, DROPPED),
        (f"{SCORE}/status", "great"),
        (f"{SCORE}/status", "failed"),
        (f"{SCORE}/value", True),
        (f"{SCORE}/value", "0.5"),
        (f"{SCORE}/value", 10**400),
        (f"{SCORE}/reason", 3),
        (f"{SCORE}/details", []),
        ("package", {"torch": 2}),
        ("created_at", DROPPED),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_refused_by_its_place(
    tmp_path: Path, path: str, value: object
) -> None:
    file = write_json(tmp_path / "r.json", _at(json.loads(json.dumps(make_result().to_dict())), path, value))
    with pytest.raises(ProblemsError, match=r"r\.json is a malformed result:") as caught:
        RunResult.load(file)
    assert caught.value.problems
    assert all(len(str(problem)) < 400 and str(problem).isprintable() for problem in caught.value.problems)


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("[" + " " * 100 + "]")
    with pytest.raises(ResultError, match="102 bytes"):
        read_json(path, max_bytes=101)
    assert read_json(path, max_bytes=102) == []


def test_half_a_character_cannot_come_in(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(make_result().to_dict()).replace('"alpha"', '"al\\ud83dpha"'))
    with pytest.raises(ResultError, match="not JSON"):
        RunResult.load(path)
    path.write_text(json.dumps(make_result().to_dict()).replace('"alpha"', '"al\\ud83d\\ude00pha"'))
    assert RunResult.load(path).model == "al😀pha"


def test_a_file_whose_name_is_no_text_does_not_lose_the_result(tmp_path: Path) -> None:
    result = make_result()
    odd = replace(result, coverage=replace(result.coverage, unknown=("notes\udcff.txt", "a\x1b.txt")))
    assert RunResult.load(odd.save(tmp_path / "r.json")).coverage.unknown == ("notes?.txt", "a\x1b.txt")


def test_a_metric_of_no_sensible_name_is_refused(tmp_path: Path) -> None:
    record = make_result().to_dict()
    record["metrics"]["../gmescore"] = record["metrics"].pop("gmescore")
    with pytest.raises(ProblemsError) as caught:
        RunResult.load(write_json(tmp_path / "r.json", record))
    assert [problem.where for problem in caught.value.problems] == ["metrics.../gmescore.?key?"]


def test_a_byte_order_mark_is_no_part_of_a_result(tmp_path: Path) -> None:
    path = make_result().save(tmp_path / "r.json")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert RunResult.load(path) == make_result()


def test_a_folder_with_one_result_is_that_result(tmp_path: Path) -> None:
    make_result("alpha").save(tmp_path / "alpha" / "open-domain.json")
    (tmp_path / "alpha" / "other.json").write_text("{}")
    (tmp_path / "alpha" / "open-domain.journal").mkdir()
    assert RunResult.load(tmp_path / "alpha").model == "alpha"
    assert RunResult.load(tmp_path).model == "alpha"  # of its only subfolder with one


def test_a_folder_with_several_results_names_them(tmp_path: Path) -> None:
    for split in ("open-domain", "human-domain"):
        replace(make_result("alpha"), split=split).save(tmp_path / "alpha" / f"{split}.json")
    make_result("beta").save(tmp_path / "beta" / "open-domain.partial.json")
    with pytest.raises(ResultError, match=r"holds 2 results \(open-domain\.json, human-domain\.json\); name one"):
        RunResult.load(tmp_path / "alpha")
    found = [(path.relative_to(tmp_path).as_posix(), result.model) for path, result in read_results([tmp_path])]
    assert found == [
        ("alpha/open-domain.json", "alpha"),
        ("alpha/human-domain.json", "alpha"),
        ("beta/open-domain.partial.json", "beta"),
    ]
    # one that is named twice is read once
    assert len(read_results([tmp_path, tmp_path / "beta", tmp_path / "alpha" / "open-domain.json"])) == 3


def test_a_folder_without_a_result_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"holds no result; .*looked for open-domain\.json"):
        RunResult.load(tmp_path)


def test_all_malformed_fields_are_listed_at_once(tmp_path: Path) -> None:
    record = json.loads(json.dumps(make_result().to_dict()))
    for path, value in (("model", 3), ("coverage/found", -1), ("videos/0/fps", "fast"), (f"{SCORE}/status", "great")):
        _at(record, path, value)
    del record["created_at"]
    with pytest.raises(ProblemsError) as caught:
        RunResult.load(write_json(tmp_path / "r.json", record))
    wheres = {problem.where for problem in caught.value.problems}
    assert wheres == {
        "model", "coverage.found", "videos[0].fps", "metrics.gmescore.scores.singleobj_1.status", "created_at",
    }  # fmt: skip
    assert str(caught.value).count("\n  ") == 5


def test_all_contradictions_are_listed_at_once(tmp_path: Path) -> None:
    record = json.loads(json.dumps(make_result().to_dict()))
    _at(record, "videos/0/category", "faceobj")
    _at(record, "coverage/expected", 7)
    _at(record, SCORE, DROPPED)
    with pytest.raises(ProblemsError) as caught:
        RunResult.load(write_json(tmp_path / "r.json", record))
    assert [problem.code for problem in caught.value.problems] == ["contradiction"] * 3


def test_a_result_of_another_version_of_the_format_is_refused_by_it(tmp_path: Path) -> None:
    record = make_result().to_dict() | {"format": "opens2v-hf/result/0"}
    with pytest.raises(ResultError, match=r"r\.json is not a result of format opens2v-hf/result/1"):
        RunResult.load(write_json(tmp_path / "r.json", record))


def test_the_schema_names_the_fields_that_must_be_there() -> None:
    schema = ResultFile.model_json_schema()
    assert set(schema["required"]) == {
        "format", "model", "split", "source", "coverage", "videos", "metrics", "created_at",
    }  # fmt: skip
    assert schema["properties"]["format"]["const"] == "opens2v-hf/result/1"
    assert schema["$defs"]["Status"]["enum"] == ["scored", "not_applicable", "failed"]
    width = schema["$defs"]["Video"]["properties"]["width"]["anyOf"]
    assert {"type": "integer", "minimum": 0} in width


def test_importing_the_package_and_its_results_imports_no_pydantic() -> None:
    script = "import sys, opens2v_hf; from opens2v_hf import RunResult; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
