"""Copied submissions: changed values do not hide where they are from, and honest models are left alone."""

import math
import random
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.submissions import RANGES, columns_of, make_submission, replace, weights_of

from opens2v_hf.data.benchmark.ids import split_ids
from opens2v_hf.leaderboard.submissions.checking import validate_folder
from opens2v_hf.leaderboard.submissions.validation.copies import (
    COPIED_RANKS,
    HONEST_CORRELATION,
    copy_signs,
    derived_from,
    same_ranks,
)
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission

THEIRS = make_submission("open-domain", 3, model="VACE-14B", submitted_by="alice")
SUBJECTS = ("nexusscore", "facesim_cur")


def with_values(one, change, **changes):
    """A submission whose columns, counts and total follow from changed values."""
    videos = {
        i: {name: min(max(change(name, i, value), RANGES[name][0]), RANGES[name][1]) for name, value in values.items()}
        for i, values in one.per_video.items()
    }
    given = {name: {i: values[name] for i, values in videos.items() if name in values} for name in RANGES}
    given = {name: values for name, values in given.items() if values}
    columns, counts = columns_of(given)
    total = sum(weight * columns[name] for name, weight in weights_of(one.split).items())
    return replace(one, per_video=videos, columns=columns, num_videos=counts, total=total, **changes)


def noise(name, i, size):
    """A number from the name and id alone, within `size` of the column's range."""
    low, high = RANGES[name]
    return random.Random(f"{name} {i}").uniform(-size, size) * (high - low)


COPIES = {
    "1e-9 added": lambda name, i, value: value + 1e-9,
    "one video changed by 1 %": lambda name, i, value: value * 1.01 if i == "singleobj_3" else value,
    "one column scaled": lambda name, i, value: value * 0.9 if name == "gmescore" else value,
    "all columns scaled": lambda name, i, value: RANGES[name][0] + 0.9 * (value - RANGES[name][0]),
    "squeezed": lambda name, i, value: RANGES[name][0] + math.sqrt(abs(value - RANGES[name][0])),
    "noise of 2 %": lambda name, i, value: value + noise(name, i, 0.02),
    "every third video made up": lambda name, i, value: value + noise(name, i, 1) * (hash_of(i) % 3 == 0),
    "two thirds made up": lambda name, i, value: value + noise(name, i, 1) * (hash_of(i) % 3 != 0),
    "reversed": lambda name, i, value: sum(RANGES[name]) - value,
    "one column copied": lambda name, i, value: (
        value if name == "gmescore" else abs(noise(name, i, 0.99)) + RANGES[name][0]
    ),
}


def hash_of(text):
    return sum(map(ord, text))


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_a_notice_for_the_reviewer(kind):
    copy = with_values(THEIRS, COPIES[kind], model="Rocket", submitted_by="mallory")
    (problem,) = validate_submission(copy, existing=[make_submission("open-domain", 4), THEIRS])
    assert problem.notice
    assert problem.code == "looks_copied"
    assert "looks like a copy of 'VACE-14B' of 'alice'" in problem.what


@pytest.mark.parametrize(
    "change",
    [
        lambda name, i, value, given: given,
        lambda name, i, value, given: given + 1e-5,
        lambda name, i, value, given: sum(RANGES[name]) - given,
        lambda name, i, value, given: given if hash_of(i) % 2 else value,  # so that some values come twice
    ],
    ids=["all", "changed", "reversed", "every other one"],
)
def test_values_that_were_given_to_other_videos_are_found(change):
    columns = {name: [values[name] for values in THEIRS.per_video.values() if name in values] for name in RANGES}
    taken = {name: iter(values[1:] + values[:1]) for name, values in columns.items()}
    copy = with_values(
        THEIRS, lambda name, i, value: change(name, i, value, next(taken[name])), model="Rocket", submitted_by="mallory"
    )
    assert [problem.code for problem in validate_submission(copy, existing=[THEIRS])] == ["looks_copied"]


