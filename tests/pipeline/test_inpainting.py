"""Painting out, with OpenCV and with a real diffusers pipeline of random weights."""

from pathlib import Path

import numpy as np
import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.pipeline.inpainting import OpenCVInpainter, load_inpainter

pytest.importorskip("diffusers")


def picture_and_hole() -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    hole = np.zeros((50, 70), bool)
    hole[10:30, 20:50] = True
    return image, hole


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion's inpainting pipeline with networks of a few thousand weights."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from helpers.tiny_tokenizers import t5_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel

    path = tmp_path_factory.mktemp("inpaint")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = t5_tokenizer()
        tokenizer.model_max_length = 32
        text = CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_attention_heads=2,
            num_hidden_layers=1, max_position_embeddings=32, projection_dim=16,
        )  # fmt: skip
        pipeline = StableDiffusionInpaintPipeline(
            vae=AutoencoderKL(
                block_out_channels=[8, 8], norm_num_groups=4, latent_channels=4,
                down_block_types=["DownEncoderBlock2D"] * 2,
                up_block_types=["UpDecoderBlock2D"] * 2,
            ),
            text_encoder=CLIPTextModel(text),
            tokenizer=tokenizer,
            unet=UNet2DConditionModel(
                sample_size=8, in_channels=9, out_channels=4, block_out_channels=(8, 8), norm_num_groups=4,
                layers_per_block=1, cross_attention_dim=16, attention_head_dim=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            ),
            scheduler=DDIMScheduler(num_train_timesteps=10, steps_offset=1),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )  # fmt: skip
        pipeline.save_pretrained(path)
    return path


def test_a_pipeline_paints_in_the_hole_and_nowhere_else(folder: Path) -> None:
    image, hole = picture_and_hole()
    inpainter = load_inpainter(folder, device="cpu")
    pipeline = inpainter.pipeline
    inpainter.pipeline = lambda **arguments: pipeline(**arguments, num_inference_steps=1)

    painted = inpainter.paint_out(image, hole)

    assert (painted.shape, painted.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(painted[~hole], image[~hole])
    assert np.abs(painted[hole].astype(int) - image[hole]).mean() > 5
    np.testing.assert_array_equal(painted, inpainter.paint_out(image, hole))
    assert inpainter.facts["name"] == str(folder)


def test_a_folder_that_is_no_pipeline_is_an_error_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the inpainting pipeline .* cannot be loaded"):
        load_inpainter(tmp_path)


def test_opencv_continues_the_surroundings() -> None:
    image = np.full((40, 60, 3), (30, 90, 200), np.uint8)
    hole = np.zeros((40, 60), bool)
    hole[10:20, 15:40] = True
    spoiled = image.copy()
    spoiled[hole] = (255, 0, 0)

    painted = OpenCVInpainter().paint_out(spoiled, hole)

    assert np.abs(painted.astype(int) - image).max() <= 3
    assert (OpenCVInpainter().paint_out(spoiled, np.ones_like(hole)) == 0).all(), "nothing surrounds the whole"
