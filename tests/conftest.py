"""Options, marks and fixtures of all tests. Hub clients are set offline before they are imported."""

import gc
import importlib.util
import json
import os
import shutil
import signal

# Until the tests begin: imports make many objects and no garbage, and the collector took a quarter of their time.
gc.disable()

for switch in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ.setdefault(switch, "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# A shell ignores it for what it starts in the background; tests interrupt themselves and what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine drawing an input may take seconds, which says nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["helpers.browser_fixtures", "helpers.loopback_hub.fixture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=50, help="how often runs are killed in tests/evaluation/test_kills.py"
    )
    parser.addoption(
        "--write-durations", action="store_true", help="write tests/durations.json after a run of all tests"
    )


DURATIONS = Path(__file__).with_name("durations.json")
"""Seconds of each test file that takes at least one, by its path in this folder, set-up included: of a whole run on two
cores, written by `pytest --write-durations`."""
SLOW_S = 5
SLOW_FIXTURES = {"driver", "loopback_hub", "hub_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and put the longest files first: one that came last would keep one process busy alone."""
    seconds: dict[str, float] = json.loads(DURATIONS.read_text())
    of_item = {item: seconds.get(_file_of(item.nodeid), 0) for item in items}
    items.sort(key=lambda item: -of_item[item])  # stable: the others stay in their order
    for item in items:
        if of_item[item] >= SLOW_S or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()  # imported modules stay: the collector need not visit them again and again
    gc.enable()


_seconds: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[_file_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    # the processes of xdist have only some of the tests; their reports come together in the one that started them
    if session.config.getoption("--write-durations") and not hasattr(session.config, "workerinput"):
        found = {file: round(seconds) for file, seconds in sorted(_seconds.items()) if seconds >= 1}
        DURATIONS.write_text(json.dumps(found, indent=1) + "\n")


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0].removeprefix("tests/")


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
    """The folder of released files and fixtures next to the project; tests that need it skip where it is missing."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the released files are not next to this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    return shared / "data"
