import numpy as np
import pytest
import torch
from helpers.tiny_clip import save_tiny_clip
from PIL import Image
from transformers import CLIPVisionModelWithProjection

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.clip_prompt import ClipPromptEncoder

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # CLIP's


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder):
    return ClipPromptEncoder.from_pretrained(folder, device="cpu")


def picture(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_embeddings_are_those_of_the_network_on_clip_s_preprocessing(folder, encoder):
    source = picture(50, 40)
    # shortest side to 32 px (bicubic), centre crop, 0..1, CLIP's mean and standard deviation
    resized = source.resize((40, 32), Image.Resampling.BICUBIC).crop((4, 0, 36, 32))
    pixels = (np.asarray(resized).astype(np.float64) / 255 - MEAN) / STD
    network = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = network(pixel_values=torch.from_numpy(pixels).permute(2, 0, 1)[None].float()).image_embeds
    torch.testing.assert_close(encoder.embed([source]), expected, atol=2e-4, rtol=0)


def test_any_batch_gives_the_same_embeddings(folder, encoder):
    pictures = [picture(64, 32, 1), picture(20, 30, 2), picture(1, 1, 3), picture(32, 32, 4).convert("L")]
    alone = torch.cat([encoder.embed([one]) for one in pictures])
    for batch_size in (1, 3, 32):
        batched = ClipPromptEncoder(encoder.model, encoder.image_processor, encoder.info, batch_size=batch_size)
        torch.testing.assert_close(batched.embed(pictures), alone, atol=2e-4, rtol=0)


def test_transparency_and_palettes_are_read_as_their_colours(encoder):
    opaque = picture(32, 32)
    clear = opaque.copy()
    clear.putalpha(0)
    torch.testing.assert_close(encoder.embed([opaque]), encoder.embed([clear]), atol=1e-5, rtol=0)
    palette = opaque.convert("P")
    torch.testing.assert_close(encoder.embed([palette]), encoder.embed([palette.convert("RGB")]), atol=1e-5, rtol=0)


def test_no_picture_has_no_embedding(encoder):
    assert encoder.embed([]).shape == (0, 64)


def test_provenance(folder, encoder):
    assert (encoder.info.role, encoder.info.name, encoder.info.dtype) == ("prompt_encoder", str(folder), "float32")
    assert encoder.info.revision.startswith("sha256:")


def test_weights_that_are_missing_are_named(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"visual_projection\.weight"):
        ClipPromptEncoder.from_pretrained(tmp_path)


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        ClipPromptEncoder.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="batch_size must be"):
        ClipPromptEncoder(None, None, None, batch_size=0)
