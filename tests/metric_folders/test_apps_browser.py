"""The metrics' pages as a visitor meets them."""

import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from helpers.apps import METRICS, NAMES
from helpers.browser import Page, apps_on_loopback
from helpers.judge_endpoint import judge_endpoint, says
from helpers.nexus_models import save_nexus_models
from helpers.videos import encode, numbered_frames

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.video.writer import write_video

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SAMPLE = "singleobj_1"
ROLES = ("detector", "prompt_encoder", "embedder")
PICTURES = "[data-testid=image] img, .image-container img"
PLOT = ".vega-embed canvas, .vega-embed svg"
KEY = "sk-secret-of-this-test"

ANSWERS = {
    "aesthetics": (r"Aesthetics ([0-9]\.[0-9]{3})", "from 32 frames"),
    "copypaste": (r"Copy-paste ([01]\.[0-9]{4})", "compared in"),
    "subject_identity": (r"Subject identity ([01]\.[0-9]{4})", "found in"),
    "facesim_cur": (r"FaceSim-Cur ([01]\.[0-9]{4})", "of 32 frames have a face"),
    "facesim_multi": (r"several people ([01]\.[0-9]{4})", "Person 2: similarity"),
    "gmescore": (r"GmeScore ([01]\.[0-9]{4})", "from 32 frames"),
    "motion_amplitude": (r"MotionAmplitude ([0-9]\.[0-9]{4})", "diagonals of the picture per second"),
    "motion_smoothness": (r"MotionSmoothness ([01]\.[0-9]{4})", "of 16 frames touch a jump"),
    "naturalscore": (r"NaturalScore ([1-5]\.[0-9]{2})", "reply"),
    "nexusscore": (r"NexusScore \(released\) (0\.[0-9]{4})", "Reference 1 (Box) was found in"),
    "opens2v_eval": (r"Total: ([0-9.]+) %", "MotionSmoothness"),
}
"""The score and a word of its explanation, on the example of a model that makes no fault."""
TABLES = ("naturalscore", "nexusscore", "opens2v_eval")
_CELLS = (
    "return [...document.querySelectorAll('table.values td')].map(cell => [getComputedStyle(cell).display,"
    " cell.getBoundingClientRect().right <= innerWidth, getComputedStyle(cell, '::before').content])"
)
EXAMPLES = {
    "facesim_cur": "Woman",
    "facesim_multi": "Woman, Woman",
    "opens2v_eval": "Woman, Ring",
    "subject_identity": "Heart, Moon",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("apps")


@pytest.fixture(scope="module")
def endpoint():
    """A judge that answers three times."""
    with judge_endpoint(says("4"), says("4"), says("2")) as served:
        yield served


@pytest.fixture(scope="module")
def addresses(folder, endpoint):
    """Name of a metric to the address of its page."""
    environment = {"OPENAI_BASE_URL": endpoint.base_url, "OPENAI_API_KEY": ""}
    with apps_on_loopback([METRICS / name / "app.py" for name in NAMES], folder / "apps.log", environment) as served:
        yield dict(zip(NAMES, served, strict=True))


@pytest.fixture
def page(driver, addresses, request):
    yield (opened := Page(driver, addresses[request.param]))
    assert opened.foreign_requests() == []


def on(*names):
    return pytest.mark.parametrize("page", names, indirect=True)


def _check(page: Page, path: Path) -> None:
    """The page fits a screen and a phone, and its text has enough contrast, in light and dark."""
    for width in (1280, 390):
        page.screenshot(path.with_name(f"{path.name}-{width}.png"), width)
        assert page.overflow() <= 0
        assert page.low_contrast() == []
        if path.name in TABLES:  # a table on a screen, a list with headings on a phone
            cells = page.driver.execute_script(_CELLS)
            assert {(display, inside) for display, inside, _ in cells} == {
                ("table-cell" if width > 640 else "grid", True)
            }
            assert ('"score"' in [heading for *_, heading in cells]) == (width == 390)
    page.driver.execute_script("document.body.classList.add('dark')")
    page.screenshot(path.with_name(f"{path.name}-390-dark.png"), 390)
    assert page.low_contrast() == []


@on(*NAMES)
def test_an_error_stays_an_example_is_scored_and_all_can_be_read(page, folder, request):
    name = request.node.callspec.params["page"]
    page.ask("Score")
    page.wait(lambda: page.find("#verdict blockquote") or None, "no error on the page")
    assert "upload a video first" in page.text()
    assert page.find(".toast-body") == []
    assert page.low_contrast() == []

    page.ask(f"Example: Perfect: {EXAMPLES.get(name, 'Box')}")
    page.wait(lambda: page.find("video") or None, "the example's video is not there")
    page.ask("Score")
    pattern, word = ANSWERS[name]
    text = page.wait_for_text(word, "Not comparable" if name != "motion_amplitude" else word)
    assert float(re.search(pattern, text).group(1)) > 0
    page.wait(lambda: page.find("table.values td" if name in TABLES else PLOT) or None, "no table or plot")
    _check(page, folder / name)


@pytest.fixture(scope="module")
def people(folder):
    """A video of two people, and a picture of the first."""
    scene = draw_scene(630_004, "multiface", num_subjects=2, num_frames=6)
    write_video(folder / "people.mp4", simulate("perfect", scene), fps=scene.fps)
    reference_picture(scene.sprites[0], 112).save(folder / "person.png")
    return folder / "people.mp4", folder / "person.png"


@on("facesim_multi")
def test_everybody_is_looked_for(page, people):
    video, picture = people
    page.upload(0, video, "video")
    page.upload(0, picture, PICTURES)
    page.ask("Score")
    text = page.wait_for_text("FaceSim for several people 0.", "Person 1", "no such column")
    assert float(re.search(r"several people ([01]\.[0-9]{4})", text).group(1)) > 0.5
    page.wait(lambda: page.find(PLOT) or None, "no plot")


@pytest.fixture(scope="module")
def sample(folder):
    """A synthetic sample, and what a simulated model that makes no fault generates for it."""
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=(SAMPLE,), num_frames=8)
    save_nexus_models(folder / "models")
    split = open_split("open-domain", data_dir=str(folder / "benchmark"))
    (subject,) = next(one.subjects for one in split.samples if one.id == SAMPLE)
    return folder / "videos" / f"{SAMPLE}.mp4", split.picture_path(subject), subject.label


