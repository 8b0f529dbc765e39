"""Published figures of real ratings, and small tables by hand."""

from pathlib import Path

import pandas as pd
import pytest

from opens2v_hf.cli import main
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.agreement import agreement, rater_agreement
from opens2v_hf.results.ratings import load_ratings, load_scores

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "human-ratings"
needs_real_ratings = pytest.mark.skipif(not REAL.is_dir(), reason="the real ratings are not here")


@needs_real_ratings
@pytest.mark.parametrize(
    ("file", "column", "rows", "expected"),
    [
        ("subject_driven.csv", "dino", 600, 0.613),
        ("subject_driven.csv", "clip_i", 600, 0.440),
        ("subject_driven.csv", "gpt4o_consistency", 600, 0.575),
        ("two_subjects.csv", "dino", 306, 0.124),
        ("two_subjects.csv", "clip_i", 306, 0.212),
        ("two_subjects.csv", "gpt4o_consistency", 306, 0.555),
    ],
)
def test_real_ratings_give_the_known_correlations(file, column, rows, expected):
    ratings = load_ratings(REAL / file, dimension="consistency")
    found = agreement(load_scores([REAL / file], column, reduce="min"), ratings, name=column, resamples=0)
    assert found.num_rows == rows
    assert found.spearman.value == pytest.approx(expected, abs=5e-4)


@needs_real_ratings
@pytest.mark.parametrize(("file", "expected"), [("subject_driven.csv", 0.656), ("two_subjects.csv", 0.834)])
def test_real_raters_agree_as_known(file, expected):
    raters = rater_agreement(load_ratings(REAL / file, dimension="consistency"), resamples=0)
    assert raters.pairwise.value == pytest.approx(expected, abs=5e-4)


@needs_real_ratings
def test_real_ratings_without_a_metric_are_read():
    ratings = load_ratings(REAL / "video_text.csv")
    assert ratings.shape == (1911, 2 + 4)
    assert rater_agreement(ratings, resamples=0).num_raters == 4


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


TIDY = "item,model,rater,rating\na,m,1,1\na,m,2,3\na,n,1,5\nb,m,1,2\nb,n,2,4\n"


def test_tidy_and_wide_ratings_give_the_same_table(tmp_path):
    tidy = load_ratings(write(tmp_path / "tidy.csv", TIDY))
    wide = load_ratings(write(tmp_path / "wide.csv", "item,model,rater1,rater2\na,m,1,3\na,n,5,\nb,m,2,\nb,n,,4\n"))
    pd.testing.assert_frame_equal(tidy, wide)


def test_names_that_look_like_numbers_or_gaps_stay_text(tmp_path):
    names = ["01", "1", "1e5", "NA", "True", "007.0"]
    rows = [f"{name},{name},{name},{number}" for number, name in enumerate(names)]
    ratings = load_ratings(write(tmp_path / "r.csv", "\n".join(["item,model,rater,rating", *rows])))
    assert ratings["item"].tolist() == ratings["model"].tolist() == names
    assert sorted(ratings.columns) == sorted(["item", "model", *names])
    scores = load_scores([write(tmp_path / "s.csv", "\n".join(["item,model,rater,x", *rows]))], "x")
    assert scores["item"].tolist() == scores["model"].tolist() == names
    assert scores["score"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("gap", ["", " ", "NA", "nan", "None"])
def test_empty_cells_are_no_rating_and_no_score(tmp_path, gap):
    table = write(tmp_path / "t.csv", f"item,model,rater,rating\na,m,1,{gap}\nb,m,1,2\n")
    assert load_ratings(table)["item"].tolist() == load_scores([table], "rating")["item"].tolist() == ["b"]


def test_statistics_by_hand(tmp_path):
    ratings = load_ratings(write(tmp_path / "r.csv", TIDY))  # means: am 2, an 5, bm 2, bn 4
    table = "item,model,x\na,m,0.1\na,n,0.2\nb,m,0.9\nb,n,0.3\nc,m,1\n"
    found = agreement(load_scores([write(tmp_path / "s.csv", table)], "x"), ratings, resamples=0)
    assert (found.num_rows, found.num_items, found.num_models) == (4, 2, 2)
    assert (found.num_unrated, found.num_unscored) == (1, 0)
    # of item a the scores order the pair as the raters do, of item b they do not
    assert found.pairwise_accuracy.value == 0.5
    assert found.num_pairs == 2
    # m: ratings tied, so no correlation; n: 0.2, 0.3 against 5, 4
    assert found.per_model == {"m": None, "n": pytest.approx(-1.0)}
    assert found.model_means == pytest.approx(-1.0)  # m 0.5 and 2, n 0.25 and 4.5
    assert found.worst[0].item == "b"
    assert found.worst[0].model == "m"


def test_intervals_hold_all_models_of_an_item_together():
    # Two items that contradict each other: resamples hold one of them only (accuracy 0 or 1) or both (0.5).
    scores = pd.DataFrame({"item": list("aabb"), "model": list("mnmn"), "score": [1.0, 2.0, 2.0, 1.0]})
    ratings = scores[["item", "model"]].assign(r1=[1.0, 2.0, 1.0, 2.0], r2=[1.0, 2.0, 1.0, 2.0])
    found = agreement(scores, ratings, resamples=200).pairwise_accuracy
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("ratings", "error", "words"),
    [
        ("item,model,rater,rating\na,m,1,good\n", ResultError, "(got 'good')"),
        ("item,model,rater,rating\na,m,1,inf\n", ResultError, "(got 'inf')"),
        ("item,model,rater,rating\na,m,1,1\n,m,1,2\n", ResultError, "item must not be empty (got nothing in row 2)"),
        ("item,model,rater1\na,,1\n", ResultError, "model must not be empty"),
        ("item,rater,rating\na,1,2\n", ResultError, "must have the columns item and model"),
        ("item,model,note\na,m,1\n", ResultError, "holds no ratings"),
        ("item,model,rater,rating\na,m,1,2\na,m,1,3\n", ResultError, "more than once"),
        ("item,model,rater1_x,rater1_y\na,m,1,2\n", ArgumentError, "choose one of them (`--dimension`"),
    ],
)
def test_wrong_ratings_are_named(tmp_path, ratings, error, words):
    with pytest.raises(error) as raised:
        load_ratings(write(tmp_path / "r.csv", ratings))
    assert words in str(raised.value)


