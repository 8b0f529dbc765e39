"""A Space's page in a real Chromium: the app runs in a process of its own on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
    # all pages are of one site: one process draws them, and compiles what they share once
    "--process-per-site", "--disable-features=SpareRendererForSitePerProcess",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1300,1300",
)  # fmt: skip
NOT_LOADED = ("*/ffmpeg-core.wasm",)
"""The 31 MB with which gradio cuts videos in the browser, loaded with each video that is shown; no test cuts one."""
DOWNLOADS = "downloads"
"""Folder in the browser's profile that gets what is downloaded."""

_WATCH = """
window.asked = [];  // addresses that the page has fetched
window.changedAt = performance.now();
const fetchIt = window.fetch;
window.fetch = (...given) => { window.asked.push(String(given[0]?.url ?? given[0])); return fetchIt(...given); };
const changed = () => { window.changedAt = performance.now(); };
new MutationObserver(changed).observe(document, {subtree: true, childList: true, attributes: true});
addEventListener('resize', changed);
"""
"""Runs before a page's own scripts, so that tests can wait for what the page does."""
_TO_CLICK = """
const found = [...document.querySelectorAll('button, label, li, [role=option]')].find(element =>
  element.checkVisibility({visibilityProperty: true}) && element.innerText.trim().split('\\n')[0] === arguments[0]);
found?.scrollIntoView({block: 'center'});
return found ?? null;
"""
_CHOOSE = """
const field = document.querySelector(arguments[0]);
if (!field) return null;
if (field.value.includes(arguments[1])) return true;
const own = [...field.closest('.block').querySelectorAll('[role=option]')];  // another list may still be open
const option = own.find(one => one.innerText.includes(arguments[1]));
if (option) option.dispatchEvent(new MouseEvent('mousedown', {bubbles: true}));
else field.focus();
return null;
"""
"""Options are found and chosen in one go, because they are drawn anew at any time."""
_SETTLED = """
const moves = one => one.playState === 'running' && !(one instanceof CSSAnimation);  // such as the clock of a message
return document.readyState === 'complete' && performance.now() - window.changedAt > arguments[0]
  && !document.getAnimations().some(moves);
"""
_HAS_WIDTH = "return matchMedia(`(width: ${arguments[0]}px)`).matches || null"
BUILT_MS = 400
"""A page that has not changed for so long is built; before, its parts are replaced and forget what they were given."""
LAID_OUT_MS = 150
"""A page that has not changed for so long, and in which no transition runs, is laid out at its new width."""
HEEDED_WITHIN_S = 5.0
"""After which a file or a click that the page has not answered with a request is given again."""

STARTS_WITHIN_S = 200.0
ANSWERS_WITHIN_S = 90.0


