import asyncio
import gc
import gzip
import os
import pickle
import re
import ssl
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from helpers.range_server import RangeServer

from opens2v_hf._util.event_loop import run_coroutine
from opens2v_hf.data.opens2v5m.released import byte_source
from opens2v_hf.data.opens2v5m.released.byte_source import HttpSource, LocalSource, open_source
from opens2v_hf.data.opens2v5m.shards.parquet_file import open_parquet
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


def test_only_the_range_is_requested(served) -> None:
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


def test_a_failed_request_is_repeated(served, monkeypatch) -> None:
    monkeypatch.setattr(byte_source, "wait_exponential_jitter", lambda **_: lambda _state: 0)
    source = HttpSource(f"{served.url}/file.bin")
    assert source.size == len(CONTENT)
    served.failures = byte_source.ATTEMPTS - 1
    assert source.read(0, 8) == CONTENT[:8]
    served.failures = byte_source.ATTEMPTS
    with pytest.raises(SourceError, match=r"cannot read bytes 0 to 8 of http://.*file\.bin: .*503"):
        source.read(0, 8)


def test_missing_files(served, tmp_path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.bin: there is no such file"):
        open_source(tmp_path / "nothing.bin")
    with pytest.raises(SourceError, match=r"nothing\.bin: there is no such file"):
        _ = open_source(f"{served.url}/nothing.bin").size


def test_a_server_without_ranges_is_refused(tmp_path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    with RangeServer(tmp_path, ranges=False).running() as server, pytest.raises(SourceError, match="only whole"):
        open_source(f"{server.url}/file.bin").read(0, 4)


def test_the_body_of_a_redirect_is_not_read(served) -> None:
    bomb = gzip.compress(bytes(32 << 20))

    def redirect(status, headers, body, whole, asked):
        if served.requests[-1][1] != "/old.bin":
            return status, headers, body
        return 302, {"Location": "/file.bin", "Content-Encoding": "gzip"}, bomb

    served.alter = redirect
    source = open_source(f"{served.url}/old.bin")
    tracemalloc.start()
    assert source.read(1000, 8) == CONTENT[1000:1008]
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


def another_range(status, headers, body, whole, asked):
    return status, {**headers, "Content-Range": f"bytes 0-{len(body) - 1}/{len(whole)}"}, whole[: len(body)]


def no_range(status, headers, body, whole, asked):
    return status, {}, body


def other_unit(status, headers, body, whole, asked):
    return status, {"Content-Range": "pages 1-2/3"}, body


def several_parts(status, headers, body, whole, asked):
    return status, {"Content-Type": "multipart/byteranges; boundary=x"}, b"--x\r\n" + body


def parts_and_a_range(status, headers, body, whole, asked):
    return status, {**headers, "Content-Type": "Multipart/ByteRanges; boundary=x"}, body


def more_than_there_is(status, headers, body, whole, asked):
    return status, {"Content-Range": headers["Content-Range"].replace(str(len(whole)), "5")}, body


def too_many_bytes(status, headers, body, whole, asked):
    return status, headers, body + b"more"


def compressed(status, headers, body, whole, asked):
    return status, {**headers, "Content-Encoding": "gzip"}, body


def whole_file(status, headers, body, whole, asked):
    return 200, {}, whole


def beyond_the_end(status, headers, body, whole, asked):
    return 416, {"Content-Range": f"bytes */{len(whole)}"}, b""


def longer_file(status, headers, body, whole, asked):
    return status, {"Content-Range": headers["Content-Range"].replace(str(len(whole)), str(len(whole) + 1))}, body


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (another_range, r"bytes 0 to 7 \(requested were 1000 to 1007\)"),
        (no_range, "does not say which bytes it sends .Content-Range is missing"),
        (other_unit, "does not say which bytes it sends .Content-Range is 'pages 1-2/3'"),
        (several_parts, "it answers in several parts"),
        (parts_and_a_range, "it answers in several parts"),
        (more_than_there_is, "does not say which bytes it sends .Content-Range is 'bytes 1000-1007/5'"),
        (too_many_bytes, "more bytes than it announces"),
        (compressed, "compressed"),
        (whole_file, "sends files only whole"),
        (beyond_the_end, "changed while it was read"),
        (longer_file, "changed while it was read"),
    ],
)
def test_a_response_of_another_range_is_an_error(served, alter, message) -> None:
    source = HttpSource(f"{served.url}/file.bin")
    assert source.size == len(CONTENT)
    served.alter = alter
    with pytest.raises(SourceError, match=message):
        source.read(1000, 8)
    served.alter = lambda status, headers, body, whole, asked: (status, headers, body)
    assert source.read(1000, 8) == CONTENT[1000:1008]


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_file_that_is_replaced_by_another_of_its_size(served, header) -> None:
    version = "one"
    served.alter = lambda status, headers, body, whole, asked: (status, {**headers, header: version}, body)
    source = HttpSource(f"{served.url}/file.bin")
    assert source.read(3, 4) == CONTENT[3:7]
    version = "two"
    with pytest.raises(SourceError, match="changed while it was read"):
        source.read(3, 4)


