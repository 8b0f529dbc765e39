"""Row groups that would not fit in memory are refused by the footer of their file."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opens2v_hf.data.opens2v5m.shards import tables
from opens2v_hf.errors import SourceError


class Selected:
    """A selection of one column, as `shard_tables` uses it."""

    needed = ("id",)
    rows = None

    @staticmethod
    def apply(table, _malformed):
        return table


@pytest.mark.parametrize(("bytes_", "values"), [(7_999, 10_000), (10_000, 999)])
def test_a_row_group_above_either_bound_is_refused_before_it_is_read(tmp_path, monkeypatch, bytes_, values):
    path = tmp_path / "shard.parquet"
    # 1,000 values of 8 bytes, plain
    pq.write_table(pa.table({"id": np.arange(1000), "other": np.arange(1000)}), path, use_dictionary=False)
    monkeypatch.setattr(tables, "MOST_GROUP_BYTES", 10_000)
    monkeypatch.setattr(tables, "MOST_GROUP_VALUES", 1_000)
    assert [
        table.num_rows for table in tables.shard_tables(str(path), Selected, on_error="raise", report=pytest.fail)
    ] == [1000]
    monkeypatch.setattr(tables, "MOST_GROUP_BYTES", bytes_)
    monkeypatch.setattr(tables, "MOST_GROUP_VALUES", values)
    monkeypatch.setattr(tables, "_row_group", lambda *given: pytest.fail("it was read"))
    with pytest.raises(SourceError, match=r"row group 0 has 8,[0-9]{3} bytes and 1,000 values"):
        list(tables.shard_tables(str(path), Selected, on_error="raise", report=pytest.fail))


@pytest.mark.parametrize("nested", [False, True])
def test_a_value_that_repeats_counts_as_often_as_it_is_used(tmp_path, monkeypatch, nested):
    path = tmp_path / "shard.parquet"
    # 500 times the same 4,000 bytes are 2,000,000 bytes in memory, and a few thousand in the file
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), pa.array([b"x" * 4_000]))
    column = pa.StructArray.from_arrays([values], ["bytes"]) if nested else values
    pq.write_table(pa.table({"id": column}), path)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(tables, "MOST_GROUP_BYTES", 1_900_000)
    with pytest.raises(SourceError, match=r"2,0[0-9]{2},[0-9]{3} bytes"):
        list(tables.shard_tables(str(path), Selected, on_error="raise", report=pytest.fail))
    monkeypatch.setattr(tables, "MOST_GROUP_BYTES", 2_100_000)
    assert [
        table.num_rows for table in tables.shard_tables(str(path), Selected, on_error="raise", report=pytest.fail)
    ] == [500]
