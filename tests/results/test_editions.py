"""Editions: the frozen records, what is of which, and that boards never mix them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.submissions import make_submission, make_whole_result
from helpers.submissions import replace as changed

from opens2v_hf.cli import main
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.leaderboard.rows import OTHER_EDITION, make_board
from opens2v_hf.leaderboard.submissions.from_result import make_submission as from_result
from opens2v_hf.leaderboard.submissions.record import Submission, load_submissions
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.leaderboard.submit import Details, check_upload
from opens2v_hf.metrics.naturalscore import edition_caveat
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.editions import judge_edition
from opens2v_hf.models.roles import ROLES
from opens2v_hf.results import editions
from opens2v_hf.results.editions import edition
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.scorecard import SPLITS, VERSIONS, weights

COMMIT = "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b"
ABOUT = {
    "model": "Rocket",
    "team": "Some Team",
    "venue": "Open-Source",
    "submitted_by": "org",
    "model_id": "org/rocket",
}


def open_result(**changes: object) -> RunResult:
    """A whole result whose NaturalScore is the open judge's."""
    frozen = judge_edition("naturalscore-open-1")
    result = make_whole_result()
    options = {
        "edition": frozen.name, "edition_sha256": frozen.sha256, "protocol": "full", "runs": 1, "long_side_px": 512,
        "sampling": "linspace-16", **changes,
    }  # fmt: skip
    natural = result.metric("naturalscore")
    judged = replace(
        natural,
        options=options,
        models=(ModelInfo("judge", "Qwen/Qwen3-VL-8B-Instruct", COMMIT, "bfloat16", "cuda:0"),),
        caveats=(edition_caveat(frozen.name),),
    )
    return replace(result, metrics=tuple(judged if one is natural else one for one in result.metrics))


def test_records_are_frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # to change a record is to make another edition: these checksums are never edited
    assert editions.SHA256 == {
        "v1.1": "6bc7c96dfc4f09db90292c3250dd8c6e42763b7b2085cba5957f0127a03e086d",
        "v1.0": "8f41ecd41f3ec4985150c1c86b0957d4bd66d79e4c40a874dbbf64a129252e09",
        "v1.2-open": "306eaa6ef986115b6995194575c44e7ed419504b97e5bb7b340d150a8204467a",
    }
    for name, checksum in editions.SHA256.items():
        text = (Path(editions.__file__).with_name("frozen") / f"{name}.json").read_text()
        canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(canonical.encode()).hexdigest() == checksum
        (tmp_path / f"{name}.json").write_text(text.replace("0.24", "0.25"))
    editions._read.cache_clear()
    monkeypatch.setattr(editions, "_FOLDER", tmp_path)
    with pytest.raises(ResultError, match="was changed"):
        edition("v1.1")
    editions._read.cache_clear()
    with pytest.raises(ArgumentError, match="no edition 'v9'"):
        edition("v9")
    with pytest.raises(ArgumentError, match="name must be a text"):
        edition(["v1.1"])  # type: ignore[arg-type]


def test_records_say_what_the_package_does() -> None:
    assert tuple(editions.SHA256) == VERSIONS
    for version in VERSIONS:
        frozen = edition(version)
        assert frozen.weights == {split: weights(version, split) for split in SPLITS}
    models = {role: model.name for column in edition("v1.1").columns.values() for role, model in column.models.items()}
    assert models == {role: ROLES[role].released for role in models}
    judge = judge_edition("naturalscore-open-1")
    natural = edition("v1.2-open").columns["naturalscore"]
    assert natural.options["edition_sha256"] == judge.sha256
    assert natural.prompt_sha256 == hashlib.sha256(judge.prompt.encode()).hexdigest()
    assert natural.models["judge"].revision == COMMIT


def test_a_judge_of_one_edition_fills_no_column_of_another() -> None:
    released, by_open = make_whole_result(), open_result()
    assert released.scorecard(version="v1.1").total is not None
    assert released.scorecard(version="v1.2-open").missing_columns == ("naturalscore",)
    assert by_open.scorecard(version="v1.1").missing_columns == ("naturalscore",)
    assert by_open.scorecard(version="v1.0").total is None
    # the same values under the same weights
    assert by_open.scorecard(version="v1.2-open").total == released.scorecard(version="v1.1").total


def test_results_say_which_edition_they_are_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released = make_whole_result().save(tmp_path / "released.json")
    by_open = open_result().save(tmp_path / "open.json")
    stored = json.loads(by_open.read_text())
    assert stored["editions"]["v1.2-open"] == {"sha256": editions.SHA256["v1.2-open"], "differences": []}
    assert "the judge is Qwen/Qwen3-VL-8B-Instruct" in " ".join(stored["editions"]["v1.1"]["differences"])
    assert stored["scorecard"]["released"]["version"] == "v1.2-open"
    assert main(["editions", str(released), str(by_open)]) == 0
    said = capsys.readouterr().out
    assert f"{released}: of v1.1, v1.0" in said
    assert f"{by_open}: of v1.2-open" in said
    embedded = make_whole_result(embedded=True).save(tmp_path / "embedded.json")
    assert main(["editions", str(embedded), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)[str(embedded)]["v1.1"]) == 6, (
        "all but MotionAmplitude, which has none"
    )
    assert main(["editions"]) == 0
    said = capsys.readouterr().out
    assert f"judge Qwen/Qwen3-VL-8B-Instruct @ {COMMIT}" in said
    assert all(checksum in said for checksum in editions.SHA256.values())


def submitted(result: RunResult, version: str, **about: str) -> Submission:
    return from_result(result, version=version, **{**ABOUT, **about})


def test_boards_never_mix_editions() -> None:
    by_open = submitted(open_result(), "v1.2-open")
    measured = make_submission(seed=1)
    published = load_submissions(Path(__file__).resolve().parents[2] / "dataset_scripts" / "opens2v-results")
    everything = [by_open, measured, *published]
    boards = {version: make_board(everything, split="open-domain", version=version) for version in VERSIONS}
    assert [row.name for row in boards["v1.2-open"].rows] == ["Rocket"]
    for version in ("v1.1", "v1.0"):
        names = [row.name for row in boards[version].rows]
        assert measured.model in names
        assert "Rocket" not in names
        assert boards[version].left_out[OTHER_EDITION] == 1


def test_submissions_are_held_against_their_edition(tmp_path: Path) -> None:
    assert validate_submission(submitted(open_result(), "v1.2-open")) == []
    claims = changed(make_submission(), version="v1.2-open", edition=editions.SHA256["v1.2-open"])
    codes = [problem.code for problem in validate_submission(claims)]
    assert set(codes) == {"other_edition"}
    other = changed(make_submission(), edition="0" * 64)
    assert [problem.code for problem in validate_submission(other)] == ["edition"]
    details = Details("Rocket", "Team", "Open-Source", model_id="org/rocket", submitted_by="org")
    uploaded = check_upload(open_result().save(tmp_path / "open.json"), details, [])
    assert uploaded.submission is not None
    assert (uploaded.submission.version, uploaded.problems) == ("v1.2-open", ())
    with pytest.raises(ResultError, match="lacks the columns naturalscore"):
        submitted(open_result(), "v1.1")
