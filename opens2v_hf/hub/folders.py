"""The folders of the Hub repos: next to the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError

KINDS = ("dataset_scripts", "metrics", "spaces")


@checked
def hub_folder(kind: str, name: str) -> Path:
    """The folder that holds the whole content of one Hub repo.

    Args:
        kind: one of `KINDS`.
        name: of the repo, e.g. "gmescore".

    Raises:
        ArgumentError: the folder does not exist.
    """
    for folder in kind_folders(kind):
        if (folder / name).is_dir():
            return folder / name
    raise ArgumentError(f"this installation of opens2v-hf has no {kind} folder {name!r}")


@checked
def kind_folders(kind: str) -> list[Path]:
    """The folders that hold the Hub repos of one kind, best first.

    Raises:
        ArgumentError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)} (got {kind!r})")
    package = Path(__file__).resolve().parents[1]
    return [root / kind for root in (package / "_hub_folders", package.parent) if (root / kind).is_dir()]
