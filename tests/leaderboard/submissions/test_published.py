"""The first content of the results dataset is what was published, and nothing else."""

import csv
import json
import re

import pytest
from datasets import load_dataset
from helpers.submissions import features_yaml
from huggingface_hub import DatasetCard

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.submissions.published import HEADINGS, TABLES, read_table, write_published
from opens2v_hf.leaderboard.submissions.record import load_submissions

FOLDER = hub_folder("dataset_scripts", "opens2v-results")


def published_rows(tables):
    """Split and CSV row of every published model."""
    for split, name in TABLES.items():
        with (tables / name).open(encoding="utf-8", newline="") as file:
            yield from ((split, row) for row in csv.DictReader(file))


def test_every_published_figure_is_there(shared_data):
    held = {(one.split, one.model): one for one in load_submissions(FOLDER)}
    rows = list(published_rows(shared_data / "leaderboard-v1.1"))
    assert len(held) == len(rows) == 42
    for split, row in rows:
        name, link = re.fullmatch(r"\[(.*)\]\((.*)\)", row["Model"]).groups()
        one = held[split, name]
        assert (one.link, one.venue, one.team) == (link, row["Venue"], row["Evaluated by"])
        assert f"{one.total:.4f}" == f"{float(row['TotalScore↑'][:-1]) / 100:.4f}"
        expected = {HEADINGS[key]: float(row[key][:-1]) for key in HEADINGS if key in row}
        assert {key: round(value * 100, 10) for key, value in one.columns.items()} == expected
        assert one.provenance.kind == "published"
        assert one.provenance.source.startswith("https://huggingface.co/spaces/")


def test_the_files_are_those_that_the_script_writes(shared_data, tmp_path):
    written = write_published(shared_data / "leaderboard-v1.1", tmp_path)
    made = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in written}
    held = {p.relative_to(FOLDER).as_posix(): p.read_bytes() for p in FOLDER.rglob("*.json")}
    assert made == held


def test_plain_datasets_reads_it(tmp_path):
    rows = load_dataset(str(FOLDER), split="train", cache_dir=str(tmp_path))
    assert rows.num_rows == 42
    by_name = {(row["split"], row["model"]): row for row in rows}
    row = by_name["open-domain", "VACE-14B"]
    assert row["total"] == 0.5755  # of the published table, as the next ones
    assert row["columns"]["nexusscore"] == 0.4408
    assert by_name["human-domain", "Stand-In"]["columns"]["nexusscore"] is None
    assert (
        row["submitted_at"]
        == json.loads(next(FOLDER.glob("data/open-domain/vace-14b/*.json")).read_text())["submitted_at"]
    )
    assert row["per_video"] == []


def test_the_card_declares_the_records_form():
    head = DatasetCard.load(FOLDER / "README.md").data
    assert head["dataset_info"]["features"] == features_yaml()


def test_a_table_of_another_form_is_refused(tmp_path):
    (tmp_path / "results.csv").write_text("Model,TotalScore↑\nplain,50%\n")
    with pytest.raises(ResultError, match=r"results.csv, row 1: 'plain' is not \[model\]\(link\)"):
        read_table(tmp_path / "results.csv", "open-domain")
    with pytest.raises(ResultError, match="cannot read the table"):
        read_table(tmp_path / "none.csv", "open-domain")
