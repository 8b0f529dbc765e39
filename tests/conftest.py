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