@on("nexusscore")
def test_uploads_are_scored_by_the_embedded_set_and_by_models_of_a_folder(page, folder, sample, downloads):
    video, picture, label = sample
    page.upload(0, video, "video")
    page.upload(0, picture, PICTURES)
    page.type_into("#label-1 :is(input, textarea)", label)
    page.ask("Score")
    text = page.wait_for_text("NexusScore (released)", "Download as a page")
    value = float(re.search(r"NexusScore \(released\) ([0-9.]+)", text).group(1))
    assert value > 0
    assert f"Reference 1 ({label}) was found in" in text
    assert "coverage" in text
    (inline,) = page.wait(lambda: page.find("#explanation iframe") or None, "no explanation")
    assert f"NexusScore (released) {value:.4f}" in inline.get_attribute("srcdoc")
    assert inline.get_property("clientHeight") > 500
    page.click("Download as a page")
    saved = downloads / f"{SAMPLE}.html"
    page.wait(lambda: saved.is_file() or None, "the page was not downloaded")
    assert f"NexusScore (released) {value:.4f}" in saved.read_text(encoding="utf-8")

    page.click("Other models")
    for role in ROLES:
        page.type_into(f"#model-{role.replace('_', '-')} :is(input, textarea)", str(folder / "models" / role))
    page.click("coverage")
    page.ask("Score")
    text = page.wait_for_text("NexusScore (coverage)", "the leaderboard's is")
    assert "embedded models, which only know" not in text


@on("naturalscore")
def test_a_judge_behind_an_api_rates_an_uploaded_video_with_the_visitors_key(page, folder, endpoint):
    page.upload(0, encode(folder / "clip.mp4", numbered_frames(8)), "video")
    page.click("released: gpt-4o-2024-11-20 through the OpenAI API, needs your key")
    page.wait(lambda: page.find("input[type=password]") or None, "no place for a key")
    page.type_into("input[type=password]", KEY)
    page.ask("Score")
    text = page.wait_for_text("NaturalScore 3.33")  # (4 + 4 + 2) / 3
    assert len(endpoint.requests) == 3
    assert KEY not in text
    assert KEY not in (folder / "apps.log").read_text()


def test_an_upload_above_the_limit_is_refused(addresses):
    boundary = b"opens2v"
    head = b'--opens2v\r\nContent-Disposition: form-data; name="files"; filename="large.mp4"\r\n\r\n'
    body = head + bytes(101 * 1024 * 1024) + b"\r\n--opens2v--\r\n"
    request = Request(
        f"{addresses['motion_amplitude']}gradio_api/upload",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
    )
    with pytest.raises(HTTPError) as refused:
        build_opener(ProxyHandler({})).open(request, timeout=60)
    assert refused.value.code == 413