def test_times_may_differ_if_entity_tags_agree(served) -> None:
    times = iter(range(9))
    served.alter = lambda status, headers, body, whole, asked: (
        status,
        {**headers, "ETag": '"x"', "Last-Modified": str(next(times))},
        body,
    )
    source = HttpSource(f"{served.url}/file.bin")
    assert source.read(3, 4) + source.read(7, 4) == CONTENT[3:11]


def test_a_length_that_only_head_tells(served) -> None:
    def alter(status, headers, body, whole, asked):
        if "Content-Range" in headers:
            headers = {"Content-Range": headers["Content-Range"].rpartition("/")[0] + "/*"}
        return status, headers, body if status == 206 else b"" if status != 200 else whole

    served.alter = alter
    source = HttpSource(f"{served.url}/file.bin")
    assert source.size == len(CONTENT)
    assert source.read(1000, 8) == CONTENT[1000:1008]


@pytest.mark.parametrize("changed", [{"Content-Length": "0"}, {"Content-Encoding": "gzip"}])
def test_a_length_that_head_does_not_tell(served, changed) -> None:
    def alter(status, headers, body, whole, asked):
        if "Content-Range" in headers:
            return status, {"Content-Range": headers["Content-Range"].rpartition("/")[0] + "/*"}, body
        return status, {"Content-Length": str(len(whole)), **changed}, b""

    served.alter = alter
    with pytest.raises(SourceError, match="does not say how long it is"):
        _ = HttpSource(f"{served.url}/file.bin").size


def test_a_response_that_is_too_slow_is_an_error(served, monkeypatch) -> None:
    monkeypatch.setattr(byte_source, "wait_exponential_jitter", lambda **_: lambda _state: 0)
    source = HttpSource(f"{served.url}/file.bin")
    assert source.size == len(CONTENT)
    monkeypatch.setattr(byte_source, "_LONGEST_WAIT_S", -60)
    with pytest.raises(SourceError, match="the answer did not come within"):
        source.read(1000, 8)


