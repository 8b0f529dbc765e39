"""The pytest fixture that starts the server, and how tests run code against it.

`huggingface_hub` reads its address and switches when it is imported, so code that talks to the loopback Hub runs in
another process: a fresh one, or a fork of one that has imported the libraries (`forks.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
OFFLINE_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass
class LoopbackHub:
    """A running server.

    Attributes:
        url: its address.
        home: the folder of caches, the default of `run`.
    """

    url: str
    home: Path
    _forks: subprocess.Popen[str] | None = None

    def environment(
        self, home: Path | None = None, *, offline: bool = False, user: str | None = None
    ) -> dict[str, str]:
        """Environment variables of a process that talks to this server and to no other, as a user of it."""
        env = {key: value for key, value in os.environ.items() if key not in OFFLINE_SWITCHES}
        env |= {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(home or self.home),
            "HF_TOKEN": f"hf_loopback_{user}" if user else "hf_loopback",
            "NO_PROXY": "127.0.0.1",
            "USE_TORCH": "0",  # `datasets` imports it with every stream; none of this needs it
        }
        return env | dict.fromkeys(OFFLINE_SWITCHES, "1") if offline else env

    def run(
        self,
        code: str,
        *arguments: str | Path,
        home: Path | None = None,
        offline: bool = False,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> str:
        """Run Python code (with `arguments` as its `sys.argv[1:]`) in a fresh process; returns what it printed."""
        return run_python(code, *arguments, env=self.environment(home, offline=offline, user=user), cwd=cwd)

    def fork(
        self, code: str, *arguments: str | Path, user: str | None = None, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run Python code in a fork of a process with the libraries imported; exit code, standard output and error.

        Caches are in `home`. The environment is that of `environment()`, with the given variables.
        """
        if self._forks is None:
            self._forks = subprocess.Popen(
                [sys.executable, "-m", "helpers.loopback_hub.forks"],
                cwd=TESTS, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert self._forks.stdout is not None
            assert self._forks.stdout.readline() == "ready\n"
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        request = {
            "code": textwrap.dedent(code),
            "arguments": list(map(str, arguments)),
            "environment": {**self.environment(user=user), **(environment or {})},
            "cwd": os.getcwd(),
        }
        print(json.dumps(request), file=self._forks.stdin, flush=True)
        done = json.loads(self._forks.stdout.readline())
        return done["exit_code"], done["out"], done["err"]

    def forked(self, code: str, *arguments: str | Path, user: str | None = None) -> str:
        """As `run`, in a fork: for code that needs no fresh process and no other caches."""
        exit_code, out, err = self.fork(code, *arguments, user=user)
        assert exit_code == 0, f"exit code {exit_code}\n{out}\n{err}"
        return out

    def close(self) -> None:
        """End the process of `fork`."""
        if self._forks is not None:
            self._forks.communicate(timeout=30)


def run_python(
    code: str,
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    isolated: bool = False,
) -> str:
    """Run Python code in a fresh process; a failure shows what it wrote to standard error."""
    command = [sys.executable, *(["-I"] if isolated else []), "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def loopback_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    """An empty Hub on loopback for each test file: no file sees the repos of another, in any order."""
    folder = tmp_path_factory.mktemp("loopback_hub")
    with (folder / "stderr.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers.loopback_hub", "--lfs"],
            cwd=TESTS, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, (folder / "stderr.txt").read_text()
        hub = LoopbackHub(url, folder / "home")
        yield hub
        hub.close()
        server.terminate()
        server.wait(timeout=10)
