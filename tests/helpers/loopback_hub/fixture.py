"""The pytest fixture that starts the server, and how tests run code against it.

`huggingface_hub` reads its address and switches when it is imported, so code that talks to the loopback Hub runs in
another process: a fork of one that has imported it (`fork`), or of one that has not (`run`; see `forks.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

TESTS = Path(__file__).resolve().parents[2]
OFFLINE_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE")


class Forks:
    """A process that runs Python code in forks of itself; it starts with the first of them."""

    def __init__(self, kind: str, environment: Mapping[str, str]) -> None:
        self._kind, self._environment = kind, environment
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, code: str, *arguments: str | Path, environment: Mapping[str, str], cwd: Path | None = None
    ) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of the code."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "helpers.loopback_hub.forks", self._kind],
                cwd=TESTS, env=dict(self._environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == "ready\n"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "code": textwrap.dedent(code),
            "arguments": list(map(str, arguments)),
            "environment": dict(environment),
            "cwd": str(cwd or os.getcwd()),
        }
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            done = json.loads(self._process.stdout.readline())
        except BaseException:  # such as a time limit: the answer must not be taken for that of the next piece
            self._process.kill()
            self._process.communicate()
            self._process = None
            raise
        return done["exit_code"], done["out"], done["err"]

    def printed(
        self, code: str, *arguments: str | Path, environment: Mapping[str, str], cwd: Path | None = None
    ) -> str:
        """Standard output of code that must not fail."""
        exit_code, out, err = self.run(code, *arguments, environment=environment, cwd=cwd)
        assert exit_code == 0, f"exit code {exit_code}\n{out}\n{err}"
        return out

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate(timeout=30)


@dataclass
class LoopbackHub:
    """A running server.

    Attributes:
        url: its address.
        home: the folder of caches, the default of `run`.
        bare, imported: the processes whose forks `run` and `fork` use.
    """

    url: str
    home: Path
    bare: Forks
    imported: Forks

    def environment(
        self, home: Path | None = None, *, offline: bool = False, user: str | None = None
    ) -> dict[str, str]:
        """Environment variables of a process that talks to this server and to no other, as a user of it."""
        return hub_environment(self.url, home or self.home, offline=offline, user=user)

    def run(
        self,
        code: str,
        *arguments: str | Path,
        home: Path | None = None,
        offline: bool = False,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> str:
        """Run Python code, with `arguments` as its `sys.argv[1:]`, as a fresh process does; returns what it printed."""
        environment = self.environment(home, offline=offline, user=user)
        return self.bare.printed(code, *arguments, environment=environment, cwd=cwd)

    def fork(
        self, code: str, *arguments: str | Path, user: str | None = None, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run Python code in a fork of a process with the libraries imported; exit code, standard output and error.

        Caches are in `home`. The environment is that of `environment()`, with the given variables.
        """
        return self.imported.run(code, *arguments, environment={**self.environment(user=user), **(environment or {})})

    def forked(self, code: str, *arguments: str | Path, user: str | None = None) -> str:
        """As `run`, in a fork: for code that needs no fresh process and no other caches."""
        return self.imported.printed(code, *arguments, environment=self.environment(user=user))


def hub_environment(url: str, home: Path, *, offline: bool = False, user: str | None = None) -> dict[str, str]:
    """Environment variables of a process that talks to a Hub at `url` and to no other, as a user of it.

    None of the Hub's own variables is passed on: a page that a test loads may set some, as a Space does.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and key not in OFFLINE_SWITCHES}
    env |= {
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(home),
        "HF_TOKEN": f"hf_loopback_{user}" if user else "hf_loopback",
        "NO_PROXY": "127.0.0.1",
        "USE_TORCH": "0",  # `datasets` imports it with every stream; none of this needs it
    }
    return env | dict.fromkeys(OFFLINE_SWITCHES, "1") if offline else env


def run_python(
    code: str,
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    isolated: bool = False,
) -> str:
    """Run Python code in a fresh process; a failure shows what it wrote to standard error."""
    command = [sys.executable, *(["-I"] if isolated else []), "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def bare() -> Iterator[Forks]:
    """Runs code as fresh processes do, but without most of their imports."""
    forks = Forks("bare", os.environ)
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory, bare: Forks) -> Iterator[LoopbackHub]:
    """One server for all test files of this process, and the processes whose forks talk to it."""
    folder = tmp_path_factory.mktemp("loopback_hub")
    with (folder / "stderr.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers.loopback_hub", "--lfs"],
            cwd=TESTS, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, (folder / "stderr.txt").read_text()
        imported = Forks("imported", hub_environment(url, folder / "home"))
        try:
            yield LoopbackHub(url, folder / "home", bare, imported)
            imported.close()
        finally:
            server.terminate()
            server.wait(timeout=10)


@pytest.fixture(scope="module")
def loopback_hub(hub_server: LoopbackHub) -> LoopbackHub:
    """An empty Hub on loopback, with empty caches, for each test file: no file sees the repos of another."""
    httpx.post(f"{hub_server.url}/__empty", timeout=600).raise_for_status()
    shutil.rmtree(hub_server.home, ignore_errors=True)
    return hub_server
