import csv
import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.scorecard import COLUMNS, SPLITS, normalise, scorecard, total_of, weighted_total, weights

PUBLISHED = {"Open-Domain": 11, "Human-Domain": 20, "Single-Domain": 11}


def _percent(text: str) -> float:
    return float(text.removesuffix("%")) / 100


@pytest.mark.parametrize("split", PUBLISHED)
def test_every_published_row_recomputes_from_its_columns(shared_data: Path, split: str) -> None:
    with (shared_data / "leaderboard-v1.1" / f"results_{split}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        columns = {name: _percent(row[f"{c.title}↑"]) for name, c in COLUMNS.items() if f"{c.title}↑" in row}
        assert 100 * abs(total_of(columns, split.lower()) - _percent(row["TotalScore↑"])) <= 0.02, row["Model"]
    assert len(rows) == PUBLISHED[split]


def _published_values(scores: Path) -> dict[str, dict[str, float | None]]:
    """The score files of the released code as raw values by column and id."""

    def read(file: str, key: str) -> dict[str, float | None]:
        return {i: record[key] for i, record in json.loads((scores / file).read_text()).items()}

    runs = [json.loads((scores / f"naturalscore_{run}.json").read_text()) for run in (1, 2, 3)]
    return {
        "aesthetics": read("aesthetic_score.json", "aes_score"),
        "motion_smoothness": read("motion_smoothness.json", "motion_smoothness"),
        "facesim_cur": read("facesim.json", "cur_score"),
        "gmescore": read("gmescore.json", "gme_score"),
        "nexusscore": read("nexusscore.json", "nexus_score"),
        "naturalscore": {i: sum(int(run[i]) for run in runs) / 3 for i in runs[0]},
    }


def test_the_merged_example_comes_out_of_its_score_files(shared_data: Path) -> None:
    folder = shared_data / "eval-demo"
    merged = json.loads((folder / "scores_merged_Open-Domain.json").read_text())
    values = _published_values(folder / "scores")
    categories = {"singleface_3": "single-face-to-video", "faceobj_14": "human-entity-to-video"}
    card = scorecard(values, split="open-domain", category_of=categories)
    columns = {name: column.normalised for name, column in card.columns.items() if column.normalised is not None}
    assert {COLUMNS[name].submission_key: value for name, value in columns.items()} == pytest.approx(
        {key: value for key, value in merged.items() if key != "total_score"}, abs=1e-12
    )
    # There is no MotionAmplitude in the example, and so no total by either version's weights. Its own total is made
    # with those of v1.0, MotionSmoothness standing where they have MotionAmplitude.
    assert card.missing_columns == ("motion_amplitude",)
    assert card.total is None
    swapped = weights("v1.0", "open-domain")
    swapped["motion_smoothness"] = swapped.pop("motion_amplitude")
    assert weighted_total(columns, swapped) == pytest.approx(merged["total_score"], abs=1e-12)


def test_the_submission_example_recomputes(shared_data: Path) -> None:
    record = json.loads((shared_data / "leaderboard-v1.1" / "submission_example_Open-Domain.json").read_text())
    columns = {name: record[column.submission_key] for name, column in COLUMNS.items()}
    assert total_of(columns, "open-domain") == pytest.approx(record["total_score"], abs=1e-12)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_weights_sum_to_one(split: str, version: str) -> None:
    assert math.fsum(weights(version, split).values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("column", "raw", "expected"),
    [
        ("aesthetics", 5.5, 0.5),
        ("aesthetics", 3.0, 0.0),
        ("aesthetics", 8.0, 1.0),
        ("motion_smoothness", 0.25, 0.25),
        ("motion_amplitude", -0.25, 0.25),
        ("motion_amplitude", 7.0, 1.0),
        ("facesim_cur", -0.5, 0.0),
        ("gmescore", 0.7, 0.7),
        ("nexusscore", 0.0125, 0.25),
        ("nexusscore", 0.06, 1.0),
        ("naturalscore", 2.0, 0.25),
    ],
)
def test_ranges_of_the_columns(column: str, raw: float, expected: float) -> None:
    assert normalise(column, raw) == pytest.approx(expected, abs=1e-12)


VALUES: dict[str, dict[str, float | None]] = {
    "aesthetics": {"a_1": 5.5, "a_2": 9.0, "b_1": None},
    "motion_smoothness": {"a_1": 1.0, "a_2": 0.5, "b_1": 0.75},
    "motion_amplitude": {"a_1": 0.1, "a_2": 0.3, "b_1": 0.2},
    "facesim_cur": {"a_1": 0.4, "a_2": 0.6},
    "gmescore": {"a_1": 0.6, "a_2": 0.8, "b_1": 0.7},
    "nexusscore": {"a_1": 0.0, "a_2": 0.02, "b_1": 0.04},
    "naturalscore": {"a_1": 3.0, "a_2": 5.0, "b_1": 4.0},
}
CATEGORY_OF = {"a_1": "a", "a_2": "a", "b_1": "b"}


def test_released_scoring_by_hand() -> None:
    card = scorecard(VALUES, split="open-domain", category_of=CATEGORY_OF)
    columns = card.columns
    assert columns["aesthetics"].raw == pytest.approx(6.25)  # (5.5 + 7) / 2: clipped first, the failed one left out
    assert columns["aesthetics"].normalised == pytest.approx(0.75)
    assert (columns["aesthetics"].num_videos, columns["aesthetics"].num_missing) == (2, 1)
    assert columns["nexusscore"].raw == pytest.approx(0.03)  # (0.02 + 0.04) / 2: the 0 is left out
    assert columns["nexusscore"].normalised == pytest.approx(0.6)
    assert (columns["nexusscore"].num_videos, columns["nexusscore"].num_skipped) == (2, 1)
    assert columns["naturalscore"].normalised == pytest.approx(0.75)
    # .20 .6 + .24 .75 + .12 .7 + .20 .5 + .16 .75 + .02 .2 + .06 .75
    assert card.total == pytest.approx(0.653)
    assert not card.partial
    assert card.total_bounds == pytest.approx((0.653, 0.653))


def test_strict_scoring_by_hand() -> None:
    card = scorecard(VALUES, split="open-domain", category_of=CATEGORY_OF, scoring="strict")
    assert card.columns["aesthetics"].normalised == pytest.approx(0.5)  # (0.5 + 1 + 0) / 3
    assert card.columns["aesthetics"].raw == pytest.approx(5.5)  # (5.5 + 7 + 4) / 3
    assert (card.columns["aesthetics"].num_videos, card.columns["aesthetics"].num_missing) == (3, 1)
    assert card.columns["nexusscore"].normalised == pytest.approx(0.4)  # (0 + 0.4 + 0.8) / 3
    assert card.columns["facesim_cur"].num_videos == 2  # b_1 is not applicable, and stays out
    # 0.653 - .20 (.6 - .4) - .16 (.75 - .5)
    assert card.total == pytest.approx(0.573)


def test_a_video_that_was_never_made_is_missing_where_it_applies() -> None:
    applicable = {name: ["a_1", "a_2", "b_1", "b_2"] for name in VALUES} | {"facesim_cur": ["a_1", "a_2"]}
    arguments = {"split": "open-domain", "category_of": CATEGORY_OF | {"b_2": "b"}, "applicable": applicable}
    strict = scorecard(VALUES, scoring="strict", **arguments)
    assert strict.columns["gmescore"].normalised == pytest.approx(2.1 / 4)
    assert strict.columns["gmescore"].by_category["b"].normalised == pytest.approx(0.35)
    assert strict.columns["gmescore"].by_category["b"].num_missing == 1
    released = scorecard(VALUES, **arguments)
    assert released.columns["gmescore"].normalised == pytest.approx(0.7)
    assert released.columns["gmescore"].num_missing == 1


def test_categories_by_hand() -> None:
    nexus = scorecard(VALUES, split="open-domain", category_of=CATEGORY_OF).columns["nexusscore"].by_category
    assert nexus["a"].normalised == pytest.approx(0.4)
    assert nexus["a"].num_videos == 1
    assert nexus["a"].interval is None
    assert nexus["b"].normalised == pytest.approx(0.8)
    card = scorecard(VALUES, split="open-domain", category_of=CATEGORY_OF)
    assert list(card.columns["facesim_cur"].by_category) == ["a"]
    low, high = card.columns["gmescore"].by_category["a"].interval or (0, 0)
    assert (low, high) == pytest.approx((0.6, 0.8))  # two prompts: the extremes are drawn a quarter of the time each


def test_a_partial_scorecard_has_no_total() -> None:
    values = {"gmescore": {"a_1": 0.5, "a_2": 0.5}, "naturalscore": {"a_1": 5.0, "a_2": 5.0}}
    card = scorecard(values, split="open-domain", category_of=CATEGORY_OF)
    assert card.partial
    assert card.total is None
    assert card.partial_total == pytest.approx((0.12 * 0.5 + 0.24) / 0.36)
    assert card.weight_present == pytest.approx(0.36)
    assert card.total_bounds == pytest.approx((0.30, 0.94))
    assert card.missing_columns == ("aesthetics", "motion_smoothness", "motion_amplitude", "facesim_cur", "nexusscore")
    record = card.to_dict()
    assert record["partial"] is True
    assert record["total"] is None
    json.dumps(record, allow_nan=False)


def test_a_column_without_any_value_makes_it_partial_and_strictly_the_worst() -> None:
    values = VALUES | {"gmescore": dict.fromkeys(CATEGORY_OF)}
    card = scorecard(values, split="open-domain", category_of=CATEGORY_OF)
    assert card.missing_columns == ("gmescore",)
    assert card.columns["gmescore"].normalised is None
    strict = scorecard(values, split="open-domain", category_of=CATEGORY_OF, scoring="strict")
    assert strict.columns["gmescore"].normalised == 0.0
    assert strict.total == pytest.approx(0.573 - 0.12 * 0.7)


def test_nothing_at_all() -> None:
    card = scorecard({}, split="single-domain", category_of={})
    assert card.total is None
    assert card.partial_total is None
    assert card.interval is None
    assert card.total_bounds == (0.0, pytest.approx(1.0))


def test_human_domain_has_no_nexusscore_and_version_1_0_no_weight_for_smoothness() -> None:
    human = scorecard(VALUES, split="human-domain", category_of=CATEGORY_OF)
    assert "nexusscore" not in human.columns
    # .30 .75 + .15 .7 + .25 .5 + .18 .75 + .03 .2 + .09 .75
    assert human.total == pytest.approx(0.6635)
    old = scorecard(VALUES, split="open-domain", category_of=CATEGORY_OF, version="v1.0")
    # .20 .6 + .24 .75 + .12 .7 + .20 .5 + .12 .75 + .12 .2
    assert old.total == pytest.approx(0.598)
    assert old.columns["motion_smoothness"].weight == 0.0
    assert old.columns["motion_smoothness"].normalised == pytest.approx(0.75)


def test_the_interval_of_a_mean_agrees_with_its_standard_error() -> None:
    generator = random.Random(5)
    raw = {f"a_{i}": generator.gauss(0.5, 0.1) for i in range(180)}
    card = scorecard({"gmescore": raw}, split="open-domain", category_of=dict.fromkeys(raw, "a"))
    values = list(raw.values())
    mean = math.fsum(values) / 180
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values)) / 180
    low, high = card.columns["gmescore"].interval or (0, 0)
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_the_total_draws_prompts_jointly() -> None:
    """Columns that move together make the total as unsure as one of them; opposite ones cancel."""
    generator = random.Random(6)
    raw = {f"a_{i}": generator.random() for i in range(100)}
    opposite = {i: 1 - v for i, v in raw.items()}
    category_of = dict.fromkeys(raw, "a")
    same = scorecard({"gmescore": raw, "facesim_cur": raw}, split="open-domain", category_of=category_of)
    assert same.interval == pytest.approx(same.columns["gmescore"].interval)
    # .12 v + .20 (1 - v) = .20 - .08 v, over .32: a quarter of the width
    mixed = scorecard({"gmescore": raw, "facesim_cur": opposite}, split="open-domain", category_of=category_of)
    width = mixed.columns["gmescore"].interval[1] - mixed.columns["gmescore"].interval[0]
    assert mixed.interval[1] - mixed.interval[0] == pytest.approx(width / 4)


