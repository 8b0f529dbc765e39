import json
import os
from dataclasses import replace
from html import escape as html_escape
from pathlib import Path

import pytest
from helpers.results import make_result
from helpers.scorecards import full_result

import opens2v_hf
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.leaderboard.submissions.from_result import make_submission
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.results.comparability import Allowed, check_comparable
from opens2v_hf.results.compare import compare_results
from opens2v_hf.results.compare_text import format_comparison
from opens2v_hf.results.result import PARTIAL_NOTE, Coverage, RunResult, notes, write_json


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


def test_what_stands_beside_the_columns_has_no_part_in_their_being_comparable() -> None:
    (column,) = make_result().metrics
    beside = replace(column, name="nexusscore_coverage", caveats=("the variant 'coverage'",))
    assert replace(make_result(), metrics=(column, beside)).comparable
    assert not replace(make_result(), metrics=(replace(column, caveats=("other",)), beside)).comparable
    assert not replace(make_result(), metrics=(beside,)).comparable


def test_asking_for_a_metric_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ResultError, match=r"no 'nexusscore'.*gmescore"):
        make_result().metric("nexusscore")


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


def test_the_scorecard_of_a_file_is_computed_anew(tmp_path: Path) -> None:
    result = full_result()
    record = json.loads(result.save(tmp_path / "r.json").read_text())
    assert record["scorecard"]["released"]["total"] == pytest.approx(result.scorecard().total)
    record["scorecard"]["released"]["total"] = 0.99
    write_json(tmp_path / "r.json", record)
    assert RunResult.load(tmp_path / "r.json").scorecard() == result.scorecard()


def test_columns_come_from_the_metrics_of_their_name_and_categories_from_the_paper() -> None:
    result = make_result(values=(0.25, 0.75, None))
    card = result.scorecard()
    assert card.columns["gmescore"].normalised == pytest.approx(0.5)
    # singleobj_1 has 0.25, singleobj_2 failed; faceobj_1 has 0.75 and is of the category human-entity
    categories = card.columns["gmescore"].by_category
    assert categories["single-entity-to-video"].normalised == pytest.approx(0.25)
    assert categories["single-entity-to-video"].num_missing == 1
    assert categories["human-entity-to-video"].normalised == pytest.approx(0.75)
    assert card.total is None


@pytest.mark.parametrize(
    ("variants", "raw"),
    [
        ({"nexusscore": "released", "nexusscore_coverage": "coverage"}, 0.01),
        ({"nexusscore": "coverage", "nexusscore_released": "released"}, 0.02),
        ({"nexusscore": "coverage"}, None),
        ({"nexusscore": "v1.0"}, None),
    ],
)
def test_the_column_of_nexusscore_takes_the_released_definition_alone(
    variants: dict[str, str], raw: float | None
) -> None:
    metrics = tuple(
        replace(make_result(values=(number / 100,), metric=name).metrics[0], options={"variant": variant})
        for number, (name, variant) in enumerate(variants.items(), start=1)
    )
    column = replace(make_result(values=(0.5,)), metrics=metrics).scorecard().columns["nexusscore"]
    assert column.raw == pytest.approx(raw)


def test_another_definition_of_motion_does_not_fill_its_column() -> None:
    metric = replace(make_result(values=(0.5,), metric="motion_amplitude").metrics[0], options={"variant": "magnitude"})
    card = replace(make_result(values=(0.5,)), metrics=(metric,)).scorecard()
    assert card.columns["motion_amplitude"].normalised is None


def test_strict_scoring_counts_videos_that_are_not_there() -> None:
    result = make_result(values=(0.25, 0.75, None))  # humanobj_1 has no video
    with pytest.raises(ResultError, match="does not say which metrics apply"):
        result.scorecard(scoring="strict")
    assert result.to_dict()["scorecard"]["strict"] is None
    applicable = {"gmescore": ("singleobj_1", "faceobj_1", "singleobj_2", "humanobj_1")}
    known = replace(result, coverage=replace(result.coverage, applicable=applicable))
    strict = known.scorecard(scoring="strict").columns["gmescore"]
    assert strict.normalised == pytest.approx(1.0 / 4)
    assert strict.num_missing == 2
    assert strict.by_category["human-entity-to-video"].normalised == pytest.approx(0.75 / 2)
    assert known.scorecard().columns["gmescore"].num_missing == 2


