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