class DripServer(RangeServer):
    """Sends its headers byte by byte, and never ends them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_over = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX-Slow: ")
        while not self.is_over.wait(0.02):
            handler.wfile.write(b"a")
        handler.close_connection = True


def test_headers_that_never_end_are_an_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(byte_source, "_LONGEST_WAIT_S", 0.2)
    monkeypatch.setattr(byte_source, "ATTEMPTS", 1)
    with DripServer(tmp_path).running() as server:
        source = HttpSource(f"{server.url}/file.bin", size=len(CONTENT))
        with pytest.raises(SourceError, match=r"cannot read bytes 0 to 8 of .*: the answer did not come within 0\.2 s"):
            source.read(0, 8)
        server.is_over.set()


def test_the_connections_of_a_source_that_is_gone_are_closed(served) -> None:
    source = HttpSource(f"{served.url}/file.bin")
    assert source.read(0, 8) == CONTENT[:8]
    client = source._connected()
    del source
    gc.collect()
    run_coroutine(asyncio.sleep(0))  # what was handed to the loop before is done
    assert client.is_closed


def test_the_certificates_are_read_once_for_all_sources(served, monkeypatch) -> None:
    assert HttpSource(f"{served.url}/file.bin").read(0, 8) == CONTENT[:8]
    monkeypatch.setattr(ssl, "create_default_context", None)
    assert HttpSource(f"{served.url}/file.bin").read(8, 8) == CONTENT[8:16]


def test_no_message_shows_the_secrets_of_a_url(served, monkeypatch) -> None:
    monkeypatch.setattr(byte_source, "wait_exponential_jitter", lambda **_: lambda _state: 0)
    secret = served.url.replace("//", "//me:secret@")
    for status in (404, 403, 500):
        served.alter = lambda *_, status=status: (status, {}, b"")
        with pytest.raises(SourceError) as caught:
            HttpSource(f"{secret}/file.bin?signature=secret").read(0, 1)
        assert f"cannot read {served.url}/file.bin: " in str(caught.value)
        assert "secret" not in str(caught.value)
    with pytest.raises(SourceError) as caught, open_parquet(f"{secret}/none.parquet?signature=secret"):
        pass
    assert "secret" not in str(caught.value)


def test_a_server_that_sends_a_part_of_the_range(served) -> None:
    def alter(status, headers, body, whole, asked):
        first, last, total = map(int, re.findall(r"\d+", headers["Content-Range"]))
        last = min(last, first + 2)
        return status, {"Content-Range": f"bytes {first}-{last}/{total}"}, body[: last - first + 1]

    served.alter = alter
    assert HttpSource(f"{served.url}/file.bin").read(1000, 8) == CONTENT[1000:1008]


def test_a_server_that_knows_ranges_only_of_what_is_not_compressed(served) -> None:
    def alter(status, headers, body, whole, asked):
        return (status, headers, body) if asked["Accept-Encoding"] == "identity" else (200, {}, whole)

    served.alter = alter
    assert HttpSource(f"{served.url}/file.bin").read(1000, 8) == CONTENT[1000:1008]


def test_files_that_fit_into_the_first_answer(served) -> None:
    served.alter = lambda status, headers, body, whole, asked: (200, {}, whole)
    for content in (b"", b"x"):
        (served.folder / "small.bin").write_bytes(content)
        source = HttpSource(f"{served.url}/small.bin")
        assert source.size == len(content)
        assert source.read(0, 9) == content


def test_retry_after_is_obeyed(served, monkeypatch) -> None:
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    answers = iter([("429", "7"), ("503", "Fri, 31 Dec 9999 23:59:59 GMT"), ("503", "soon")])

    def alter(status, headers, body, whole, asked):
        code, after = next(answers, (None, None))
        return (status, headers, body) if code is None else (int(code), {"Retry-After": after}, b"")

    source = HttpSource(f"{served.url}/file.bin", size=len(CONTENT))
    served.alter = alter
    assert source.read(3, 4) == CONTENT[3:7]
    assert waits[:2] == [7, 60]
    assert waits[2] < 7


def test_a_local_file_that_changes(tmp_path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"short")
    source = LocalSource(path)
    assert source.read(0, source.size) == b"short"
    path.write_bytes(b"longer than before")
    with pytest.raises(SourceError, match=r"file\.bin changed while it was in use"):
        source.read(0, source.size)
    with pytest.raises(SourceError, match="cannot read"):
        LocalSource("a\0b")


def test_a_colon_twice_in_a_name_is_no_chain_of_file_systems(tmp_path) -> None:
    (tmp_path / "a::b.bin").write_bytes(b"content")
    assert open_source(tmp_path / "a::b.bin").read(0, 9) == b"content"
    assert open_source(f"file://{tmp_path}/a::b.bin").read(0, 9) == b"content"
