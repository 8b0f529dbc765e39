"""The wheel holds all that a user needs: code, templates, folders of Hub repos, embedded models."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.loopback_hub.fixture import run_python

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index",
        "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_it_works_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    printed = run_python(
        """
        import sys
        from pathlib import Path
        import opens2v_hf
        site = Path(sys.argv[1])
        assert Path(opens2v_hf.__file__).is_relative_to(site), opens2v_hf.__file__
        import evaluate
        metric = evaluate.load("gmescore")
        assert Path(sys.modules[type(metric).__module__].__file__).is_relative_to(site)
        from opens2v_hf.data.synthetic.eval_layout import write_eval
        write_eval(Path("benchmark"), per_category=1)
        from datasets import load_dataset
        rows = load_dataset("opens2v-eval", "open-domain", split="test", data_dir="benchmark", streaming=True)
        print(next(iter(rows))["id"])
        from opens2v_hf.cli import main
        from opens2v_hf.reports.page import environment
        environment().get_template("report.html.j2")
        """,
        site,
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=elsewhere,
    )
    assert printed.strip() == "singleface_1"


def test_everything_but_the_training_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "opens2v_hf", "metrics", "dataset_scripts", "spaces"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    travelled = {name.removeprefix("opens2v_hf/_hub_folders/") for name in names}
    left_out = [name for name in tracked if name not in travelled]
    # only this repository trains the embedded models
    assert {str(Path(name).parent) for name in left_out} == {"opens2v_hf/embedded/training"}


def test_it_holds_no_tests_and_no_stray_files(wheel: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"opens2v_hf"}
    assert not any("__pycache__" in name for name in zipfile.ZipFile(wheel).namelist())
