"""Rows of streams, against those of `datasets` itself and of pyarrow."""

import copy
import os
import pickle
import shutil

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.iterable_dataset import ArrowExamplesIterable
from helpers.training import shard_form, stream
from PIL import UnidentifiedImageError

from opens2v_hf.data.images import to_png
from opens2v_hf.data.opens2v5m.shards.blobs import SubjectMask
from opens2v_hf.data.opens2v5m.shards.parquet_file import open_parquet
from opens2v_hf.data.opens2v5m.shards.row_iterable import RowIterable, values_of
from opens2v_hf.errors import SourceError

NESTED = pa.list_(pa.struct([("n", pa.int32()), ("words", pa.list_(pa.string())), ("x", pa.float64())]))
VALUES = [
    [{"n": 1, "words": ["a", None], "x": 0.5}, None, {"n": None, "words": None, "x": None}],
    None,
    [],
    [{"n": 2, "words": [], "x": float("inf")}],
]


@pytest.mark.parametrize("part", [slice(None), slice(1, 3), slice(2, None), slice(4, None)])
def test_values_are_those_of_pyarrow(part) -> None:
    array = pa.array(VALUES, NESTED)[part]
    assert values_of(array) == array.to_pylist() == VALUES[part]
    structs = pa.array([{"list": value, "flag": True} for value in VALUES])[part]
    assert values_of(structs) == structs.to_pylist()


def plain(row: dict) -> dict:
    subjects = [{**s, "mask": s["mask"] and dict(s["mask"])} for s in row["subjects"]]
    return {
        **row,
        "subjects": subjects,
        "video": dict(row["video"].items()),
        "background": dict(row["background"].items()),
    }


def test_rows_are_those_of_datasets_itself() -> None:
    rows = stream()
    assert isinstance(rows._ex_iterable, RowIterable)
    tables = copy.deepcopy(rows._ex_iterable)
    assert type(tables) is ArrowExamplesIterable
    expected = [plain(row) for row in datasets.IterableDataset(tables, info=rows.info)]
    assert [plain(row) for row in rows] == expected
    assert isinstance(next(iter(rows))["subjects"][0]["mask"], SubjectMask)
    for changed in (rows.filter(lambda row: True), rows.shard(1, 0), rows.map(lambda row: row), rows.take(99)):
        assert [plain(row) for row in changed] == expected
    assert [plain(row) for row in rows.skip(2)] == expected[2:]
    assert [plain(row) for row in pickle.loads(pickle.dumps(rows))] == expected


def test_a_stream_that_is_joined_to_another_is_decoded() -> None:
    rows = stream()
    others = datasets.Dataset.from_list([{"id": "x"}], features=datasets.Features({"id": datasets.Value("string")}))
    joined = datasets.concatenate_datasets([rows, stream("folder")])
    assert [row["video"].num_frames for row in joined] == [row["video"].num_frames for row in [*rows, *rows]]
    mixed = datasets.concatenate_datasets([stream(columns=["id"]), others.to_iterable_dataset()])
    assert [row["id"] for row in mixed] == [*(row["id"] for row in rows), "x"]


def test_rows_before_a_broken_picture_are_given() -> None:
    features = datasets.Features({"image": datasets.Image()})
    pictures = [{"bytes": to_png(np.zeros((4, 6, 3), np.uint8)), "path": None}, {"bytes": b"broken", "path": None}]
    table = pa.table({"image": pictures}, schema=features.arrow_schema)
    tables = ArrowExamplesIterable(lambda shards: iter([(0, table)]), {"shards": [0]})
    rows = iter(RowIterable(tables, features, {}))
    assert next(rows)[1]["image"].size == (6, 4)
    with pytest.raises(UnidentifiedImageError):
        next(rows)


def test_a_shard_that_is_cut_while_it_is_read_is_an_error(tmp_path) -> None:
    """Reading a mapped file behind its end would end the process."""
    folder = shutil.copytree(shard_form(), tmp_path / "shards")
    path = sorted((folder / "data" / "regular").iterdir())[0]
    assert pq.ParquetFile(path).num_row_groups > 1
    rows = iter(stream(folder))
    next(rows)
    os.truncate(path, 100)
    with pytest.raises(SourceError, match=rf"{path.name} changed while it was read"):
        list(rows)


def test_a_file_that_is_cut_off_within_a_read_is_an_error(tmp_path) -> None:
    """Mapped into memory it would end the process."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"video": [bytes(200_000)] * 2}), path, compression="none", use_dictionary=False)
    with pytest.raises(SourceError, match=r"cannot read .*rows\.parquet"):
        read_while_cut(path)


def read_while_cut(path) -> None:
    with open_parquet(str(path)) as opened:
        parquet = pq.ParquetFile(opened.file)
        os.truncate(path, 1000)
        parquet.read_row_group(0)
