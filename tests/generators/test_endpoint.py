"""A service on loopback that misbehaves."""

import base64
import io

import pytest
from helpers.judge_endpoint import drips, judge_endpoint, raw, resets
from PIL import Image

import opens2v_hf.generators.endpoint as endpoint_module
from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators import Recipe, Request
from opens2v_hf.generators.endpoint import EndpointGenerator

REQUEST = Request("singleobj_1", "A cup.", (Image.new("RGB", (20, 16), "red"),), ("Cup",), 42, Recipe(steps=3))
VIDEO = raw(b"a video", content_type="video/mp4")


def ask(service, **options):
    waits = []
    generator = EndpointGenerator(service.base_url, sleep=waits.append, **options)
    return generator.generate(REQUEST), waits


def test_the_request_and_the_answer():
    with judge_endpoint(VIDEO) as service:
        made, waits = ask(service)
    assert (made.video, waits) == (b"a video", [])
    (body,) = service.requests
    picture = Image.open(io.BytesIO(base64.b64decode(body.pop("images")[0])))
    assert (picture.size, picture.getpixel((0, 0))) == ((20, 16), (255, 0, 0))
    assert body == {"id": "singleobj_1", "prompt": "A cup.", "labels": ["Cup"], "seed": 42, "recipe": {"steps": 3}}


def test_busy_services_are_asked_again_when_they_say():
    with judge_endpoint(raw(b"", status=429, Retry_After="7"), raw(b"", status=503), resets, VIDEO) as service:
        made, waits = ask(service)
    assert made.video == b"a video"
    assert waits == [7.0, 4.0, 8.0]


def test_a_wait_without_end_is_cut_and_the_next_run_tries_again():
    with judge_endpoint(raw(b"", status=429, Retry_After="99999")) as service:
        waits = []
        with pytest.raises(GenerationError, match="is busy: status 429") as raised:
            EndpointGenerator(service.base_url, sleep=waits.append).generate(REQUEST)
    assert raised.value.transient
    assert waits == [120.0] * 3


@pytest.mark.parametrize(
    ("behaviour", "words", "transient"),
    [
        (raw(b"<html>sign in</html>", content_type="text/html; charset=utf-8"), "text/html.*video file", True),
        (raw(b"", content_type="video/mp4"), "where a video file is expected", True),
        (raw(b"no such model", status=404), "status 404.*no such model", False),
        (drips(30), "no answer within 1 s", True),
    ],
)
def test_answers_that_are_no_video(behaviour, words, transient):
    with judge_endpoint(behaviour) as service, pytest.raises(GenerationError, match=words) as raised:
        ask(service, timeout_s=1.0)
    assert raised.value.transient == transient


def test_a_huge_body_is_not_taken_in(monkeypatch):
    monkeypatch.setattr(endpoint_module, "MAX_VIDEO_BYTES", 1 << 20)
    body = raw(bytes(8 << 20), content_type="video/mp4")
    with judge_endpoint(body) as service, pytest.raises(GenerationError, match="more than 1 MB"):
        ask(service)


def test_the_key_is_sent_to_the_service_and_never_on(monkeypatch):
    monkeypatch.setenv(endpoint_module.KEY_VARIABLE, "secret-key")
    with judge_endpoint(VIDEO) as other:
        redirect = raw(b"moved", status=307, Location=other.base_url)
        with judge_endpoint(redirect) as service, pytest.raises(GenerationError, match="status 307") as raised:
            ask(service)
    assert service.headers[0]["Authorization"] == "Bearer secret-key"
    assert other.requests == []
    assert "secret-key" not in str(raised.value)


def test_a_key_that_cannot_be_sent_is_named(monkeypatch):
    monkeypatch.setenv(endpoint_module.KEY_VARIABLE, "schlüssel\n")
    with pytest.raises(ArgumentError, match=endpoint_module.KEY_VARIABLE) as raised:
        EndpointGenerator("http://127.0.0.1:9/v1").generate(REQUEST)
    assert "schl" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://", "ftp://host/x", "http://user:pass@host/", "http://host/?key=1"])
def test_addresses_that_cannot_be_used(url):
    with pytest.raises(ArgumentError):
        EndpointGenerator(url)
