"""Weights that are not those of the classes, and a LoRA on top of a pipeline."""

import pytest
from PIL import Image

pytest.importorskip("diffusers")

import numpy as np
import torch
from helpers.tiny_pipelines import SIZE, build
from safetensors.torch import load_file, save_file

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.generators import Recipe, Request
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.embedded import build_embedded_pipeline
from opens2v_hf.generators.load import plan_generator
from opens2v_hf.generators.lora import find_lora
from opens2v_hf.generators.plan import plan_pipeline


@pytest.fixture(scope="module")
def vace(tmp_path_factory):
    return build_embedded_pipeline(tmp_path_factory.mktemp("loading") / "vace")


def without_one_weight(folder, part, word):
    (path,) = (folder / part).glob("*.safetensors")
    weights = load_file(path)
    dropped = next(name for name in weights if word in name)
    save_file({name: weight for name, weight in weights.items() if name != dropped}, path, metadata={"format": "pt"})
    return dropped


def test_a_text_encoder_that_lacks_a_weight_is_refused(tmp_path):
    folder = build_embedded_pipeline(tmp_path / "vace")
    dropped = without_one_weight(folder, "text_encoder", "SelfAttention.q")
    with pytest.raises(ModelError, match=f"text_encoder: 1 missing keys, such as {dropped}"):
        PipelineGenerator(plan_pipeline(str(folder), device="cpu"))


def test_a_modular_pipeline_that_lacks_a_weight_is_refused(tmp_path):
    folder = build("echo", tmp_path / "echo")
    dropped = without_one_weight(folder, "transformer", "attn1.to_q.weight")
    with pytest.raises(ModelError, match=f"transformer: 1 missing keys, such as {dropped}"):
        PipelineGenerator(plan_pipeline(str(folder), device="cpu"))


@pytest.fixture(scope="module")
def ltx2(tmp_path_factory):
    return build("ltx2_in_context", tmp_path_factory.mktemp("loading") / "ltx2")


def write_lora(folder, prefix="transformer"):
    """For the queries of the first block of the tiny LTX-2: 16 in, 16 out, rank 2."""
    folder.mkdir()
    name = f"{prefix}.transformer_blocks.0.attn1.to_q"
    generator = torch.Generator().manual_seed(0)
    weights = {
        f"{name}.lora_A.weight": torch.randn(2, 16, generator=generator),
        f"{name}.lora_B.weight": 5 * torch.randn(16, 2, generator=generator),
    }
    save_file(weights, folder / "ic_lora.safetensors", metadata={"format": "pt"})
    return str(folder)


def frames(plan):
    extra = {"max_sequence_length": 16, "frame_rate": 24.0, "stg_scale": 0.0, "audio_stg_scale": 0.0}
    recipe = Recipe(width=SIZE, height=SIZE, num_frames=9, steps=2, fps=8, extra=extra).over(plan.recipe)
    request = Request("singleobj_1", "A cup.", (Image.new("RGB", (40, 24), "red"),), ("Cup",), 42, recipe)
    return PipelineGenerator(plan).generate(request).frames


def test_a_lora_changes_the_videos_and_is_part_of_the_model(ltx2, tmp_path):
    plain = plan_pipeline(str(ltx2), device="cpu")
    assert "IC-LoRA" in plain.info.notes[0]
    lora = write_lora(tmp_path / "lora")
    plan = plan_pipeline(str(ltx2), device="cpu", lora=lora)
    assert plan.info.notes == ()
    assert plan.info.name == f"{ltx2} + {lora}"
    assert plan.info.revision.startswith(f"{plain.info.revision} + sha256:")
    assert np.abs(frames(plan) - frames(plain)).max() > 1e-3


def test_a_lora_of_another_network_is_refused(ltx2, tmp_path):
    plan = plan_pipeline(str(ltx2), device="cpu", lora=write_lora(tmp_path / "lora", prefix="unet"))
    with pytest.raises(ModelError, match="LoRA"):
        PipelineGenerator(plan)


def test_a_lora_must_be_one_file(ltx2, tmp_path, vace):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"must be one .safetensors file \(found none\)"):
        plan_pipeline(str(ltx2), lora=str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="no file or folder here"):
        plan_pipeline(str(ltx2), lora="org/nobody-has-this")


@pytest.mark.parametrize("name", ["revision", "lora", "dtype"])
def test_arguments_of_a_pipeline_are_refused_for_other_generators(name):
    for model in ("embedded", "python:json:dumps", "http://127.0.0.1/", "hf:fal-ai/org/model", print):
        with pytest.raises(ArgumentError, match=f"{name} of a generator"):
            plan_generator(model, **{name: "x"})


def test_a_name_that_is_too_long_for_a_path_is_no_traceback():
    for find in (plan_pipeline, find_lora):
        with pytest.raises(ModelError):
            find("a" * 5000)
