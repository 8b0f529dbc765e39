"""Real diffusers classes with random weights of a few hundred kilobytes."""

import functools
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.eval_folder import write_eval_folder
from PIL import Image

pytest.importorskip("diffusers")

import torch

from opens2v_hf.cli import main
from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.generators import Recipe, Request
from opens2v_hf.generators.api import generate
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.embedded import RECIPE, build_embedded_pipeline
from opens2v_hf.generators.plan import plan_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_embedded_pipeline(tmp_path_factory.mktemp("pipelines") / "vace")


@pytest.fixture(scope="module")
def generator(folder):
    return PipelineGenerator(plan_pipeline(str(folder), device="cpu"))


def request(colour="red", prompt="A cup.", seed=42, count=1, **recipe):
    images = tuple(Image.new("RGB", (40, 24), colour) for _ in range(count))
    return Request("singleobj_1", prompt, images, ("Cup",) * count, seed, Recipe(**recipe).over(RECIPE))


def test_the_same_request_gives_the_same_frames_after_other_requests(generator):
    first = generator.generate(request()).frames
    torch.manual_seed(7)
    other = generator.generate(request(seed=43)).frames
    again = generator.generate(request()).frames
    assert first.shape == (9, 32, 32, 3)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_prompt_and_references_reach_the_model(generator, monkeypatch):
    one = generator.generate(request()).frames
    assert np.abs(generator.generate(request(prompt="A dog in the rain.")).frames - one).max() > 1e-3
    assert np.abs(generator.generate(request(count=2)).frames - one).max() > 1e-3
    # random weights hardly depend on the content of a reference: check the argument
    seen = {}
    real = type(generator._pipeline).__call__
    monkeypatch.setattr(
        type(generator._pipeline), "__call__", lambda self, **call: seen.update(call) or real(self, **call)
    )
    monkeypatch.setattr(generator, "_takes", lambda argument: True)
    generator.generate(request("blue"))
    assert [image.getpixel((0, 0)) for image in seen["reference_images"]] == [(0, 0, 255)]
    assert (seen["num_frames"], seen["num_inference_steps"], seen["output_type"]) == (9, 2, "np")


def test_steps_are_reported(generator):
    seen = []
    generator.generate(request(steps=3), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_prompt_that_is_cut_is_reported(generator):
    assert "prompt_cut_at_tokens" not in generator.generate(request(prompt="A cup.")).facts
    assert generator.generate(request(prompt="a" * 600)).facts["prompt_cut_at_tokens"] == 512


def test_a_faulty_video_of_a_pipeline_fails_its_own_sample_only(generator, tmp_path, monkeypatch):
    benchmark = write_eval_folder(tmp_path / "benchmark")
    path = benchmark / "Open-Domain_Eval.json"
    prompts = json.loads(path.read_text())
    path.write_text(json.dumps(prompts | {"singleobj_5": prompts["singleobj_1"] | {"prompt": "Nothing."}}))
    pipeline_class = type(generator._pipeline)
    real = pipeline_class.__call__

    @functools.wraps(real)  # the generator reads the signature
    def faulty(self, **call):
        if call["prompt"] == "Nothing.":
            raise torch.OutOfMemoryError("CUDA out of memory")
        frames = real(self, **call).frames.copy()
        if call["prompt"] == "A man.":
            frames = frames[:, :, :, :16]
        if call["prompt"] == "A woman.":
            frames = frames[:, :8]
        if call["prompt"] == "Two.":
            frames[0, 3, 5, 5] = np.nan
        return SimpleNamespace(frames=frames)

    def run():
        return generate(generator, recipe=RECIPE, data_dir=benchmark, out=tmp_path / "out")

    monkeypatch.setattr(generator, "close", lambda: None)  # other tests use it
    with monkeypatch.context() as patched:
        patched.setattr(pipeline_class, "__call__", faulty)
        made = run()
    assert list(made.made) == ["singleobj_1"]
    for sample_id, words in {
        "faceobj_2": "32x32 pixels (got 16x32)", "singleface_3": "9 frames (got 8)", "multiface_4": "NaN",
        "singleobj_5": "out of memory, with VAE tiling",
    }.items():  # fmt: skip
        assert words in made.failed[sample_id]
    assert sorted(path.name for path in (tmp_path / "out/videos").glob("*.mp4")) == ["singleobj_1.mp4"]
    again = run()
    assert sorted(again.made) == ["singleobj_1", "singleobj_5"]  # only a lack of memory may pass
    assert again.num_reused == 1


def relabelled(folder, target, **changes):
    shutil.copytree(folder, target)
    index = json.loads((target / "model_index.json").read_text())
    (target / "model_index.json").write_text(json.dumps(index | changes))
    return str(target)


def test_a_text_to_video_class_is_refused_without_references_none(folder, tmp_path):
    lying = relabelled(folder, tmp_path / "lying", _class_name="WanPipeline")
    with pytest.raises(ModelError, match="text-to-video pipeline"):
        plan_pipeline(lying)
    assert plan_pipeline(lying, references="none").family.argument is None


def test_weights_of_another_class_are_refused(folder, tmp_path):
    # what a repo does whose index file names the usual class of its base model
    lying = relabelled(
        folder,
        tmp_path / "lying",
        _class_name="WanImageToVideoPipeline",
        transformer=["diffusers", "WanTransformer3DModel"],
    )
    with pytest.raises(ModelError, match=r"transformer: \d+ .* keys"):
        PipelineGenerator(plan_pipeline(lying, device="cpu"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "names no pipeline class"),
        (b'{"_class_name": "StableDiffusionPipeline"}', "how references are given to it is not known"),
    ],
)
def test_odd_index_files_are_named(tmp_path, content, words):
    (tmp_path / "model_index.json").write_bytes(content)
    with pytest.raises(ModelError, match=words):
        plan_pipeline(str(tmp_path))


