"""Names that the docs and the cards use are importable from few places."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("opens2v_hf", *(f"opens2v_hf.{name}" for name in ("data", "generators", "metrics", "pipeline", "scores")))
ELSEWHERE = {
    "opens2v_hf.data.benchmark.publish.write_parquet",  # in the card that the same function writes
    "opens2v_hf.errors.JudgeError",
    "opens2v_hf.hub.folders.hub_folder",
    "opens2v_hf.leaderboard.submissions.record.load_submissions",
    "opens2v_hf.models.segmenter.sam.SamSegmenter",
    "opens2v_hf.models.text_detector.loading.load_text_detector",
    "opens2v_hf.models.yolo_world.weights.convert",
    "opens2v_hf.pipeline.overlays.OverlayRules",
    # scenes for the examples
    "opens2v_hf.data.synthetic.render.render_frame",
    "opens2v_hf.data.synthetic.scenes.caption",
    "opens2v_hf.data.synthetic.scenes.draw_scene",
    "opens2v_hf.results.agreement.agreement",
    # functions with the name of their module
    "opens2v_hf.scores.motion_amplitude.motion_amplitude",
    "opens2v_hf.scores.motion_smoothness.motion_smoothness",
    "opens2v_hf.scores.scorecard.scorecard",
    # packages as such
    "opens2v_hf.data.synthetic",
    "opens2v_hf.video",
}
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("README.md", "docs/*.md", "metrics/*/README.md", "dataset_scripts/*/README.md")
    for path in ROOT.glob(pattern)
)


def names_in(text: str) -> set[str]:
    imports = re.findall(r"from (opens2v_hf[\w.]*) import ([\w, ]+)", text)
    found = {f"{module}.{name.strip()}" for module, names in imports for name in names.split(",") if name.strip()}
    dotted = re.findall(r"(?<!from )\bopens2v_hf(?:\.[A-Za-z_]\w*)+", text)
    return found | set(dotted)


def is_public(name: str) -> bool:
    package, _, attribute = name.rpartition(".")
    return package in PACKAGES and attribute in importlib.import_module(package).__all__


def test_the_names_of_a_page() -> None:
    text = "from opens2v_hf.data import A, B\nimport opens2v_hf\nopens2v_hf.score(1); `opens2v_hf.video.clip`"
    assert names_in(text) == {
        "opens2v_hf.data.A", "opens2v_hf.data.B", "opens2v_hf.score", "opens2v_hf.video.clip",
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_names_what_is_public(page: Path) -> None:
    names = names_in((ROOT / page).read_text(encoding="utf-8"))
    assert sorted(name for name in names if name not in ELSEWHERE and not is_public(name)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_the_packages_import_no_torch() -> None:
    imports = "; ".join(f"import {package}" for package in PACKAGES)
    code = f"{imports}; import sys; print([name for name in ('torch', 'transformers', 'cv2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
