"""Inference Providers, simulated by a service on loopback."""

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import numpy as np
import pytest
from huggingface_hub.inference._providers import _common, fal_ai
from huggingface_hub.utils import close_session
from PIL import Image

import opens2v_hf
import opens2v_hf.generators.provider as provider_module
from opens2v_hf.data.synthetic.eval_layout import write_eval
from opens2v_hf.errors import ArgumentError, GenerationError, ModelError
from opens2v_hf.generators import Recipe, Request
from opens2v_hf.generators.load import plan_generator
from opens2v_hf.generators.provider import ProviderGenerator, plan_provider
from opens2v_hf.video.writer import write_video

TASKS = {"org/text": "text-to-video", "org/image": "image-to-video", "org/words": "text-generation"}
REQUEST = Request("singleobj_1", "A cup.", (Image.new("RGB", (20, 16), "red"),), ("Cup",), 42, Recipe())
JSON = "application/json"


class Service:
    """The Hub, the router to one provider, and the provider.

    Attributes:
        answers: status, headers and body of the next answers to a request for a video; then it is accepted.
        video: what the finished video's address answers.
        endless: never finishes.
        payloads: of the requests for videos.
        keys: that came with them.
        accepted: codings likewise.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.video = b"a video"
        self.endless = False
        self.payloads: list[dict] = []
        self.keys: set[str | None] = set()
        self.accepted: set[str | None] = set()

    def get(self, path: str) -> bytes:
        if path.startswith("/api/models/"):
            model = path.removeprefix("/api/models/").partition("?")[0]
            served = {"status": "live", "providerId": f"fal-ai/{model}", "task": TASKS[model]}
            return json.dumps({"id": model, "_id": "0", "inferenceProviderMapping": {"fal-ai": served}}).encode()
        if "/status" in path:
            return json.dumps({"status": "IN_PROGRESS" if self.endless else "COMPLETED"}).encode()
        if path.startswith("/requests/"):
            return json.dumps({"video": {"url": f"{self.url}/video.mp4"}}).encode()
        return self.video

    def post(self, payload: dict, key: str | None) -> tuple[int, dict[str, str], bytes]:
        self.payloads.append(payload)
        self.keys.add(key)
        if self.answers:
            return self.answers.pop(0)
        accepted = {"request_id": "1", "status": "IN_QUEUE", "response_url": "http://elsewhere/requests/1"}
        return 200, {"Content-Type": JSON}, json.dumps(accepted).encode()


@pytest.fixture
def service(monkeypatch):
    played = Service()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, headers, body):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path.startswith("/api/models/org/gone"):
                return self.answer(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
            return self.answer(200, {}, played.get(self.path))

        def do_POST(self):
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            played.accepted.add(self.headers["Accept-Encoding"])
            self.answer(*played.post(payload, self.headers["Authorization"]))

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    played.url = f"http://127.0.0.1:{server.server_port}"
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", played.url)
    monkeypatch.setattr(constants, "INFERENCE_PROXY_TEMPLATE", f"{played.url}/{{provider}}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(fal_ai, "_POLLING_INTERVAL", 0.01)
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_this_test")
    _common._fetch_inference_provider_mapping.cache_clear()
    yield played
    close_session()
    server.shutdown()
    server.server_close()


def made(name: str, recipe: Recipe | None = None, *, references="given", request=REQUEST, **options):
    waits: list[float] = []
    generator = ProviderGenerator(plan_provider(name, references=references), sleep=waits.append, **options)
    generator.check_recipe(recipe or Recipe())
    asked = Request(request.id, request.prompt, request.images, request.labels, request.seed, recipe or Recipe())
    return generator, generator.generate(asked), waits


def picture(data_url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])))


def test_an_image_to_video_model_gets_the_first_frame(service):
    recipe = Recipe(steps=7, guidance=3.5, num_frames=33, negative_prompt="blur", extra={"aspect_ratio": "16:9"})
    generator, video, _ = made("hf:fal-ai/org/image", recipe)
    assert video.video == b"a video"
    (payload,) = service.payloads
    assert picture(payload.pop("image_url")).getpixel((0, 0)) == (255, 0, 0)
    assert payload == {
        "prompt": "A cup.", "negative_prompt": "blur", "num_frames": 33, "num_inference_steps": 7,
        "guidance_scale": 3.5, "seed": 42, "aspect_ratio": "16:9",
    }  # fmt: skip
    assert service.keys == {"Bearer hf_secret_of_this_test"}
    info = generator.info
    assert (info.kind, info.name, info.revision) == ("provider", "hf:fal-ai/org/image", "fal-ai/org/image")
    assert (generator.max_references, info.subject_driven) == (1, False)
    assert "first frame" in info.notes[-1]
    assert "secret" not in repr(info)


def test_references_go_by_the_providers_own_argument(service):
    recipe = Recipe(extra={"references_as": "reference_image_urls", "resolution": "720p"})
    two = Request(
        "x", "A cup.", (Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "lime")), ("a", "b"), 7, recipe
    )
    generator, _, _ = made("hf:fal-ai/org/text", recipe, request=two)
    (payload,) = service.payloads
    sent = payload.pop("reference_image_urls")
    assert [picture(one).getpixel((0, 0)) for one in sent] == [(255, 0, 0), (0, 255, 0)]
    assert payload == {"prompt": "A cup.", "seed": 7, "resolution": "720p"}
    assert (generator.max_references, generator.info.subject_driven) == (None, True)
    assert len(generator.info.notes) == 1


def test_text_alone_only_as_an_ablation(service):
    with pytest.raises(ArgumentError, match="makes videos from text: give the provider's argument for references"):
        made("hf:fal-ai/org/text")
    generator, _, _ = made("hf:fal-ai/org/text", references="none")
    assert service.payloads == [{"prompt": "A cup.", "seed": 42}]
    assert "without references" in generator.info.notes[1]
    assert not generator.info.subject_driven


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("hf:fal-ai", ArgumentError, "is named hf:PROVIDER/ORG/MODEL"),
        ("hf:together/org/text", ModelError, "together makes no videos with org/text; these do: fal-ai"),
        ("hf:fal-ai/org/words", ModelError, "no videos with org/words; no other provider"),
        ("hf:fal-ai/org/gone", ModelError, "providers of org/gone cannot be read"),
    ],
)
def test_models_without_a_provider(service, name, kind, words):
    with pytest.raises(kind, match=words):
        plan_generator(name)


@pytest.mark.parametrize(
    ("name", "recipe", "words"),
    [
        ("hf:fal-ai/org/image", Recipe(flow_shift=3.0), "no common argument for flow_shift"),
        ("hf:fal-ai/org/text", Recipe(width=64, extra={"references_as": "images"}), "no common argument for width"),
        ("hf:fal-ai/org/text", Recipe(extra={"references_as": "my images"}), "must name an argument"),
    ],
)
def test_settings_without_an_argument_of_the_provider(service, name, recipe, words):
    with pytest.raises(ArgumentError, match=words):
        made(name, recipe)


def test_references_of_a_first_frame_model_cannot_be_left_out(service):
    with pytest.raises(ArgumentError, match="cannot be left out"):
        plan_generator("hf:fal-ai/org/image", references="none")


def test_a_busy_provider_is_asked_again_when_it_says(service):
    service.answers = [(429, {"Retry-After": "7"}, b""), (503, {}, b"")]
    _, video, waits = made("hf:fal-ai/org/image")
    assert (video.video, waits) == (b"a video", [7.0, 4.0])
    assert len(service.payloads) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((429, {}, b""), GenerationError, "is busy: status 429"),
        ((402, {}, b""), ModelError, "no credits left"),
        ((401, {}, b""), ModelError, "the token is not valid"),
        ((422, {}, b"prompt too long"), GenerationError, "refused the request .status 422.*prompt too long"),
        (
            (200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
            GenerationError,
            "another form than a provider's",
        ),
        ((200, {"Content-Type": JSON}, b"{}"), GenerationError, "another form than a provider's"),
    ],
)
def test_answers_that_are_no_video(service, answer, kind, words):
    service.answers = [answer] * 4
    with pytest.raises(kind, match=words) as raised:
        made("hf:fal-ai/org/image")
    assert "secret" not in str(raised.value)


def test_a_video_without_end_is_cut(service, monkeypatch):
    monkeypatch.setattr(provider_module, "MAX_VIDEO_BYTES", 1 << 20)
    service.video = bytes((1 << 20) + 1)
    with pytest.raises(GenerationError, match="answered more than 1 MB"):
        made("hf:fal-ai/org/image")
    service.video = bytes(1 << 20)
    assert len(made("hf:fal-ai/org/image")[1].video) == 1 << 20


@pytest.mark.parametrize("coding", ["br", "gzip, gzip"])
def test_what_has_no_bound_when_it_is_unpacked_is_refused(service, coding):
    service.answers = [(200, {"Content-Type": JSON, "Content-Encoding": coding}, b"{}")]
    with pytest.raises(GenerationError, match=rf"Content-Encoding must be gzip, .*\(got '{coding}'\)") as raised:
        made("hf:fal-ai/org/image")
    assert raised.value.transient
    assert service.accepted == {"gzip"}


def test_a_provider_that_never_finishes_is_given_up(service):
    service.endless = True
    with pytest.raises(GenerationError, match="no answer in time") as raised:
        made("hf:fal-ai/org/image", timeout_s=0.3)
    assert raised.value.transient


def test_the_hubs_client_is_as_before(service):
    from huggingface_hub.utils import get_session

    before = get_session().event_hooks, get_session().timeout
    made("hf:fal-ai/org/image")
    assert (get_session().event_hooks, get_session().timeout) == before


def test_a_provider_from_its_name_to_a_result(service, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (8, 32, 48, 3), dtype=np.uint8)
    service.video = write_video(tmp_path / "made.mp4", frames, 8).read_bytes()
    benchmark = write_eval(tmp_path / "benchmark", per_category=1)
    result = opens2v_hf.score(
        model="hf:fal-ai/org/image", data_dir=benchmark, ids=["singleobj_1"], metrics=["motion_amplitude"],
        out=tmp_path / "out",
    )  # fmt: skip
    assert (tmp_path / "out/videos/singleobj_1.mp4").read_bytes() == service.video  # never encoded again
    assert (result.generation.kind, result.model) == ("provider", "image")
    assert not result.comparable
    assert len(service.payloads) == 1
