"""What all tests share. Nothing here may reach a network: Hub clients are told so before they are imported."""

import importlib.util
import os
import shutil

for switch in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ.setdefault(switch, "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest

pytest_plugins = ["helpers.browser_fixtures", "helpers.loopback_hub.fixture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=50, help="how often runs are killed in tests/evaluation/test_kills.py"
    )


SLOW_FILES = (
    "pipeline/test_build_ray.py",
    "pipeline/test_build_processes.py",
    "metric_folders/test_apps_browser.py",
    "spaces/test_leaderboard.py",
    "evaluation/test_faults.py",
    "docs/test_examples.py",
    "evaluation/test_kills.py",
    "jobs/test_distributed.py",
    "evaluation/test_kills_of_several.py",
    "generators/test_kills.py",
    "evaluation/test_composite_launched.py",
    "embedded/training",
    "models/test_embedded_detector.py",
    "models/test_embedded_embedder.py",
    "models/test_embedded_quality_scorer.py",
    "models/test_embedded_segmenter.py",
    "models/test_embedded_text_detector.py",
    "models/faces/test_embedded_faces.py",
    "evaluation/test_embedded_nexusscore.py",
    "evaluation/test_embedded_facesim.py",
    "evaluation/test_poison.py",
    "spaces/test_explorer.py",
    "spaces/test_rate.py",
    "pipeline/stages/test_scenes.py",
    "video/test_damaged_copies.py",
    "video/test_against_ffmpeg.py",
    "data/training/test_view.py",
    "reports/test_report_browser.py",
    "reports/test_build_page.py",
    "hub/test_push.py",
    "hub/test_end_to_end.py",
    "hub/test_dry_run.py",
    "leaderboard/submissions/test_submit.py",
    "cli/test_demo_run.py",
    "pipeline/views/test_make.py",
    "pipeline/views/test_local.py",
    "test_wheel.py",
    "test_browser_notice.py",
)
"""Files and folders whose tests drive a browser, start processes or train: marked `slow`, and run first."""
SLOW_FIXTURES = {"driver", "loopback_hub"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and put the longest files first: one that came last would keep one process busy alone."""
    tests = Path(__file__).parent
    places = [tests / name for name in SLOW_FILES]
    missing = [str(place) for place in places if not place.exists()]
    assert not missing, f"SLOW_FILES in tests/conftest.py must name files that exist (got {missing})"

    def place_of(item: pytest.Item) -> int:
        return next((i for i, place in enumerate(places) if item.path.is_relative_to(place)), len(places))

    items.sort(key=place_of)  # stable: the others keep their order
    for item in items:
        if place_of(item) < len(places) or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


def _missing_browser() -> str:
    """What is missing for the tests in a browser, as a sentence; empty where they run."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    missing += [name for name in ("selenium", "gradio") if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"browser tests are skipped: {', '.join(missing)} not found. To have them, install Chromium "
        "(apt-get install chromium chromium-driver) and the development tools (make install)."
    )


def pytest_report_header() -> str:
    return _missing_browser() or "browser tests run in Chromium"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if message := _missing_browser():
        terminalreporter.write_sep("=", message, yellow=True)


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of released files and fixtures beside the project; tests that need it skip where it is missing."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the released files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    return shared / "data"
