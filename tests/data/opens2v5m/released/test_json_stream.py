"""Entries of large JSON objects, against Python's own json as the oracle."""

import json
import math
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.data.opens2v5m.released import json_stream
from opens2v_hf.data.opens2v5m.released.byte_source import LocalSource
from opens2v_hf.data.opens2v5m.released.json_borders import LIST_BORDERS, RECORD_BORDERS
from opens2v_hf.data.opens2v5m.released.json_stream import Malformed, byte_ranges, read_object
from opens2v_hf.errors import ArgumentError, SampleError


class MemorySource:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def url(self) -> str:
        return "memory.json"

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


def record(number: int) -> dict:
    return {"metadata": {"fps": number / 3, "path": f"ü{number}.mp4"}, "annotation": {"counts": 'a[]{}\\"]b' * number}}


def read(data: bytes, **options) -> list[tuple[str, object]]:
    return [(entry.key, entry.value) for entry in read_object(MemorySource(data), **options)]


def skip(data: bytes, **options) -> tuple[list[str], list[Malformed]]:
    reports: list[Malformed] = []
    source = MemorySource(data)
    return [e.key for e in read_object(source, on_error="skip", report=reports.append, **options)], reports


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_reads_what_json_reads(indent: int | None, count: int) -> None:
    whole = {f'id "{n}" \\': record(n) for n in range(count)}
    for ascii_only in (True, False):
        data = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()
        assert dict(read(data)) == whole
        assert list(dict(read(data))) == list(whole)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    whole=st.dictionaries(st.text(max_size=6), json_values, max_size=6),
    indent=st.sampled_from([None, 2]),
    trailing=st.sampled_from(["", "\n", " \t "]),
)
def test_reads_any_object(whole: dict, indent: int | None, trailing: str) -> None:
    data = (json.dumps(whole, indent=indent) + trailing).encode()
    assert read(data) == list(whole.items())


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=40) | st.text(alphabet='{}[]":,a\\0 ', max_size=40).map(str.encode))
def test_any_bytes_give_entries_or_a_report(data: bytes) -> None:
    try:
        oracle = json.loads(b"{" + data)
    except (ValueError, RecursionError):
        oracle = None
    entries, reports = skip(b"{" + data)
    if oracle is not None:
        # Of a repeated id json keeps one, a stream has seen both.
        assert set(entries) == set(oracle)
        assert reports == []
    else:
        # The only leniency: a comma before the closing brace.
        assert reports or b",}" in data.translate(None, b" \t\r\n")


@pytest.mark.parametrize("step", [1, 7, 100, 1000, 10**6])
def test_ranges_hold_every_entry_once(step: int) -> None:
    whole = {f'a"{n}': record(n) for n in range(30)}
    data = json.dumps(whole, indent=1).encode()
    ranges = byte_ranges(len(data), step)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(data)
    got = [pair for start, stop in ranges for pair in read(data, start=start, stop=stop)]
    assert got == list(whole.items())


def test_ranges_report_every_malformed_entry_once() -> None:
    texts = [f'"r{n}": ' + json.dumps(record(n)) for n in range(40)]
    for n in (0, 7, 8, 21, 39):
        texts[n] = texts[n].replace('"fps":', '"fps": oops')
    data = ("{" + ", ".join(texts) + "}").encode()
    for step in (50, 333, 2000):
        keys, bad = [], []
        for start, stop in byte_ranges(len(data), step):
            some, reports = skip(data, start=start, stop=stop)
            keys += some
            bad += reports
        assert [report.key for report in bad] == ["r0", "r7", "r8", "r21", "r39"]
        assert keys == [f"r{n}" for n in range(40) if n not in (0, 7, 8, 21, 39)]


def test_offsets_are_those_of_the_ids() -> None:
    data = json.dumps({f"id{n}": record(n) for n in range(20)}, indent=3).encode()
    for entry in read_object(MemorySource(data)):
        assert entry.byte_offset == data.index(b'"' + entry.key.encode() + b'"')


def test_lists_are_records_too() -> None:
    pairs = {f"cluster{n}": [{"cur_id": f"p/{n}", "similarity": 0.5}] * n for n in range(12)}
    data = json.dumps(pairs).encode()
    assert read(data) == list(pairs.items())
    got = [pair for start, stop in byte_ranges(len(data), 64) for pair in read(data, start=start, stop=stop)]
    assert got == list(pairs.items())


