"""A Space's page in a real Chromium: the app runs in a process of its own on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1400,1600",
)  # fmt: skip
STARTS_WITHIN_S = 200.0
ANSWERS_WITHIN_S = 120.0


@contextmanager
def app_on_loopback(app: Path, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `python app.py` as a Space does; gives the page's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(log.parent / "uploads"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(app)],
            stdout=output,
            stderr=output,
            env={**os.environ, **settings, **(environment or {})},
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait_for_answer(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _wait_for_answer(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            opener.open(address, timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the app did not start:\n{log.read_text(errors='replace')}")


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A headless browser with a fresh profile that reaches nothing but loopback; the test is skipped without one."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What a visitor does on a page of gradio."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        self.address = address
        driver.get(address)
        self.wait(lambda: self.find("button") or None, "the page shows no button", seconds=STARTS_WITHIN_S)

    def find(self, css: str) -> list[Any]:
        return self.driver.find_elements("css selector", css)

    def wait(self, condition: Callable[[], Any], message: str, *, seconds: float = ANSWERS_WITHIN_S) -> Any:
        """Wait until `condition` gives something other than None."""
        from selenium.webdriver.support.ui import WebDriverWait

        def holds(_: Any) -> Any:
            found = condition()
            return (found,) if found is not None else False

        return WebDriverWait(self.driver, seconds, poll_frequency=0.2).until(holds, message)[0]

    def upload(self, place: int, file: Path, shown: str) -> None:
        """Put a file into the n-th of the upload fields that are still empty, and wait until the element is there."""
        before = len(self.find(shown))
        self.find("input[type=file]")[place].send_keys(str(file))
        self.wait(lambda: True if len(self.find(shown)) > before else None, f"{file.name} did not arrive")

    def type_into(self, css: str, text: str) -> None:
        (field,) = self.find(css)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
        field.clear()
        field.send_keys(text)

    def click(self, text: str) -> None:
        """Press the button, or choose the option, whose first line is this text."""
        elements = self.find("button, label, li, [role=option]")
        element = next(element for element in elements if element.text.strip().split("\n")[0] == text)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def text(self) -> str:
        return self.driver.find_element("css selector", "body").text

    def wait_for_text(self, *words: str) -> str:
        """Wait until all these words are on the page, or an error is; gives the page's text."""

        def shown() -> str | None:
            text = self.text()
            return text if all(word in text for word in words) or self.find(".toast-body.error") else None

        text = self.wait(shown, f"{words} did not appear")
        assert all(word in text for word in words), text
        return text

    def screenshot(self, path: Path) -> Path:
        """The whole page as a PNG file."""
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        self.driver.set_window_size(1400, max(1600, height + 150))
        time.sleep(1.0)  # pictures are laid out anew
        self.driver.save_screenshot(str(path))
        return path

    def foreign_requests(self) -> list[str]:
        """Addresses that the page asked for beyond its own server."""
        import json

        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        assert any(url.startswith(self.address) for url in asked)
        return [url for url in asked if not url.startswith((self.address, "data:", "blob:", "chrome:"))]
