"""`opens2v doctor`: what is installed, what will be used, what is missing."""

from __future__ import annotations

import argparse

_SIGNS = {"ok": "ok     ", "missing": "MISSING", "note": "note   "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 where something is missing."""
    from opens2v_hf.run.doctor import examine

    findings = examine()
    width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        print(f"{_SIGNS[finding.state]}  {finding.topic.ljust(width)}  {finding.text}")
    return int(any(finding.state == "missing" for finding in findings))
