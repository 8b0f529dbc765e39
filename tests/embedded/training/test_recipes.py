"""Every model has a recipe, the runs of a recipe start from one another, and what was measured is of these weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from opens2v_hf.embedded.training import __main__ as training
from opens2v_hf.models.roles import ROLES


class Script:
    """In place of a training: records its arguments and writes a file."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def main(self, arguments: list[str]) -> dict[str, float]:
        self.given.append(arguments)
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir(parents=True)
        (out / "model.safetensors").write_text(str(len(self.given)))
        return {"figure": 0.123456}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()
    monkeypatch.setattr(training, "import_module", lambda _name: script)
    return script


def test_each_stage_starts_from_the_one_before_and_the_last_is_written(script: Script, tmp_path: Path) -> None:
    training.main(["--out", str(tmp_path), "--only", "segmenter"])
    first, second = script.given
    assert "--start-from" not in first
    assert second[second.index("--start-from") + 1] == first[first.index("--out") + 1]
    assert (tmp_path / "segmenter" / "model.safetensors").read_text() == "2"
    measured = json.loads((tmp_path / "measured.json").read_text())["segmenter"]
    assert measured["figures"] == {"figure": 0.1235}
    # of the text "2", by sha256sum
    assert measured["sha256"] == {
        "segmenter/model.safetensors": "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"
    }


def test_a_training_can_start_from_another_model_of_the_same_folder(script: Script, tmp_path: Path) -> None:
    out = tmp_path / "with a space"
    training.main(["--out", str(out), "--only", "text_detector"])
    given = script.given[0]
    assert given[given.index("--detector") + 1] == str(out / "detector")
    assert given[given.index("--prompt-encoder") + 1] == str(out / "prompt_encoder")


def test_evaluate_only_measures_the_folders_and_trains_nothing(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("detector", "prompt_encoder")]
    for folder in folders:
        folder.mkdir()
        (folder / "model.safetensors").write_text(folder.name)
    (tmp_path / "measured.json").write_text('{"judge": {"figures": {"mean clean": 4.5}}}')
    recipe = replace(
        training.RECIPES["detector"], evaluate=lambda *given: {"right folders": float([*given] == folders)}
    )
    monkeypatch.setitem(training.RECIPES, "detector", recipe)
    training.main(["--out", str(tmp_path), "--only", "detector", "--evaluate-only"])
    measured = json.loads((tmp_path / "measured.json").read_text())
    assert script.given == []
    assert measured["judge"] == {"figures": {"mean clean": 4.5}}
    assert measured["detector"]["figures"] == {"right folders": 1.0}
    assert set(measured["detector"]["sha256"]) == {"detector/model.safetensors", "prompt_encoder/model.safetensors"}


def test_every_embedded_folder_is_a_role_with_a_recipe() -> None:
    folders = {path.name for path in training.WEIGHTS.iterdir() if path.is_dir()}
    made = {folder for recipe in training.RECIPES.values() for folder in recipe.folders}
    assert folders == made
    assert made <= set(ROLES)


def test_the_committed_figures_were_measured_on_the_committed_files() -> None:
    measured = json.loads((training.WEIGHTS / training.MEASURED).read_text())
    assert measured.keys() == training.RECIPES.keys()
    digests = {name: digest for entry in measured.values() for name, digest in entry["sha256"].items()}
    files = {
        path.relative_to(training.WEIGHTS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in training.WEIGHTS.glob("*/*")
    }
    assert digests == files, "run python -m opens2v_hf.embedded.training --evaluate-only --only MODEL"
