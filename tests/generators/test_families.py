"""Rows of the table of families against the real classes, with random weights."""

import ast
import sys
import types
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

import diffusers
import torch
from helpers.tiny_hunyuan import HUNYUAN_TEMPLATE
from helpers.tiny_minimax import PicturesOnly
from helpers.tiny_pipelines import SIZE, build

from opens2v_hf.errors import GenerationError, MissingDependencyError
from opens2v_hf.generators import FAMILIES, Recipe, Request
from opens2v_hf.generators.checks import checked_frames
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.plan import plan_pipeline

_TOKENS = {"max_sequence_length": 32}
_LTX2 = {"max_sequence_length": 16, "frame_rate": 24.0, "stg_scale": 0.0, "audio_stg_scale": 0.0}
_ECHO = {"max_sequence_length": 16, "frame_rate": 24.0, "sigmas": [1.0, 0.5, 0.0]}
_HUNYUAN = {"max_sequence_length": 64, "prompt_template": HUNYUAN_TEMPLATE}
CASES = [
    # builder, class, frames asked for and made, number of references, extra
    ("wan_vace_two_experts", "WanVACEPipeline", 9, 9, 2, {}),
    ("ltx2_in_context", "LTX2InContextPipeline", 9, 9, 2, _LTX2),
    ("echo", "EchoModularPipeline", 9, 9, 2, _ECHO),
    ("wan_image_to_video", "WanImageToVideoPipeline", 9, 9, 1, {}),
    ("cogvideox_image_to_video", "CogVideoXImageToVideoPipeline", 9, 9, 1, _TOKENS),
    ("ltx_condition", "LTXConditionPipeline", 9, 9, 1, _TOKENS),
    ("ltx_image_to_video", "LTXImageToVideoPipeline", 9, 9, 1, _TOKENS),
    ("ltx2_condition", "LTX2ConditionPipeline", 9, 9, 1, _LTX2),
    ("ltx2_image_to_video", "LTX2ImageToVideoPipeline", 9, 9, 1, _LTX2),
    # weights that spend a latent frame on the picture make four frames fewer
    ("hunyuan_image_to_video", "HunyuanVideoImageToVideoPipeline", 9, 5, 1, _HUNYUAN),
    ("hunyuan15_image_to_video", "HunyuanVideo15ImageToVideoPipeline", 5, 5, 1, {}),
]


def made_of(plan, colour, frames, count, extra):
    """The frames of one small video, checked."""
    generator = PipelineGenerator(plan)
    recipe = Recipe(width=SIZE, height=SIZE, num_frames=frames, steps=2, fps=8, extra=extra)
    recipe = recipe.over(plan.family.recipe)
    generator.check_recipe(recipe)
    videos = []
    for each in (colour, "blue"):
        images = tuple(Image.new("RGB", (40, 24), each) for _ in range(count))
        videos.append(generator.generate(Request("singleobj_1", "A cup.", images, ("Cup",) * count, 42, recipe)).frames)
    assert not np.array_equal(*videos)  # the references arrive
    return checked_frames(videos[0], num_frames=generator.num_frames(recipe))


@pytest.mark.parametrize(
    ("name", "pipeline_class", "asked", "made", "count", "extra"), CASES, ids=[case[0] for case in CASES]
)
def test_a_family_runs_by_its_row(tmp_path, name, pipeline_class, asked, made, count, extra):
    plan = plan_pipeline(str(build(name, tmp_path / name)), device="cpu")
    assert plan.family.pipeline_class == pipeline_class
    assert plan.info.subject_driven == (count == 2)
    frames = made_of(plan, "red", asked, count, extra)
    assert len(frames) == made
    if plan.family.takes_size:
        assert frames.shape[1:] == (SIZE, SIZE, 3)


def test_every_family_is_run():
    classes = {case[1] for case in CASES} | {"MiniMaxH3ModularPipeline", "ConsisIDPipeline"}
    assert classes == set(FAMILIES)


