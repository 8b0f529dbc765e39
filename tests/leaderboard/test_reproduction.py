"""Published rows scored again."""

import csv
import json
import re

import numpy as np
import pytest
from helpers.results import make_result

import opens2v_hf
from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.generators import Recipe
from opens2v_hf.generators.repos import REPOS
from opens2v_hf.leaderboard.reproduction.comparison import Reproduction
from opens2v_hf.leaderboard.reproduction.published_rows import RECIPES, published_row, published_rows
from opens2v_hf.leaderboard.reproduction.upstream_videos import folder_of

IDS = ("singleobj_1", "singleface_1")
SMALL = Recipe(width=32, height=16, num_frames=4, fps=8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduction")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=8)
    return folder


def stripes(request):
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    for number in range(4):
        frames[number, :, (len(request.prompt) + 4 * number) % 32] = 255
    return frames


def test_every_published_row_has_its_facts_and_no_other_has():
    import yaml

    assert set(yaml.safe_load(RECIPES.read_text("utf-8"))) == set(published_rows())
    assert len(published_rows()) == 21
    assert sum(len(row.splits) for row in published_rows().values()) == 42


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("VACE-1.3B", {"width": 832, "height": 480, "num_frames": 81, "fps": 16, "flow_shift": 16, "seed": 2025}),
        ("VACE-14B", {"num_frames": 81, "steps": 50, "guidance": 5.0, "flow_shift": 16}),
        ("Phantom-14B", {"num_frames": 121, "fps": 24, "flow_shift": 5}),
        ("SkyReels-A2-P14B", {"width": 832, "height": 480, "num_frames": 69, "fps": 15}),
        ("BindWeave", {"width": 1280, "height": 720, "flow_shift": 3}),
        ("HunyuanCustom", {"num_frames": 129, "fps": 25, "steps": 30, "guidance": 7.5, "flow_shift": 13}),
        ("ID-Animator", {"num_frames": 16, "steps": 30, "guidance": 8, "seed": 4993}),
    ],
)
def test_settings_of_the_authors_scripts(name, settings):
    row = published_row(name)
    assert {key: row.settings[key].value for key in settings} == settings
    assert all(setting.source.startswith("github.com/") for setting in [*row.settings.values(), *row.text.values()])


def test_a_row_is_generated_again_only_by_a_known_pipeline():
    can = {row.name: row.model for row in published_rows().values() if not row.why_not_new}
    assert can == {
        "VACE-1.3B": "Wan-AI/Wan2.1-VACE-1.3B-diffusers",
        "VACE-14B": "Wan-AI/Wan2.1-VACE-14B-diffusers",
        "ConsisID": "BestWishYsh/ConsisID-preview",
    }
    assert all(model in REPOS and not REPOS[model].refusal for model in can.values())
    assert "size" in published_row("VACE-14B").unknown[0]
    assert published_row("VACE-14B").recipe.width is None


def test_a_row_is_found_by_its_name_in_another_spelling():
    assert published_row("vace-1.3b").name == "VACE-1.3B"
    assert published_row("Kling1.6").name == "Kling1.6(20250503)"
    with pytest.raises(ArgumentError, match=r"no published row is named 'vace-13b'; did you mean VACE"):
        published_row("vace-13b")
    with pytest.raises(ArgumentError, match="only on human-domain"):
        published_row("ConsisID").split_or_first("open-domain")
    assert published_row("ConsisID").split_or_first(None) == "human-domain"


