import argparse

import pyarrow.parquet as pq
import pytest
from helpers.opens2v5m import folder_form, hub_form, split_tar

from opens2v_hf.cli.convert import add_arguments, run
from opens2v_hf.errors import ResultError, SourceError


def call(*arguments) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([*map(str, arguments), "--processes", "1"]))


def test_converts_and_verifies(tmp_path, capsys) -> None:
    assert call(folder_form(), tmp_path, "--verify") == 0
    printed = capsys.readouterr()
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in (tmp_path / "data" / "regular").iterdir())
    assert f"regular: {rows} rows\n" in printed.out
    assert printed.out.endswith(": all is well\n")
    assert printed.err == ""  # no terminal, and a short job: no lines of progress
    next((tmp_path / "data" / "views").iterdir()).unlink()
    assert call(folder_form(), tmp_path, "--verify") == 1
    assert "the file is missing" in capsys.readouterr().err


def test_builds_indices_only(tmp_path, capsys) -> None:
    root = hub_form(tmp_path / "hub")
    assert call(root, tmp_path / "index", "--index-only", "--parts", "dataset1") == 0
    names = sorted(path.name for path in (tmp_path / "index").iterdir())
    assert names == ["dataset1.background.index.parquet", "dataset1.index.parquet"]
    assert str(tmp_path / "index") in capsys.readouterr().out


def test_indices_of_no_tar_are_an_error(tmp_path) -> None:
    with pytest.raises(SourceError, match="has no split tar"):
        call(folder_form(), tmp_path / "index", "--index-only")
    assert not (tmp_path / "index").exists()


def test_members_that_an_index_leaves_out_are_printed(tmp_path, capsys) -> None:
    root = hub_form(tmp_path / "hub")
    (folder := root / "Videos" / "dataset1").joinpath("link.mp4").symlink_to("nowhere.mp4")
    for piece in folder.glob("*.tar.split.*"):
        piece.unlink()
    split_tar({"link.mp4": folder / "link.mp4"}, folder, "dataset1", 10**6)
    assert call(root, tmp_path / "index", "--index-only", "--parts", "dataset1") == 0
    assert "note: dataset1.index.parquet leaves out 'link.mp4': it is a link\n" in capsys.readouterr().out


def test_an_index_where_a_file_is(tmp_path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(ResultError, match="cannot write"):
        call(hub_form(tmp_path / "hub"), tmp_path / "index", "--index-only")


def test_a_folder_without_the_dataset_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match="holds no OpenS2V-5M"):
        call(tmp_path, tmp_path / "out")
