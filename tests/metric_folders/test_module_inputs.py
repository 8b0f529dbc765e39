"""What every metric's module takes, stores, refuses, and does with the arguments of `evaluate.load`."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import evaluate
import numpy as np
import pandas as pd
import pytest
import torch
from helpers.videos import encode, numbered_frames
from PIL import Image

import opens2v_hf
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.arguments import NEEDS, arguments_of, check_names
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.metrics.stored_inputs import InputStore
from opens2v_hf.video.frames_in_memory import ArrayVideo

METRICS = Path(__file__).resolve().parents[2] / "metrics"
NAMES = sorted(path.parent.name for path in METRICS.glob("*/requirements.txt"))
FRAMES = np.stack([np.roll(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8), i, 1) for i in range(5)])
IMAGE = Image.fromarray(FRAMES[0])
MAN = {"images": [IMAGE], "labels": ["Man"]}

assert opens2v_hf  # imported for the bare names


@pytest.fixture
def load(tmp_path):
    return lambda name, **defaults: evaluate.load(name, cache_dir=str(tmp_path / "cache"), **defaults)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("videos") / "a.mp4", numbered_frames(5))


@pytest.mark.parametrize(
    "predictions",
    [
        "video.mp4", Path("video.mp4"), b"content", {"path": "video.mp4"}, IMAGE, ArrayVideo(FRAMES, 8), 3,
        {"a.mp4", "b.mp4"}, io.BytesIO(b"line\nline"), io.StringIO("line\nline"), np.array("video.mp4"),
        torch.tensor(3), pd.DataFrame({"video": ["a.mp4"]}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_ordered_list_of_videos_is_refused(load, predictions):
    with pytest.raises(ArgumentError, match=r"predictions must be a list of videos .*write predictions=\[\.\.\.\]"):
        load("motion_amplitude").compute(predictions=predictions)


def test_the_frames_of_one_video_in_place_of_a_list_are_refused(load):
    for frames in (FRAMES, torch.from_numpy(FRAMES), [IMAGE, IMAGE]):
        with pytest.raises(ArgumentError, match=r"predictions\[0\]: a video is"):
            load("motion_amplitude").compute(predictions=frames, fps=8)


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (None, "got None"),
        ([["a.mp4"]], "got list"),
        ("", "must not be empty"),
        ({"bytes": "QUFB"}, "'bytes' must be the bytes"),
        (FRAMES[..., 0], r"got ndarray \[5, 64, 96\]"),
        (FRAMES[None], r"got ndarray \[1, 5, 64, 96, 3\]"),
        (type("Odd", (), {"shape": 4})(), "got Odd"),
    ],
)
def test_a_prediction_that_is_no_video_is_refused(load, prediction, message):
    with pytest.raises(ArgumentError, match=rf"predictions\[1\].*{message}"):
        load("motion_amplitude").compute(predictions=["a.mp4", prediction], fps=8)


def test_no_video_at_all_is_refused(load):
    with pytest.raises(ArgumentError, match="at least one video"):
        load("motion_amplitude").compute(predictions=[])


@pytest.mark.parametrize(
    ("name", "argument", "value", "message"),
    [
        ("nexusscore", "ids", "a", "ids must be a list"),
        ("nexusscore", "ids", {"a"}, "ids must be a list"),
        ("nexusscore", "ids", np.array("a"), "ids must be a list"),
        ("nexusscore", "image_embeds", [[["1"]]], "finite numbers"),
        ("facesim_cur", "ids", [3], "id of a sample must be a text"),
        ("nexusscore", "image_embeds", [[["a"]]], "finite numbers"),
        ("nexusscore", "image_embeds", [np.full((1, 64), np.nan)], "finite numbers"),
        ("nexusscore", "details", "no", "True or False"),
        ("nexusscore", "distributed", "false", "True or False"),
        ("nexusscore", "num_frames", 10**9, "100000"),
        ("nexusscore", "label_instruction", 3, "label_instruction"),
        ("nexusscore", "embedder", 3, "embedder must be a Hub id"),
        ("naturalscore", "judge", 3, "judge must be a Hub id"),
        ("naturalscore", "rubric", 3, "rubric"),
        ("naturalscore", "allow_partial", "no", "True or False"),
        ("copypaste", "reference_views", {"a": 3}, "lists of pictures"),
        ("copypaste", "reference_views", {"a": IMAGE}, "lists of pictures"),
        ("opens2v_eval", "metrics", 3, "list of names"),
        ("opens2v_eval", "metrics", [["gmescore"]], "list of names"),
    ],
)
def test_an_argument_of_another_kind_is_refused(load, name, argument, value, message):
    given = {"references": [{"prompt": "a number", **MAN}] if name == "opens2v_eval" else [MAN]}
    with pytest.raises(ArgumentError, match=message):
        load(name, metric_models="embedded", device="cpu", **{argument: value}).compute(
            predictions=["video.mp4"], **(given if name in NEEDS else {})
        )


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_pil_frames_of_more_than_8_bits_fail_their_video_only(load, video, mode):
    grey = FRAMES[..., 0]
    kinds = {"I;16": grey.astype(np.uint16) * 256, "I": grey.astype(np.int32) * 300, "F": grey.astype(np.float32)}
    frames = [Image.fromarray(frame) for frame in kinds[mode]]
    assert frames[0].mode == mode
    result = load("motion_amplitude").compute(predictions=[frames, video], fps=8)
    assert result["statuses"] == ["failed", "scored"]
    assert "8 bits" in result["reasons"][0]


@pytest.mark.parametrize(("name", "one"), [("gmescore", "a prompt"), ("nexusscore", MAN), ("facesim_cur", MAN)])
def test_references_are_a_list_one_for_each_video(load, video, name, one):
    module = load(name)
    with pytest.raises(ArgumentError, match="references must be a list"):
        module.compute(predictions=[video], references=one)
    with pytest.raises(ArgumentError, match="needs references, one for each video"):
        module.compute(predictions=[video])
    with pytest.raises(ArgumentError, match="got 1 videos, 2 references"):
        module.compute(predictions=[video], references=[one, one])


@pytest.mark.parametrize(
    ("name", "reference", "message"),
    [
        ("gmescore", " ", "there is none"),
        ("gmescore", {"images": [], "labels": []}, "there is none"),
        ("gmescore", 3, "a prompt, or a dict"),
        ("nexusscore", {"images": [IMAGE]}, "missing: labels"),
        ("facesim_multi", {"labels": ["Man"]}, "missing: images"),
        ("facesim_cur", {"images": [IMAGE], "labels": []}, "1 images, 0 labels"),
        ("facesim_cur", {"images": [IMAGE], "labels": [""]}, "image 0 has no label"),
        ("facesim_cur", "a prompt", "a dict with 'images' and 'labels'"),
    ],
)
def test_what_a_reference_lacks_is_said_before_a_model_is_loaded(load, video, name, reference, message):
    with pytest.raises(ArgumentError, match=rf"references\[1\].*{message}"):
        load(name).compute(predictions=[video] * 2, references=["a prompt" if name == "gmescore" else MAN, reference])


def test_nothing_to_score_is_said(load):
    with pytest.raises(ArgumentError, match=r"predictions=\[\.\.\.\]"):
        load("motion_amplitude").compute()


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_is_refused_at_load_and_by_compute(load, name):
    with pytest.raises(ArgumentError, match=f"{name} has no argument 'colour'"):
        load(name, colour="red")
    with pytest.raises(ArgumentError, match=f"{name} has no argument 'colour'"):
        load(name).compute(predictions=["video.mp4"], colour="red")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arguments_are_taken_by_every_metric(name):
    check_names(name, ["device", "dtype", "batch_size", "details", "backend", "distributed", "metric_models", "fps"])
    for role in [each.removesuffix("_revision") for each in arguments_of(name) if each.endswith("_revision")]:
        check_names(name, [role, f"{role}_revision"])


def test_arguments_of_load_are_defaults_of_compute(load, video):
    module = load("motion_amplitude", variant="magnitude", details=True)
    result = module.compute(predictions=[video])
    assert result["options"]["variant"] == "magnitude"
    assert "details" in result
    assert module.compute(predictions=[video], variant="released")["options"]["variant"] == "released"


def test_metrics_with_chosen_models_are_combined(load, video):
    modules = [
        load("gmescore", embedder="embedded", num_frames=2, device="cpu"),
        load("nexusscore", metric_models="embedded", num_frames=1, device="cpu"),
        load("motion_amplitude", variant="magnitude"),
    ]
    references = [{"prompt": "a number", "images": [IMAGE], "labels": ["Cup"]}]
    result = evaluate.combine(modules).compute(predictions=[video], references=references)
    assert (result["gmescore"] is None, result["nexusscore"] is None, result["motion_amplitude"] is None) == (
        False,
    ) * 3
    assert result["gme_score_options"]["num_frames"] == 2
    assert result["motion_amplitude_options"]["variant"] == "magnitude"
    assert {model["name"] for model in result["nexus_score_models"]} == {"embedded"}


def test_examples_are_added_to_combined_metrics(load, video):
    modules = [load("gmescore", embedder="embedded", num_frames=1, device="cpu"), load("motion_amplitude")]
    combined = evaluate.combine(modules)
    combined.add(prediction=video, reference="a number")
    combined.add_batch(predictions=[video], references=["a number"])
    result = combined.compute()
    assert len(set(result["gme_score_scores"])) == len(set(result["motion_amplitude_scores"])) == 1
    assert len(result["gme_score_scores"]) == len(result["motion_amplitude_scores"]) == 2


def test_a_module_is_pickled_after_compute_without_its_models(load, video):
    module = load("gmescore", embedder="embedded", num_frames=1, device="cpu")
    arguments = {"predictions": [video], "references": ["a number"]}
    first = module.compute(**arguments)
    content = pickle.dumps(module)
    assert len(content) < 50_000
    again = pickle.loads(content)
    assert again.compute(**arguments)["scores"] == pytest.approx(first["scores"], abs=1e-6)
    again.add(prediction=video, reference="a number")
    with pytest.raises(ArgumentError, match="compute"):
        pickle.dumps(again)
    result = again.compute()
    assert result["scores"] == pytest.approx(first["scores"], abs=1e-6)
    assert result["models"] == first["models"]


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES,
        torch.from_numpy(FRAMES),
        list(FRAMES),
        [Image.fromarray(frame) for frame in FRAMES],
        ArrayVideo(FRAMES, 8),
    ],
    ids=["array", "tensor", "list of arrays", "list of PIL images", "ArrayVideo"],
)
def test_frames_in_memory_are_scored_as_they_are(load, frames):
    wanted = score_clip(MotionAmplitude(), ArrayVideo(FRAMES, 8)).value
    module = load("motion_amplitude")
    assert module.compute(predictions=[frames], fps=8)["scores"] == [wanted]
    module.add(prediction=frames)
    module.add_batch(predictions=[frames])
    assert module.compute(fps=8)["scores"] == [wanted, wanted]


def test_a_batch_of_videos_in_one_array_and_its_rate(load):
    slow, fast = (
        load("motion_amplitude").compute(predictions=np.stack([FRAMES] * 2), fps=fps, variant="magnitude")["scores"]
        for fps in (8, 16)
    )
    assert fast == pytest.approx([2 * value for value in slow])


def test_frames_without_a_rate_and_frames_that_are_no_video(load, video):
    module = load("motion_amplitude")
    with pytest.raises(ArgumentError, match="fps="):
        module.compute(predictions=[FRAMES])
    result = module.compute(predictions=[FRAMES / 255, video, []], fps=8)
    assert result["statuses"] == ["failed", "scored", "failed"]
    assert "predictions[0]" in result["reasons"][0]
    assert "[0, 1]" in result["reasons"][0]


def test_texts_and_paths_that_are_no_unicode_cost_their_video_only(load, video):
    """A lone surrogate is what JSON of another program, or a file name of another encoding, may hold."""
    gmescore = load("gmescore", embedder="embedded", num_frames=1, device="cpu")
    result = gmescore.compute(predictions=[video] * 2, references=["a \udc80 number", "a number"])
    assert result["statuses"] == ["failed", "scored"]
    assert "the prompt has half of a surrogate pair" in result["reasons"][0]
    paths = load("motion_amplitude").compute(predictions=["absent\udcff.mp4", str(video)])
    assert paths["statuses"] == ["failed", "scored"]


def test_an_image_that_breaks_when_it_is_decoded_costs_its_video_only(load, video):
    content = io.BytesIO()
    Image.fromarray(FRAMES[0]).save(content, "PNG")
    lazy = Image.open(io.BytesIO(content.getvalue()[:2000]))
    references = [{"images": [image], "labels": ["Cup"]} for image in (lazy, IMAGE)]
    nexusscore = load("nexusscore", metric_models="embedded", num_frames=1, device="cpu")
    result = nexusscore.compute(predictions=[video] * 2, references=references)
    assert result["statuses"] == ["failed", "scored"]


def test_a_computation_that_failed_leaves_nothing_behind(load, video, tmp_path):
    module = load("motion_amplitude")
    with pytest.raises(ArgumentError):
        module.compute(predictions=[video], variant="other")
    assert list((tmp_path / "cache").rglob("*.arrow")) == []
    assert module.compute(predictions=[video])["statuses"] == ["scored"]


def test_processes_of_evaluate_share_files_and_bytes_and_nothing_else():
    store = InputStore(shared=True)
    other = InputStore(shared=True)
    assert other.load_video(store.video(b"\x00content\xff", "x"), "x", None) == b"\x00content\xff"
    assert other.load_video(store.video("a\udcff.mp4", "x"), "x", None) == "a\udcff.mp4"
    with pytest.raises(ArgumentError, match="num_process"):
        store.video(FRAMES, "predictions[0]")


def test_every_metric_says_what_it_needs():
    assert set(NEEDS) <= set(NAMES)
