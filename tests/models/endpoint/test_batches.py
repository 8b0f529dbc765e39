"""Answers of a service for batches that are none."""

import asyncio
import gzip
from functools import partial

import httpx
import pytest

from opens2v_hf.errors import ServiceUnavailableError
from opens2v_hf.models.endpoint import batches

URL = "http://127.0.0.1/v1"
BATCH = {"id": "b", "status": "completed", "metadata": {batches.TAG: "mine"}}


@pytest.fixture
def client(monkeypatch):
    """Makes a client of a service with these answers, by method and path."""

    def made(**answers):
        def answer(request):
            content = answers[f"{request.method}_{request.url.path.split('/')[2]}"]
            if isinstance(content, httpx.Response):
                return content
            return httpx.Response(200, **{"content" if isinstance(content, bytes) else "json": content})

        monkeypatch.setattr(
            batches.httpx, "AsyncClient", partial(httpx.AsyncClient, transport=httpx.MockTransport(answer))
        )
        return batches.BatchClient(URL, {}, timeout_s=5.0, sleep=lambda seconds: None)

    return made


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"<html>a proxy</html>", "it is no JSON"),
        (b"[" * 100_000, "it is nested too deeply|its JSON is nested too deeply"),
        ([1], "it is no JSON object"),
        ({}, "malformed"),
        ({"status": "completed", "request_counts": [1]}, "malformed"),
        ({"status": "completed", "request_counts": {"total": "many"}}, "malformed"),
        ({"status": "failed", "errors": {"data": [None]}}, "malformed"),
    ],
)
def test_a_state_that_is_none_is_an_error_with_its_address(client, answer, problem):
    with pytest.raises(ServiceUnavailableError, match=f"{URL}/batches/b cannot be used: .*({problem})"):
        client(GET_batches=answer).status("b")


@pytest.mark.parametrize("made", [b"", {}, {"id": None}, ["id"]])
def test_a_file_or_batch_without_an_id_is_an_error(client, made):
    with pytest.raises(ServiceUnavailableError, match=f"{URL}/files cannot be used"):
        client(GET_batches={}, POST_files=made).submit(b"{}", "mine")
    with pytest.raises(ServiceUnavailableError, match=f"{URL}/batches cannot be used"):
        client(GET_batches={}, POST_files={"id": "f"}, POST_batches=made).submit(b"{}", "mine")


@pytest.mark.parametrize("listed", [None, "all", [None, 3, {}, {"id": "a", "status": "completed", "metadata": None}]])
def test_what_is_no_batch_of_this_client_is_passed_over(client, listed):
    asked = client(GET_batches={"data": listed}, POST_files={"id": "f"}, POST_batches={"id": "new"})
    assert asked.submit(b"{}", "mine") == "new"
    if isinstance(listed, list):
        assert client(GET_batches={"data": [*listed, BATCH]}).submit(b"{}", "mine") == "b"


def test_a_file_of_answers_is_read_up_to_a_bound(client, monkeypatch):
    monkeypatch.setattr(batches, "MAX_CONTENT_BYTES", 1 << 20)
    assert client(GET_files=bytes(1 << 20)).content("f") == bytes(1 << 20)
    with pytest.raises(ServiceUnavailableError, match=f"{URL}/files/f/content has more than 1 MB"):
        client(GET_files=bytes((1 << 20) + 1)).content("f")


def test_a_record_is_read_up_to_a_bound(client, monkeypatch):
    monkeypatch.setattr(batches, "_MAX_RECORD_BYTES", 1 << 20)
    with pytest.raises(ServiceUnavailableError, match=f"{URL}/batches/b has more than 1 MB"):
        client(GET_batches=b" " * (1 << 20) + b"{}").status("b")


@pytest.mark.parametrize("status", [200, 400])
def test_what_is_packed_twice_is_not_unpacked(client, status):
    packed = {"Content-Encoding": "gzip, gzip"}
    answer = httpx.Response(status, content=gzip.compress(gzip.compress(b"{}")), headers=packed)
    with pytest.raises(ServiceUnavailableError, match="Content-Encoding must be gzip, deflate or nothing"):
        client(GET_batches=answer).status("b")


class Drip(httpx.AsyncByteStream):
    async def __aiter__(self):
        while True:
            await asyncio.sleep(0.01)
            yield b" "


def test_a_service_that_sends_a_byte_now_and_then_is_given_up(client, monkeypatch):
    monkeypatch.setattr(batches, "_ATTEMPTS", 1)
    asked = client(GET_files=httpx.Response(200, stream=Drip()))
    asked._timeout_s = 0.05
    with pytest.raises(ServiceUnavailableError, match=r"gave no answer: none came within 0\.05 s"):
        asked.content("f")


def test_the_time_for_a_large_file_is_not_that_for_a_record(client, monkeypatch):
    monkeypatch.setattr(batches, "_ATTEMPTS", 1)
    monkeypatch.setattr(batches, "_RECORD_S", 0.05)
    with pytest.raises(ServiceUnavailableError, match=r"gave no answer: none came within 0\.05 s"):
        client(GET_batches=httpx.Response(200, stream=Drip())).status("b")