FAULTS = {
    "a word": ('"fps": 1', '"fps": nonsense'),
    "an open string": ('"path": "', '"path": '),
    "a missing comma": ('1, "path"', '1 "path"'),
    "an escape that is none": ('"path": "', '"path": "\\q'),
    "broken text": ('"path": "', '"path": "\udcff'),
    "half a surrogate pair": ('"path": "', '"path": "\\ud800'),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_malformed_record_is_named_and_skipped(fault: str, position: int) -> None:
    body = '{"metadata": {"fps": 1, "path": "x.mp4"}, "annotation": {"a": 2}}'
    old, new = FAULTS[fault]
    assert old in body
    texts = [f'"r{n}": ' + (body.replace(old, new) if n == position else body) for n in range(3)]
    data = ("{" + ",\n".join(texts) + "}").encode(errors="surrogateescape")
    keys, reports = skip(data)
    assert keys == [f"r{n}" for n in range(3) if n != position]
    assert [report.key for report in reports] == [f"r{position}"]
    assert reports[0].byte_offset == data.index(f'"r{position}"'.encode())
    with pytest.raises(SampleError, match=rf"memory\.json: record 'r{position}' at byte {reports[0].byte_offset}: "):
        read(data)


@pytest.mark.parametrize("position", [0, 1])
def test_a_missing_brace_loses_no_other_record(position: int) -> None:
    body = '{"metadata": {"fps": 1}, "annotation": {"a": 2}}'
    texts = [f'"r{n}": ' + (body.replace("}, ", ", ") if n == position else body) for n in range(3)]
    keys, reports = skip(("{" + ", ".join(texts) + "}").encode())
    assert keys == [f"r{n}" for n in range(3) if n != position]
    assert [(r.key, r.reason) for r in reports] == [(f"r{position}", "it does not end before the next record begins")]


def test_a_brace_too_many_loses_no_other_record() -> None:
    body = '{"metadata": {"fps": 1}, "annotation": {"a": 2}}'
    for position in range(3):
        texts = [f'"r{n}": ' + (body.replace("}, ", "}}, ") if n == position else body) for n in range(3)]
        entries, reports = [], []
        source = MemorySource(("{" + ", ".join(texts) + "}").encode())
        entries = list(read_object(source, on_error="skip", report=reports.append))
        whole = [entry.key for entry in entries if entry.value == json.loads(body)]
        assert whole == [f"r{n}" for n in range(3) if n != position]
        assert [report.reason for report in reports] == ["there are bytes behind the end of the object"]


def test_numbers_that_python_writes_are_read() -> None:
    data = json.dumps({"a": {"metadata": math.nan}, "b": {"metadata": math.inf}, "c": {"metadata": 10**30}}).encode()
    values = [value["metadata"] for _, value in read(data)]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, 1e30]


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_truncated_file_is_an_error(cut: int) -> None:
    data = b'{"a": {"metadata": [1, 2]}, "b": {"metadata": {"c": 3.5, "d": ""}}}'[:-cut]
    keys, reports = skip(data)
    assert len(reports) == 1
    assert len(keys) == data.count(b"]}") + data.count(b'""}}')
    with pytest.raises(SampleError, match=r"the file ends|does not end|should begin|no colon"):
        read(data)


@pytest.mark.parametrize("data", [b"", b"  \n", b"[1]", b'"a"', b"3", b"\x00"])
def test_a_file_that_is_no_object_is_an_error(data: bytes) -> None:
    for on_error in ("raise", "skip"):
        with pytest.raises(SampleError, match="must hold one JSON object"):
            read(data, on_error=on_error)


def test_bytes_behind_the_object_are_reported() -> None:
    keys, reports = skip(b'{"a": {"metadata": 1}} {"b": 2}')
    assert keys == ["a"]
    assert [(report.key, report.byte_offset) for report in reports] == [(None, 23)]


def test_deep_nesting_is_a_malformed_record() -> None:
    deep = b'{"metadata": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    keys, reports = skip(b'{"a": {"metadata": 0}, "b": ' + deep + b', "c": {"metadata": 1}}')
    assert keys == ["a", "c"]
    assert [(report.key, report.reason) for report in reports] == [
        ("b", "it is no valid JSON: it is nested too deeply")
    ]


