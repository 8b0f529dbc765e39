"""Results that are refused unless an exception is allowed."""

from dataclasses import replace

import pytest
from helpers.submissions import make_whole_result

from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.comparability import Allowed, check_comparable, public_caveats, public_name
from opens2v_hf.scores.outcome import VideoScore


def check(result, scoring="released", version="v1.1", has_protocol=False, **allowed):
    card = result.scorecard(scoring=scoring, version=version)
    check_comparable(result, card, Allowed(**allowed), has_protocol=has_protocol)


def without(result, column):
    return replace(result, metrics=tuple(metric for metric in result.metrics if metric.name != column))


def with_failure(result, column):
    metrics = tuple(
        replace(m, scores={**m.scores, "singleface_1": VideoScore.failed("broken")}) if m.name == column else m
        for m in result.metrics
    )
    return replace(result, metrics=metrics)


def with_caveat(result):
    first, *rest = result.metrics
    info = ModelInfo("aesthetic_encoder", "/home/me/clip")
    caveat = "made with the aesthetic_encoder /home/me/clip; the leaderboard's is another"
    return replace(result, metrics=(replace(first, models=(info,), caveats=(caveat,)), *rest))


def test_a_whole_result_of_the_released_models_is_pushed():
    for split in ("open-domain", "human-domain", "single-domain"):
        check(make_whole_result(split))


@pytest.mark.parametrize(
    ("result", "said", "option"),
    [
        (make_whole_result(missing=3), "3 of 180 samples have no video", "partial"),
        (without(make_whole_result(), "gmescore"), "lacks the columns gmescore", "partial"),
        (with_failure(make_whole_result(), "gmescore"), "1 videos have no GmeScore", "partial"),
        (make_whole_result(embedded=True), "embedded models", "embedded"),
        (with_caveat(make_whole_result()), "nexusscore: made with the aesthetic_encoder clip;", "not_comparable"),
        (replace(make_whole_result(), benchmark={"sha256": "0"}), "prompts are not the released", "not_comparable"),
    ],
)
def test_what_the_leaderboard_would_show_for_what_it_is_not_is_refused(result, said, option):
    with pytest.raises(ResultError, match=said) as refused:
        check(result)
    assert f"(`allow_{option}=True`)" in str(refused.value)
    assert all(option not in str(problem) or problem.code == option for problem in refused.value.problems)
    check(result, **{option: True})


def test_a_face_that_was_not_found_is_no_failure_as_released():
    check(with_failure(make_whole_result(), "facesim_cur"))


def test_strict_scoring_has_counted_failures():
    check(with_failure(make_whole_result(), "gmescore"), scoring="strict", has_protocol=True)


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"version": "v1.0"}, r"by the weights of v1\.0, the leaderboard's by those of v1\.1"),
        ({"scoring": "strict"}, "it is scored strict, the leaderboard released"),
    ],
)
def test_another_protocol_is_pushed_where_it_is_told_from_the_leaderboards(protocol, said):
    with pytest.raises(ResultError, match=rf"{said} \(`allow_not_comparable=True`\)"):
        check(make_whole_result(), **protocol)
    check(make_whole_result(), **protocol, not_comparable=True)
    check(make_whole_result(), **protocol, has_protocol=True)


def test_no_column_at_all_is_never_pushed():
    result = make_whole_result()
    with pytest.raises(ResultError, match="no column of the leaderboard"):
        check(replace(result, metrics=()), partial=True, embedded=True, not_comparable=True)


def test_folders_of_this_machine_are_not_told():
    assert public_name(ModelInfo("embedder", "./gme-7b/")) == "gme-7b"
    assert public_name(ModelInfo("embedder", "C:\\models\\gme-7b")) == "gme-7b"
    assert public_name(ModelInfo("judge", "openai:gpt-4o-2024-11-20")) == "openai:gpt-4o-2024-11-20"
    (metric, *_) = with_caveat(make_whole_result()).metrics
    assert public_caveats(metric) == ("made with the aesthetic_encoder clip; the leaderboard's is another",)
