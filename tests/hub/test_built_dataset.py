"""A dataset that was built, pushed to a Hub on loopback and loaded from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.build_stages import usual, write_videos
from helpers.loopback_hub.fixture import TESTS

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.built_dataset import push_dataset
from opens2v_hf.pipeline.api import build

SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import opens2v_hf
from datasets import load_dataset
from helpers.build_stages import files_of, usual
from huggingface_hub import HfApi
from opens2v_hf.errors import SourceError
from opens2v_hf.hub.built_dataset import push_dataset
from opens2v_hf.pipeline.api import build_dataset

folder, videos = Path(sys.argv[1]), Path(sys.argv[2])
HfApi().create_repo("org/clips", repo_type="dataset")
HfApi().upload_folder(repo_id="org/clips", repo_type="dataset", folder_path=videos, path_in_repo="in")
remote = build_dataset("hf://datasets/org/clips/in", folder.parent / "remote", stages=usual())
try:
    build_dataset("hf://datasets/org/none", folder.parent / "none", stages=usual())
except SourceError as error:
    refused = str(error)
lines = []
first = push_dataset(folder, "org/built", report=lines.append)
again = push_dataset(folder, "org/built", dry_run=True)
rows = list(load_dataset("opens2v-5m", repo="org/built", split="train", streaming=True))
plain = next(iter(load_dataset("org/built", split="train", streaming=True).decode(False)))
print(json.dumps({
    "added": first.added, "again": [again.is_done, again.unchanged], "lines": lines,
    "same": files_of(remote.folder) == files_of(folder), "refused": refused,
    "ids": [row["id"] for row in rows], "frames": rows[0]["video"].num_frames, "plain": plain["video"]["path"],
}))
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos"), ["a.mp4"])


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> Path:
    return build(videos, tmp_path_factory.mktemp("out") / "dataset", stages=usual(), pairs=False).folder


def test_made_from_the_hub_pushed_and_loaded_by_name(built, videos, loopback_hub) -> None:
    seen = json.loads(loopback_hub.run(SCRIPT, built, videos, TESTS).splitlines()[-1])
    assert seen["same"]
    assert seen["refused"].startswith("cannot list hf://datasets/org/none: ")
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
    for name in ("build.json", "README.md"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ResultError, match="holds no clip"):
        push_dataset(tmp_path, "org/name")