def test_whole_videos_that_changed_places_are_found_behind_any_rising_curve():
    rows = list(THEIRS.per_video.values())
    taken = dict(zip(THEIRS.per_video, rows[7:] + rows[:7], strict=True))

    def changed(name, i, value):
        low, high = RANGES[name]
        share = max(0.0, (taken[i].get(name, value) - low) / (high - low))
        return low + (high - low) * (0.6 * share**3 + 0.4 * share**0.3)

    copy = with_values(THEIRS, changed, model="Rocket", submitted_by="mallory")
    (problem,) = validate_submission(copy, existing=[make_submission("open-domain", 4), THEIRS])
    assert "(100% of the videos have the ranks of other videos in all of motion_smoothness, " in problem.what


def test_a_copy_to_another_split_is_found():
    single = {i: THEIRS.per_video[i] for i in split_ids("single-domain")}
    base = replace(make_submission("single-domain", 5, model="Rocket", submitted_by="mallory"), per_video=single)
    copy = with_values(base, lambda name, i, value: value)
    assert [problem.code for problem in validate_submission(copy, existing=[THEIRS])] == ["looks_copied"]


def test_honest_models_on_the_same_prompts_are_left_alone():
    """What is hard for one model is hard for the other, and a judge gives few different ratings."""
    shared = random.Random(0)
    hard = {(name, i): shared.random() for i in THEIRS.per_video for name in RANGES}

    def honest(draw, name, i, _):
        low, high = RANGES[name]
        value = low + (high - low) * (0.6 * hard[name, i] + 0.4 * draw.random())
        if name == "motion_smoothness":
            return 1.0 if draw.random() < 0.95 else 0.9
        return round(value * 3) / 3 if name == "naturalscore" else value

    one, other = (
        with_values(
            make_submission("open-domain", 0, model=f"Honest {seed}"),
            partial(honest, random.Random(seed)),
        )
        for seed in (1, 2)
    )
    assert validate_submission(one, existing=[other]) == []


def honest_models(count):
    """Models for which half of a value is how hard the prompt is."""
    shared = random.Random(0)
    hard = {(name, i): shared.random() for i in THEIRS.per_video for name in RANGES}

    def value_of(draw, name, i, _):
        low, high = RANGES[name]
        return low + (high - low) * (0.5 * hard[name, i] + 0.5 * draw.random())

    return [
        with_values(THEIRS, partial(value_of, random.Random(seed)), model=f"Honest {seed}", submitted_by=f"user{seed}")
        for seed in range(count)
    ]


def notices(one, existing):
    return [problem.what for problem in validate_submission(one, existing=existing) if problem.code == "looks_copied"]


def test_a_copy_with_noise_is_found_where_others_say_how_hard_a_prompt_is():
    others = honest_models(6)
    copy = with_values(
        others[2], lambda name, i, value: value + noise(name, i, 0.1), model="Rocket", submitted_by="mallory"
    )
    assert copy_signs(copy, others[2]) == []  # the correlation alone is no proof
    (what,) = notices(copy, others)
    assert "looks like a copy of 'Honest 2' of 'user2'" in what
    assert all(notices(one, [other for other in others if other is not one]) == [] for one in others)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({1: 0.5, 4: 0.5}, "a blend of 'Honest 1' of 'user1' and 'Honest 4' of 'user4'"),
        ({1: 0.7, 4: 0.3}, "a blend of 'Honest 1' of 'user1' and 'Honest 4' of 'user4'"),
        ({0: 0.4, 1: 0.3, 4: 0.3}, "a blend of 'Honest 0' of 'user0' and 'Honest 1' of 'user1' and 'Honest 4'"),
    ],
    ids=str,
)
def test_a_blend_is_found(weights, words):
    others = honest_models(6)

    def mean(name, i, _):
        return sum(weight * others[number].per_video[i][name] for number, weight in weights.items())

    (what,) = notices(with_values(THEIRS, mean, model="Rocket", submitted_by="mallory"), others)
    assert words in what


