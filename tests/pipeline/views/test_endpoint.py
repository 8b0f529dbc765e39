"""The client of images/edits, on loopback."""

from __future__ import annotations

import gzip
import json

import pytest
from helpers.judge_endpoint import drips, fails, judge_endpoint, never, raw, resets, truncated
from helpers.view_endpoint import USAGE, fields_of, png, shows
from PIL import Image

from opens2v_hf.errors import ArgumentError, ServiceUnavailableError
from opens2v_hf.pipeline.prices import price_of
from opens2v_hf.pipeline.views import endpoint as module
from opens2v_hf.pipeline.views.editor import EditLostError, EditRefusedError, EditRequest, EditUnpaidError
from opens2v_hf.pipeline.views.endpoint import EndpointEditor
from opens2v_hf.pipeline.views.options import ViewOptions

KEY = "sk-secret-1234"
ONE = EditRequest([Image.new("RGB", (8, 6), (1, 2, 3))], "a red cup", 1)
TWO = EditRequest([*ONE.images, Image.new("RGB", (9, 9))], "a red cup", 1)


def editor(url: str, waits: list[float] | None = None, **options: object) -> EndpointEditor:
    given = {"model": "openai:some-image-model", "base_url": url, "api_key": KEY, "timeout_s": 5.0, **options}
    made = ViewOptions(**given)
    waited = [] if waits is None else waits
    return EndpointEditor(made, price_of(made.model.removeprefix("openai:")), sleep=waited.append)


def test_a_request_has_the_pictures_and_the_fields() -> None:
    with judge_endpoint(shows()) as server:
        edited = editor(server.base_url, size="1024x1024", quality="low", extra={"seed": 7}).edit(TWO)
    fields = fields_of(server.bodies[0], server.headers[0])
    assert [(name, content) for name, content in fields if not name.startswith("image")] == [
        ("model", b"some-image-model"), ("prompt", b"a red cup"), ("n", b"1"), ("size", b"1024x1024"),
        ("quality", b"low"), ("seed", b"7"),
    ]  # fmt: skip
    pictures = [content for name, content in fields if name == "image[]"]
    assert [content[:4] for content in pictures] == [b"\x89PNG"] * 2
    assert server.paths == ["/v1/images/edits"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert edited.image.getpixel((0, 0)) == (200, 30, 30)
    assert edited.usage == USAGE


@pytest.mark.parametrize(("request_", "first", "second"), [(ONE, "image", "image[]"), (TWO, "image[]", "image")])
def test_the_other_field_name_is_tried_after_a_refusal(request_: EditRequest, first: str, second: str) -> None:
    refusal = raw(json.dumps({"error": {"message": "Field required: image", "param": first}}).encode(), status=422)
    with judge_endpoint(refusal, shows()) as server:
        client = editor(server.base_url)
        client.edit(request_)
        client.edit(request_)
    names = [
        {name for name, _ in fields_of(body, headers)} & {"image", "image[]"}
        for body, headers in zip(server.bodies, server.headers, strict=True)
    ]
    assert names == [{first}, {second}, {second}]


def test_a_picture_by_url_is_fetched_without_the_key() -> None:
    with judge_endpoint(shows()) as server:
        url = server.base_url.removesuffix("/v1") + "/made/1.png"
        server.files["/made/1.png"] = png((1, 200, 1))
        server.script[:] = [raw(json.dumps({"data": [{"url": url}]}).encode())]
        edited = editor(server.base_url).edit(ONE)
    assert edited.image.getpixel((0, 0)) == (1, 200, 1)
    assert edited.cost is None
    assert "Authorization" not in server.headers[1]


def test_a_broken_url_is_tried_again_then_the_picture_is_lost() -> None:
    with judge_endpoint(shows()) as server:
        url = server.base_url.removesuffix("/v1") + "/gone.png"
        server.script[:] = [raw(json.dumps({"data": [{"url": url}]}).encode())]
        with pytest.raises(EditLostError, match="cannot be fetched"):
            editor(server.base_url).edit(ONE)
    assert len(server.bodies) == 1
    assert len(server.headers) == 4


def test_a_429_is_sent_again_after_its_retry_after() -> None:
    waits: list[float] = []
    with judge_endpoint(fails(429, Retry_After="7"), fails(429), shows()) as server:
        editor(server.base_url, waits).edit(ONE)
    assert len(server.bodies) == 3
    assert waits == [7.0, 4.0]


def test_endless_429_is_unpaid() -> None:
    with judge_endpoint(fails(429, "slow down")) as server, pytest.raises(EditUnpaidError, match="slow down"):
        editor(server.base_url).edit(ONE)
    assert len(server.bodies) == 5


def test_no_connection_is_unpaid() -> None:
    waits: list[float] = []
    with judge_endpoint(shows()) as server:
        url = server.base_url
    with pytest.raises(EditUnpaidError, match="no connection"):
        editor(url, waits).edit(ONE)
    assert len(waits) == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fails(500, "oops"), "HTTP 500: oops"),
        (fails(503), "HTTP 503"),
        (fails(408), "HTTP 408"),
        (resets, "connection broke"),
        (truncated, "connection broke"),
        (never, "no answer within 1 s"),
        (drips(2), "no answer within 1 s"),
        (raw(b"<html>busy</html>", content_type="text/html"), "no JSON .text/html.: <html>busy</html>"),
        (raw(b'{"data": []}'), "has no picture"),
        (raw(b"[1]"), "has no picture"),
        (raw(b"[" * 100_000), "no JSON"),
        (raw(b'{"data": [{"b64_json": "!!"}]}'), "no base64"),
        (raw(b'{"data": [{"b64_json": "aGVsbG8="}]}'), "no image that can be read"),
        (raw(b'{"data": [{"url": "file:///etc/passwd"}]}'), "neither b64_json nor"),
        (raw(b'{"data": [{}]}'), "neither b64_json nor"),
    ],
)
def test_a_request_that_may_be_paid_is_sent_once(answer, message: str) -> None:
    slow = answer is never or "within" in message
    with judge_endpoint(answer) as server, pytest.raises(EditLostError, match=message):
        editor(server.base_url, timeout_s=1 if slow else 5).edit(ONE)
    assert len(server.bodies) == 1


