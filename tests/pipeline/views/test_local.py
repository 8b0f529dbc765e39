"""A pipeline of diffusers that edits, with tiny random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from datasets import load_dataset
from helpers.build_stages import usual, write_videos
from helpers.tiny_editor import build_editor

from opens2v_hf.errors import ModelError
from opens2v_hf.pipeline.api import build
from opens2v_hf.pipeline.views.editor import EditRequest
from opens2v_hf.pipeline.views.local import PipelineEditor
from opens2v_hf.pipeline.views.options import ViewOptions

REQUEST = EditRequest([Image.new("RGB", (32, 32), (200, 60, 20))], "a red cup", 3)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_editor(tmp_path_factory.mktemp("editor"))


def test_a_picture_depends_on_seed_and_input_only(pipeline: Path) -> None:
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


def test_a_build_makes_views_by_a_pipeline(pipeline: Path, tmp_path: Path) -> None:
    """From videos to the config "views"; random weights, so any picture is accepted."""
    videos = write_videos(tmp_path / "videos", ["a.mp4", "b.mp4"], frames=6)
    options = ViewOptions(
        model=str(pipeline), device="cpu", extra={"num_inference_steps": 1}, choice="released", max_views_per_clip=1,
        embedder="embedded", min_similarity=-1.0, near_copy=0, prompt="{tag}",
    )  # fmt: skip

    made = build(videos, tmp_path / "out", stages=usual(), pairs=False, views=options)

    assert made.rows == {"regular": 2, "views": 2}
    assert "2 views of 2 clips, 2 pictures requested in this run" in str(made)
    rows = list(load_dataset("opens2v-5m", "views", data_dir=str(tmp_path / "out"), split="train", streaming=True))
    for row in rows:
        (view,) = row["views"]
        assert view["tag"] in ("side 1", "side 2")
        # half of a frame of 96x64, 4.8 pixels more on the inner side; the network has multiples of 4
        assert view["image"].size == (52, 64)
    again = build(videos, tmp_path / "out", stages=usual(), pairs=False, views=options)
    assert "2 views of 2 clips, 0 pictures requested in this run" in str(again)


def test_a_pipeline_that_cannot_edit_is_refused(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes no 'steps'"):
        PipelineEditor(ViewOptions(model=str(pipeline), device="cpu", extra={"steps": 2}))
    with pytest.raises(ModelError, match="cannot be loaded as a diffusers pipeline"):
        PipelineEditor(ViewOptions(model=str(tmp_path), device="cpu"))
