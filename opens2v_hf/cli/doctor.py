"""`opens2v doctor`: what is installed, what will be used, what is missing."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say

_SIGNS = {"ok": "ok     ", "missing": "MISSING", "note": "note   "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 where something is missing."""
    import opens2v_hf

    findings = opens2v_hf.doctor()
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        say(f"{_SIGNS[finding.state]}  {finding.topic.ljust(width)}  {finding.text}")
    return int(any(finding.state == "missing" for finding in findings))