def allow_packages(monkeypatch):
    """Packages that are not here are not what is tested."""
    monkeypatch.setattr("opens2v_hf.generators.plan.find_spec", lambda name: name)


def test_minimax_h3_runs_by_its_row(tmp_path, monkeypatch):
    folder = build("minimax_h3", tmp_path / "h3")
    if find_spec("torchvision") is None:
        with pytest.raises(MissingDependencyError, match="pip install torchvision"):
            plan_pipeline(str(folder), device="cpu")
    allow_packages(monkeypatch)
    real = diffusers.ModularPipeline.load_components

    def load_components(self, names, **options):
        """All but the processor, which needs torchvision."""
        real(self, names=[name for name in names if name != "processor"], **options)
        self.update_components(processor=PicturesOnly(self.tokenizer))

    monkeypatch.setattr(diffusers.ModularPipeline, "load_components", load_components)
    plan = plan_pipeline(str(folder), device="cpu")
    assert plan.family.max_references == 9
    frames = made_of(plan, "red", 124, 2, {})  # the fewest that the class makes: 5 seconds
    assert frames.shape == (124, SIZE, SIZE, 3)


def face_utilities(seen):
    """The module of ConsisID that needs insightface, facexlib and others, with the signatures of the real one."""

    def prepare_face_models(model_path, device, dtype):
        seen["folder"] = model_path
        return "helper 1", "helper 2", "clip", "main", "mean", "deviation"

    def process_face_embeddings_infer(
        face_helper_1, clip_vision_model, face_helper_2, eva_transform_mean, eva_transform_std, app, device,
        weight_dtype, img_file_path, is_align_face=True,
    ):  # fmt: skip
        seen["models"] = [
            face_helper_1, clip_vision_model, face_helper_2, eva_transform_mean, eva_transform_std, app,
        ]  # fmt: skip
        if not img_file_path[SIZE // 2, SIZE // 2].any():
            raise RuntimeError("facexlib align face fail")
        hidden = torch.full((1, 2, 2), float(img_file_path.mean()) / 255)
        return torch.ones(1, 2), [hidden], Image.fromarray(img_file_path), None

    module = types.ModuleType("consisid_utils")
    module.prepare_face_models = prepare_face_models
    module.process_face_embeddings_infer = process_face_embeddings_infer
    return module


def test_consisid_gets_the_features_of_the_face(tmp_path, monkeypatch):
    seen = {}
    allow_packages(monkeypatch)
    module = face_utilities(seen)
    monkeypatch.setitem(sys.modules, "diffusers.pipelines.consisid.consisid_utils", module)
    folder = build("consisid", tmp_path / "consisid")
    plan = plan_pipeline(str(folder), device="cpu")
    assert made_of(plan, "red", 9, 1, _TOKENS).shape == (9, SIZE, SIZE, 3)
    assert seen["folder"] == str(folder)
    assert seen["models"] == ["helper 1", "clip", "helper 2", "mean", "deviation", "main"]
    with pytest.raises(GenerationError, match=r"no face could be read .* align face fail"):
        made_of(plan, "black", 9, 1, _TOKENS)


def test_the_stand_in_for_the_face_models_has_the_signatures_of_the_real_ones():
    path = find_spec("diffusers.pipelines.consisid").submodule_search_locations[0] + "/consisid_utils.py"
    with open(path, encoding="utf-8") as file:
        functions = {node.name: node for node in ast.parse(file.read()).body if isinstance(node, ast.FunctionDef)}
    module = face_utilities({})
    for name in ("prepare_face_models", "process_face_embeddings_infer"):
        real = [each.arg for each in functions[name].args.args]
        code = getattr(module, name).__code__
        assert list(code.co_varnames[: code.co_argcount]) == real
    returned = functions["prepare_face_models"].body[-1].value
    assert [name.id for name in returned.elts] == [
        "face_helper_1", "face_helper_2", "face_clip_model", "face_main_model", "eva_transform_mean",
        "eva_transform_std",
    ]  # fmt: skip
