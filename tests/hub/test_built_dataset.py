"""A dataset that was built, pushed to a Hub on loopback and loaded from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.build_stages import usual, write_videos

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.built_dataset import push_dataset
from opens2v_hf.pipeline.api import build

SCRIPT = """
import json, sys
from pathlib import Path
import opens2v_hf
from datasets import load_dataset
from opens2v_hf.hub.built_dataset import push_dataset

folder = Path(sys.argv[1])
lines = []
first = push_dataset(folder, "org/built", report=lines.append)
again = push_dataset(folder, "org/built", dry_run=True)
rows = list(load_dataset("opens2v-5m", repo="org/built", split="train", streaming=True))
plain = next(iter(load_dataset("org/built", split="train", streaming=True).decode(False)))
print(json.dumps({
    "added": first.added, "again": [again.is_done, again.unchanged], "lines": lines,
    "ids": [row["id"] for row in rows], "frames": rows[0]["video"].num_frames, "plain": plain["video"]["path"],
}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    videos = write_videos(tmp_path_factory.mktemp("videos"), ["a.mp4"])
    return build(videos, tmp_path_factory.mktemp("out") / "dataset", stages=usual(), pairs=False).folder


def test_pushed_and_loaded_by_name(built, loopback_hub) -> None:
    seen = json.loads(loopback_hub.run(SCRIPT, str(built)))
    assert set(seen["added"]) == {
        "README.md", "build.json", "data/regular/clips-00000.parquet", "vectors/clips-00000.npz",
    }  # fmt: skip
    assert seen["again"] == [True, 4]
    assert seen["ids"] == ["a_part0-6", "a_part6-12"]
    assert seen["frames"] == 6
    assert seen["plain"] == "a_part0-6.mp4"


def test_a_malformed_repo_id_and_an_unfinished_dataset_are_refused(built, tmp_path) -> None:
    with pytest.raises(ArgumentError, match="must be org/name"):
        push_dataset(built, "name")
    with pytest.raises(ResultError, match="must be a finished dataset"):
        push_dataset(tmp_path, "org/name")
