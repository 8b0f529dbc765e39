import os
import pickle

import pytest
from helpers.range_server import RangeServer

from opens2v_hf.data.opens2v5m import byte_source
from opens2v_hf.data.opens2v5m.byte_source import HttpSource, LocalSource, open_source
from opens2v_hf.errors import SourceError

CONTENT = bytes(range(256)) * 300


@pytest.fixture
def served(tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    with RangeServer(tmp_path).running() as server:
        yield server


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (255, 3), (70_000, 10_000), (len(CONTENT), 5), (10**9, 1), (5, 0)]
)
def test_local_and_remote_read_the_same(served, offset, length) -> None:
    local, remote = open_source(served.folder / "file.bin"), open_source(f"{served.url}/file.bin")
    assert isinstance(local, LocalSource)
    assert isinstance(remote, HttpSource)
    assert local.size == remote.size == len(CONTENT)
    assert local.read(offset, length) == remote.read(offset, length) == CONTENT[offset : offset + length]


def test_only_the_range_is_asked_for(served) -> None:
    source = HttpSource(f"{served.url}/file.bin", size=len(CONTENT))
    source.read(1000, 24)
    assert [request[2] for request in served.requests if request[0] == "GET"] == ["bytes=1000-1023"]


def test_a_source_reads_in_a_forked_child_and_after_pickling(served) -> None:
    for source in (LocalSource(served.folder / "file.bin"), HttpSource(f"{served.url}/file.bin")):
        assert source.read(0, 4) == CONTENT[:4]
        assert pickle.loads(pickle.dumps(source)).read(7, 9) == CONTENT[7:16]
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write_end, source.read(300, 5))
            os._exit(0)
        os.close(write_end)
        assert os.waitpid(child, 0)[1] == 0
        assert os.read(read_end, 100) == CONTENT[300:305]
        os.close(read_end)
        assert source.read(4, 4) == CONTENT[4:8]


def test_a_failing_server_is_asked_again(served, monkeypatch) -> None:
    monkeypatch.setattr(byte_source, "wait_exponential_jitter", lambda **_: lambda _state: 0)
    source = HttpSource(f"{served.url}/file.bin")
    assert source.size == len(CONTENT)
    served.failures = byte_source.ATTEMPTS - 1
    assert source.read(0, 8) == CONTENT[:8]
    served.failures = byte_source.ATTEMPTS
    with pytest.raises(SourceError, match=r"cannot read bytes 0 to 8 of http://.*file\.bin: .*503"):
        source.read(0, 8)


def test_missing_files(served, tmp_path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.bin: No such file"):
        open_source(tmp_path / "nothing.bin")
    with pytest.raises(SourceError, match=r"nothing\.bin: there is no such file"):
        _ = open_source(f"{served.url}/nothing.bin").size


def test_a_server_without_ranges_is_refused(tmp_path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    with RangeServer(tmp_path, ranges=False).running() as server, pytest.raises(SourceError, match="only whole"):
        open_source(f"{server.url}/file.bin").read(0, 4)
