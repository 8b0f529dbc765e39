"""One order of passes with every release of Pillow. The checksums are those of Pillow 12.3 and of Pillow 10.4."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil
from transformers.image_utils import SizeDict
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from opens2v_hf.metrics.naturalscore import shown
from opens2v_hf.models.gme import first_resize
from opens2v_hf.video.resize import resize, resizes_horizontally_first

BILINEAR, BICUBIC, LANCZOS = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
PILLOW_12 = {
    ((832, 480), (840, 476), BICUBIC): "3a5a84a3d19b4fbd",  # Pillow 13's own order gives c02aba59f9411cca
    ((832, 480), (388, 224), BICUBIC): "e37ee845e31060c9",
    ((832, 480), (832, 336), BICUBIC): "d408859e0c702461",
    ((832, 480), (512, 295), LANCZOS): "98819dd3caf13dc2",
    ((832, 480), (224, 224), BILINEAR): "051591bd932546eb",
    ((480, 832), (476, 840), BICUBIC): "bd85777cea024cdf",
    ((40, 30), (224, 168), BICUBIC): "216abe1e7eb17b80",
    ((1280, 720), (1288, 728), BICUBIC): "3f1211a598163f61",
    ((448, 448), (224, 224), BICUBIC): "c1abf0a2065dbc5f",
}


def noise(size: tuple[int, int]) -> Image.Image:
    width, height = size
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def checksum(pixels: Image.Image | np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(np.asarray(pixels)).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(("size", "wanted", "resample"), PILLOW_12)
def test_pixels_are_those_of_the_older_order(size, wanted, resample):
    resized = resize(noise(size), wanted, resample)
    assert resized.size == wanted
    assert checksum(resized) == PILLOW_12[size, wanted, resample]


@pytest.mark.parametrize(
    ("kind", "size", "asked", "resample", "wanted"),
    [
        (Qwen2VLImageProcessorPil, (832, 480), {"shortest_edge": 784, "longest_edge": 10**6}, BICUBIC, (840, 476)),
        (Qwen2VLImageProcessorPil, (480, 832), {"shortest_edge": 784, "longest_edge": 10**6}, BICUBIC, (476, 840)),
        (CLIPImageProcessorPil, (832, 480), {"shortest_edge": 224}, BICUBIC, (388, 224)),
        (CLIPImageProcessorPil, (448, 448), {"shortest_edge": 224}, BICUBIC, (224, 224)),
        (SiglipImageProcessorPil, (832, 480), {"height": 224, "width": 224}, BILINEAR, (224, 224)),
        (SiglipImageProcessorPil, (832, 480), {"height": 476, "width": 840}, BICUBIC, (840, 476)),
    ],
)
def test_processors_of_transformers_resize_in_the_same_order(kind, size, asked, resample, wanted):
    processor = resizes_horizontally_first(kind())
    assert isinstance(processor, kind)
    assert resizes_horizontally_first(processor) is processor
    channels_first = np.asarray(noise(size)).transpose(2, 0, 1)
    factor = {"factor": 28} if kind is Qwen2VLImageProcessorPil else {}
    resized = processor.resize(channels_first, SizeDict(**asked), resample=resample, **factor)
    assert checksum(resized.transpose(1, 2, 0)) == PILLOW_12[size, wanted, resample]


def test_a_processor_gives_whole_inputs_in_that_order():
    """Through the call that the networks' inputs come from: without normalising, its pixels are the resized ones."""
    processor = resizes_horizontally_first(
        SiglipImageProcessorPil(size={"height": 476, "width": 840}, resample=BICUBIC)
    )
    pixels = processor(noise((832, 480)), do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
    wanted = PILLOW_12[(832, 480), (840, 476), BICUBIC]
    assert checksum(pixels[0].transpose(1, 2, 0).astype(np.uint8)) == wanted


def test_the_embedder_s_first_resize_and_the_judge_s_frames():
    assert checksum(first_resize(noise((832, 480)))) == PILLOW_12[(832, 480), (840, 476), BICUBIC]
    assert checksum(shown(np.asarray(noise((832, 480))))) == PILLOW_12[(832, 480), (512, 295), LANCZOS]


def test_saved_processors_keep_their_type(tmp_path):
    resizes_horizontally_first(CLIPImageProcessorPil()).save_pretrained(tmp_path)
    assert type(CLIPImageProcessorPil.from_pretrained(tmp_path)) is CLIPImageProcessorPil
    assert resizes_horizontally_first(CLIPImageProcessorPil()).to_dict()["image_processor_type"] == "CLIPImageProcessor"
