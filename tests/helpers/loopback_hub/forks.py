"""A process with the libraries imported, from which each piece of code is run in a fork: imports take most of the time.

It reads a JSON line for each piece from standard input, `{"code", "arguments", "environment", "cwd"}`, and answers with
a line `{"exit_code", "out", "err"}`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from typing import Any

import huggingface_hub
import pyarrow.parquet
from huggingface_hub import constants

import opens2v_hf.cli
import opens2v_hf.cli.parser
import opens2v_hf.hub.push
import opens2v_hf.leaderboard.submissions.checking
import opens2v_hf.leaderboard.submissions.from_result
import opens2v_hf.leaderboard.submissions.submit

IMPORTED = (huggingface_hub, pyarrow.parquet, opens2v_hf)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a piece of code in a fork."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os._exit(_execute(request))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {"exit_code": status, "out": texts[0], "err": texts[1]}


def _execute(request: dict[str, Any]) -> int:
    os.environ.clear()
    os.environ.update(request["environment"])
    # these two were read from the environment as the client was imported
    constants.ENDPOINT = request["environment"]["HF_ENDPOINT"]
    constants.HF_HUB_OFFLINE = request["environment"].get("HF_HUB_OFFLINE") == "1"
    os.chdir(request["cwd"])
    sys.argv = ["-c", *request["arguments"]]
    code = 0
    try:
        exec(compile(request["code"], "<forked>", "exec"), {"__name__": "__main__"})
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
