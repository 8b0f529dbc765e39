"""`opens2v` commands against the loopback Hub, several in one process."""

from __future__ import annotations

import json

from helpers.loopback_hub.fixture import LoopbackHub

_RUN = """
import contextlib, io, json, sys
from opens2v_hf.cli import main
answers = []
for words in json.loads(sys.argv[1]):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(words)
    answers.append([code, printed.getvalue()])
print(json.dumps(answers))
"""


_RUN_ONE = "import sys; from opens2v_hf.cli import main; sys.exit(main(sys.argv[1:]))"


def opens2v_with(environment: dict[str, str], hub: LoopbackHub, *words: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, with further environment variables."""
    return hub.fork(_RUN_ONE, *map(str, words), environment=environment)


def opens2v(hub: LoopbackHub, *commands: list, user: str | None = None) -> list[tuple[int, str]]:
    """Exit code and everything printed, for each command, as one user."""
    words = [[str(word) for word in command] for command in commands]
    return [(code, printed) for code, printed in json.loads(hub.forked(_RUN, json.dumps(words), user=user))]
