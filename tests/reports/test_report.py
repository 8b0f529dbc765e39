import re
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.results import make_result
from helpers.scorecards import full_result
from helpers.submissions import make_whole_result

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.evaluation.thumbnails import write_thumbnail
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.reports.report import write_report
from opens2v_hf.reports.report_sections import MAX_MATRIX_MODELS, MAX_THUMBNAIL_BYTES
from opens2v_hf.results.columns import column_values
from opens2v_hf.results.generation import Generation
from opens2v_hf.scores.scorecard import COLUMNS


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def _parse(page: Path) -> _Tags:
    parser = _Tags()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_the_page_is_self_contained_and_names_models_values_and_failures(tmp_path: Path) -> None:
    results = [full_result("alpha", failed=("singleobj_2",), absent=("humanobj_1",)), full_result("beta", quality=0.7)]
    parsed = _parse(write_report(results, tmp_path))
    card = results[0].scorecard()
    for words in (
        "alpha",
        "beta",
        f"{100 * card.total:.2f}",
        f"{100 * results[0].scorecard(scoring='strict').total:.2f}",
        f"[{100 * card.interval[0]:.2f}, {100 * card.interval[1]:.2f}]",
        f"raw {card.columns['naturalscore'].raw:.4f}",
        "n=30",
        f"strict {100 * results[0].scorecard(scoring='strict').columns['gmescore'].normalised:.2f}",
        "weight 24 %",
        "singleobj_2.mp4 is cut short",
        "Without a video: humanobj_1",
        "beta is ahead in the total by",
        "org/some-model",
        "c0ffeec0ffee",
        "linspace-32",
        "opens2v-hf 0.1.0",
    ):
        assert words in parsed.text
    sources = [image["src"] or "" for image in parsed.all("img")]
    # totals, radar, columns, the companion metric, and the categories of each column
    assert len(sources) == 4 + len(COLUMNS)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not {tag for tag, _ in parsed.seen} & {"script", "link", "iframe", "object"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one model with all columns."""
    return write_report([full_result("alpha")], tmp_path_factory.mktemp("alone"))


def test_every_picture_says_in_words_what_it_shows(alone: Path) -> None:
    texts = [image["alt"] or "" for image in _parse(alone).all("img")]
    card = full_result("alpha").scorecard()
    assert texts[0] == f"Totals. alpha: {100 * card.total:.2f}."
    assert f"FaceSim {100 * card.columns['facesim_cur'].normalised:.2f}" in texts[1]
    in_category = card.columns["gmescore"].by_category["multi-face-to-video"].normalised
    assert any(f"multi-face-to-video {100 * in_category:.2f}" in text for text in texts)
    assert all(texts)


def test_plots_are_written_as_png_files_of_a_sensible_size(alone: Path) -> None:
    names = {path.name for path in alone.parent.glob("*.png")}
    assert names == {"totals.png", "radar.png", "columns.png", "nexusscore_coverage.png"} | {
        f"categories-{name}.png" for name in COLUMNS
    }
    for name in names:
        data = (alone.parent / name).read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", data[16:24])
        assert width > 300
        assert height > 100


def test_each_split_has_a_part_of_its_own(tmp_path: Path) -> None:
    results = [
        full_result(model, split=split, metrics=("gmescore", "nexusscore"))
        for model, split in (("alpha", "open-domain"), ("alpha", "human-domain"), ("beta", "open-domain"))
    ]
    parsed = _parse(write_report(results, tmp_path))
    assert "Scorecard: open-domain" in parsed.text
    assert "Scorecard: human-domain" in parsed.text
    assert (tmp_path / "open-domain-categories-nexusscore.png").exists()
    assert not (tmp_path / "human-domain-categories-nexusscore.png").exists()
    assert "2 models" in parsed.text


def test_markup_in_names_and_reasons_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    quotes = "\"' onmouseover=alert(3) {{ 7 * 7 }} javascript:alert(4)"
    results = [make_result(evil, (0.5, None), reason=evil), make_result(quotes, (0.4, 0.6))]
    results[1] = replace(
        results[1], source=evil, benchmark={evil: evil}, package={evil: evil}, created_at=evil,
        coverage=replace(results[1].coverage, unknown=(evil,)),
    )  # fmt: skip
    parsed = _parse(write_report(results, tmp_path, title=evil))
    assert parsed.text.count(evil) > 8
    assert quotes in parsed.text
    assert not any(tag == "script" or any(name.startswith("on") for name in found) for tag, found in parsed.seen)
    policy = next(meta for meta in parsed.all("meta") if "http-equiv" in meta)
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")  # where no font for the script is installed
def test_formulas_and_hidden_labels_in_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    metrics = ("gmescore", "aesthetics", "motion_smoothness", "nexusscore_coverage")  # a plot of each kind
    write_report([full_result(name, metrics=metrics) for name in ("$\\frac{$", "_hidden", "模型" * 40)], tmp_path)
    for name in ("totals", "radar", "columns", "categories-gmescore", "nexusscore_coverage"):
        assert (tmp_path / f"{name}.png").exists()


def test_embedded_results_carry_their_warning(tmp_path: Path) -> None:
    assert EMBEDDED_NOTE in _parse(write_report([make_result(embedded=True)], tmp_path)).text


def test_a_partial_total_is_marked_and_explained(tmp_path: Path) -> None:
    parsed = _parse(write_report([make_result(values=(0.25, 0.75))], tmp_path))
    assert "50.00*" in parsed.text
    assert "no total without Aesthetics" in parsed.text
    assert "the total lies between 6.00 and 94.00" in parsed.text


def test_a_column_that_a_version_does_not_weigh_is_shown_as_such(tmp_path: Path) -> None:
    text = _parse(write_report([full_result()], tmp_path, version="v1.0")).text
    assert text.count("not weighed") == 1
    assert "weights of v1.0" in text
    assert f"{100 * full_result().scorecard(version='v1.0').total:.2f}" in text


def test_a_metric_without_any_value_is_shown_as_such(tmp_path: Path) -> None:
    parsed = _parse(write_report([make_result(values=(None, None))], tmp_path))
    assert "nonen=02 missing" in parsed.text
    assert "Totals" not in parsed.text


def test_best_and_worst_videos_with_their_thumbnails(tmp_path: Path) -> None:
    result = make_result("alpha", (0.9, 0.1, 0.5, 0.7, 0.3, 0.4))
    frames = np.full((4, 20, 30, 3), 200, np.uint8)
    path = write_thumbnail(tmp_path / "thumbnails", "singleobj_1", frames)
    page = write_report([result], tmp_path, thumbnails={("alpha", "open-domain"): {"singleobj_1": path}})
    parsed = _parse(page)
    shown = [image for image in parsed.all("img") if (image["src"] or "").startswith("data:image/jpeg;base64,/9j/")]
    assert [image["alt"] for image in shown] == ["Frames of the video for singleobj_1"]
    # six videos: three best from the highest, three worst from the lowest
    best, worst = parsed.text.split("best", 1)[1].split("worst", 1)
    assert [line.split()[1] for line in best.splitlines() if "raw" in line] == [
        "singleobj_1",
        "faceobj_2",
        "singleobj_2",
    ]
    assert [line.split()[1] for line in worst.splitlines() if "raw" in line][:3] == [
        "faceobj_1",
        "singleobj_3",
        "faceobj_3",
    ]


def test_only_small_jpeg_files_are_thumbnails(tmp_path: Path) -> None:
    other = tmp_path / "a.jpg"
    other.write_bytes(b"<svg onload=alert(1)>")
    large = tmp_path / "b.jpg"
    large.write_bytes(b"\xff\xd8\xff" + bytes(MAX_THUMBNAIL_BYTES))
    found = {("alpha", "open-domain"): {"singleobj_1": other, "faceobj_1": large}}
    page = write_report([make_result("alpha", (0.2, 0.4))], tmp_path, thumbnails=found)
    assert "image/jpeg" not in page.read_text()
    with pytest.raises(ResultError, match=r"gone\.jpg"):
        write_report(
            [make_result("alpha", (0.2,))],
            tmp_path,
            thumbnails={("alpha", "open-domain"): {"singleobj_1": tmp_path / "gone.jpg"}},
        )


def test_many_models_are_compared_with_their_neighbours_alone(tmp_path: Path) -> None:
    results = [make_result(f"model {number}", (number / 20, number / 20)) for number in range(MAX_MATRIX_MODELS + 1)]
    parsed = _parse(write_report(results, tmp_path))
    assert "Total, row less column" not in parsed.text
    assert parsed.text.count("Where their videos differ most") == MAX_MATRIX_MODELS


def test_models_without_common_prompts_are_not_compared(tmp_path: Path) -> None:
    parsed = _parse(write_report([make_result("a", (0.5,)), make_result("b", (4.0,), metric="naturalscore")], tmp_path))
    assert parsed.text.count("nothing in common") == 2


def test_a_split_without_a_leaderboard_is_shown_in_the_metrics_own_units(tmp_path: Path) -> None:
    parsed = _parse(write_report([replace(make_result(values=(0.25, 0.75)), split="hard-case")], tmp_path))
    assert "0.500" in parsed.text
    assert "Total" not in parsed.text


def test_results_on_other_prompts_get_their_own_scorecard(tmp_path: Path) -> None:
    other = replace(make_result("beta"), benchmark={"source": "folder", "sha256": "1f" * 32})
    parsed = _parse(write_report([make_result("alpha"), other, make_result("gamma")], tmp_path))
    first, second = parsed.text.split("Scorecard: open-domain, prompts ")[1:]
    assert first.startswith("00000000")
    assert second.startswith("1f1f1f1f")
    assert "alpha against gamma" in first
    assert "beta against" not in parsed.text
    assert "against beta" not in parsed.text
    assert {"open-domain-1-columns.png", "open-domain-2-columns.png"} <= {path.name for path in tmp_path.iterdir()}


def test_the_page_shows_no_folder_of_the_machine(tmp_path: Path) -> None:
    result = make_result("alpha", (0.5, None), reason="cannot read /home/me/videos/faceobj_1.mp4: it is cut short")
    (metric,) = result.metrics
    model = replace(metric.models[0], name="/home/me/my models/gme")
    metric = replace(
        metric, models=(model,), options={"prompts": "~/me/rubric.txt"}, caveats=("the model /home/me/gme was used",)
    )
    result = replace(
        result, source="/home/me/videos", benchmark={"source": "/home/me/bench", "sha256": "0" * 64}, metrics=(metric,)
    )
    page = write_report([result], tmp_path)
    for folder in ("/home", "/me", "my models"):
        assert folder not in re.sub('base64,[^"]*', "", page.read_text(encoding="utf-8"))
    text = _parse(page).text
    for words in ("cannot read faceobj_1.mp4: it is cut short", "Videos from videos", "source bench", "the model gme"):
        assert words in text


def test_prompts_and_reference_pictures_are_shown_with_the_videos(tmp_path: Path) -> None:
    write_eval(tmp_path / "benchmark", per_category=1)
    split = open_split("open-domain", data_dir=str(tmp_path / "benchmark"))
    samples = {sample.id: sample for sample in split.samples}
    result = make_result("alpha", (0.5, 0.25))  # of singleobj_1 and faceobj_1
    result = replace(result, benchmark=split.provenance)
    parsed = _parse(write_report([result], tmp_path / "report", benchmarks=[split]))
    alts = [image["alt"] for image in parsed.all("img") if (image["src"] or "").startswith("data:image/jpeg")]
    assert alts == [
        f"Reference of {name}: {subject.label}"
        for name in ("singleobj_1", "faceobj_1")
        for subject in samples[name].subjects
    ]
    assert all(samples[name].prompt in parsed.text for name in ("singleobj_1", "faceobj_1"))
    with pytest.raises(ArgumentError, match="no result was scored on the prompts of open-domain"):
        write_report([make_result()], tmp_path / "other", benchmarks=[split])


def test_models_have_one_legend(tmp_path: Path) -> None:
    results = [make_result("alpha", (0.5,)), make_result("beta", (0.25,))]
    parsed = _parse(write_report(results, tmp_path))
    assert [found.get("aria-label") for found in parsed.all("ul") if found.get("class") == "legend"] == [
        "Colours of the models"
    ]


def test_no_result_or_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="at least one"):
        write_report([], tmp_path)
    with pytest.raises(ArgumentError, match="own model name"):
        write_report([make_result(), make_result()], tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultError, match="file"):
        write_report([make_result()], tmp_path / "file")


def test_who_made_the_videos_and_how_much_depends_on_the_seed(tmp_path: Path) -> None:
    commit = "c0ffee" * 6 + "abcd"
    made = Generation(
        "diffusers", "org/vace", commit, "WanVACEPipeline", "bfloat16", {"diffusers": "0.42.1"}, True, (),
        {"width": 832, "steps": 50, "negative_prompt": "<b>blurry</b>"}, 42, "fail", seeds=(42, 43),
    )  # fmt: skip
    first, other = make_whole_result(seed=0, model="vace"), make_whole_result(seed=1)
    result = replace(first, generation=made, other_seeds={43: column_values(other)})
    text = write_report([result], tmp_path / "page").read_text(encoding="utf-8")
    for words in ("org/vace", commit, "WanVACEPipeline", "diffusers 0.42.1", "width 832, steps 50", "of 42, 43"):
        assert words in text
    assert "&lt;b&gt;blurry&lt;/b&gt;" in text
    assert "<b>blurry" not in text
    assert "vace: 2 seeds" in text
    totals = [one.scorecard().total for one in (first, other)]
    for value in (*totals, sum(totals) / 2, abs(totals[0] - totals[1]) / 2**0.5):
        assert f">{100 * value:.2f}<" in text
    assert "Who made the videos" not in write_report([make_result()], tmp_path / "other").read_text(encoding="utf-8")