@contextmanager
def app_on_loopback(app: Path, log: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `python app.py` as a Space does; gives the page's address."""
    with apps_on_loopback([app], log, environment) as (address,):
        yield address


@contextmanager
def apps_on_loopback(
    apps: Sequence[Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[list[str]]:
    """Run the scripts of some Spaces, each as `python app.py` does, in one process; gives the pages' addresses."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in apps]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1] for probe in sockets]
    settings = {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_TEMP_DIR": str(log.parent / "uploads"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    given = [f"{port}={app}" for port, app in zip(ports, apps, strict=True)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.serve_apps", *given],
            stdout=output,
            stderr=output,
            # what is given may be a whole environment, and have a path of its own
            env={**os.environ, **settings, **(environment or {}), "PYTHONPATH": settings["PYTHONPATH"]},
        )
        try:
            addresses = [f"http://127.0.0.1:{port}/" for port in ports]
            for address in addresses:
                _wait_for_answer(address, process, log)
            yield addresses
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
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": NOT_LOADED})
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What a visitor does on a page of gradio."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        self.address = address
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.set_window_size(1300, 1300)
        driver.get("about:blank")
        driver.get_log("performance")  # what a page before this one asked for
        self.open()

    def open(self, query: str = "") -> None:
        """Load the page, and wait until it is built."""
        self.driver.get(f"{self.address}{query}")
        self.wait(
            lambda: self._settled(BUILT_MS) and (self.find("button") or None),
            "the page does not become complete, with a button",
            seconds=STARTS_WITHIN_S,
        )

    def _settled(self, quiet_ms: int) -> bool | None:
        return self.driver.execute_script(_SETTLED, quiet_ms) or None

    def find(self, css: str) -> list[Any]:
        return self.driver.find_elements("css selector", css)

    def wait(self, condition: Callable[[], Any], message: str, *, seconds: float = ANSWERS_WITHIN_S) -> Any:
        """Wait until `condition` gives something other than None; parts that are replaced meanwhile are found anew."""
        from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        def holds(_: Any) -> Any:
            found = condition()
            return (found,) if found is not None else False

        passing = (ElementNotInteractableException, StaleElementReferenceException)
        return WebDriverWait(self.driver, seconds, poll_frequency=0.1, ignored_exceptions=passing).until(
            holds, message
        )[0]

    def until_asked(self, path: str, act: Callable[[], Any]) -> None:
        """Act until the page fetches an address with `path` in it."""
        from selenium.common.exceptions import TimeoutException

        count = "return window.asked.filter(url => url.includes(arguments[0])).length"
        before = self.driver.execute_script(count, path)
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while time.monotonic() < deadline:
            act()
            try:
                self.wait(
                    lambda: True if self.driver.execute_script(count, path) > before else None,
                    f"{path} was not asked for",
                    seconds=HEEDED_WITHIN_S,
                )
            except TimeoutException:
                continue
            return
        raise AssertionError(f"the page did not ask for {path}")

    def upload(self, place: int, file: Path, shown: str) -> None:
        """Put a file into the n-th of the upload fields that are still empty, and wait until the element is there."""
        before = len(self.find(shown))

        def hand_over() -> None:
            fields = self.wait(lambda: self.find("input[type=file]")[place:] or None, "there is no upload field")
            fields[0].send_keys(str(file))

        self.until_asked("/upload?", hand_over)
        self.wait(lambda: True if len(self.find(shown)) > before else None, f"{file.name} did not arrive")

    def type_into(self, css: str, text: str) -> None:
        def typed() -> bool | None:
            (field,) = self.wait(lambda: self.find(css) or None, f"there is no field {css}")
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
            field.clear()
            field.send_keys(text)
            return True if field.get_property("value") == text else None

        self.wait(typed, f"{css} does not take {text!r}")

    def click(self, text: str) -> None:
        """Press the button, or choose the option, whose first line is this text; messages on the page are closed."""
        self.driver.execute_script("document.querySelectorAll('.toast-close').forEach(button => button.click())")
        self.wait(lambda: None if self.find(".toast-close") else True, "a message stays")

        def press() -> bool | None:
            found = self.driver.execute_script(_TO_CLICK, text)
            if found is None:
                return None
            found.click()
            return True

        self.wait(press, f"there is nothing to click with the text {text}")

    def ask(self, button: str) -> None:
        """Press a button, and wait until the page has sent its request and the answer to the one before is gone."""
        self.driver.execute_script(
            "for (const part of document.querySelectorAll('#verdict :is(h2, blockquote)')) "
            "part.setAttribute('data-before', '')"
        )
        self.until_asked("/queue/join", lambda: self.click(button))
        self.wait(lambda: None if self.find("#verdict [data-before]") else True, "the answer before stays")

    def choose(self, field: str, option: str) -> None:
        """Choose the option of a dropdown that has this text in it, and wait until the dropdown shows it."""
        name = f"input[role=combobox][aria-label='{field}']"
        self.wait(lambda: self.driver.execute_script(_CHOOSE, name, option), f"{field} does not take {option}")

    def text(self) -> str:
        return self.wait(
            lambda: self.driver.execute_script("return document.body && document.body.innerText"),
            "the page has no body",
        )

    def wait_for_text(self, *words: str) -> str:
        """Wait until all these words are on the page, or an error is; gives the page's text."""

        def shown() -> str | None:
            text = self.text()
            ended = all(word in text for word in words) or self.find(".toast-body.error, #verdict blockquote")
            return text if ended else None

        text = self.wait(shown, f"{words} did not appear")
        assert all(word in text for word in words), text
        return text

    def resize(self, width: int) -> None:
        """Give the page the width of a screen and the height of the whole page, and wait until it is laid out."""
        height = 900
        while True:
            self.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 640},
            )
            self.wait(lambda: self.driver.execute_script(_HAS_WIDTH, width), "the page does not take its width")
            if (needed := self._height()) <= height:
                self.wait(self.is_laid_out, "the page does not settle")
                if (needed := self._height()) <= height:
                    return
            height = needed

    def is_laid_out(self) -> bool | None:
        """True once nothing changes or moves any more."""
        return self._settled(LAID_OUT_MS)

    def _height(self) -> int:
        return min(6000, self.driver.execute_script("return document.documentElement.scrollHeight"))

    def screenshot(self, path: Path, width: int = 1300) -> Path:
        """The whole page as a PNG file."""
        self.resize(width)
        self.driver.save_screenshot(str(path))
        return path

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def low_contrast(self, least: float = 4.5) -> list[str]:
        """Texts whose contrast with what is behind them, by the formula of WCAG 2.2, is below `least`."""
        return self.driver.execute_script(_CONTRAST, least)

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


_CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const colours = new Map();
const rgba = text => {  // of any colour that the browser writes
  if (!colours.has(text)) {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; colours.set(text, [r, g, b, a / 255]);
  }
  return colours.get(text);
};
const over = (front, back) => back.map((value, i) => i === 3 ? 1 : front[i] * front[3] + value * (1 - front[3]));
const luminance = color => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
  const part = color[i] / 255;
  return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
}, 0);
const grounds = new Map();
const behind = element => {
  if (!element) return [255, 255, 255, 1];
  if (!grounds.has(element))
    grounds.set(element, over(rgba(getComputedStyle(element).backgroundColor), behind(element.parentElement)));
  return grounds.get(element);
};
const found = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement, words = node.textContent.trim();
  if (!words || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(element.tagName)) continue;
  if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
  if (element.closest('svg, :disabled, [aria-disabled=true], footer') || !element.getClientRects().length) continue;
  const back = behind(element), front = over(rgba(getComputedStyle(element).color), back);
  const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < arguments[0]) found.add(`${contrast.toFixed(2)}: ${words.slice(0, 60)}`);
}
return [...found];
"""
