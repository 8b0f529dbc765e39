"""The messages and flags that the page "A real run" names are those of the code."""

import re
from pathlib import Path

import pytest

from opens2v_hf.cli import command_parser

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "real_run.md").read_text("utf-8")
SOURCES = " ".join(
    re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8")) for path in sorted((ROOT / "opens2v_hf").rglob("*.py"))
)
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_the_page_is_in_the_code(message: str) -> None:
    parts = [part.strip(" ()") for part in re.split(r"\.\.\.|\d+|\(process", message)]
    said = max(parts, key=len)
    assert len(said) > 8
    assert said in SOURCES


def test_the_page_has_messages_and_flags() -> None:
    assert len(MESSAGES) >= 8
    commands = map(command_parser, ("score", "doctor"))
    known = {flag for command in commands for action in command._actions for flag in action.option_strings}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert "--limit" in named
    assert named <= known
