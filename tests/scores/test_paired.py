import math
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.paired import compare_companions, compare_values, holm
from opens2v_hf.scores.scorecard import COLUMNS


def _model(seed: int, *, shift: float = 0.0, count: int = 60, noise: float = 0.05) -> dict[str, float]:
    """GmeScores of prompts that are as hard for one model as for another, with noise of the model's own."""
    prompts, own = random.Random(0), random.Random(seed)
    return {f"a_{i}": 0.5 + prompts.gauss(0, 0.15) + shift + own.gauss(0, noise) for i in range(count)}


def test_means_and_difference_over_the_prompts_that_both_have() -> None:
    a = {"gmescore": {"x": 0.6, "y": 0.8, "only_a": 0.0, "failed": None}}
    b = {"gmescore": {"x": 0.5, "y": 0.6, "only_b": 1.0, "failed": 0.9}}
    found = compare_values(a, b, split="open-domain").columns["gmescore"]
    assert (found.a, found.b, found.difference) == pytest.approx((0.7, 0.55, 0.15))
    assert found.num_prompts == 2
    # the differences are 0.1 and 0.2: two draws of two give 0.1, 0.15 (twice) and 0.2
    assert found.interval == pytest.approx((0.1, 0.2))
    assert found.p == 0.5  # all resamples are above 0, but two prompts never say more than 2^(1 - 2)


def test_strict_comparison_counts_what_failed_as_the_worst() -> None:
    a = {"gmescore": {"x": 0.6, "y": 0.8, "failed": None}}
    b = {"gmescore": {"x": 0.5, "y": 0.6, "failed": 0.9}}
    found = compare_values(a, b, split="open-domain", scoring="strict").columns["gmescore"]
    assert (found.a, found.b) == pytest.approx((1.4 / 3, 2.0 / 3))
    assert found.num_prompts == 3


def test_nexusscore_leaves_out_each_models_own_zeros_as_released() -> None:
    a = {"nexusscore": {"x": 0.0, "y": 0.02, "z": 0.04}}
    b = {"nexusscore": {"x": 0.05, "y": 0.01, "z": 0.0}}
    released = compare_values(a, b, split="open-domain").columns["nexusscore"]
    assert (released.a, released.b) == pytest.approx((0.6, 0.6))  # (.4 + .8) / 2, (1 + .2) / 2
    strict = compare_values(a, b, split="open-domain", scoring="strict").columns["nexusscore"]
    assert (strict.a, strict.b) == pytest.approx((0.4, 0.4))
    nothing = compare_values(a, {"nexusscore": {"x": 0.0, "y": 0.0}}, split="open-domain")
    assert nothing.columns == {}
    assert nothing.total is None


def test_pairing_finds_what_the_spread_of_prompts_would_hide() -> None:
    a, b = _model(1, shift=0.015), _model(2)
    found = compare_values({"gmescore": a}, {"gmescore": b}, split="open-domain").columns["gmescore"]
    differences = [a[i] - b[i] for i in a]
    mean = math.fsum(differences) / 60
    error = math.sqrt(math.fsum((d - mean) ** 2 for d in differences)) / 60
    assert found.interval == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.15 * error)
    assert found.real
    # the two models by themselves: each mean is unsure by more than the difference
    spread = math.sqrt(math.fsum((v - math.fsum(a.values()) / 60) ** 2 for v in a.values())) / 60
    assert 1.96 * spread > found.difference


def test_equal_models_differ_significantly_about_as_often_as_promised() -> None:
    pairs = [(_model(2 * k, count=40), _model(2 * k + 1, count=40)) for k in range(300)]
    found = [
        compare_values({"gmescore": a}, {"gmescore": b}, split="open-domain", num_resamples=500).columns["gmescore"]
        for a, b in pairs
    ]
    share = sum(d.real for d in found) / len(found)
    assert 0.02 < share < 0.09  # 0.05 is promised; three standard errors are 0.038


def test_p_agrees_with_every_resample_counted() -> None:
    """Seven prompts have 7^7 resamples: the share on the rarer side of 0, exactly."""
    differences = [0.3, 0.2, 0.15, 0.1, -0.05, -0.1, -0.12]
    a = {f"x_{i}": 0.5 + d for i, d in enumerate(differences)}
    b = {f"x_{i}": 0.5 for i in range(7)}
    sums = [math.fsum(drawn) for drawn in product([30, 20, 15, 10, -5, -10, -12], repeat=7)]
    exact = 2 * min(sum(s <= 0 for s in sums), sum(s >= 0 for s in sums)) / len(sums)
    found = compare_values({"gmescore": a}, {"gmescore": b}, split="open-domain").columns["gmescore"]
    assert found.p == pytest.approx(exact, abs=3 * math.sqrt(exact / 10_000) * 2)