def test_an_interval_needs_two_videos() -> None:
    card = scorecard({"gmescore": {"a_1": 0.5}}, split="open-domain", category_of=CATEGORY_OF)
    assert card.columns["gmescore"].interval is None
    assert card.interval is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"split": "night"}, "no split 'night'"),
        ({"version": "v2"}, "no version 'v2'"),
        ({"scoring": "kind"}, "no scoring 'kind'"),
        ({"values": {"beauty": {}}}, "no column 'beauty'"),
        ({"values": {"gmescore": {"a_1": math.nan}}}, "gmescore: the value of a_1"),
        ({"values": {"gmescore": {"a_1": math.inf}}}, "finite"),
        ({"values": {"gmescore": {"a_1": True}}}, "finite"),
        ({"values": {"gmescore": {"a_1": "0.5"}}}, "finite"),
        ({"values": {"gmescore": {"z_1": 0.5}}}, "no known category: z_1"),
        ({"applicable": {"gmescore": ["a_2"]}, "values": {"gmescore": {"a_1": 0.5}}}, "does not apply to a_1"),
    ],
)
def test_what_cannot_be_scored_is_refused(changed: dict, message: str) -> None:
    arguments = {"values": VALUES, "split": "open-domain", "category_of": CATEGORY_OF} | changed
    with pytest.raises(ArgumentError, match=message):
        scorecard(arguments.pop("values"), **arguments)


