from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.explanations import NUM_FRAMES, box, hand_made
from helpers.nexus_models import save_nexus_models
from helpers.videos import encode, numbered_frames
from PIL import Image

from opens2v_hf.errors import ImageError, ResultError, VideoError
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.metrics.registry import load_metrics
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.reports.explain import explain, write_explanation
from opens2v_hf.reports.explain_page import MOST_DROPPED, drawn_boxes, render_page
from opens2v_hf.scores.nexus import Verdict
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.tags)


# --- drawing, from boxes made by hand -------------------------------------------------------------------------------


def test_the_page_shows_frames_boxes_timelines_and_reasons() -> None:
    page = _Page(render_page(hand_made(note="tiny models")))
    assert page.count("svg") == NUM_FRAMES
    assert page.count("rect") == 8
    assert page.count("rect", **{"stroke-dasharray": "5 3"}) == 4
    assert (page.count("div", **{"class": "found"}), page.count("div", **{"class": "dropped"})) == (4, 3)
    assert page.count("div", **{"class": "absent"}) == 2 * NUM_FRAMES - 7
    titles = [found.get("title") for _, found in page.tags]
    assert "frame 3, 0.25 s: found, similarity 0.900" in titles
    assert (
        "frame 12, 1.00 s: dropped, best detector score 0.80: the similarity with the label is not above 0.3" in titles
    )
    for words in ("NexusScore (released) 0.1250", "0.1875", "some-detector", "tiny models", "singleobj_1", "2. Dog"):
        assert words in page.text


def test_the_page_needs_no_other_file() -> None:
    page = _Page(render_page(hand_made()))
    sources = [found.get("src") or found.get("href") for tag, found in page.tags if tag in {"img", "image", "a"}]
    assert len(sources) == NUM_FRAMES + 2
    assert all(source and source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not any(tag in {"script", "link", "iframe"} for tag, _ in page.tags)


def test_markup_in_labels_ids_and_names_stays_text() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    page = _Page(render_page(hand_made(labels=(evil, "$a_b$"), title=evil, sample_id=evil, note=evil)))
    assert evil in page.text
    assert not any(tag == "script" or "onerror" in found for tag, found in page.tags)


def test_kept_boxes_have_the_colour_of_their_reference() -> None:
    def colours(verdict: Verdict) -> set[str | None]:
        page = _Page(render_page(hand_made([box(0, 1, verdict)])))
        return {found["stroke"] for tag, found in page.tags if tag == "rect"}

    assert colours(Verdict.LOW_BOX_SCORE) == {"#9ca3af"}
    assert colours(Verdict.KEPT) == {"#ea580c"}


def test_of_many_dropped_boxes_the_best_scored_are_drawn() -> None:
    boxes = [box(0, 0, Verdict.LOW_BOX_SCORE, score=score) for score in (0.51, 0.59, 0.55, 0.52, 0.58)]
    kept = [box(0, 0) for _ in range(5)]
    drawn = drawn_boxes([*boxes, *kept, box(0, 1, Verdict.LOW_BOX_SCORE, score=0.53)])
    assert len(kept) + MOST_DROPPED + 1 == len(drawn)
    assert [found.score for found in drawn[:4]] == [0.59, 0.58, 0.55, 0.53]
    page = _Page(render_page(hand_made([*boxes, *kept])))
    assert "5 kept, 5 dropped, 2 of them not drawn" in page.text


def test_files_are_named_after_the_sample_or_the_video(tmp_path: Path) -> None:
    assert write_explanation(hand_made(), tmp_path).name == "singleobj_1.html"
    assert write_explanation(hand_made(sample_id=None, title="my clip.mp4"), tmp_path).name == "my_clip.html"
    assert write_explanation(hand_made(sample_id="../../up"), tmp_path).parent == tmp_path
    assert {path.suffix for path in tmp_path.iterdir()} == {".html"}
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultError, match="file"):
        write_explanation(hand_made(), tmp_path / "file")


# --- from a video, with tiny random models --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> NexusScore:
    folders = save_nexus_models(tmp_path_factory.mktemp("models"))
    choices = {role: ModelChoice(folder, {"device": "cpu"}) for role, folder in folders.items()}
    options = {"num_frames": 6, "box_threshold": 0.75, "text_threshold": -1.0}
    (loaded,) = load_metrics(["nexusscore"], models=choices, options={"nexusscore": options})
    assert isinstance(loaded, NexusScore)
    return loaded


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("videos") / "clip.mp4", numbered_frames(4))


def _picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def _reference(sample_id: str | None = None) -> NexusReference:
    return NexusReference((_picture(1), _picture(2)), ("Cup", "Man"), sample_id)


def test_a_video_is_explained_with_the_metrics_own_numbers(metric: NexusScore, video: Path, tmp_path: Path) -> None:
    explanation = explain(metric, video, _reference())
    expected = metric.score(Clip(video, rules=(metric.sampling,)), _reference())
    assert explanation.outcome.value == expected.value == pytest.approx(explanation.scores["released"])
    assert not metric.details
    # four frames, sampled six times: each is held once
    assert explanation.frame_indices == (0, 0, 1, 1, 2, 3)
    assert list(explanation.frames) == [0, 1, 2, 3]
    for found, summary in zip(explanation.searched, expected.references, strict=True):
        assert found.best is not None
        assert found.best[1] == pytest.approx(summary["best_similarity"])
        assert sum(found.verdicts.values()) == summary["num_boxes"]
    page = _Page(write_explanation(explanation, tmp_path).read_text(encoding="utf-8"))
    assert f"{expected.value:.4f}" in page.text
    assert "sampled 2 times" in page.text
    assert page.count("svg") == 4


def test_the_page_of_a_video_without_a_reference(metric: NexusScore, video: Path, tmp_path: Path) -> None:
    reference = NexusReference((_picture(1),), ("Man",), "singleface_3")
    explanation = explain(metric, video, reference)
    assert explanation.outcome.status is Status.NOT_APPLICABLE
    page = _Page(write_explanation(explanation, tmp_path).read_text(encoding="utf-8"))
    assert "it does not apply" in page.text
    assert "0.0000" not in page.text


def test_errors_name_the_file(metric: NexusScore, video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        explain(metric, broken, _reference())
    with pytest.raises(ImageError, match=r"absent\.png"):
        explain(metric, video, NexusReference((tmp_path / "absent.png",), ("Cup",)))
