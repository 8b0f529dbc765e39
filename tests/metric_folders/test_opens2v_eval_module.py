from __future__ import annotations

import io
import json

import evaluate
import pytest
from helpers.composite import references_of
from PIL import Image

from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.model_cache import load_model

IDS = ["singleobj_1", "humanobj_1", "singleface_1"]
METRICS = ["nexusscore", "gmescore", "aesthetics", "motion_amplitude"]
FEW = {"nexusscore": {"num_frames": 2}, "gmescore": {"num_frames": 2}, "aesthetics": {"num_frames": 2}}
ARGUMENTS = {"metrics": METRICS, "metric_models": "embedded", "options": FEW, "device": "cpu"}


@pytest.fixture
def module(load):
    return load("opens2v_eval")


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    return references_of(write_eval(tmp_path_factory.mktemp("benchmark"), per_category=1), IDS)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_generated(tmp_path_factory.mktemp("videos"), "perfect", ids=IDS, num_frames=4)


@pytest.fixture(scope="module")
def singly(videos, references, tmp_path_factory):
    """What the columns' own modules say."""
    cache = str(tmp_path_factory.mktemp("cache"))
    embedded = {"num_frames": 2, "device": "cpu"}
    pictures = [{key: r[key] for key in ("images", "labels", "id")} for r in references]
    nexus = dict.fromkeys(("detector", "prompt_encoder", "embedder"), "embedded") | embedded
    return {
        "nexusscore": evaluate.load("nexusscore", cache_dir=cache).compute(
            predictions=videos, references=pictures, **nexus
        ),
        "gmescore": evaluate.load("gmescore", cache_dir=cache).compute(
            predictions=videos, references=[r["prompt"] for r in references], embedder="embedded", **embedded
        ),
        "aesthetics": evaluate.load("aesthetics", cache_dir=cache).compute(
            predictions=videos, aesthetic_encoder="embedded", aesthetic_head="embedded", **embedded
        ),
        "motion_amplitude": evaluate.load("motion_amplitude", cache_dir=cache).compute(predictions=videos),
    }


def test_every_column_is_what_its_own_module_says(module, videos, references, singly):
    result = module.compute(predictions=videos, references=references, **ARGUMENTS)
    assert [name for name in result["columns"] if name in METRICS] == METRICS
    assert set(result["columns"]) - set(METRICS) == {"nexusscore_coverage", "motion_amplitude_magnitude"}
    for name in METRICS:
        found, wanted = result["columns"][name], singly[name]
        assert found["statuses"] == wanted["statuses"]
        assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)
        assert found[name] == pytest.approx(wanted[name], abs=1e-6)
        assert (found["models"], found["options"], found["note"]) == (
            wanted["models"],
            wanted["options"],
            wanted["note"],
        )
    assert result["columns"]["nexusscore"]["references"] == singly["nexusscore"]["references"]
    assert result["columns"]["nexusscore"]["statuses"][2] == "not_applicable"
    assert (result["opens2v_eval"], result["partial"]) == (None, True)
    assert set(result["missing_columns"]) == {"naturalscore", "facesim_cur", "motion_smoothness"}
    assert "embedded" in result["note"]
    json.dumps(result)


def test_examples_can_be_added_one_by_one_and_in_batches(module, videos, references, singly):
    module.add(prediction=videos[0], reference=references[0])
    module.add_batch(predictions=[path.read_bytes() for path in videos[1:]], references=references[1:])
    result = module.compute(**{**ARGUMENTS, "metrics": ["gmescore"], "options": {"gmescore": {"num_frames": 2}}})
    assert result["columns"]["gmescore"]["scores"] == pytest.approx(singly["gmescore"]["scores"], abs=1e-6)


def test_pictures_come_in_all_forms_and_a_video_needs_no_id(module, videos, references, singly):
    """An open JPEG counts as its pixels, however often it is stored on the way."""
    pixels = io.BytesIO()
    Image.open(references[0]["images"][0]).convert("RGB").save(pixels, "JPEG", quality=30)
    images = [Image.open(io.BytesIO(pixels.getvalue())), pixels.getvalue()]
    given = [{"images": [image], "labels": references[0]["labels"]} for image in images]
    arguments = {**ARGUMENTS, "metrics": ["nexusscore"], "options": {"nexusscore": {"num_frames": 2}}}
    result = module.compute(predictions=[videos[0]] * 2, references=given, **arguments)
    opened, as_bytes = result["columns"]["nexusscore"]["scores"]
    assert opened == as_bytes
    assert result["scorecard"]["columns"]["nexusscore"]["by_category"].keys() == {"single-entity-to-video"}


def test_a_loaded_model_will_do_and_models_are_kept(module, videos, monkeypatch):
    loaded = []
    monkeypatch.setattr(
        "opens2v_hf.metrics.model_cache.load_model",
        lambda role, choice: loaded.append(role) or load_model(role, choice),
    )
    arguments = {
        **ARGUMENTS, "metrics": ["aesthetics"], "predictions": videos[:1], "references": ["a prompt"], "options": None,
    }  # fmt: skip
    first = module.compute(**arguments)
    again = module.compute(**{**arguments, "options": {"aesthetics": {"num_frames": 32}}})
    assert loaded == ["aesthetic_encoder", "aesthetic_head"]
    wanted = pytest.approx(first["columns"]["aesthetics"]["scores"], abs=1e-5)
    assert again["columns"]["aesthetics"]["scores"] == wanted
    head = module._kept.get("aesthetic_head", "embedded", {}, device="cpu")
    named = module.compute(**{**arguments, "metric_models": {"aesthetic_encoder": "embedded", "aesthetic_head": head}})
    assert named["columns"]["aesthetics"]["scores"] == wanted
    assert named["columns"]["aesthetics"]["models"] == first["columns"]["aesthetics"]["models"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"references": [{"images": [], "labels": []}]}, r"references\[0\] has none"),
        ({"references": [{"prompt": "x", "colour": "red"}]}, "got also colour"),
        ({"references": [3]}, "a reference of opens2v_eval is"),
        ({"references": [{"prompt": 3}]}, "'prompt' must be a text"),
        ({"predictions": [3]}, "a video is a path"),
        ({"metrics": ["colour"]}, "there is no metric 'colour'"),
        ({"split": "other"}, "there is no split 'other'"),
        ({"scoring": "kind"}, "there is no scoring 'kind'"),
        ({"metric_models": {"judge": "embedded"}}, "a model 'judge'"),
        ({"options": {"gmescore": {"colour": 1}}}, "no option colour"),
    ],
)
def test_bad_arguments_are_explained(module, videos, changed, message):
    arguments = {
        "predictions": videos[:1], "references": ["a prompt"], "metrics": ["gmescore"], "metric_models": "embedded",
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=message):
        module.compute(**{**arguments, **changed})