def test_columns_are_compared_with_the_published_ones():
    made = Reproduction(published_row("VACE-1.3B"), make_result("VACE-1.3B", (0.25, 0.75, 0.5)), is_upstream=True)
    columns = {column.name: column for column in made.columns}
    gme = columns["gmescore"]
    assert (gme.published, gme.measured, gme.num_videos) == (0.7126, 0.5, 3)
    assert gme.difference == pytest.approx(-0.2126)
    low, high = gme.interval
    assert (gme.within, low <= 0.7126 <= high) == (True, True)
    assert (columns["total"].published, columns["total"].measured, columns["total"].interval) == (0.4989, None, None)
    assert columns["nexusscore"].measured is columns["nexusscore"].within is None
    shown = made.format()
    assert re.search(r"GmeScore +71\.26 +50\.00 +\[25\.00, 75\.00\] +-21\.26 +yes +3", shown)
    assert re.search(r"Total +49\.89 +none", shown)


def test_values_outside_of_the_interval_are_marked():
    made = Reproduction(published_row("VACE-1.3B"), make_result("VACE-1.3B", (0.25, 0.25, 0.25)))
    (gme,) = [column for column in made.columns if column.name == "gmescore"]
    assert (gme.interval, gme.within) == ((0.25, 0.25), False)
    assert any("nothing here shows that they are upstream's" in words for words in made.differences)


def test_videos_of_a_folder_by_the_command(place, tmp_path, capsys):
    words = ["reproduce", "vace-1.3b", "--videos", place / "videos", "--data-dir", place / "benchmark"]
    words += ["--models", "embedded", "--metrics", "motion_amplitude,gmescore", "--out", tmp_path / "out"]
    assert main([*map(str, words), "--json"]) == 1  # six samples have no video
    record = json.loads(capsys.readouterr().out)
    saved = json.loads((tmp_path / "out/open-domain.json").read_text())
    card = saved["scorecard"]["released"]["columns"]
    for column in record["columns"][1:]:
        assert column["measured"] == card[column["name"]]["normalised"]
    assert record["row"] == saved["model"] == "VACE-1.3B"
    differences = "\n".join(record["differences"])
    for words_ in ("embedded", "6 of 8 samples have no video", "the prompts are not the released ones"):
        assert words_ in differences
    assert main(list(map(str, words))) == 1  # everything comes from the journal
    printed = capsys.readouterr()
    assert "videos of videos" in printed.out
    assert "4 taken from the journal" in printed.err


def test_the_published_values_are_those_of_the_tables(shared_data):
    with (shared_data / "leaderboard-v1.1/results_Open-Domain.csv").open(encoding="utf-8") as file:
        (table,) = [row for row in csv.DictReader(file) if row["Model"].startswith("[VACE-1.3B]")]
    made = Reproduction(published_row("VACE-1.3B"), make_result("VACE-1.3B"))
    for column in made.columns:
        heading = "TotalScore↑" if column.name == "total" else f"{column.title}↑"
        assert f"{100 * column.published:.4g}%" == table[heading]


