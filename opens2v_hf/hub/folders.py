"""Where the folders of the Hub repos lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from opens2v_hf.errors import ArgumentError

KINDS = ("dataset_scripts", "metrics", "spaces")


def hub_folder(kind: str, name: str) -> Path:
    """The folder that holds the whole content of one Hub repo.

    Args:
        kind: one of `KINDS`.
        name: of the repo, e.g. "gmescore".

    Raises:
        ArgumentError: there is no such folder.
    """
    if kind not in KINDS:
        raise ArgumentError(f"unknown kind of Hub folder (got {kind=}); known are {', '.join(KINDS)}")
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_hub_folders", package.parent):
        folder = root / kind / name
        if folder.is_dir():
            return folder
    raise ArgumentError(f"there is no {kind} folder named {name!r} in this installation of opens2v-hf")