def test_a_record_without_end_is_skipped_in_bounded_memory() -> None:
    data = b'{"a": {"metadata": 0}, "b": {"metadata": "' + b"x" * (40 << 20) + b'"}, "c": {"metadata": 1}}'
    tracemalloc.start()
    keys, reports = skip(data, max_record_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert keys == ["a", "c"]
    assert [report.reason for report in reports] == ["it is longer than 1048576 bytes"]
    assert peak < 20 << 20


def test_the_first_record_needs_only_the_beginning() -> None:
    source = MemorySource(json.dumps({f"id{n}": record(n) for n in range(2000)}).encode())
    assert source.size > 10 << 20
    next(read_object(source))
    assert sum(length for _, length in source.reads) <= 4 * json_stream.FIRST_READ


def test_memory_does_not_grow_with_the_file(tmp_path) -> None:
    path = tmp_path / "large.json"
    text = json.dumps(record(3000))
    with path.open("w") as file:
        file.write("{")
        file.write(",".join(f'"id{n}": {text}' for n in range(1300)))
        file.write("}")
    assert path.stat().st_size > 40 << 20
    tracemalloc.start()
    count = sum(1 for _ in read_object(LocalSource(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1300
    assert peak < 24 << 20


def test_the_released_records(shared_data) -> None:
    for path in sorted((shared_data / "opens2v-5m-demo").rglob("*.json")):
        whole = json.loads(path.read_text())
        if isinstance(whole, dict):
            assert {entry.key: entry.value for entry in read_object(LocalSource(path))} == whole


@pytest.mark.parametrize("kind", ["records", "lists"])
@pytest.mark.parametrize("seed", range(60))
def test_one_damage_costs_its_neighbours_at_most(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    text = 'x[{\\"}]' * rng.randrange(5)
    records = {
        f"id{n}": {"metadata": {"a": n, "s": text}, "annotation": {"m": [1, {"z": None}]}}
        if kind == "records"
        else [{"cur_id": text, "n": n}, {"cur_id": "y"}]
        for n in range(8)
    }
    data = bytearray(json.dumps(records, indent=rng.choice([None, 2])).encode())
    position = rng.randrange(1, len(data))
    damage = rng.randrange(3)
    if damage == 0:
        data[position] = rng.randrange(256)
    elif damage == 1:
        del data[position : position + rng.randrange(1, 30)]
    else:
        data[position:position] = rng.randbytes(rng.randrange(1, 5))
    borders = RECORD_BORDERS if kind == "records" else LIST_BORDERS

    def good(**options) -> tuple[list[str], list[Malformed]]:
        reports: list[Malformed] = []
        entries = read_object(
            MemorySource(bytes(data)), on_error="skip", report=reports.append, borders=borders, **options
        )
        return [entry.key for entry in entries if records.get(entry.key) == entry.value], reports

    keys, reports = good()
    try:
        assert keys == [key for key, value in json.loads(data).items() if records.get(key) == value]
        assert reports == []
    except ValueError:
        # Where a brace goes missing, two records become one.
        assert len(keys) >= len(records) - 2
        assert reports
    # Cut anywhere, what is whole comes once.
    step = rng.randrange(60, 400)
    in_ranges = [key for start, stop in byte_ranges(len(data), step) for key in good(start=start, stop=stop)[0]]
    assert len(in_ranges) == len(set(in_ranges))
    assert set(keys) <= set(in_ranges)


def test_the_kind_of_border_that_most_entries_have_is_chosen() -> None:
    for first in ("metadata", "word_tags", "annotation"):
        records = {f"id{n}": {first: [n], "z": [{"word_tags": 1}, "metadata"]} for n in range(20)}
        data = json.dumps(records).encode().replace(f'"{first}"'.encode(), b'"m"', 1)
        keys = []
        for start, stop in byte_ranges(len(data), 100):
            keys += [e.key for e in read_object(MemorySource(data), start=start, stop=stop, borders=RECORD_BORDERS)]
        assert keys == list(records)


def test_arguments() -> None:
    with pytest.raises(ArgumentError, match="on_error"):
        read(b"{}", on_error="ignore")
    with pytest.raises(ArgumentError, match="step=0"):
        byte_ranges(10, 0)
