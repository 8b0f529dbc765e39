import argparse

import pyarrow.parquet as pq
import pytest
from helpers.opens2v5m import folder_form, hub_form

from opens2v_hf.cli.convert import add_arguments, run
from opens2v_hf.errors import SourceError


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
    # No terminal: one plain line a job, with rate and remaining time.
    lines = [line for line in printed.err.splitlines() if line]
    assert [line.split(":")[0] for line in lines] == ["converting", "verifying"]
    assert all("B/s" in line and "<" in line and "\r" not in line for line in lines)
    next((tmp_path / "data" / "views").iterdir()).unlink()
    assert call(folder_form(), tmp_path, "--verify") == 1
    assert "the file is missing" in capsys.readouterr().err


def test_builds_indices_only(tmp_path, capsys) -> None:
    root = hub_form(tmp_path / "hub")
    assert call(root, tmp_path / "index", "--index-only", "--parts", "dataset1") == 0
    names = sorted(path.name for path in (tmp_path / "index").iterdir())
    assert names == ["dataset1.background.index.parquet", "dataset1.index.parquet"]
    assert str(tmp_path / "index") in capsys.readouterr().out


def test_a_source_that_is_none(tmp_path) -> None:
    with pytest.raises(SourceError, match="holds no OpenS2V-5M"):
        call(tmp_path, tmp_path / "out")
