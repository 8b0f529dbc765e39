"""Tars of clips, read back by WebDataset itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import webdataset
from helpers.build_stages import usual, write_videos

from opens2v_hf.cli import main
from opens2v_hf.data.opens2v5m.export import export_webdataset
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.pipeline.api import build_dataset

NAMES = ("a-b.mp4", "a.b.mp4")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    videos = write_videos(tmp_path_factory.mktemp("videos"), NAMES)
    folder = tmp_path_factory.mktemp("out") / "dataset"
    build_dataset(videos, folder, stages=usual())
    return folder


def test_webdataset_reads_what_is_written(built, tmp_path, capsys):
    assert main(["export", str(built), str(tmp_path / "tars"), "--format", "webdataset"]) == 0
    assert "4 clips in 1 tar in" in capsys.readouterr().out
    samples = list(webdataset.WebDataset(str(tmp_path / "tars/clips-00000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [
        "a-b_part0-6",
        "a-b_part6-12",
        "000000002",
        "000000003",
    ]  # fmt: skip - WebDataset would join the samples of one key
    rows = [json.loads(sample["json"]) for sample in samples]
    assert [row["id"] for row in rows][1:3] == ["a-b_part6-12", "a.b_part0-6"]
    assert rows[2]["caption"] == "stripes of a.b.mp4"
    assert rows[0]["subjects"][0]["mask"]["size"] == [64, 96]
    assert all(sample["mp4"][4:8] == b"ftyp" for sample in samples)


def test_the_same_bytes_in_tars_of_some_size(built, tmp_path, monkeypatch):
    first, second = (export_webdataset(str(built), tmp_path / name) for name in ("one", "two"))
    assert [(first.folder / name).read_bytes() for name in first.tars] == [
        (second.folder / name).read_bytes() for name in second.tars
    ]
    with pytest.raises(ResultError, match="is not empty"):
        export_webdataset(str(built), tmp_path / "one")
    with pytest.raises(ArgumentError, match="at least one megabyte"):
        export_webdataset(str(built), tmp_path / "three", tar_megabytes=0)


def test_a_folder_whose_name_is_no_utf8(tmp_path) -> None:
    with pytest.raises(ArgumentError, match=r"names that are UTF-8 .*rename the folder"):
        export_webdataset(str(tmp_path / "caf\udce9"), tmp_path / "out")
