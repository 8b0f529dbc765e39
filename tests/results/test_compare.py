import json
import math
from dataclasses import replace

import pytest
from helpers.results import make_result
from helpers.scorecards import full_result

from opens2v_hf.errors import ResultError
from opens2v_hf.results.compare import PromptDifference, compare_results
from opens2v_hf.results.compare_text import COMPANIONS_TITLE, format_comparison, summary
from opens2v_hf.results.generation import Generation
from opens2v_hf.scores.scorecard import COLUMNS


def test_a_better_model_differs_significantly_and_an_equal_one_does_not() -> None:
    better = compare_results(full_result("alpha", quality=0.6), full_result("beta", quality=0.45))
    assert all(difference.real for difference in better.differences)
    assert better.paired.total.difference == pytest.approx(0.15, abs=0.03)
    assert summary(better).startswith("alpha is better in Aesthetics, ")
    assert "alpha is ahead in the total by 1" in summary(better)
    alike = compare_results(full_result("alpha", seed=1), full_result("beta", seed=2))
    assert not alike.paired.total.real
    assert summary(alike) == "no column differs significantly; the total does not differ significantly."


def test_the_prompts_that_differ_most() -> None:
    a = make_result("a", (0.5, 0.9, 0.1, None, 0.4))
    b = make_result("b", (0.5, 0.2, 0.5, 0.9, 0.3))
    found = compare_results(a, b, top=3).prompts["gmescore"]
    # singleobj_1, faceobj_1, singleobj_2, faceobj_2 (failed in a), singleobj_3
    assert [(prompt.id, prompt.a, prompt.b) for prompt in found] == [
        ("faceobj_1", 0.9, 0.2),
        ("singleobj_2", 0.1, 0.5),
        ("singleobj_3", 0.4, 0.3),
    ]
    assert found[1].difference == pytest.approx(-0.4)


def test_exchanging_the_models_changes_only_signs() -> None:
    a, b = full_result("alpha", quality=0.55, failed=("singleobj_1",)), full_result("beta", absent=("faceobj_2",))
    there, back = compare_results(a, b), compare_results(b, a)
    assert there.paired.total.difference == -back.paired.total.difference
    assert [d.p_adjusted for d in there.differences] == [d.p_adjusted for d in back.differences]
    assert {n: [p.id for p in found] for n, found in there.prompts.items()} == {
        n: [p.id for p in found] for n, found in back.prompts.items()
    }
    assert (there.only_a, there.only_b) == (back.only_b, back.only_a) == (("faceobj_2",), ())


def test_strict_scoring_makes_failures_cost() -> None:
    failed = ("singleobj_1", "singleobj_2", "multiface_1", "humanobj_3")
    a, b = full_result("alpha", failed=failed), full_result("alpha", absent=failed)
    whole = full_result("beta")
    assert compare_results(a, whole).paired.columns["gmescore"].num_prompts == 28
    strict = compare_results(a, whole, scoring="strict").paired.columns["gmescore"]
    assert strict.num_prompts == 32
    assert strict.difference < compare_results(a, whole).paired.columns["gmescore"].difference
    # failing and not being there at all are worth the same
    assert compare_results(b, whole, scoring="strict").paired.columns["gmescore"] == strict
    unknown = replace(b, coverage=replace(b.coverage, applicable={}))
    for pair in ((unknown, whole), (whole, unknown)):
        with pytest.raises(ResultError, match="does not say which metrics apply"):
            compare_results(*pair, scoring="strict")


def test_results_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ResultError, match="'a' was scored on open-domain and 'b' on human-domain"):
        compare_results(full_result("a"), full_result("b", split="human-domain"))
    with pytest.raises(ResultError, match="no column and prompt in common"):
        compare_results(make_result("a"), make_result("b", metric="naturalscore"))
    with pytest.raises(ResultError, match="no split of the leaderboard"):
        compare_results(replace(make_result("a"), split="hard-case"), replace(make_result("b"), split="hard-case"))


def test_differences_in_how_results_were_made_are_warned_of() -> None:
    a, b = full_result("a"), full_result("b", options={"num_frames": 8})
    other = replace(b.metrics[0], models=(replace(b.metrics[0].models[0], name="org/other", device="cuda:0"),))
    b = replace(b, metrics=(other, *b.metrics[1:-2]), benchmark={"sha256": "1" * 64})
    warnings = compare_results(a, b).warnings
    assert warnings[0].startswith("the prompt files differ")
    assert "both results are of the very same video files" in warnings
    model = "org/some-model@c0ffeec0ffee (float32)"
    assert (
        f"Aesthetics was made with another embedder: {model} against {model.replace('some-model', 'other')}" in warnings
    )
    assert "Aesthetics was made with other options: num_frames None against 8" in warnings
    assert "only the result of 'a' has NaturalScore" in warnings


def test_another_device_gives_no_warning() -> None:
    a, b = full_result("a", per_prefix=6), full_result("b", per_prefix=6)
    b = replace(
        b,
        metrics=tuple(replace(m, models=tuple(replace(i, device="cuda:1") for i in m.models)) for m in b.metrics),
        videos=tuple(replace(video, sha256="cd" * 32) for video in b.videos),
    )
    assert compare_results(a, b).warnings == ()


def test_few_prompts_are_warned_of() -> None:
    warnings = compare_results(full_result("a"), full_result("b")).warnings
    assert "fewer than 20 prompts, so that p is somewhat too small: FaceSim (16)" in warnings


