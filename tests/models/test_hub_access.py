"""Access to repos of the Hub, by a server on loopback in its place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.models import hub_access
from opens2v_hf.models.hub import resolve_model
from opens2v_hf.models.hub_access import cached_commit, cached_folder, load_arguments
from opens2v_hf.models.q_align.scorer import QAlignScorer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ERRORS = {"RepoNotFound": 404, "RevisionNotFound": 404, "EntryNotFound": 404, "GatedRepo": 403}


class FakeHub:
    """Answers HEAD requests by the first part of the path, and counts them."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.paths.append(self.path)
                name = self.path.split("/")[2]
                if name in ERRORS:
                    self.send_response(ERRORS[name])
                    self.send_header("X-Error-Code", name)
                else:
                    self.send_response(503 if name == "down" else 200)
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("ETag", '"1"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_access, "_answers", {})
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub()
    use(monkeypatch, fake.url)
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def put_into_cache(cache: Path, repo: str, filename: str) -> Path:
    folder = cache / f"models--{repo.replace('/', '--')}"
    path = folder / "snapshots" / COMMIT / filename
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    return path


def test_the_commit_is_that_of_the_snapshot_however_deep_the_file_lies(cache: Path) -> None:
    path = put_into_cache(cache, "org/deep", "face_extractor/models/det.onnx")
    assert cached_commit("org/deep", filename="face_extractor/models/det.onnx") == COMMIT
    assert cached_folder("org/deep", filename="face_extractor/models/det.onnx") == path.parents[2]
    assert cached_commit("org/deep") is None


def test_a_repo_that_the_hub_has_is_loaded_from_it_and_asked_for_once(hub: FakeHub) -> None:
    assert load_arguments("judge", "org/there", None) == {}
    assert load_arguments("judge", "org/there", "v1") == {"revision": "v1"}
    load_arguments("judge", "org/there", None)
    assert hub.paths == ["/org/there/resolve/main/config.json", "/org/there/resolve/v1/config.json"]


@pytest.mark.parametrize(
    ("repo", "says"),
    [
        ("org/RepoNotFound", "knows no such repo"),
        ("org/RevisionNotFound", "no revision 'v9'"),
        ("org/GatedRepo", "gated.*hf auth login"),
        ("org/down", "the Hub answers 503"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_the_reason_why_a_repo_is_unavailable_is_one_line(repo: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        load_arguments("embedder", repo, "v9")
    assert f"the embedder '{repo}' cannot be loaded: it is not in the local cache" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("hub")
def test_a_file_missing_from_a_repo_is_no_problem_of_the_hub() -> None:
    assert load_arguments("detector", "org/EntryNotFound", None) == {}


def test_what_the_cache_holds_is_loaded_without_asking_a_hub_that_does_not_answer(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    put_into_cache(cache, "org/cached", "config.json")
    assert load_arguments("judge", "org/cached", None) == {"local_files_only": True}
    with pytest.raises(ModelError, match="cannot be reached"):
        load_arguments("judge", "org/other", None)


def test_offline_mode_is_named_and_no_request_is_made(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="offline mode is set"):
        resolve_model("org/there", None, "judge").load_arguments()
    assert hub.paths == []


def test_a_hub_that_takes_requests_and_never_answers_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_access, "_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        use(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}")
        for name in ("a", "b", "c", "d"):
            with pytest.raises(ModelError, match="cannot be reached"):
                load_arguments("judge", f"org/{name}", None)
        server.setblocking(False)
        server.accept()[0].close()
        with pytest.raises(BlockingIOError):  # there was one connection
            server.accept()


def test_the_quality_scorer_offline_blames_the_network_and_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        QAlignScorer.from_pretrained("q-future/one-align", device="cpu")
    assert time.monotonic() - began < 5
    assert "cannot be reached" in str(caught.value)
    assert "sentencepiece" not in str(caught.value)
