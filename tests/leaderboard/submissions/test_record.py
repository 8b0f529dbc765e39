"""The record of a submission: written, read, and put where it belongs."""

import errno
import json
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from helpers.submissions import RUBRIC_CAVEAT, features_yaml, make_submission, make_whole_result, replace

from opens2v_hf.errors import ArgumentError, HubError, ResultError
from opens2v_hf.leaderboard.submissions.checking import validate_file, validate_folder
from opens2v_hf.leaderboard.submissions.from_result import make_submission as from_result
from opens2v_hf.leaderboard.submissions.record import (
    SPLITS,
    VENUES,
    PerColumn,
    Submission,
    json_schema,
    load_submissions,
)
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.comparability import is_unavoidable
from opens2v_hf.results.problem import SubmissionError

ABOUT = {"model": "Rocket", "team": "Team", "venue": "Open-Source", "submitted_by": "org", "link": "https://a.org"}


def write(folder, *submissions):
    for one in submissions:
        path = folder / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.to_json())
    return folder


@pytest.mark.parametrize("split", ["open-domain", "human-domain", "single-domain"])
def test_what_is_written_is_read_back(split, tmp_path):
    submission = make_submission(split)
    assert Submission.from_dict(json.loads(submission.to_json())) == submission
    assert load_submissions(write(tmp_path, submission)) == [submission]
    (tmp_path / "rows.jsonl").write_bytes(submission.to_json() + b"\n" + make_submission(split, 1).to_json())
    assert load_submissions(tmp_path / "rows.jsonl") == [submission, make_submission(split, 1)]


