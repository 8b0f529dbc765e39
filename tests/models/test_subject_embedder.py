"""Embedders of subjects: tiny networks of each kind, against transformers and pictures padded by hand."""

import json

import numpy as np
import pytest
import torch
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from PIL import Image
from transformers import (
    BitImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from opens2v_hf.errors import ModelError
from opens2v_hf.models.gme import GmeEmbedder
from opens2v_hf.models.subject_embedder import load_subject_embedder

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28}
CROP = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
KINDS = {
    "dinov2": (Dinov2Model, Dinov2Config(**SIZES, patch_size=14), BitImageProcessorPil(**CROP), "pooler_output"),
    "siglip": (
        SiglipVisionModel,
        SiglipVisionConfig(**SIZES, patch_size=14),
        SiglipImageProcessorPil(size={"height": 28, "width": 28}),
        "pooler_output",
    ),
    "clip": (
        CLIPVisionModelWithProjection,
        CLIPVisionConfig(**SIZES, patch_size=14, projection_dim=8),
        BitImageProcessorPil(**CROP),
        "image_embeds",
    ),
}
PICTURES = [
    Image.fromarray(np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8))
    for i, (height, width) in enumerate([(20, 44), (50, 30), (3, 9)])
]


def padded(picture):
    side = max(picture.size)
    square = np.full((side, side, 3), 128, np.uint8)
    left, top = (side - picture.width) // 2, (side - picture.height) // 2
    square[top : top + picture.height, left : left + picture.width] = np.asarray(picture)
    return Image.fromarray(square)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_gives_its_normalised_output_of_the_whole_crop(kind, tmp_path):
    network_class, config, processor, output = KINDS[kind]
    torch.manual_seed(0)
    network = network_class(config).eval()
    network.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    embedder = load_subject_embedder(str(tmp_path), device="cpu", batch_size=2)
    with torch.inference_mode():
        expected = [
            network(**processor(padded(picture), return_tensors="pt", input_data_format="channels_last"))[output][0]
            for picture in PICTURES
        ]
    expected = torch.stack([vector / vector.norm() for vector in expected])
    torch.testing.assert_close(embedder.embed(PICTURES), expected, atol=1e-5, rtol=1e-5)
    assert (embedder.info.role, embedder.info.dtype) == ("subject_embedder", "float32")
    assert embedder.options["kind"].startswith(kind)
    assert embedder.embed([]).shape[0] == 0


def test_dinov3_gives_the_class_token_of_pictures_resized_as_floats(tmp_path):
    """The order of its processor in transformers: rescaled, resized with an antialiased filter, normalised."""
    torch.manual_seed(0)
    network = DINOv3ViTModel(DINOv3ViTConfig(**SIZES, patch_size=14, num_register_tokens=2)).eval()
    network.save_pretrained(tmp_path)
    settings = {
        "image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 28, "width": 28}, "resample": 2,
        "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3], "do_resize": True, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True,
    }  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    embedder = load_subject_embedder(str(tmp_path), device="cpu", batch_size=2)
    expected = []
    for picture in PICTURES:
        bands = np.asarray(padded(picture), np.float32).transpose(2, 0, 1) / 255
        # Pillow's own filter on single-channel floats is antialiased, and rounds nothing
        resized = [np.asarray(Image.fromarray(band).resize((28, 28), Image.Resampling.BILINEAR)) for band in bands]
        mean, std = (np.array(settings[name])[:, None, None] for name in ("image_mean", "image_std"))
        pixels = torch.from_numpy((np.stack(resized) - mean) / std).float()[None]
        with torch.inference_mode():
            token = network(pixel_values=pixels).last_hidden_state[0, 0]
        expected.append(token / token.norm())
    torch.testing.assert_close(embedder.embed(PICTURES), torch.stack(expected), atol=2e-5, rtol=1e-4)
    assert embedder.options == {"kind": "dinov3_vit"}


def test_an_embedder_of_texts_and_pictures_serves_too(tmp_path):
    folder = save_tiny_qwen2vl(tmp_path)
    embedder = load_subject_embedder(str(folder), device="cpu")
    gme = GmeEmbedder.from_pretrained(str(folder), device="cpu")
    torch.testing.assert_close(embedder.embed(PICTURES[:2]), gme.embed_images(PICTURES[:2]))
    assert (embedder.info.role, embedder.info.name) == ("subject_embedder", str(folder))


def test_the_embedded_one_is_the_embedded_embedder():
    embedder = load_subject_embedder("embedded", device="cpu")
    assert embedder.info.embedded
    assert embedder.info.revision == GmeEmbedder.from_pretrained("embedded", device="cpu").info.revision


def test_a_network_of_another_kind(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"says it is a 'bert'; an embedder of subjects is one of dinov2"):
        load_subject_embedder(str(tmp_path))