def test_an_empty_folder_is_no_pipeline(tmp_path):
    with pytest.raises(ModelError, match="holds no diffusers pipeline"):
        plan_pipeline(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("Skywork/SkyReels-V3-R2V-14B", ModelError, "python:module:function"),
        ("skywork/skyreels-v3-r2v-14b", ModelError, "python:module:function"),
        ("Wan-AI/Wan2.2-S2V-14B", ModelError, "speech"),
        ("Wan-AI/Wan2.1-VACE-14B", ModelError, "take Wan-AI/Wan2.1-VACE-14B-diffusers"),
        ("someone/nobody-has-this", ModelError, "cannot be reached"),
    ],
)
def test_repos_are_refused_before_anything_is_downloaded(name, error, words, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(error, match=words):
        plan_pipeline(name)


def test_a_licence_that_excludes_territories_must_be_accepted():
    with pytest.raises(ArgumentError, match="South Korea"):
        plan_pipeline("MiniMaxAI/MiniMax-H3")


def test_missing_packages_are_named(folder, monkeypatch):
    monkeypatch.setattr("opens2v_hf.generators.plan.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install ftfy"):
        plan_pipeline(str(folder))


def test_a_class_that_the_installed_diffusers_lacks_is_named(folder, monkeypatch):
    import diffusers

    monkeypatch.setattr(type(diffusers), "__dir__", lambda module: ["WanPipeline"])
    with pytest.raises(MissingDependencyError, match=r"WanVACEPipeline, which diffusers .* lacks: pip install -U"):
        plan_pipeline(str(folder))


def test_damaged_weights_are_named(folder, tmp_path):
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    weights = next((damaged / "transformer").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged"):
        PipelineGenerator(plan_pipeline(str(damaged), device="cpu"))


def test_the_command_makes_videos_from_a_name(tmp_path, capsys):
    benchmark = write_eval_folder(tmp_path / "benchmark")
    words = ["generate", "--model", "embedded", "--data-dir", str(benchmark), "--out", str(tmp_path / "out")]
    assert main([*words, "--limit", "2"]) == 0
    said = capsys.readouterr()
    assert "2 videos" in said.out
    assert "Loading weights" not in said.err  # bars of networks that load in a moment
    (record, _) = sorted(path for path in (tmp_path / "out/videos").glob("*_*.json"))
    assert json.loads(record.read_text())["facts"]["device"] in ("cpu", "mps") or torch.cuda.is_available()
    assert main([*words, "--gen-num-frames", "8"]) == 2
    assert "choose 5 or 9" in capsys.readouterr().err


def test_the_list_of_models(capsys, folder):
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "WanVACEPipeline" in listed
    (vace,) = (line for line in listed.splitlines() if "Wan2.1-VACE-1.3B-diffusers" in line)
    assert vace.endswith("Apache-2.0, 19 GB of weights; memory: 16 GB in bfloat16")  # 2.15 + 5.68 billion parameters
    assert main(["models", str(folder)]) == 0
    assert "can be scored: WanVACEPipeline" in capsys.readouterr().out
    for name, kind in {
        "embedded": "random weights",
        "python:helpers.stripes:Stripes": "a Python function",
        "http://localhost:8000/generate": "an HTTP endpoint",
    }.items():
        assert main(["models", name]) == 0
        assert f"{name} can be scored" in (said := capsys.readouterr().out)
        assert kind in said
    assert main(["models", "http://localhost:8000", "--references", "none"]) == 2
    assert "references of a generator cannot be set" in capsys.readouterr().err
