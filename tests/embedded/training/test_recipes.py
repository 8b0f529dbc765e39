"""Every model has a recipe, and the runs of a recipe go on from one another."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from opens2v_hf.embedded.training import __main__ as training
from opens2v_hf.models.roles import ROLES


class Script:
    """In place of a training: writes what it was told."""

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
    monkeypatch.setattr(training, "importlib", SimpleNamespace(import_module=lambda _name: script))
    return script


def test_runs_go_on_from_one_another_and_the_last_is_kept(script: Script, tmp_path: Path) -> None:
    training.main(["--out", str(tmp_path), "--only", "segmenter"])
    first, second = script.given
    assert "--start-from" not in first
    assert second[second.index("--start-from") + 1] == first[first.index("--out") + 1]
    assert (tmp_path / "segmenter" / "model.safetensors").read_text() == "2"
    assert json.loads((tmp_path / "measured.json").read_text())["segmenter"]["figures"] == {"figure": 0.1235}


def test_a_model_can_go_on_from_another_of_the_same_folder(script: Script, tmp_path: Path) -> None:
    out = tmp_path / "with a space"
    training.main(["--out", str(out), "--only", "text_detector"])
    given = script.given[0]
    assert given[given.index("--detector") + 1] == str(out / "detector")
    assert given[given.index("--prompt-encoder") + 1] == str(out / "prompt_encoder")


def test_every_embedded_folder_is_a_role_with_a_recipe() -> None:
    folders = {path.name for path in training.WEIGHTS.iterdir() if path.is_dir()}
    made = {folder for recipe in training.RECIPES.values() for folder in recipe.folders}
    assert folders == made
    assert made <= set(ROLES)
