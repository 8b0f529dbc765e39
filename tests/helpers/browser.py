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
    "--mute-audio", "--disable-extensions",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1300,1300",
)  # fmt: skip
DOWNLOADS = "downloads"
"""Folder in the browser's profile that gets what is downloaded."""

STARTS_WITHIN_S = 200.0
ANSWERS_WITHIN_S = 200.0


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
    (profile / DOWNLOADS).mkdir()
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.page_load_strategy = "none"  # a page waits for what it needs, and not for all that it loads
    options.add_experimental_option("prefs", {"download.default_directory": str(profile / DOWNLOADS)})
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
        driver.get("about:blank")
        driver.get_log("performance")  # what a page before this one asked for
        driver.get(address)
        self.wait(lambda: self.find("button") or None, "the page shows no button", seconds=STARTS_WITHIN_S)
        self.wait(self._is_complete, "the page does not become complete", seconds=STARTS_WITHIN_S)
        self.driver.set_script_timeout(STARTS_WITHIN_S)
        # what is put into a field before its listeners are there is lost
        self.driver.execute_async_script("requestIdleCallback(() => arguments[0]())")

    def _is_complete(self) -> bool | None:
        return self.driver.execute_script("return document.readyState === 'complete'") or None

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
        fields = self.wait(lambda: self.find("input[type=file]")[place:] or None, "there is no upload field")
        fields[0].send_keys(str(file))
        self.wait(lambda: True if len(self.find(shown)) > before else None, f"{file.name} did not arrive")

    def type_into(self, css: str, text: str) -> None:
        (field,) = self.wait(lambda: self.find(css) or None, f"there is no field {css}")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
        field.clear()
        field.send_keys(text)

    def click(self, text: str) -> None:
        """Press the button, or choose the option, whose first line is this text; messages on the page are closed."""
        for close in self.find(".toast-close"):
            close.click()
        self.wait(lambda: None if self.find(".toast-close") else True, "a message stays")
        elements = self.find("button, label, li, [role=option]")
        element = next(element for element in elements if element.text.strip().split("\n")[0] == text)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def choose(self, field: str, option: str) -> None:
        """Open the dropdown of this label and choose the option that has this text in it."""
        name = f"input[role=combobox][aria-label='{field}']"
        (dropdown,) = self.wait(lambda: self.find(name) or None, f"there is no dropdown {field}")
        dropdown.click()

        def offered() -> Any:
            return next((item for item in self.find("[role=option]") if option in item.text), None)

        self.wait(offered, f"{field} does not offer {option}").click()

    def text(self) -> str:
        return self.driver.find_element("css selector", "body").text

    def wait_for_text(self, *words: str) -> str:
        """Wait until all these words are on the page, or an error is; gives the page's text."""

        def shown() -> str | None:
            refused = self.find(".toast-body.error")
            text = self.text()
            return text if refused or all(word in text for word in words) else None

        text = self.wait(shown, f"{words} did not appear")
        assert all(word in text for word in words), text
        return text

    def screenshot(self, path: Path) -> Path:
        """The whole page as a PNG file."""
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        self.driver.set_window_size(1300, max(1300, height + 150))
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
