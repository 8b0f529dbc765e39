"""A split of the synthetic sample as references for the composite module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opens2v_hf.data.benchmark.split import open_split


def references_of(benchmark: Path, ids: list[str]) -> list[dict[str, Any]]:
    split = open_split("open-domain", data_dir=str(benchmark))
    samples = {sample.id: sample for sample in split.samples}
    return [
        {
            "id": i,
            "prompt": samples[i].prompt,
            "images": [str(split.picture_path(subject)) for subject in samples[i].subjects],
            "labels": [subject.label for subject in samples[i].subjects],
        }
        for i in ids
    ]