def test_prompts_count_with_their_mean_over_seeds() -> None:
    made = Generation("diffusers", "org/a", None, None, None, {}, True, (), {}, 42, "fail", seeds=(42, 43))
    first, b = make_result("a", (0.4, 0.6, 0.5)), make_result("b", (0.5, 0.5, 0.5))
    second = {"gmescore": {"singleobj_1": 0.6, "faceobj_1": 0.8, "singleobj_2": None}}
    a = replace(first, generation=made, other_seeds={43: second})
    found = compare_results(a, b, top=1)
    column = found.paired.columns["gmescore"]
    # The prompts' means are 0.5, 0.7 and 0.5, those of b 0.5: differences 0, 0.2 and 0. Of the 27 draws of three, 8
    # lack the second prompt and one is the second alone, so that 2.5 % and 97.5 % lie at 0 and 0.2.
    assert (column.a, column.b, column.num_prompts) == (pytest.approx(1.7 / 3), pytest.approx(0.5), 3)
    assert column.interval == pytest.approx((0.0, 0.2))
    assert found.prompts["gmescore"] == (PromptDifference("faceobj_1", 0.7, 0.5, pytest.approx(0.2)),)
    assert (found.seeds_a, found.seeds_b, found.to_dict()["seeds_a"]) == ((42, 43), (), [42, 43])
    assert "(42, 43 and unknown)" in format_comparison(found)
    assert "seeds" not in format_comparison(compare_results(first, b))
    # by strict scoring the video that seed 43 lacks counts as 0: 0.5, 0.7 and 0.25
    known = [replace(r, coverage=replace(r.coverage, missing=())) for r in (a, b)]
    assert compare_results(*known, scoring="strict").paired.columns["gmescore"].a == pytest.approx(1.45 / 3)


def test_the_text_of_a_comparison_has_every_part() -> None:
    a, b = full_result("alpha", quality=0.6), full_result("beta", absent=("singleobj_1",), metrics=("gmescore",))
    text = format_comparison(compare_results(a, b, top=2))
    for words in (
        "alpha against beta on open-domain",
        "Total*",
        "no total: not both have Aesthetics",
        "corrected by Holm's method",
        "only alpha has a video for 1 samples: singleobj_1",
        "warning: only the result of 'alpha' has NaturalScore",
    ):
        assert words in text
    assert text.count("GmeScore  ") == 3  # its line, and two prompts


def test_one_prompt_is_too_few() -> None:
    text = format_comparison(compare_results(make_result("a", (0.5,)), make_result("b", (0.9,))))
    assert text.count("too few prompts") == 2


def test_a_comparison_is_json() -> None:
    comparison = compare_results(full_result("alpha", quality=0.6), full_result("beta"))
    record = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert record["total"]["real"] is True
    assert record["columns"]["gmescore"]["difference"] == comparison.paired.columns["gmescore"].difference
    assert len(record["prompts"]["gmescore"]) == 5


COMPANIONS = (*COLUMNS, "nexusscore_coverage", "facesim_multi", "motion_amplitude_magnitude")


def test_companion_metrics_are_compared_without_changing_the_total() -> None:
    pair = [full_result(name, quality=q, metrics=COMPANIONS) for name, q in (("alpha", 0.6), ("beta", 0.45))]
    plain = [full_result(name, quality=q, metrics=tuple(COLUMNS)) for name, q in (("alpha", 0.6), ("beta", 0.45))]
    found, without = compare_results(*pair), compare_results(*plain)
    assert list(found.companions) == list(COMPANIONS[7:])
    assert without.companions == {}
    values = [[s.value for s in r.metric("nexusscore_coverage").scores.values() if s.value is not None] for r in pair]
    means = [math.fsum(of_model) / len(of_model) for of_model in values]
    coverage = found.companions["nexusscore_coverage"]
    assert (coverage.a, coverage.b) == pytest.approx(means)
    assert coverage.num_prompts == 28  # singleface has no NexusScore
    assert list(found.paired.columns) == list(COLUMNS)
    assert found.paired.total.num_prompts == without.paired.total.num_prompts
    text = format_comparison(found)
    beside = text[text.index(COMPANIONS_TITLE) :]
    assert "alpha is higher" in beside[: beside.index("alpha is better")]
    assert json.loads(json.dumps(found.to_dict()))["companions"]["facesim_multi"]["real"] is True


def test_only_companion_metrics_of_both_are_compared() -> None:
    a, b = full_result("a", metrics=COMPANIONS), full_result("b", metrics=COMPANIONS[:8])
    found = compare_results(a, b)
    assert list(found.companions) == ["nexusscore_coverage"]
    assert "only the result of 'a' has facesim_multi" in found.warnings
    changed = replace(b, metrics=(*b.metrics[:-1], replace(b.metrics[-1], options={"sampling": "linspace-8"})))
    assert (
        "nexusscore_coverage was made with other options: sampling 'linspace-32' against 'linspace-8'"
        in compare_results(a, changed).warnings
    )


def test_results_with_companions_alone_are_compared() -> None:
    found = compare_results(*(full_result(name, metrics=("facesim_multi",)) for name in ("a", "b")))
    assert (found.paired.columns, found.paired.total) == ({}, None)
    text = format_comparison(found)
    assert "facesim_multi" in text
    assert "no column is common to both." in text
    assert "Total" not in text


def test_nexusscore_is_a_companion_metric_in_human_domain() -> None:
    found = compare_results(*(full_result(name, split="human-domain", metrics=tuple(COLUMNS)) for name in ("a", "b")))
    assert "nexusscore" not in found.paired.columns
    assert list(found.companions) == ["nexusscore"]
    assert not any("only the result" in warning for warning in found.warnings)


def test_two_models_of_one_name_get_different_names() -> None:
    found = compare_results(
        full_result("videos", quality=0.6), full_result("videos", quality=0.45, absent=("faceobj_1",))
    )
    assert (found.a, found.b) == ("videos (A)", "videos (B)")
    assert summary(found).startswith("videos (A) is better in ")
    assert "only videos (A) has a video for" in format_comparison(found)