def test_the_total_weighs_the_columns_both_have() -> None:
    a = {"gmescore": {"x": 0.6, "y": 0.6}, "naturalscore": {"x": 5.0, "y": 5.0}, "aesthetics": {"x": 5.0}}
    b = {"gmescore": {"x": 0.5, "y": 0.5}, "naturalscore": {"x": 3.0, "y": 3.0}}
    found = compare_values(a, b, split="open-domain")
    assert list(found.columns) == ["gmescore", "naturalscore"]
    # .12 and .24 of the weight: (.12 .6 + .24 1) / .36 against (.12 .5 + .24 .5) / .36
    assert found.total is not None
    assert (found.total.a, found.total.b) == pytest.approx((0.312 / 0.36, 0.5))
    assert found.total.num_prompts == 2
    assert found.partial
    assert found.missing_columns == ("aesthetics", "motion_smoothness", "motion_amplitude", "facesim_cur", "nexusscore")


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never below one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_columns_are_corrected_and_the_total_is_not() -> None:
    a = {
        name: {i: c.low + (c.high - c.low) * v for i, v in _model(7, shift=0.025).items()}
        for name, c in COLUMNS.items()
    }
    b = {name: {i: c.low + (c.high - c.low) * v for i, v in _model(8).items()} for name, c in COLUMNS.items()}
    found = compare_values(a, b, split="open-domain")
    raw = [d.p for d in found.columns.values()]
    assert [d.p_adjusted for d in found.columns.values()] == pytest.approx(holm(raw))
    assert max(raw) < max(d.p_adjusted for d in found.columns.values())
    assert found.total.p_adjusted == found.total.p
    assert not found.partial


def test_one_prompt_or_none_has_no_interval() -> None:
    one = compare_values({"gmescore": {"x": 0.9}}, {"gmescore": {"x": 0.1}}, split="open-domain")
    assert one.columns["gmescore"].interval is None
    assert one.columns["gmescore"].p is None
    assert not one.columns["gmescore"].real
    nothing = compare_values({"gmescore": {"x": 0.9}}, {"gmescore": {"y": 0.1}}, split="open-domain")
    assert nothing.columns == {}
    assert compare_values({}, {}, split="human-domain").total is None


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no split 'night'"):
        compare_values({}, {}, split="night")


_CELL = st.one_of(st.none(), st.floats(0, 6, allow_nan=False))
_TABLE = st.fixed_dictionaries({name: st.dictionaries(st.sampled_from("uvwxyz"), _CELL) for name in COLUMNS})


@settings(max_examples=60, deadline=None)
@given(_TABLE, _TABLE, st.sampled_from(["released", "strict"]))
def test_both_directions_say_the_same(a: dict, b: dict, scoring: str) -> None:
    there = compare_values(a, b, split="open-domain", scoring=scoring, num_resamples=200)
    back = compare_values(b, a, split="open-domain", scoring=scoring, num_resamples=200)
    assert there.missing_columns == back.missing_columns
    assert list(there.columns) == list(back.columns)
    pairs = [(there.columns[name], back.columns[name]) for name in there.columns]
    for one, other in [*pairs, (there.total, back.total)] if there.total else pairs:
        assert (one.a, one.b, one.difference) == (other.b, other.a, -other.difference)
        assert (one.p, one.p_adjusted, one.num_prompts) == (other.p, other.p_adjusted, other.num_prompts)
        if one.interval:
            assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-12)


def test_companion_metrics_are_compared_in_their_own_units() -> None:
    """Values are not clipped to a range, and only prompts that both have a value for count."""
    a = {"own": {"x": 3.0, "y": -1.0, "failed": None, "only_a": 9.0}, "a_alone": {"x": 1.0}}
    b = {"own": {"x": 1.0, "y": -2.0, "failed": 0.5}, "b_alone": {"x": 1.0}, "apart": {"z": 1.0}}
    found = compare_companions(a | {"apart": {"x": 1.0}}, b)
    assert list(found) == ["own"]
    own = found["own"]
    assert (own.a, own.b, own.difference) == (1.0, -0.5, 1.5)
    # the differences are 2 and 1: two draws of two give 1, 1.5 (twice) and 2
    assert own.interval == (1.0, 2.0)
    assert (own.p, own.num_prompts) == (0.5, 2)


def test_companion_metrics_are_corrected_as_a_family_of_their_own() -> None:
    a = {"one": _model(3, shift=0.013), "two": _model(4, shift=0.012)}
    b = {"one": _model(5), "two": _model(6)}
    found = compare_companions(a, b)
    raw = [found[name].p for name in ("one", "two")]
    assert 0 < min(raw) < 0.5
    lower, higher = sorted(raw)
    assert sorted(d.p_adjusted for d in found.values()) == pytest.approx(
        [min(1.0, 2 * lower), max(min(1.0, 2 * lower), higher)]
    )
    # more of them take nothing from what is said of one
    assert compare_companions({"one": a["one"]}, b)["one"].p == found["one"].p
    back = compare_companions(b, a)
    assert [d.difference for d in back.values()] == [-d.difference for d in found.values()]
