"""The metrics' pages without a browser: what they offer, what they answer, and how they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml
from helpers.apps import METRICS, NAMES, load_page, run, run_example
from helpers.composite import references_of
from helpers.explanations import hand_made
from helpers.nexus_models import save_nexus_models
from helpers.tiny_q_align import save_tiny_q_align
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.videos import encode, numbered_frames
from PIL import Image

gr = pytest.importorskip("gradio")

from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated  # noqa: E402
from opens2v_hf.data.synthetic.render import reference_picture  # noqa: E402
from opens2v_hf.data.synthetic.scenes import draw_scene  # noqa: E402
from opens2v_hf.data.synthetic.simulated import simulate  # noqa: E402
from opens2v_hf.errors import ArgumentError  # noqa: E402
from opens2v_hf.hub.apps import examples, frame, metric, nexus, views  # noqa: E402
from opens2v_hf.hub.apps.examples import draw_example  # noqa: E402
from opens2v_hf.metrics.gmescore import GmeScore  # noqa: E402
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude  # noqa: E402
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness  # noqa: E402
from opens2v_hf.scores.outcome import VideoScore  # noqa: E402
from opens2v_hf.video.clip import Clip  # noqa: E402
from opens2v_hf.video.writer import write_video  # noqa: E402

NEEDS_EMBEDDED = sorted(set(NAMES) - {"motion_amplitude"})


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", numbered_frames(6))


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "cup.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    return str(path)


@pytest.fixture(scope="module")
def nexus_models(tmp_path_factory):
    folders = save_nexus_models(tmp_path_factory.mktemp("models"))
    return {role.replace("_", " ").capitalize(): folder for role, folder in folders.items()}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A video of two people, a picture of each of them, and one of nobody."""
    folder = tmp_path_factory.mktemp("people")
    scene = draw_scene(630_004, "multiface", num_subjects=2, num_frames=6)
    write_video(folder / "clip.mp4", simulate("perfect", scene), fps=scene.fps)
    for number, sprite in enumerate(scene.sprites, start=1):
        reference_picture(sprite, 112).save(folder / f"person{number}.png")
    Image.fromarray(np.full((80, 80, 3), 255, np.uint8)).save(folder / "nobody.png")
    return folder


def score_of(text: str) -> float:
    return float(re.search(r"^## .*?(-?[0-9]+\.[0-9]+)(?: %)?$", text.splitlines()[0]).group(1))


