"""Rows that a small file holds and that take gigabytes as Python objects are left out alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opens2v_hf.data.opens2v5m.shards import row_size, tables
from opens2v_hf.errors import SampleError

SUBJECT = {"label": "cat", "mask": {"counts": "04", "size": [2, 2]}}
ROWS = [
    {"id": "fine", "caption": "a cat", "subjects": [SUBJECT] * 3},
    {"id": "text", "caption": "é" * 6, "subjects": [SUBJECT]},  # 12 bytes
    {"id": "list", "caption": "", "subjects": [SUBJECT] * 4},
    {"id": "empty", "caption": None, "subjects": None},
    {"id": "mask", "caption": "x" * 10, "subjects": [SUBJECT, {"label": "dog", "mask": {"counts": "0" * 11}}]},
    {"id": "nested", "caption": "", "subjects": [{"label": "dog", "mask": {"size": [1, 2, 3, 4]}}]},
    {"id": "last", "caption": "x" * 10, "subjects": []},
]


class Everything:
    """A selection of all columns."""

    needed = ("id", "caption", "subjects")
    rows = None

    @staticmethod
    def apply(table, _malformed):
        return table


@pytest.fixture
def shard(tmp_path, monkeypatch):
    monkeypatch.setattr(row_size, "MOST_ITEMS", 3)
    monkeypatch.setattr(row_size, "MOST_TEXT_BYTES", 10)
    mask = pa.struct([("counts", pa.string()), ("size", pa.list_(pa.int32()))])
    subjects = pa.list_(pa.struct([("label", pa.string()), ("mask", mask)]))
    schema = pa.schema([("id", pa.string()), ("caption", pa.string()), ("subjects", subjects)])
    pq.write_table(pa.Table.from_pylist(ROWS, schema=schema), tmp_path / "shard.parquet")
    return str(tmp_path / "shard.parquet")


def test_they_are_left_out_and_reported(shard):
    reported = []
    found = tables.shard_tables(shard, Everything, on_error="skip", report=reported.append)
    assert [row["id"] for table in found for row in table.to_pylist()] == ["fine", "empty", "last"]
    assert [bad.key for bad in reported] == ["text", "list", "mask", "nested"]
    assert "a list of its caption has more than 3 items, or a text more than 10 bytes" in str(reported[0])


def test_they_are_errors_where_bad_rows_are(shard):
    with pytest.raises(SampleError, match=r"record 'text': a list of its caption .*on_error=.skip"):
        list(tables.shard_tables(shard, Everything, on_error="raise", report=pytest.fail))


def test_the_footer_rules_most_row_groups_out(tmp_path):
    path = tmp_path / "plain.parquet"
    table = pa.table({"id": ["a"], "video": [{"bytes": b"x" * 100_000, "path": None}]})
    pq.write_table(table, path)
    metadata = pq.read_metadata(path)
    assert not row_size.may_have_large_rows(metadata, 0, ["id", "video"])
    for bound in ("MOST_ITEMS", "MOST_TEXT_BYTES"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(row_size, bound, 0)
            assert row_size.may_have_large_rows(metadata, 0, ["id"])