def test_missing_videos_do_not_hide_a_blend():
    others = honest_models(6)
    blend = with_values(
        THEIRS,
        lambda name, i, _: (others[1].per_video[i][name] + others[4].per_video[i][name]) / 2,
        model="Rocket",
        submitted_by="mallory",
    )
    ids = list(THEIRS.per_video)
    lacking = [
        replace(one, per_video={i: values for k, (i, values) in enumerate(one.per_video.items()) if k % 40 != number})
        for number, one in enumerate(others)
    ]
    (found,) = derived_from(blend, lacking)
    assert [one.model for one in found.originals] == ["Honest 1", "Honest 4"]
    assert list(derived_from(replace(blend, per_video={i: blend.per_video[i] for i in ids[:15]}), others)) == []


@pytest.mark.parametrize("far", [1e308, math.inf])
def test_values_beyond_any_range_do_not_stop_the_comparison(far):
    others = honest_models(6)
    strange = {i: {**values, "gmescore": far * noise("gmescore", i, 1)} for i, values in THEIRS.per_video.items()}
    others[0] = replace(others[0], per_video=strange)
    copy = with_values(
        others[2], lambda name, i, value: value + noise(name, i, 0.1), model="Rocket", submitted_by="mallory"
    )
    (what,) = notices(copy, others)
    assert "looks like a copy of 'Honest 2' of 'user2'" in what


REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "human-ratings"


@pytest.mark.skipif(not REAL.is_dir(), reason="the ratings are not here")
@pytest.mark.parametrize("file", ["subject_driven.csv", "two_subjects.csv"])
def test_real_models_on_the_same_prompts_do_not_reach_the_bounds(file):
    rows = pd.read_csv(REAL / file)
    tables = {name: rows.pivot_table(index="item", columns="model", values=name) for name in ("clip_i", "dino")}
    for table in tables.values():
        ranks = table.corr(method="spearman").to_numpy()
        assert np.max(ranks[~np.eye(len(ranks), dtype=bool)]) <= HONEST_CORRELATION + 0.005
    models = [
        SimpleNamespace(
            model=model,
            videos=[None],
            per_video={
                item: {
                    column: float(table.loc[item, model])
                    for column, table in zip(RANGES, tables.values(), strict=False)
                }
                for item in tables["dino"].index
            },
        )
        for model in tables["dino"].columns
    ]
    for one in models:
        assert list(derived_from(one, [other for other in models if other is not one])) == []
        shares = [same_ranks(one, other, list(one.per_video))[0] for other in models if other is not one]
        assert max(shares) < COPIED_RANKS / 5


def test_a_new_submission_of_the_same_model_is_no_copy():
    again = with_values(THEIRS, lambda name, i, value: value + 0.001, submitted_at="2026-02-02 00:00:00")
    assert validate_submission(again, existing=[THEIRS]) == []


def test_a_notice_refuses_nothing(tmp_path):
    copy = with_values(THEIRS, COPIES["1e-9 added"], model="Rocket", submitted_by="mallory")
    for name, one in (("a", THEIRS), ("b", replace(copy, submitted_at="2026-02-02 00:00:00"))):
        (tmp_path / f"{name}.json").write_bytes(one.to_json())
    checked = validate_folder(tmp_path)
    assert checked["a.json"] == []
    assert [problem.notice for problem in checked["b.json"]] == [True]


@pytest.mark.parametrize(
    "name",
    [
        "A' onclick='x",
        "A'onmouseover=alert",
        "A onload =x",
        "A\u2019 onfocus=x",
        "A' style='x",
        "A'autofocus onfocus=x",
    ],
)
def test_a_name_that_could_begin_an_attribute_is_refused(name):
    problems = validate_submission(make_submission(model=name))
    assert "markup" in [problem.code for problem in problems]


@pytest.mark.parametrize(
    "name",
    [
        "Text&Image",
        "Model@720p",
        "a__b",
        "Ours: 50% faster",
        "Humanity's Model",
        "Model cfg=7.5",
        "Wan2.1 (on H100)",
        "L'Onde 2",
    ],
)
def test_names_as_models_have_them_are_accepted(name):
    assert validate_submission(make_submission(model=name)) == []
