"""A split of OpenS2V-Eval for scoring: its samples, their provenance, and their pictures on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES, parse_eval_prompts
from opens2v_hf.data.benchmark.released_files import HubFolder, ReleasedFiles, released_files
from opens2v_hf.data.benchmark.sample import EvalSample, Subject
from opens2v_hf.errors import ArgumentError, SampleError

DEFAULT_REPO = "BestWishYsh/OpenS2V-Eval"
"""Upstream's dataset repo."""


@dataclass(frozen=True)
class EvalSplit:
    """One split.

    Attributes:
        name: "open-domain", "human-domain" or "single-domain".
        samples: in the order of the prompt file.
        provenance: for results: where the prompt file was read and its sha256.
        files: the folder or repo that also holds the pictures; a Hub repo is fixed at the commit of the prompt file.
    """

    name: str
    samples: tuple[EvalSample, ...]
    provenance: Mapping[str, Any]
    files: ReleasedFiles

    def picture_path(self, subject: Subject) -> Path:
        """A local copy of a reference's picture.

        Raises:
            SampleError: it is missing or cannot be downloaded.
        """
        return self.files.fetch(subject.path)


@checked
def open_split(
    name: str, *, data_dir: str | None = None, revision: str | None = None, token: str | bool | None = None
) -> EvalSplit:
    """Read the prompt file of a split in its released layout.

    Args:
        name: "open-domain", "human-domain" or "single-domain".
        data_dir: a folder or hf:// URL; upstream's Hub repo by default.
        revision: of a Hub repo.
        token: for a private Hub repo.

    Raises:
        ArgumentError: there is no such split, or `data_dir` is neither a folder nor a URL of a dataset repo.
        SampleError: the prompt file is missing, out of reach or malformed.
    """
    if name not in PROMPT_FILES:
        raise ArgumentError(f"there is no split {name!r} (known are: {', '.join(PROMPT_FILES)})")
    files = released_files(data_dir or f"hf://datasets/{DEFAULT_REPO}", revision=revision, token=token)
    file_name = PROMPT_FILES[name]
    if isinstance(files, HubFolder):
        files = files.at_commit_of(file_name)
    try:
        content = files.fetch(file_name).read_bytes()
    except OSError as error:
        raise SampleError(f"cannot read {files.where}/{file_name}: {error.strerror or error}") from error
    samples = parse_eval_prompts(content, source=f"{files.where}/{file_name}", split=name)
    provenance = {
        "source": files.where,
        "prompt_file": file_name,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return EvalSplit(name, tuple(samples), provenance, files)