def test_a_huge_answer_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1000)
    with judge_endpoint(raw(b"x" * 100_000)) as server, pytest.raises(EditLostError, match="more than"):
        editor(server.base_url).edit(ONE)


def test_an_answer_that_is_packed_twice_is_not_unpacked() -> None:
    answer = raw(gzip.compress(gzip.compress(b"{}")), Content_Encoding="gzip, gzip")
    with judge_endpoint(answer) as server, pytest.raises(EditLostError, match="Content-Encoding must be gzip"):
        editor(server.base_url).edit(ONE)


def test_a_refusal_does_not_show_the_key() -> None:
    said = r"HTTP 400: unsafe content; key \[key\]"
    with (
        judge_endpoint(fails(400, f"unsafe content; key {KEY}")) as server,
        pytest.raises(EditRefusedError, match=said),
    ):
        editor(server.base_url).edit(ONE)
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 302])
def test_an_error_of_all_requests_stops_the_run(status: int) -> None:
    with judge_endpoint(fails(status, "no")) as server, pytest.raises(ServiceUnavailableError, match=str(status)):
        editor(server.base_url).edit(ONE)
    assert len(server.bodies) == 1


def test_a_spent_quota_stops_the_run() -> None:
    with (
        judge_endpoint(fails(429, "insufficient_quota")) as server,
        pytest.raises(ServiceUnavailableError, match="quota"),
    ):
        editor(server.base_url).edit(ONE)
    assert len(server.bodies) == 1


def test_tokens_have_the_price_of_the_table() -> None:
    with judge_endpoint(shows()) as server:
        assert editor(server.base_url, model="openai:gpt-image-1").edit(ONE).cost == pytest.approx(0.046)
        assert editor(server.base_url).edit(ONE).cost is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "ftp://host"}, "http.s. URL"), ({"base_url": "http://me:pw@host/v1"}, "holds a user"),
        ({"api_key": "two words"}, "no key has"), ({"model": "openai: "}, "is named openai:<model>"),
        ({"base_url": "https://api.openai.com/v1", "api_key": ""}, "wants a key"),
    ],
)  # fmt: skip
def test_an_unusable_endpoint_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        editor(options.pop("base_url", "http://127.0.0.1:9/v1"), **options)
