from helpers.results import make_result

from opens2v_hf.run import table


def test_the_best_model_comes_first_and_one_without_a_value_last() -> None:
    results = [make_result("low", (0.1, 0.2)), make_result("none", (None, None)), make_result("high", (0.8, 0.9))]
    assert [row.model for row in table.rows(results)] == ["high", "low", "none"]


def test_columns_are_the_union_of_metrics() -> None:
    results = [make_result("a"), make_result("b", metric="naturalscore")]
    text = table.format_text(results).splitlines()
    assert text[0].split() == ["model", "gmescore", "naturalscore", "videos"]
    # b has no gmescore: a dash, and it ranks below a
    assert text[2].startswith("a ")
    assert text[3].split()[:2] == ["b", "-"]


def test_a_cell_shows_mean_count_and_failures() -> None:
    text = table.format_text([make_result("a", (0.25, 0.75, None))])
    assert "0.500 [" in text
    assert "n=2 (1 failed)" in text
    assert "3/4" in text
