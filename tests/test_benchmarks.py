"""The scripts in benchmarks/: all read their arguments, and those that are cheap at small sizes run."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as oracle

from opens2v_hf.masks import geometry

SCRIPTS = Path(__file__).resolve().parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="the benchmarks are not here")


@pytest.fixture
def load(monkeypatch):
    """Imports a script by its name, as `python benchmarks/NAME.py` does."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def loaded(name: str):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return loaded


def run(module, monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [module.__file__, *arguments])
    module.main()


def ratios_of(path: Path) -> dict[str, float]:
    return {one["part"]: one["ratio"] for one in map(json.loads, path.read_text().splitlines())}


@pytest.fixture
def ratios(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("OPENS2V_BENCH_RATIOS", str(tmp_path / "ratios"))
    return tmp_path / "ratios"


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "ratios"))
def test_every_script_reads_its_arguments(load, monkeypatch, capsys, name) -> None:
    module = load(name)
    with pytest.raises(SystemExit) as ended:
        run(module, monkeypatch, "--help")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        run(module, monkeypatch, "--no-such-option")
    assert ended.value.code == 2


def test_masks(load, monkeypatch, ratios, tmp_path) -> None:
    module = load("masks")
    monkeypatch.setattr(module, "ROUNDS", 1)
    monkeypatch.setattr(geometry, "_seconds_before_loading", 0)  # the script sets it: other tests get it back
    pixels = np.asfortranarray(np.random.default_rng(0).random((3, 20, 30)) < 0.3, np.uint8)
    codes = [oracle.encode(np.asfortranarray(mask)) for mask in pixels]
    masks = {str(number): {**code, "counts": code["counts"].decode()} for number, code in enumerate(codes)}
    records = tmp_path / "records.json"
    records.write_text(json.dumps({"clip": {"annotation": {"mask_annotation": {"0": masks}}}}))
    run(module, monkeypatch, "--records", str(records), "--seconds", "0.001", "--profile")
    parts = {"masks: decode", "masks: area of a list of 240, without numba", "masks: IoU of all pairs of a list"}
    assert parts <= set(ratios_of(ratios))


def test_opens2v5m(load, monkeypatch, ratios) -> None:
    """All ways to read the dataset, in this process and at a small size."""
    module = load("opens2v5m")
    small = {"WIDTH": 160, "HEIGHT": 96, "FRAMES": 12, "DIFFERENT_VIDEOS": 1, "LINKS": 1}
    for name, value in small.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "TRAINING", {"num_frames": 5, "stride": 1, "size": (48, 80)})

    def measure(way, folders, seconds):
        answers = []
        module._measure(way.read, folders, seconds, type("Answer", (), {"send": answers.append}))
        return answers[0]

    monkeypatch.setattr(module, "measure", measure)
    run(module, monkeypatch, "--clips", "8", "--rounds", "1", "--seconds", "0")
    found = ratios_of(ratios)
    assert {f"{way.name}, by processor time" for way in module.WAYS if way.target} <= set(found)
    assert min(found.values()) > 0


def test_the_readers_of_json_stream(load, tmp_path) -> None:
    module = load("json_stream")
    file = tmp_path / "records.json"
    file.write_text('{"a": {"b": 1}, "c": {"d": 2.5}}')
    expected = [("a", {"b": 1}), ("c", {"d": 2.5})]
    for reader in (module.with_ijson, module.with_json):
        assert list(reader(file)) == expected
    assert [(entry.key, entry.value) for entry in module.with_this_package(file)] == expected