def test_a_row_that_is_no_row_is_refused() -> None:
    whole = dict.fromkeys(COLUMNS, 0.5)
    with pytest.raises(ArgumentError, match="missing: gmescore"):
        total_of({name: 0.5 for name in COLUMNS if name != "gmescore"}, "open-domain")
    for bad in (1.01, -0.01, math.nan, True, None):
        with pytest.raises(ArgumentError, match="gmescore"):
            total_of(whole | {"gmescore": bad}, "open-domain")  # type: ignore[dict-item]


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, dict[str, float | None]]:
    cell = st.one_of(st.none(), st.floats(-10, 10, allow_nan=False))
    return {name: draw(st.dictionaries(st.sampled_from(list(CATEGORY_OF)), cell, max_size=3)) for name in COLUMNS}


@settings(max_examples=60, deadline=None)
@given(_tables(), st.sampled_from(SPLITS), st.sampled_from(["v1.0", "v1.1"]))
def test_any_values(values: dict[str, dict[str, float | None]], split: str, version: str) -> None:
    arguments = {"split": split, "version": version, "category_of": CATEGORY_OF, "num_resamples": 200}
    released = scorecard(values, **arguments)
    strict = scorecard(values, scoring="strict", **arguments)
    for name, column in released.columns.items():
        asked = len(values[name])
        assert column.num_videos + column.num_missing + column.num_skipped == asked
        assert strict.columns[name].num_videos == asked
        if column.normalised is not None:
            assert 0.0 <= strict.columns[name].normalised <= column.normalised + 1e-12 <= 1.0 + 2e-12
        for interval in (column.interval, strict.columns[name].interval):
            assert interval is None or 0.0 <= interval[0] <= interval[1] <= 1.0
    assert (released.total is None) == released.partial
    low, high = released.total_bounds
    assert 0.0 <= low <= high <= 1.0 + 1e-12
    assert scorecard(values, **arguments) == released
