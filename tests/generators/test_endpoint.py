"""A service on loopback that misbehaves."""

import base64
import gzip
import io

import numpy as np
import pytest
from helpers.eval_folder import write_eval_folder
from helpers.judge_endpoint import drips, drips_headers, judge_endpoint, raw, resets
from PIL import Image

import opens2v_hf.generators.endpoint as endpoint_module
from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators import Recipe, Request
from opens2v_hf.generators.api import generate
from opens2v_hf.generators.endpoint import EndpointGenerator
from opens2v_hf.video.writer import write_video

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


def test_a_busy_service_is_asked_again_after_its_retry_after():
    with judge_endpoint(raw(b"", status=429, Retry_After="7"), raw(b"", status=503), resets, VIDEO) as service:
        made, waits = ask(service)
    assert made.video == b"a video"
    assert waits == [7.0, 4.0, 8.0]


def test_a_long_wait_is_cut_and_the_failure_is_transient():
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
        (
            raw(gzip.compress(gzip.compress(b"v")), content_type="video/mp4", Content_Encoding="gzip, gzip"),
            r"Content-Encoding must be gzip, deflate or nothing \(got 'gzip, gzip'\)",
            True,
        ),
        (raw(b"no such model", status=404), "status 404.*no such model", False),
        (drips(30), r"no answer within 0\.3 s", True),
        (drips_headers(30), r"no answer within 0\.3 s", True),
    ],
)
def test_answers_that_are_no_video(behaviour, words, transient):
    with judge_endpoint(behaviour) as service, pytest.raises(GenerationError, match=words) as raised:
        ask(service, timeout_s=0.3 if "within" in words else 5.0)
    assert raised.value.transient == transient


def test_a_faulty_answer_fails_its_own_sample_only(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (4, 32, 48, 3), dtype=np.uint8)
    video = write_video(tmp_path / "made.mp4", noise, 8).read_bytes()
    answers = {
        "singleobj_1": raw(video, content_type="video/mp4"),
        "faceobj_2": raw(b"<html>sign in</html>", content_type="text/html"),
        "singleface_3": raw(b"no video", content_type="video/mp4"),
        "multiface_4": raw(b"", status=429, Retry_After="1"),
    }
    benchmark = write_eval_folder(tmp_path / "benchmark")
    with judge_endpoint(lambda handler: answers[handler.endpoint.requests[-1]["id"]](handler)) as service:
        generator = EndpointGenerator(service.base_url, sleep=lambda seconds: None)
        run = generate(generator, data_dir=benchmark, out=tmp_path / "out")
    assert (tmp_path / "out/videos/singleobj_1.mp4").read_bytes() == video
    assert list(run.made) == ["singleobj_1"]
    for sample_id, word in {"faceobj_2": "text/html", "singleface_3": "video", "multiface_4": "429"}.items():
        assert word in run.failed[sample_id]


def test_a_huge_body_is_refused(monkeypatch):
    monkeypatch.setattr(endpoint_module, "MAX_VIDEO_BYTES", 1 << 20)
    body = raw(bytes(8 << 20), content_type="video/mp4")
    with judge_endpoint(body) as service, pytest.raises(GenerationError, match="more than 1 MB"):
        ask(service)


def test_the_key_is_sent_to_the_service_and_to_no_redirect(monkeypatch):
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
