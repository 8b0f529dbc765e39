"""Cards say all that their scripts take and give, and what the Hub needs of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import evaluate
import gradio
import pytest
import yaml

import opens2v_hf
from opens2v_hf.data.benchmark.builder import FEATURES
from opens2v_hf.data.opens2v5m.shards.tables import SCHEMAS
from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.metrics.arguments import NEEDS, arguments_of

ROOT = Path(__file__).resolve().parents[2]
METRICS = sorted(path.parent.name for path in ROOT.glob("metrics/*/requirements.txt"))
SPACES = sorted(path.parent for kind in ("metrics", "spaces") for path in ROOT.glob(f"{kind}/*/app.py"))
SECTIONS = ["What it measures", "How to use", "Inputs", "Output", "Limitations", "Citation"]
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
"""That the Hub knows."""

assert opens2v_hf  # imported for the bare names


def _card(folder: Path) -> tuple[dict, str]:
    _, head, body = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def _section(body: str, title: str) -> str:
    """A section with those below it."""
    level, rest = re.search(rf"^(#+) {title}$(.*)", body, flags=re.MULTILINE | re.DOTALL).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def _named(text: str) -> set[str]:
    """Words in code of a piece of a card, its blocks left out."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"\w+", code)}


def _entries(description: str, title: str) -> set[str]:
    """The names that a part of a metric's description explains, e.g. {"scores", "summary"} under "Returns"."""
    part = re.search(rf"^{title}:\n(.*?)(?=^\w+:\n|\Z)", description, flags=re.MULTILINE | re.DOTALL)[1]
    names = re.findall(r"^    ([a-z_0-9]+(?:, [a-z_0-9]+)*)(?:, \.\.\.)?: ", part, flags=re.MULTILINE)
    return {name for line in names for name in line.split(", ")}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_card_is_complete(name: str) -> None:
    _, body = _card(ROOT / "metrics" / name)
    found = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", body, flags=re.DOTALL), flags=re.MULTILINE)
    assert found[0].startswith("Metric card: ")
    assert [title for title in found if title in SECTIONS] == SECTIONS
    assert f'evaluate.load("{name}")' in _section(body, "How to use")
    assert "@" in _section(body, "Citation")
    assert "comparable" in _section(body, "Output")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_card_names_every_argument_and_result(name: str) -> None:
    _, body = _card(ROOT / "metrics" / name)
    description = evaluate.load(name).inputs_description
    arguments = set(arguments_of(name)) | {"predictions"} | ({"references"} if name in NEEDS else set())
    assert arguments - _named(_section(body, "Inputs")) == set()
    assert arguments - _entries(description, "Args") == set()
    results = _entries(description, "Returns")
    assert name in results
    assert results - _named(_section(body, "Output")) == set()


@pytest.mark.parametrize("folder", SPACES, ids=lambda folder: folder.name)
def test_the_hub_can_show_a_space(folder: Path) -> None:
    head, _ = _card(folder)
    assert head["sdk"] == "gradio"
    assert head["sdk_version"] == gradio.__version__
    assert (folder / head["app_file"]).is_file()
    assert {head["colorFrom"], head["colorTo"]} <= COLOURS
    assert head["license"] == "apache-2.0"
    assert head["title"]
    assert head["emoji"]
    said = head.get("short_description", "")
    assert len(said) <= 60
    assert len(head.get("description", said)) > 20
    assert ({"evaluate", "metric"} <= set(head["tags"])) == (folder.parent.name == "metrics")


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("opens2v-eval", set(FEATURES)),
        ("opens2v-5m", {name for schema in SCHEMAS.values() for name in schema.names}),
        ("opens2v-results", {field.alias or name for name, field in Submission.model_fields.items()} | {"format"}),
    ],
)
def test_a_dataset_card_is_complete(name: str, columns: set[str]) -> None:
    head, body = _card(ROOT / "dataset_scripts" / name)
    # `current_` and `other_` stand before the names of a pair's sides
    shown = _named(body) | {side + word for side in ("current_", "other_") for word in _named(body)}
    assert columns - shown == set()
    assert {"pretty_name", "license", "language", "size_categories", "tags", "configs"} <= set(head)
    for config in head["configs"]:
        assert all(each["path"].startswith("data/") for each in config["data_files"])
    assert 'load_dataset("<this repo>"' in body
    for title in ("Licence", "Citation"):
        assert _section(body, title).strip()


def test_the_results_card_declares_the_records_as_they_are() -> None:
    """The features in the front matter are what plain `datasets` reads the records with."""
    head, _ = _card(ROOT / "dataset_scripts" / "opens2v-results")
    names = [feature["name"] for feature in head["dataset_info"]["features"]]
    record = next((ROOT / "dataset_scripts" / "opens2v-results" / "data").rglob("*.json"))
    content = json.loads(record.read_text("utf-8"))
    assert Submission.from_dict(content).to_dict() == content
    assert names == list(content)
