"""Rows of the table of families against the real classes, with random weights."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from helpers.tiny_pipelines import SIZE, build

from opens2v_hf.generators import FAMILIES, Recipe, Request
from opens2v_hf.generators.checks import checked_frames
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.plan import plan_pipeline

_TOKENS = {"max_sequence_length": 32}
_LTX2 = {"max_sequence_length": 16, "frame_rate": 24.0, "stg_scale": 0.0, "audio_stg_scale": 0.0}
CASES = [
    # builder, class, frames asked for, number of references, extra
    ("wan_vace_two_experts", "WanVACEPipeline", 9, 2, {}),
    ("wan_image_to_video", "WanImageToVideoPipeline", 9, 1, {}),
    ("cogvideox_image_to_video", "CogVideoXImageToVideoPipeline", 9, 1, _TOKENS),
    ("ltx_condition", "LTXConditionPipeline", 9, 1, _TOKENS),
    ("ltx2_condition", "LTX2ConditionPipeline", 9, 1, _LTX2),
    ("ltx2_in_context", "LTX2InContextPipeline", 9, 2, _LTX2),
    ("echo", "EchoModularPipeline", 9, 2, {"max_sequence_length": 16, "frame_rate": 24.0, "sigmas": [1.0, 0.5, 0.0]}),
]


@pytest.mark.parametrize(("name", "pipeline_class", "frames", "count", "extra"), CASES, ids=[case[0] for case in CASES])
def test_a_family_runs_by_its_row(tmp_path, name, pipeline_class, frames, count, extra):
    plan = plan_pipeline(str(build(name, tmp_path / name)), device="cpu")
    assert plan.family.pipeline_class == pipeline_class
    generator = PipelineGenerator(plan)
    small = Recipe(width=SIZE, height=SIZE, num_frames=frames, steps=2, fps=8, extra=extra)
    recipe = small.over(FAMILIES[pipeline_class].recipe)
    generator.check_recipe(recipe)
    made = []
    for colour in ("red", "blue"):
        images = tuple(Image.new("RGB", (40, 24), colour) for _ in range(count))
        made.append(generator.generate(Request("singleobj_1", "A cup.", images, ("Cup",) * count, 42, recipe)).frames)
    checked = checked_frames(made[0], num_frames=generator.num_frames(recipe), width=SIZE, height=SIZE)
    assert checked.shape == (9, SIZE, SIZE, 3)
    assert not np.array_equal(*made)  # the references arrive
    assert generator.info.subject_driven == (count == 2)