def test_a_split_without_a_leaderboard_has_no_scorecard() -> None:
    result = replace(make_result(), split="hard-case")
    assert result.to_dict()["scorecard"] == {"released": None, "strict": None}
    with pytest.raises(ArgumentError, match="hard-case"):
        result.scorecard()


def test_a_result_as_a_data_frame() -> None:
    frame = make_result(values=(0.25, 0.75, None)).to_pandas()
    assert list(frame.index) == ["singleobj_1", "faceobj_1", "singleobj_2", "humanobj_1"]
    assert frame["gmescore"].mean() == 0.5
    assert frame.loc["singleobj_2", "gmescore_status"] == "failed"
    assert frame.loc["singleobj_2", "gmescore_reason"] == "broken file"
    assert frame.loc["humanobj_1", "gmescore_status"] == "missing"
    assert frame.loc["humanobj_1", "category"] == "humanobj"
    assert frame["gmescore"].dtype == float
    empty = replace(make_result(values=()), coverage=Coverage(0, 0, (), ()))
    assert list(empty.to_pandas().columns)[:2] == ["category", "file"]


def test_a_push_goes_to_the_hub_as_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = make_result()
    asked: list[tuple[object, ...]] = []

    def push_result(*args: object, **options: object) -> str:
        asked.append((*args, options))
        return "a proposal"

    monkeypatch.setattr("opens2v_hf.hub.push.push_result", push_result)
    file = result.save(tmp_path / "open-domain.json")
    for given in (result, file, str(tmp_path)):
        assert opens2v_hf.push(given, "org/name", dry_run=True, scoring="strict") == "a proposal"
    assert asked == [(result, "org/name", {"direct": False, "dry_run": True, "scoring": "strict"})] * 3


def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(ResultError, match="is no file; name another"):
            write_json(place, {})
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_repr_is_short_whatever_a_result_holds() -> None:
    result = full_result("a" * 1000)
    assert len(repr(result)) < 400
    assert "32/32 videos" in repr(result)
    assert all(len(repr(metric)) < 120 for metric in result.metrics)
    hostile = replace(make_result("a\x1b[2J\nb"), split="open-domain")
    assert repr(hostile).startswith("<RunResult of 'a\\x1b[2J\\nb' on open-domain: 3/4 videos")
    comparison = compare_results(full_result("alpha"), full_result("beta", seed=2))
    assert len(repr(comparison)) < 400
    assert str(comparison) == format_comparison(comparison)


def test_a_notebook_shows_the_scorecard() -> None:
    result = replace(make_result("<b>x</b>", (0.25, 0.75), embedded=True))
    html = result._repr_html_()
    assert "<td>GmeScore</td><td>50.00</td>" in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>" not in html
    assert html_escape(EMBEDDED_NOTE) in html


def test_a_part_of_a_split_is_never_comparable_nor_pushed(tmp_path: Path) -> None:
    whole = make_result()
    part = replace(whole, benchmark={**whole.benchmark, "subset": "3 of 180 samples (limit 3)"})
    assert whole.comparable
    assert not part.comparable
    assert notes([part]) == [PARTIAL_NOTE]
    assert ", partial, not comparable; metrics: gmescore" in repr(part)
    again = RunResult.load(part.save(tmp_path / "open-domain.partial.json"))
    assert again.is_partial
    assert not again.comparable
    allowed = Allowed(partial=True, embedded=True, not_comparable=True)
    with pytest.raises(ResultError, match="only some samples of the split were scored"):
        check_comparable(part, part.scorecard(), allowed)
    full = full_result()
    part = replace(full, benchmark={**full.benchmark, "subset": "32 of 180 samples (limit 32)"})
    with pytest.raises(ResultError, match="only some samples of the split were scored"):
        make_submission(part, model="a", team="t", venue="Open-Source", submitted_by="me")
    warnings = compare_results(part, full).warnings
    assert any("is about 32 of 180 samples (limit 32)" in warning for warning in warnings)
