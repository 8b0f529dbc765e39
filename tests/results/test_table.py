from dataclasses import replace

from helpers.results import make_result
from helpers.scorecards import full_result

from opens2v_hf.results import table
from opens2v_hf.scores.scorecard import COLUMNS


def _cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def test_the_best_total_comes_first() -> None:
    results = [full_result("low", quality=0.3), full_result("high", quality=0.7), full_result("middle")]
    assert [row.model for row in table.rows(results)] == ["high", "middle", "low"]


def test_a_partial_result_never_stands_above_a_whole_one() -> None:
    some = full_result("some", quality=0.95, metrics=("gmescore",))
    assert [row.model for row in table.rows([some, full_result("all", quality=0.2)])] == ["all", "some"]
    # alike in what they lack, they are compared with each other
    less = full_result("less", quality=0.4, metrics=("gmescore",))
    assert [row.model for row in table.rows([less, some])] == ["some", "less"]
    # not alike: more weight first (.24 against .12), each by itself
    other = full_result("other", quality=0.1, metrics=("naturalscore",))
    assert [row.model for row in table.rows([less, some, other])] == ["other", "some", "less"]
    # as much weight (.20 each): in the order given
    face, nexus = (full_result(name, quality=0.5, metrics=(name,)) for name in ("facesim_cur", "nexusscore"))
    assert [row.model for row in table.rows([nexus, face])] == ["nexusscore", "facesim_cur"]
    assert [row.model for row in table.rows([face, nexus])] == ["facesim_cur", "nexusscore"]


def test_a_model_without_any_value_comes_last() -> None:
    results = [make_result("none", (None, None)), make_result("low", (0.1, 0.2)), make_result("high", (0.8, 0.9))]
    assert [row.model for row in table.rows(results)] == ["high", "low", "none"]


def test_the_scorecard_of_one_model() -> None:
    result = full_result("alpha", failed=("singleobj_1",), absent=("multiface_1",))
    cells = _cells(table.format_text([result]))
    assert cells[0] == ["alpha, open-domain: 31/32 videos, released scoring, weights of v1.1"]
    lines = {line[0]: line for line in cells[1:]}
    card = result.scorecard()
    assert lines["Total"][1] == f"{100 * card.total:.2f}"
    assert lines["Total, strict"][1] == f"{100 * result.scorecard(scoring='strict').total:.2f}"
    assert lines["GmeScore"][3:] == [f"{card.columns['gmescore'].raw:.4f}", "30", "2 missing"]
    assert lines["FaceSim"][4] == "16"
    assert lines["nexusscore_coverage"][-2:] == ["26", "1 failed"]


def test_one_column_alone_is_marked_as_no_total() -> None:
    text = table.format_text([make_result("a", (0.25, 0.75, None))])
    lines = {line[0]: line for line in _cells(text)}
    assert lines["Total*"][1] == "50.00"
    # a quarter of all draws are the lower value twice, so the interval is the two values
    assert lines["GmeScore"][1:] == ["50.00", "[25.00, 75.00]", "0.5000", "2", "1 missing"]
    assert "* no total without Aesthetics, MotionSmoothness" in text
    # .12 of the weight at .5: 6, and 88 more if all the others were 1
    assert "50.00 is the mean of the rest (12 % of the weight); the total lies between 6.00 and 94.00" in text
    assert "NexusScore  " not in text


def test_models_side_by_side() -> None:
    results = [full_result("alpha", quality=0.3), full_result("beta", quality=0.6)]
    lines = _cells(table.format_text(results))
    assert lines[0] == ["model", "Total", *(c.title for c in COLUMNS.values()), "nexusscore_coverage", "videos"]
    assert [line[0] for line in lines[2:4]] == ["beta", "alpha"]
    gme = results[1].scorecard().columns["gmescore"]
    half = 50 * (gme.interval[1] - gme.interval[0])
    assert lines[2][6] == f"{100 * gme.normalised:.2f} ±{half:.2f} (32)"
    coverage = results[1].metric("nexusscore_coverage").summary
    half = (coverage.interval[1] - coverage.interval[0]) / 2
    assert lines[2][9] == f"{coverage.mean:.3f} ±{half:.3f} (28)"
    assert lines[2][-1] == "32/32"


def test_columns_that_one_model_lacks() -> None:
    text = table.format_text([make_result("a"), make_result("b", metric="naturalscore", values=(3.0, 5.0))])
    lines = _cells(text)
    assert lines[0] == ["model", "Total", "GmeScore", "NaturalScore", "videos"]
    by_model = {line[0]: line for line in lines}
    assert by_model["a"][3] == "none (0)"
    assert by_model["b"][1] == "75.00* ±25.00"
    assert text.count("\n* no total without") == 2


def test_a_split_has_a_table_of_its_own() -> None:
    human = full_result("alpha", split="human-domain")
    text = table.format_text([full_result("alpha"), human])
    first, second = text.split("\n\n")
    assert first.startswith("open-domain\n")
    assert "NexusScore" in first
    assert second.startswith("human-domain\n")
    assert "NexusScore" not in second
    # what the split's leaderboard does not have is not lost
    assert "nexusscore " in second


def test_a_split_without_a_leaderboard_shows_metrics_in_their_own_units() -> None:
    text = table.format_text(
        [
            replace(make_result("a", (0.25, 0.75)), split="hard-case"),
            replace(make_result("b", (None,)), split="hard-case"),
        ]
    )
    lines = _cells(text)
    assert lines[0] == ["model", "gmescore", "videos"]
    assert lines[2] == ["a", "0.500 ±0.250 (2)", "2/3"]
    assert lines[3] == ["b", "none (1 failed)", "1/2"]
