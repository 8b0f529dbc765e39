from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import resource
from pathlib import Path

import pytest

from opens2v_hf._util.files import remove_files
from opens2v_hf.errors import ResultError
from opens2v_hf.jobs.journal import open_journal
from opens2v_hf.jobs.journal_files import JournalWriter, Record, journal_files, read_records

RECORDS = [Record(f"key {number}", {"id": f"singleobj_{number}"}, {"value": number / 7}) for number in range(3)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A file of three records."""
    writer = JournalWriter(tmp_path)
    for record in RECORDS:
        writer.append(record)
    writer.close()
    (path,) = journal_files(tmp_path)
    return path


def test_what_is_written_is_read(journal: Path) -> None:
    assert read_records(journal) == RECORDS


def test_each_line_is_its_checksum_and_its_text(journal: Path) -> None:
    lines = journal.read_bytes().splitlines()
    assert len(lines) == 4
    for line in lines:
        checksum, text = line.split(b" ", 1)
        assert checksum.decode() == hashlib.blake2b(text, digest_size=8).hexdigest()
    assert json.loads(lines[2].split(b" ", 1)[1])["value"] == {"value": 1 / 7}


def test_a_record_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    write, sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda file, data: (done.append("write"), write(file, data))[1])
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), sync(file))[1])
    writer = JournalWriter(tmp_path)
    writer.append(RECORDS[0])
    assert done == ["write", "sync", "sync", "write", "sync"]  # the head, the folder, the record
    writer.append(RECORDS[1])
    assert done[5:] == ["write", "sync"]
    writer.close()


def test_nothing_written_leaves_no_file(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "absent").close()
    assert journal_files(tmp_path / "absent") == []
    assert not (tmp_path / "absent").exists()


def test_every_writer_has_a_file_of_its_own(tmp_path: Path) -> None:
    for rank in range(3):
        writer = JournalWriter(tmp_path, rank=rank)
        writer.append(RECORDS[rank])
        writer.close()
    assert [record for path in journal_files(tmp_path) for record in read_records(path)] == RECORDS


def test_a_file_cut_off_anywhere_keeps_the_whole_records_before(
    journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = journal.read_bytes()
    ends = [position + 1 for position, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content)):
        journal.write_bytes(content[:length])
        # a line that lacks nothing but its end is whole
        whole = max(sum(end <= length + 1 for end in ends) - 1, 0)
        assert read_records(journal) == RECORDS[:whole], length
    assert not caplog.records


def test_a_damaged_line_is_skipped_with_a_warning(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = journal.read_bytes()
    line_of = [content[:position].count(b"\n") for position in range(len(content))]
    for position in range(0, len(content), 3):
        if content[position] == ord("\n"):
            continue  # two lines run into one, below
        damaged = bytearray(content)
        damaged[position] ^= 0x01
        journal.write_bytes(damaged)
        caplog.clear()
        hit = line_of[position]
        with caplog.at_level(logging.WARNING):
            assert read_records(journal) == [record for number, record in enumerate(RECORDS, 1) if number != hit]
        assert f"line {hit + 1} is damaged" in caplog.text


def test_two_lines_without_a_break_are_both_skipped(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([lines[0], lines[1] + b"\0" + lines[2], lines[3], b""]))
    assert read_records(journal) == RECORDS[2:]
    assert "line 2 is damaged" in caplog.text


def test_another_format_is_refused(journal: Path) -> None:
    text = b'{"format":"opens2v-hf/journal/99"}'
    checksum = hashlib.blake2b(text, digest_size=8).hexdigest().encode()
    journal.write_bytes(checksum + b" " + text + b"\n")
    with pytest.raises(ResultError, match="journal/99"):
        read_records(journal)


def test_a_full_disk_raises_and_the_next_record_begins_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path)
    writer.append(RECORDS[0])
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:20])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(ResultError, match=r"No space left on device.*run the same command again") as caught:
            writer.append(Record("long", {}, "x" * 30))
    assert str(tmp_path) in str(caught.value)
    writer.append(RECORDS[1])
    writer.close()
    first, second = journal_files(tmp_path)
    assert first.read_bytes().count(b"\n") == 2  # the head, a record, and what the full disk took of another
    assert not first.read_bytes().endswith(b"\n")
    assert read_records(first) == RECORDS[:1]
    assert read_records(second) == RECORDS[1:2]


def test_a_limit_on_the_size_of_files_raises_as_a_full_disk_does(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        writer.append(RECORDS[0])
        with pytest.raises(ResultError, match="File too large"):
            writer.append(Record("long", {}, "x" * 5000))
        (path,) = journal_files(tmp_path)
        assert path.stat().st_size == 4096
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_records(path) == RECORDS[:1]


def test_a_journal_folder_below_a_file_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file"):
        JournalWriter(tmp_path / "file" / "journal").append(RECORDS[0])
    with pytest.raises(ResultError, match="file"):
        journal_files(tmp_path / "file")


def test_a_value_that_is_no_json_number_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.append(RECORDS[0])
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.append(Record("key", {}, float("nan")))
    writer.append(RECORDS[1])
    writer.close()
    assert [record for path in journal_files(tmp_path) for record in read_records(path)] == RECORDS[:2]


def test_remove_files_removes_all_records(journal: Path) -> None:
    remove_files([journal, journal])
    assert journal_files(journal.parent) == []


def test_a_folder_named_like_a_journal_file_is_ignored(tmp_path: Path) -> None:
    JournalWriter(tmp_path).append(Record("a", {}, 1))
    (tmp_path / "folder.jsonl").mkdir()
    assert [path.is_file() for path in journal_files(tmp_path)] == [True]


def test_other_machines_see_the_outcome_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path, launch="x")
    journal.add_group("0/0", {})
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.add_group("0/1", {})
    assert len(synced) == 1
    journal.close()
