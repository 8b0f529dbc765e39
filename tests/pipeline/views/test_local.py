"""A pipeline of diffusers that edits, with tiny random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from helpers.tiny_editor import build_editor

from opens2v_hf.errors import ModelError
from opens2v_hf.pipeline.views.editor import EditRequest
from opens2v_hf.pipeline.views.local import PipelineEditor
from opens2v_hf.pipeline.views.options import ViewOptions

REQUEST = EditRequest([Image.new("RGB", (32, 32), (200, 60, 20))], "a red cup", 3)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_editor(tmp_path_factory.mktemp("editor"))


def test_it_makes_a_picture_that_its_seed_and_input_decide(pipeline: Path) -> None:
    editor = PipelineEditor(ViewOptions(model=str(pipeline), device="cpu", extra={"num_inference_steps": 2}))
    first = np.asarray(editor.edit(REQUEST).image)
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, np.asarray(editor.edit(REQUEST).image))
    other_seed = EditRequest(REQUEST.images, REQUEST.prompt, 4)
    assert not np.array_equal(first, np.asarray(editor.edit(other_seed).image))
    other_input = EditRequest([Image.new("RGB", (32, 32), (0, 60, 220))], REQUEST.prompt, 3)
    assert not np.array_equal(first, np.asarray(editor.edit(other_input).image))
    assert editor.facts()["pipeline"] == "StableDiffusionInstructPix2PixPipeline"
    assert not editor.is_paid


def test_what_cannot_edit_is_refused(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes no 'steps'"):
        PipelineEditor(ViewOptions(model=str(pipeline), device="cpu", extra={"steps": 2}))
    with pytest.raises(ModelError, match="cannot be loaded as a diffusers pipeline"):
        PipelineEditor(ViewOptions(model=str(tmp_path), device="cpu"))
