"""The committed embedder, on scenes that it was not trained on, through the code that loads any GME model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.embedded import committed_figures

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import caption, draw_scene
from opens2v_hf.embedded.training.embedder_evaluation import evaluate_embedder
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.models.hub import resolve_model

FIRST_SEED = 300_000


@pytest.fixture(scope="module")
def embedder():
    return GmeEmbedder.from_pretrained("embedded", device="cpu")


@pytest.fixture(scope="module")
def few_figures():
    return evaluate_embedder("embedded", num_scenes=64, first_seed=FIRST_SEED)


@pytest.fixture(params=["committed", "few scenes"])
def figures(request, few_figures):
    return committed_figures("embedder") if request.param == "committed" else few_figures


def test_it_travels_with_the_package_and_is_small(embedder):
    resolved = resolve_model("embedded", None, "embedder")
    files = [path for path in Path(resolved.source).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 3_000_000
    assert {"model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "opens2v.json"} <= {
        path.name for path in files
    }
    assert embedder.info.embedded
    assert embedder.info.name == "embedded"


def test_captions_find_their_frames_among_64(embedder, few_figures):
    scenes = [draw_scene(FIRST_SEED + index) for index in range(64)]
    captions = [caption(scene) for scene in scenes]
    assert len(set(captions)) == 64
    frames = embedder.embed_images([render_frame(scene, 8).image for scene in scenes]).numpy()
    texts = embedder.embed_texts(captions, RETRIEVAL_INSTRUCTION).numpy()
    hits = sum(int(np.argmax(frames @ texts[index])) == index for index in range(64))
    assert hits / 64 >= 0.95
    assert few_figures["text_to_image_top1"] == pytest.approx(hits / 64)
    assert committed_figures("embedder")["text_to_image_top1"] >= 0.95


@pytest.mark.parametrize(
    ("fault", "share", "gap"),
    [
        ("missing_subject", 0.95, 0.5),
        ("one_missing", 0.93, 0.2),
        ("wrong_subject", 0.93, 0.2),
        ("other_background", 0.95, 0.3),
        ("noise", 0.85, 0.04),
    ],
)
def test_a_faulty_frame_fits_its_caption_less(figures, fault, share, gap):
    assert figures[f"lower_with_{fault}"] >= share
    assert figures[f"cosine_{fault}"] < figures["cosine_matching"] - gap


def test_a_crop_is_nearer_to_its_own_reference(figures):
    assert figures["same_above_other"] >= 0.97
    assert figures["cosine_same_subject"] > figures["cosine_other_subject"] + 0.3


def test_labels_lie_on_their_sides_of_0_30(figures):
    assert figures["right_label_above_0.30"] >= 0.92
    assert figures["wrong_label_below_0.30"] >= 0.97
    assert figures["background_below_0.30"] >= 0.95


def test_texts_of_another_world_are_embedded_too(embedder):
    vectors = embedder.embed_texts(["A man plays with his dog in front of the house.", "", "Kaffee 咖啡"])
    assert torch.isfinite(vectors).all()
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3), atol=1e-3, rtol=0)
