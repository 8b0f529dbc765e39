"""`opens2v` commands against the loopback Hub, several in one fresh process."""

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


def opens2v(hub: LoopbackHub, *commands: list, user: str | None = None) -> list[tuple[int, str]]:
    """Exit code and everything printed, for each command, as one user."""
    words = [[str(word) for word in command] for command in commands]
    return [(code, printed) for code, printed in json.loads(hub.run(_RUN, json.dumps(words), user=user))]
