"""A run without a browser says at its start and its end that tests are skipped, and how to have them."""

import os
import subprocess
import sys
from pathlib import Path


def test_missing_chromium_is_named_twice():
    root = Path(__file__).resolve().parents[1]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--collect-only",
        "tests/test_browser_notice.py",
    ]
    found = subprocess.run(command, cwd=root, env={**os.environ, "PATH": "/nowhere"}, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    assert found.stdout.count("browser tests are skipped: chromium, chromedriver not found") == 2
    assert "apt-get install chromium chromium-driver" in found.stdout