def test_plain_datasets_makes_one_table_of_published_and_measured_rows(tmp_path):
    measured = make_submission()
    provenance = {**measured.to_dict()["provenance"], "kind": "published", "packages": [], "models": []}
    published = replace(measured, model="Published", per_video={}, num_videos={}, provenance=provenance)
    write(tmp_path, measured, published, make_submission("human-domain"))
    head = {
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/**/*.json"}]}],
        "dataset_info": {"features": features_yaml()},
    }
    (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(head)}---\nresults\n")
    rows = load_dataset(str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    by_name = {(row["model"], row["split"]): row for row in rows}
    row = by_name["Model 0", "open-domain"]
    assert row["submitted_at"] == measured.submitted_at
    assert row["columns"] == pytest.approx(dict(measured.columns))
    values = {entry["id"]: entry for entry in row["per_video"]}
    assert values["singleobj_3"]["gmescore"] == measured.per_video["singleobj_3"]["gmescore"]
    assert values["singleface_3"]["nexusscore"] is None
    assert row["provenance"]["caveats"] == [{"metric": "naturalscore", "caveat": RUBRIC_CAVEAT}]
    assert by_name["Published", "open-domain"]["per_video"] == []
    assert by_name["Published", "open-domain"]["num_videos"]["gmescore"] is None
    assert by_name["Model 0", "human-domain"]["columns"]["nexusscore"] is None


def test_a_path_is_safe_and_says_what_it_holds():
    path = make_submission(model="VACE-14B (v2)").path
    assert path.startswith("data/open-domain/vace-14b-v2/20260101120000-")
    assert make_submission(model="可灵").path.startswith("data/open-domain/model/")
    hostile = make_submission(model="../../etc/passwd\x00", submitted_at="../../x 2026/01")
    assert hostile.path.startswith("data/open-domain/etc-passwd/202601-")
    assert make_submission(seed=1).path != make_submission(seed=2).path


def test_a_malformed_record_is_refused(tmp_path):
    with pytest.raises(ResultError, match=r"must contain results \(no file data/\*\*/\*\.json"):
        load_submissions(tmp_path)
    with pytest.raises(ResultError, match="cannot read results"):
        load_submissions(tmp_path / "none.jsonl")
    (tmp_path / "data").mkdir()
    for content, said in (
        ("{", r"data/x\.json .*\[not_json\]"),
        ("[]", r"data/x\.json .*it should be an object, not a list.*\[form\]"),
        ('{"format": 3}', r"data/x\.json [^$]*format: .*\[form\]"),
        (json.dumps({**make_submission().to_dict(), "format": "other"}), r"format: 'other' is unknown"),
        (json.dumps({**make_submission().to_dict(), "split": "all"}), r"split: 'all' is unknown"),
        (make_submission().to_json().decode().replace('"total": 0', '"total": NaN0', 1), r"\[not_finite\]"),
    ):
        (tmp_path / "data" / "x.json").write_text(content)
        with pytest.raises(ResultError, match=said):
            load_submissions(tmp_path)


def test_a_bad_file_is_skipped_with_on_error(tmp_path):
    write(tmp_path, make_submission())
    (tmp_path / "data" / "bad.json").write_text("{}")
    messages = []
    assert load_submissions(tmp_path, on_error=messages.append) == [make_submission()]
    assert len(messages) == 1
    assert "data/bad.json" in messages[0]


def test_an_unreachable_hub_raises():
    with pytest.raises(HubError, match=r"offline mode is on|cannot be reached"):
        load_submissions("org/no-such-results")


def test_a_submission_has_no_paths_of_the_machine():
    result = make_whole_result(missing=0)
    local = ModelInfo("embedder", "/home/me/models/gme-7b", "sha256:1", "float16", "cuda:0")
    options = {"judge": {"url": "http://10.0.0.7:8000/v1", "request": {"temperature": 0}}, "runs": 3}
    metrics = tuple(
        replace(m, models=(local,)) if m.name == "gmescore" else replace(m, options=options) for m in result.metrics
    )
    result = replace(
        result, metrics=metrics, benchmark={**result.benchmark, "source": "/home/me/eval"}, source="/home/me/videos"
    )
    submission = from_result(result, **ABOUT)
    assert b"/home" not in submission.to_json()
    assert b"10.0.0.7" not in submission.to_json()
    options = submission.provenance.options
    assert {entry.option: json.loads(entry.value) for entry in options if entry.metric == "naturalscore"} == {
        "judge": {"request": {"temperature": 0}},
        "runs": 3,
    }
    # the weights in the folder are unknown
    assert [problem.code for problem in validate_submission(submission)] == ["other_edition"]
    assert Submission.from_dict(json.loads(submission.to_json())) == submission
    assert submission.total == pytest.approx(make_submission().total)
    assert dict(submission.columns) == pytest.approx(dict(make_submission().columns))


def test_videos_from_the_hub_are_named():
    result = replace(make_whole_result(), source="hf://datasets/org/videos@c0ffee")
    submission = from_result(result, **ABOUT)
    assert submission.provenance.source == "hf://datasets/org/videos@c0ffee"
    assert submission.provenance.benchmark.source == "hf://datasets/BestWishYsh/OpenS2V-Eval@c0ffee"
    assert validate_submission(submission) == []


def test_strict_scoring_is_submitted_with_what_is_missing():
    result = make_whole_result("human-domain", missing=6)  # of 60
    submission = from_result(result, **ABOUT, scoring="strict")
    assert validate_submission(submission) == []
    whole = make_submission("human-domain")
    found = {i: v["gmescore"] for i, v in whole.per_video.items() if i in result.category_of}
    assert len(found) == 54
    assert submission.columns["gmescore"] == pytest.approx(sum(found.values()) / 60)


def test_a_result_without_a_total_is_no_submission():
    result = make_whole_result()
    with pytest.raises(ResultError, match="lacks the columns gmescore"):
        from_result(replace(result, metrics=tuple(m for m in result.metrics if m.name != "gmescore")), **ABOUT)
    with pytest.raises(ResultError, match="no split 'hard-case'"):
        from_result(replace(result, split="hard-case"), **ABOUT)


def test_the_caveat_that_every_result_has_is_the_rubrics():
    assert is_unavoidable("naturalscore", RUBRIC_CAVEAT)
    assert not is_unavoidable("gmescore", RUBRIC_CAVEAT)
    assert not is_unavoidable("naturalscore", "judged by another")


def test_the_schema_for_submitters_has_every_field_and_choice():
    schema = json_schema()
    record = make_submission().to_dict()
    assert list(schema["properties"]) == list(record)
    assert schema["required"] == list(record)
    assert schema["properties"]["split"]["enum"] == list(SPLITS)
    assert schema["properties"]["venue"]["enum"] == list(VENUES)
    assert list(PerColumn.model_fields) == list(record["columns"])
    assert schema["additionalProperties"] is False
    assert "null" in str(schema["$defs"]["VideoValues"]["properties"]["gmescore"])


def test_all_problems_of_the_form_are_in_one_error():
    record = make_submission().to_dict()
    record.pop("team")
    record |= {"venue": "Free", "extra": 1}
    record["columns"]["gmescore"] = "0.5"
    record["per_video"][7]["id"] = None
    with pytest.raises(SubmissionError) as refused:
        Submission.from_dict(record)
    assert {(problem.code, problem.where) for problem in refused.value.problems} == {
        ("form", "team"),
        ("unknown_value", "venue"),
        ("form", "extra"),
        ("form", "columns.gmescore"),
        ("form", "per_video[7].id"),
    }


def test_a_byte_order_mark_is_skipped_in_a_file_and_refused_in_the_dataset(tmp_path):
    submission = make_submission()
    write(tmp_path, submission)
    path = tmp_path / submission.path
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_submissions(tmp_path) == [submission]
    assert validate_file(path) == []
    (problem,) = validate_folder(tmp_path)[submission.path]  # plain `datasets` could not read it
    assert problem.code == "not_json"


def test_an_empty_source_is_refused(tmp_path, monkeypatch):
    write(tmp_path, make_submission())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="empty"):
        load_submissions("")
    with pytest.raises(ArgumentError, match="empty"):
        validate_file(Path(""))


def test_a_file_that_cannot_be_read_does_not_cost_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = make_submission("open-domain", 0)
    write(tmp_path, submission)
    (tmp_path / "data" / "bad.json").write_text("{}")
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "bad.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    messages: list[str] = []
    assert load_submissions(tmp_path, on_error=messages.append) == [submission]
    assert messages == [f"cannot read the result {tmp_path / 'data' / 'bad.json'}: Permission denied"]


@pytest.mark.parametrize("name", ["a" * 300, "file/inside", "loop"])
def test_what_is_no_path_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ResultError, match="cannot read results from"):
        load_submissions(tmp_path / name)
