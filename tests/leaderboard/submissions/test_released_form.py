"""The JSON of the released Space, both ways, and files and folders that are validated."""

import json

import pytest
from helpers.submissions import make_submission, make_whole_result

from opens2v_hf.cli import main
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.submissions.checking import pull_request_of, validate_file, validate_folder
from opens2v_hf.leaderboard.submissions.released_form import released_form, write_released_form


@pytest.fixture
def example(shared_data):
    return shared_data / "leaderboard-v1.1" / "submission_example_Open-Domain.json"


def test_the_released_example_is_read(example):
    assert validate_file(example) == []
    assert validate_file(example, split="single-domain") == []  # of the same weights


def test_the_released_example_is_of_no_other_split(example):
    problems = validate_file(example, split="human-domain")
    assert [problem.code for problem in problems] == ["column_unknown", "total_mismatch"]
    assert "nexus_score" in problems[0].what


def test_a_scorecard_is_written_as_the_space_takes_it(example, tmp_path):
    result = make_whole_result()
    path = write_released_form(result.scorecard(), tmp_path / "out.json")
    assert set(json.loads(path.read_text())) == set(json.loads(example.read_text()))
    row, keys = json.loads(path.read_text()), {"aesthetics": "aes_score", "gmescore": "gme_score"}
    keys |= {"nexusscore": "nexus_score", "naturalscore": "natural_score"}
    assert row["total_score"] == pytest.approx(make_submission().total)
    for name, value in make_submission().columns.items():
        assert row[keys.get(name, name)] == pytest.approx(value)
    human = released_form(make_whole_result("human-domain").scorecard())
    assert "nexus_score" not in human
    assert len(human) == 7


def test_a_partial_scorecard_is_not_written():
    result = make_whole_result()
    partial = type(result)(**{**vars(result), "metrics": result.metrics[:2]})
    with pytest.raises(ResultError, match="needs a total"):
        released_form(partial.scorecard())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"total_score": 0.57}, "total_mismatch"),
        ({"gme_score": 66.2}, "out_of_range"),
        ({"gme_score": "0.66"}, "form"),
        ({"gme_score": None}, "form"),
        ({"extra": 1}, "column_unknown"),
        ({"total_score": True}, "form"),
    ],
)
def test_values_out_of_range_are_refused(example, tmp_path, change, code):
    path = tmp_path / "changed.json"
    path.write_text(json.dumps({**json.loads(example.read_text()), **change}))
    assert [problem.code for problem in validate_file(path)] == [code]


def test_the_command_line_writes_and_checks(tmp_path, capsys):
    result = make_whole_result().save(tmp_path / "result.json")
    assert main(["push", str(result), "--space-json", str(tmp_path / "space.json"), "--dry-run"]) == 0
    assert not (tmp_path / "space.json").exists()
    assert main(["push", str(result), "--space-json", str(tmp_path / "space.json")]) == 0
    embedded = make_whole_result(embedded=True).save(tmp_path / "embedded.json")
    assert main(["push", str(embedded), "--space-json", str(tmp_path / "embedded-space.json")]) == 2
    assert not (tmp_path / "embedded-space.json").exists()
    record = tmp_path / "record.json"
    record.write_bytes(make_submission().to_json())
    capsys.readouterr()
    assert main(["validate", str(tmp_path / "space.json"), str(record)]) == 0
    assert capsys.readouterr().out == "2 of 2 acceptable\n"
    record.write_bytes(make_submission(total=0.9).to_json())
    assert main(["validate", str(record)]) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[0] == f"{record}: not acceptable"
    assert said.splitlines()[1].startswith("  total: is 0.9000, and the columns give 0.")
    assert said.splitlines()[-1] == "0 of 1 acceptable"
    assert main(["validate", str(record), "--json"]) == 1
    ((problem,),) = json.loads(capsys.readouterr().out).values()
    assert problem["code"] == "total_mismatch"
    with pytest.raises(SystemExit) as wrong_split:
        main(["validate", str(record), "--split", "all"])
    assert wrong_split.value.code == 2


def test_the_published_dataset_is_acceptable(capsys):
    folder = hub_folder("dataset_scripts", "opens2v-results")
    checked = validate_folder(folder)
    assert len(checked) == 42
    assert not any(checked.values())
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().out == "42 of 42 acceptable\n"


def test_a_published_row_cannot_be_submitted():
    path = next(hub_folder("dataset_scripts", "opens2v-results").rglob("*.json"))
    assert [problem.code for problem in validate_file(path)] == ["published"]
    assert validate_file(path, allow_published=True) == []


def test_who_came_first_owns_the_name_in_a_folder(tmp_path):
    first = make_submission(seed=1, model="Rocket", submitted_by="alice", submitted_at="2026-01-01 00:00:00")
    later = make_submission(seed=2, model="Rocket", submitted_by="bob", submitted_at="2026-01-02 00:00:00")
    for one in (later, first):
        path = tmp_path / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.to_json())
    checked = validate_folder(tmp_path)
    assert checked[first.path] == []
    assert [problem.code for problem in checked[later.path]] == ["not_the_owner"]
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "a.json").write_bytes(first.to_json())
    (tmp_path / "loose" / "b.json").write_bytes(later.to_json())
    loose = validate_folder(tmp_path / "loose")
    assert {name: len(problems) for name, problems in loose.items()} == {"a.json": 0, "b.json": 1}
    with pytest.raises(ArgumentError, match="must contain results"):
        validate_folder(hub_folder("metrics", "gmescore"))


def test_a_folder_of_records_is_compared_with_the_dataset(tmp_path, capsys):
    (tmp_path / "a.json").write_bytes(make_submission(model="VACE 14B").to_json())
    assert main(["validate", str(tmp_path)]) == 0
    there = hub_folder("dataset_scripts", "opens2v-results")
    assert main(["validate", str(tmp_path), "--results", str(there)]) == 1
    assert "[look_alike]" in capsys.readouterr().out


def test_an_invalid_file_name_is_refused(capsys):
    assert main(["validate", "x" * 5000]) == 1
    assert capsys.readouterr().out.endswith("[unreadable]\n0 of 1 acceptable\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/opens2v-results#12", ("org/opens2v-results", 12)),
        ("https://huggingface.co/datasets/org/opens2v-results/discussions/3", ("org/opens2v-results", 3)),
        ("org/opens2v-results", None),
        ("file.json", None),
        ("a/b/c#1", None),
        ("org/opens2v-results#0", None),
    ],
)
def test_pull_requests_are_named_in_two_ways(text, expected):
    assert pull_request_of(text) == expected
