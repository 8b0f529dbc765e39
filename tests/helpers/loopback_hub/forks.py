"""A process with libraries imported, from which each piece of code is run in a fork: imports take most of the time.

`python -m helpers.loopback_hub.forks bare` has imported no library that reads the Hub's settings from the environment
as it is imported, and not this package; so a fork of it does what a fresh process does. `imported` has all that
commands need; the caches and the Hub of its forks are those of its own environment.

It reads a JSON line for each piece from standard input, `{"code", "arguments", "environment", "cwd"}`, and answers with
a line `{"exit_code", "out", "err"}`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
from typing import Any

BARE = (
    "PIL.Image", "aiohttp", "dill", "fsspec.implementations.local", "httpx", "jinja2", "multiprocess", "numpy",
    "pandas", "pyarrow.dataset", "pyarrow.parquet", "pydantic", "requests", "rich.progress", "scipy.stats", "tqdm.auto",
    "typer", "xxhash", "yaml",
)  # fmt: skip
IMPORTED = (
    "datasets", "huggingface_hub", "huggingface_hub.hf_api", "opens2v_hf.cli.parser", "opens2v_hf.hub.push",
    "opens2v_hf.leaderboard.submissions.checking", "opens2v_hf.leaderboard.submissions.from_result",
    "opens2v_hf.leaderboard.submissions.submit",
)  # fmt: skip
OF_THE_HUB = ("huggingface_hub", "datasets", "evaluate", "transformers", "torch", "opens2v_hf")
"""What a fork of the bare process imports itself."""


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a piece of code in a fork."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the parent's has the next pieces of code
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.exit(_execute(request))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {"exit_code": status, "out": texts[0], "err": texts[1]}


def _execute(request: dict[str, Any]) -> int:
    os.environ.clear()
    os.environ.update(request["environment"])
    if "huggingface_hub" in sys.modules:
        # these two were read from the environment as the client was imported
        constants = importlib.import_module("huggingface_hub.constants")
        constants.ENDPOINT = request["environment"]["HF_ENDPOINT"]
        constants.HF_HUB_OFFLINE = request["environment"].get("HF_HUB_OFFLINE") == "1"
    os.chdir(request["cwd"])
    sys.path[0] = ""
    sys.argv = ["-c", *request["arguments"]]
    try:
        exec(compile(request["code"], "<forked>", "exec"), {"__name__": "__main__"})
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for name in BARE if sys.argv[1] == "bare" else (*BARE, *IMPORTED):
        importlib.import_module(name)
    if sys.argv[1] == "bare":
        assert not (found := [name for name in OF_THE_HUB if name in sys.modules]), f"{found} imported"
    gc.freeze()  # so that the collector of a fork does not copy the pages of what is imported
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