def refusal_of(answer) -> str:
    text, views = answer
    assert views == [None] * len(views)
    assert text.startswith("> **No score.** ")
    return re.sub(r"\\(.)", r"\1", text.removeprefix("> **No score.** "))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_a_few_lines_and_its_card_runs_it_with_this_gradio(name):
    assert len((METRICS / name / "app.py").read_text().splitlines()) <= 30
    _, front, _ = (METRICS / name / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"], card["tags"][:2]) == ("gradio", "app.py", ["evaluate", "metric"])
    assert card["sdk_version"].split(".")[0] == gr.__version__.split(".")[0] == "6"


@pytest.mark.parametrize("name", NAMES)
def test_uploads_are_deleted_and_one_request_is_computed_at_a_time(name, monkeypatch):
    demo = load_page(name).build()
    launched = {}
    monkeypatch.setattr(demo, "launch", launched.update)
    frame.launch(demo)
    assert demo.delete_cache == (3600, 3600)
    assert demo.max_threads >= 1
    assert (launched["max_file_size"], launched["state_session_capacity"]) == ("100mb", 200)
    assert (demo._queue.max_size, demo._queue.default_concurrency_limit) == (32, 1)
    assert demo.analytics_enabled is False
    assert launched["theme"]._stylesheets == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_faultless_model_scores_higher_than_that_of_a_fault(name, monkeypatch):
    monkeypatch.setattr(examples, "_NUM_FRAMES", 6)  # the browser tests score them at full length
    page = load_page(name)
    (good, views), (bad, _) = run_example(page, 0), run_example(page, 1)
    assert score_of(good) > score_of(bad) >= 0
    assert all(view is not None for view in views)
    assert ("Not comparable with the leaderboard" in good) == (name in NEEDS_EMBEDDED)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_and_a_broken_video_are_refused_by_name(name, tmp_path):
    page = load_page(name)
    assert refusal_of(run(page, None)) == "upload a video first"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    message = refusal_of(run(page, broken))
    assert "broken.mp4" in message
    assert str(tmp_path) not in message


def test_a_long_video_is_refused(clip, monkeypatch):
    monkeypatch.setattr(metric, "MOST_FRAMES", 5)
    assert "at most 5 frames here (got 6)" in refusal_of(run(load_page("motion_amplitude"), clip))


def test_an_answer_that_comes_after_another_video_was_chosen_is_not_shown(clip):
    def score(video, values):
        if leaves:
            page.replace([], turn)
        return metric.Shown("1.0", [], "", [None])

    page, turn = metric.Page("", "", [], score, [gr.Plot], []), metric.Turn()
    page.replace([], turn)
    page.ask([], turn)
    leaves = False
    assert page.score_in_turn(turn, str(clip))[0] == "## 1.0"
    leaves = True
    assert page.score_in_turn(turn, str(clip)) == [gr.skip(), gr.skip()]


def test_the_embedded_and_the_released_models_are_offered():
    for name in NEEDS_EMBEDDED:
        fields = {field.label: field for field in _fields(name)}
        values = [value for _, value in fields["Models"].choices]
        assert values[:2] == ["embedded", "released"]
        assert fields["Models"].value == "embedded"
        assert "not comparable" in fields["Models"].choices[0][0]
    assert "Models" not in {field.label for field in _fields("motion_amplitude")}


def _fields(name):
    from helpers.apps import components

    return components(load_page(name))


def test_models_by_set_and_by_name(monkeypatch):
    models = load_page("nexusscore").inputs[-1]

    def chosen(*values):
        return {role: choice.name for role, choice in models.read(values)["models"].items()}

    assert set(chosen("embedded", "", "", None, " ").values()) == {"embedded"}
    assert chosen("released", "", "", "", "some/embedder") == {
        "detector": "BestWishYsh/OpenS2V-Weight",
        "prompt_encoder": "openai/clip-vit-base-patch32",
        "embedder": "some/embedder",
    }
    with pytest.raises(ArgumentError, match="got '/etc'"):
        chosen("/etc", "", "", "", "")
    monkeypatch.setenv("SPACE_ID", "org/nexusscore")
    with pytest.raises(ArgumentError, match="this Space offers no other detector"):
        chosen("embedded", "", "/some/folder", "", "")


def test_a_key_goes_to_the_judge_behind_an_api_alone(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of the machine")
    models = load_page("naturalscore").inputs[-1]
    released = models.read(["released", "of the visitor", ""])["models"]["judge"]
    assert dict(released.arguments) == {"api_key": "of the visitor", "max_calls": 12}
    assert models.read(["released", None, ""])["models"]["judge"].arguments["api_key"] == ""
    assert dict(models.read(["embedded", "of the visitor", ""])["models"]["judge"].arguments) == {}
    assert dict(models.read(["Qwen/Qwen2.5-VL-7B-Instruct", "key", ""])["models"]["judge"].arguments) == {}


def test_gmescore_of_a_model_by_folder(tmp_path):
    video = encode(tmp_path / "v.mp4", numbered_frames(40))
    model = str(save_tiny_qwen2vl(tmp_path / "model"))
    page = load_page("gmescore")
    text, (table,) = run(page, video, Prompt="a number", Embedder=model)
    expected = GmeScore.from_pretrained(model, device="cpu").score(Clip(video), "a number")
    assert f"## GmeScore {expected.value:.4f}" in text
    assert "the leaderboard's is" in re.sub(r"\\(.)", r"\1", text)
    assert table["frame"].tolist() == list(expected.details["frame_indices"])
    assert table["similarity"].tolist() == pytest.approx(expected.details["similarities"], abs=1e-5)
    assert "empty" in refusal_of(run(page, video, Prompt=" "))
    assert "neither a folder" in refusal_of(run(page, video, Prompt="a number", Embedder="no-such-folder"))


def test_motion_smoothness_of_a_model_by_folder(tmp_path):
    video = encode(tmp_path / "v.mp4", numbered_frames(11))
    save_tiny_q_align(tmp_path / "model")
    model = str(tmp_path / "model")
    text, (table,) = run(load_page("motion_smoothness"), video, **{"Quality scorer": model})
    expected = MotionSmoothness.from_pretrained(model, device="cpu").score(Clip(video))
    assert f"MotionSmoothness {expected.value:.4f}" in text
    assert f"{len(expected.details['jump_frames'])} of 11 frames" in text
    assert table["frame"].tolist() == list(range(11))
    assert table["quality"].tolist() == pytest.approx(expected.details["frame_scores"])
    assert table["frame"][table["jump"] == "yes"].tolist() == expected.details["jump_frames"]


def test_both_definitions_of_motion(clip, tmp_path):
    wanted = MotionAmplitude().score(Clip(clip, rules=(MotionAmplitude.sampling,)))
    magnitude = wanted.variants["magnitude"]
    page = load_page("motion_amplitude")
    text, (table,) = run(page, clip)
    assert text.startswith(f"## MotionAmplitude {wanted.value:.4f}")
    assert f"magnitude: {magnitude:.4f} diagonals" in text
    assert table["pixels per frame"].tolist() == [*wanted.details["pair_means"], *wanted.details["pair_lengths"]]
    assert table["frame"].tolist() == [1, 2, 3, 4, 5] * 2
    text, _ = run(page, clip, Definition="magnitude")
    assert text.startswith(f"## MotionAmplitude {magnitude:.4f}")
    assert "Not comparable with the leaderboard" in text
    one = encode(tmp_path / "one.mp4", numbered_frames(1))
    assert re.search(r"one\.mp4: .*at least two", refusal_of(run(page, one)))
    assert "variants released, magnitude" in refusal_of(run(page, clip, Definition="other"))


def test_one_person(people):
    page, field = load_page("facesim_cur"), "Picture of the person"
    text, (table,) = run(page, people / "clip.mp4", **{field: str(people / "person1.png")})
    assert text.startswith("## FaceSim-Cur 0.")
    assert "of 32 frames have a face" in text
    assert table["frame"].max() == 5
    assert table["similarity"].between(-1, 1).all()
    assert "upload a picture of the person" in refusal_of(run(page, people / "clip.mp4"))
    message = refusal_of(run(page, people / "clip.mp4", **{field: str(people / "nobody.png")}))
    assert "reference picture nobody.png" in message


def test_several_people_with_an_empty_place(people):
    given = {f"Person {number}": str(people / f"person{person}.png") for number, person in ((1, 1), (3, 2))}
    text, (lines,) = run(load_page("facesim_multi"), people / "clip.mp4", **given)
    found = dict(re.findall(r"- (Person [0-9]): similarity ([0-9.]+)", text))
    assert list(found) == ["Person 1", "Person 3"]
    assert score_of(text) == pytest.approx(sum(map(float, found.values())) / 2, abs=2e-4)
    assert score_of(text) > 0.5
    assert "the leaderboard has no such column" in text
    assert len(lines) == 2 * 32


def test_nexusscore_with_its_reasons_and_page(clip, picture, nexus_models):
    given = {**nexus_models, "Reference 1": picture, "Label 1": "Cup_*", "Definition": "coverage", "Frames": 4}
    text, (table, inline, download) = run(load_page("nexusscore"), clip, **given)
    with open(download.value["path"] if isinstance(download.value, dict) else download.value) as page:
        assert "Cup_*" in page.read()
    assert text.startswith("## NexusScore \\(coverage\\) ")
    assert "Reference 1 \\(Cup\\_\\*\\)" in text
    assert "**Not comparable with the leaderboard:**" in text
    rows = re.findall(r'data-heading="definition">([^<]+)</td><td data-heading="score">([^<]+)<', table)
    assert dict(rows)["coverage"] == text.splitlines()[0].rsplit(" ", 1)[1]
    assert {"released", "v1.0"} < dict(rows).keys()
    assert "Reference 1" in inline
    assert inline.count("<iframe") == 1
    assert 'srcdoc="&lt;!doctype html&gt;' in inline


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one reference picture"),
        ({"Reference 2": "cup.png", "Label 2": " "}, "picture 2 has no label"),
        ({"Reference 1": "cup.png", "Label 1": "Cup", "Label 2": "Dog"}, "label 2 (Dog) has no picture"),
    ],
)
def test_pictures_without_labels_and_labels_without_pictures(clip, given, message):
    assert message in refusal_of(run(load_page("nexusscore"), clip, **given))