def test_generated_again_by_a_function_with_the_rows_recipe(place, tmp_path):
    asked = []

    def model(request):
        asked.append(request)
        return stripes(request)

    made = opens2v_hf.reproduce(
        "VACE-1.3B",
        source="new",
        model=model,
        recipe=SMALL,
        data_dir=place / "benchmark",
        metrics=["motion_amplitude"],
        ids=["singleobj_1"],
        out=tmp_path / "out",
    )
    assert (asked[0].seed, asked[0].recipe.steps, asked[0].recipe.flow_shift) == (42, 50, 16)  # the row's
    assert asked[0].recipe.width == 32
    assert made.result.model == "VACE-1.3B"
    script = "github.com/ali-vilab/VACE: vace/vace_wan_inference.py"
    assert f"width is 32, in the authors' script 832 ({script})" in made.differences
    assert "the seed is 42 (the benchmark's rule), in the authors' script 2025" in made.differences
    assert not any("steps" in words for words in made.differences)
    assert any(words.startswith("negative prompt, in the authors' script") for words in made.differences)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": "old"}, "source must be 'results' or 'new'"),
        ({"seed": 3, "videos": "x"}, "give `source='new'`"),
        ({"source": "new", "videos": "x"}, "takes no `videos=`"),
        ({"source": "new", "name": "Phantom-14B"}, "runs only with its own code.*Give `model=`"),
        ({"source": "new", "name": "Kling1.6"}, "not published as a pipeline of diffusers"),
        ({"name": ""}, "named as its table has it"),
    ],
)
def test_invalid_arguments_are_refused(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        opens2v_hf.reproduce(**{"name": "VACE-1.3B"} | arguments)


def test_the_list_says_what_is_known(capsys):
    assert main(["reproduce"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "VACE-1.3B: open-domain 49.89, human-domain" in printed
    assert "flow_shift 16, seed 2025" in printed
    assert "the web product of 3 May 2025" in printed
    assert main(["reproduce", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows["ConsisID"]["settings"]["fps"] == {
        "value": 8,
        "source": "github.com/PKU-YuanGroup/ConsisID: infer.py",
    }
    assert main(["reproduce", "VACE-1.3B", "--out", "x", "--videos-repo", "org/videos"]) == 2
    assert "give --from new with it" in capsys.readouterr().err


FILES = [
    "README.md",
    "Results/VACE-1.3B/singleobj_1.mp4",
    "Results/VACE-14B/a/singleobj_1.mp4",
    "Results/Kling1.6/Open-Domain/singleobj_1.mp4",
    "Results/Kling1.6/Human-Domain/x/singleface_1.mp4",
    "Results/Single-Domain/Vidu2.0/singleobj_1.mp4",
    "Results/Pika2.1.zip",
]


@pytest.mark.parametrize(
    ("name", "split", "folder"),
    [
        ("VACE-1.3B", "open-domain", "Results/VACE-1.3B"),
        ("VACE-1.3B", "human-domain", "Results/VACE-1.3B"),
        ("VACE-14B", "open-domain", "Results/VACE-14B"),
        ("Kling1.6(20250503)", "open-domain", "Results/Kling1.6/Open-Domain"),
        ("Kling1.6(20250503)", "human-domain", "Results/Kling1.6/Human-Domain"),
        ("Vidu2.0(20250503)", "single-domain", "Results/Single-Domain/Vidu2.0"),
    ],
)
def test_the_folder_of_a_row(name, split, folder):
    assert folder_of(name, split, FILES) == folder


@pytest.mark.parametrize(("name", "split"), [("Pika2.1", "open-domain"), ("Vidu2.0(20250503)", "open-domain")])
def test_a_row_without_a_folder(name, split):
    with pytest.raises(ResultError, match=r"it holds .*Pika2.1.zip.*give the folder as `videos=`"):
        folder_of(name, split, FILES)


UPSTREAM = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi
import opens2v_hf
place, out = map(Path, sys.argv[1:])
api = HfApi()
api.create_repo("BestWishYsh/OpenS2V-Eval", repo_type="dataset")
try:
    for folder in ("VACE-1.3B", "VACE-14B"):  # the same ids
        api.upload_folder(
            repo_id="BestWishYsh/OpenS2V-Eval", repo_type="dataset",
            folder_path=place / "videos", path_in_repo="Results/" + folder,
        )
    made = opens2v_hf.reproduce("VACE-1.3B", data_dir=place / "benchmark", metrics=["motion_amplitude"], out=out)
finally:
    api.delete_repo("BestWishYsh/OpenS2V-Eval", repo_type="dataset")
print(json.dumps([made.is_upstream, made.result.source, [video.file for video in made.result.videos]]))
"""


def test_upstreams_own_videos(place, tmp_path, loopback_hub):
    is_upstream, source, files = json.loads(loopback_hub.forked(UPSTREAM, place, tmp_path / "out").splitlines()[-1])
    assert is_upstream
    assert re.fullmatch(r"hf://datasets/BestWishYsh/OpenS2V-Eval@\w+/Results/VACE-1\.3B", source)
    assert sorted(files) == [f"Results/VACE-1.3B/{sample_id}.mp4" for sample_id in sorted(IDS)]