def test_a_folder_of_imagenhub(tmp_path):
    """The first lines of its ratings of subject-driven pictures have this form."""
    for rater, cells in (("1", ("[0.5,1]", "[1, 0]", "")), ("2", ("[0,1]", "[1,0.5]", "[0,0]"))):
        text = f"uid\tDreamBooth\tOther\nsample_0.jpg\t{cells[0]}\t{cells[1]}\nsample_1.jpg\t{cells[2]}\t[1,1]\n"
        write(tmp_path / f"Subject-Driven_rater{rater}.tsv", text)
    write(tmp_path / "notes.txt", "not a table")
    found = load_ratings(tmp_path, dimension="consistency")
    assert found.fillna(-1).to_numpy().tolist() == [
        ["sample_0.jpg", "DreamBooth", 0.5, 0.0],
        ["sample_0.jpg", "Other", 1.0, 1.0],
        ["sample_1.jpg", "Other", 1.0, 1.0],
        ["sample_1.jpg", "DreamBooth", -1, 0.0],
    ]
    with pytest.raises(ArgumentError, match="rates consistency, quality"):
        load_ratings(tmp_path)
    for wrong in ("[1]", "1", "[1,", '{"a": 1}', "[" * 10_000):
        write(tmp_path / "Subject-Driven_rater3.tsv", f"uid\tDreamBooth\nsample_0.jpg\t{wrong}\n")
        with pytest.raises(ResultError, match=r"rater3.tsv, sample_0.jpg, DreamBooth must be \[consistency,quality\]"):
            load_ratings(tmp_path)
    write(tmp_path / "Subject-Driven_rater3.tsv", 'uid\tDreamBooth\nsample_0.jpg\t["high",1]\n')
    with pytest.raises(ResultError, match="'high'"):
        load_ratings(tmp_path, dimension="consistency")


def test_an_empty_folder_holds_no_ratings(tmp_path):
    with pytest.raises(ResultError, match="holds no ratings"):
        load_ratings(tmp_path)


def test_cells_with_several_numbers_need_a_reduction(tmp_path):
    path = write(tmp_path / "s.csv", "item,model,judge\na,m,8 5 9\nb,m,\n")
    with pytest.raises(ArgumentError, match="8 5 9"):
        load_scores([path], "judge")
    assert load_scores([path], "judge", reduce="min")["score"].tolist() == [5.0]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,"b\n1'])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_damaged_tables_are_named(tmp_path, content, ending):
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(content)
    with pytest.raises(ResultError, match="damaged"):
        load_ratings(path)


def test_the_command_prints_and_writes_a_page(tmp_path, capsys):
    ratings = write(tmp_path / "r.csv", TIDY)
    scores = write(tmp_path / "s.csv", "item,model,<b>x\na,m,0.1\na,n,0.2\nb,m,0.9\nb,n,0.3\n")
    page = tmp_path / "page.html"
    words = ["agreement", str(scores), str(ratings), "--column", "<b>x", "--resamples", "20", "--out", str(page)]
    assert main(words) == 0
    assert "pairwise accuracy (2 pairs of one item; 0 tied by the raters left out)  0.500" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.count("<circle") == 4
    assert "&lt;b&gt;x and people" in text
    assert "<b>x" not in text
    assert main(["agreement", str(ratings)]) == 0
    assert "2 raters, 4 rows" in capsys.readouterr().out
    assert main(["agreement", str(scores), str(ratings)]) == 2
    assert "--column" in capsys.readouterr().err


def test_correlations_within_items_are_averaged_over_items():
    # over three models: item a 1, item b 0.5 (by hand: 1 - 6 * 2 / 24), item c undefined, for its ratings are equal
    scores = pd.DataFrame({"item": list("aaabbbccc"), "model": list("xyzxyzxyz"), "score": [1, 2, 3, 1, 3, 2, 1, 2, 3]})
    ratings = scores[["item", "model"]].assign(r1=[1, 2, 3, 1, 2, 3, 2, 2, 2], r2=[1, 2, 3, 1, 2, 3, 2, 2, 2])
    found = agreement(scores, ratings, resamples=200).within_items
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.5, 1.0))
    alone = scores[scores["model"] == "x"]
    assert agreement(alone, ratings, resamples=0).within_items.value is None