def test_a_picture_that_is_none_is_refused_by_name(clip, tmp_path, nexus_models):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    given = {**nexus_models, "Reference 1": str(broken), "Label 1": "Cup", "Frames": 4}
    message = refusal_of(run(load_page("nexusscore"), clip, **given))
    assert "broken.png" in message
    assert str(tmp_path) not in message


def test_a_visitors_words_are_no_markup():
    explanation = hand_made(labels=("<img src=x onerror=alert(1)>", "[a](javascript:b)"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nexus, "load", lambda *args: [None])
        patch.setattr(nexus, "explain", lambda *args: explanation)
        given = {"images": (), "labels": (), "id": "", "variant": "released", "num_frames": 8, "models": {}}
        shown = nexus.score("clip.mp4", given)
    text = "\n".join(shown.lines)
    assert "<img" not in text.replace("\\<img", "")
    assert "](" not in text.replace("\\](", "").replace("\\]\\(", "")
    assert "<b>" not in frame.table(["a"], [["<b>bold</b>"]])
    assert frame.refusal("<b>\n_x_") == "> **No score.** \\<b\\> \\_x\\_"


def test_a_label_is_no_markup_in_the_lines_below_a_score():
    found = {"similarity": 0.5, "frames_found": 1, "frames_compared": 1}
    outcome = VideoScore.scored(0.5, references=[{"label": "<b>\n[x](y)", **found}], frame_indices=[0])
    label = r"\<b\> \[x\]\(y\)"
    assert views.people_lines(None, outcome)[1] == f"- {label}: similarity 0.5000, a face in 1 frames"
    assert views.copy_lines(None, outcome) == [f"{label}: compared in 1 of 1 frames"]


def test_the_scorecard_is_the_weighted_mean_of_its_columns(tmp_path):
    (reference,) = references_of(write_eval(tmp_path / "benchmark", per_category=1), ["singleobj_1"])
    (video,) = write_generated(tmp_path / "videos", "perfect", ids=["singleobj_1"], num_frames=4)
    page = load_page("opens2v_eval")
    given = {"Reference 1": reference["images"][0], "Label 1": reference["labels"][0], "Prompt": reference["prompt"]}
    text, (table,) = run(page, video, Columns=["nexusscore", "gmescore", "motion_amplitude"], **given)
    rows = re.findall(r"<tr><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", table)
    assert [row[0] for row in rows] == ["NexusScore", "GmeScore", "MotionAmplitude"]
    normalised = [float(row[2]) for row in rows]
    mean = (0.20 * normalised[0] + 0.12 * normalised[1] + 0.02 * normalised[2]) / 0.34
    assert float(re.search(r"Weighted mean of these columns: ([0-9.]+) %", text).group(1)) == pytest.approx(
        mean, abs=0.02
    )
    assert text.startswith("## Weighted mean of these columns")

    text, (table,) = run(page, video, Prompt="a prompt", Columns=["nexusscore"])
    assert "No column has a value" in text
    assert "does not apply" in table
    for columns, prompt, message in (([], "a prompt", "at least one metric"), (["gmescore"], " ", "prompt")):
        assert message in refusal_of(run(page, video, Prompt=prompt, Columns=columns))


def test_a_judge_without_a_key_costs_the_other_columns_nothing(tmp_path, clip):
    given = {"Models": "released", "Columns": ["motion_amplitude", "naturalscore"], "Prompt": "a prompt"}
    text, (table,) = run(load_page("opens2v_eval"), clip, **given)
    assert "Weighted mean of these columns" in text
    assert "needs your API key" in table


def test_an_example_holds_what_its_scene_was_drawn_from():
    example = draw_example("humanobj_1", "perfect")
    assert example.labels == ("Woman", "Ring")
    assert example.name == "Perfect: Woman, Ring"
    assert len(example.pictures) == 2
    assert "ring" in example.prompt
    assert Clip(example.video).num_frames == 16
