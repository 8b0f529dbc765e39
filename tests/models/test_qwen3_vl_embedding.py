"""Qwen3-VL-Embedding on a tiny network: against the facts of the published code, one input at a time."""

import numpy as np
import pytest
import torch
from helpers.tiny_qwen3vl import save_tiny_qwen3vl
from PIL import Image
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.models.embedder_loading import load_embedder
from opens2v_hf.models.gme import GmeEmbedder
from opens2v_hf.models.qwen3_vl_embedding import Qwen3VLEmbedder, resized_size
from opens2v_hf.models.subject_embedder import load_subject_embedder
from opens2v_hf.models.vector_cache import VectorCache
from opens2v_hf.video.frames_in_memory import ArrayVideo

PICTURES = [
    np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8)
    for i, (height, width) in enumerate([(64, 96), (100, 40), (20, 20)])
]
SIZES = [(96, 64), (64, 128), (64, 64)]
"""By hand: multiples of 32. 40x100 would be 32x96, less than 4 * 32 * 32 px: so it is enlarged by 1.012, rounded up."""
QUERY = "Retrieve images or text relevant to the user's query."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_qwen3vl(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def embedder(folder):
    return load_embedder(str(folder), device="cpu")


@pytest.fixture(scope="module")
def network(folder):
    return Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


def positions_of(ids, image_token, grid):
    """By hand: text counts on, an image's tokens have one time, a row and a column each, from the position after it."""
    found, at, seen = [], 0, 0
    for token in ids:
        if token != image_token:
            found.append((at, at, at))
            at += 1
            continue
        rows, columns = grid
        found.append((at, at + seen // columns, at + seen % columns))
        seen += 1
        if seen == rows * columns:
            at += max(rows, columns)
    return torch.tensor(found).T[:, None]


@torch.inference_mode()
def reference_vector(folder, network, instruction, text=None, picture=None, size=None):
    """One input alone: the conversation as text, patches cut by hand, positions by hand, the last token."""
    content, rows, columns = text, 0, 0
    if picture is not None:
        columns, rows = size[0] // 32, size[1] // 32
        content = f"<|vision_start|>{'<|image_pad|>' * (rows * columns)}<|vision_end|>"
    written = (
        f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = AutoTokenizer.from_pretrained(folder)(written)["input_ids"]
    given = {"input_ids": torch.tensor([ids]), "output_hidden_states": True, "use_cache": False}
    given["position_ids"] = positions_of(ids, network.config.image_token_id, (rows, columns))
    if picture is not None:
        resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC), np.float32)
        pixels = torch.from_numpy((resized / 255 - 0.5) / 0.5).permute(2, 0, 1)
        # merge blocks of 2 by 2 patches follow one another; a still picture is its own next frame
        cut = pixels.reshape(3, rows, 2, 16, columns, 2, 16).permute(1, 4, 2, 5, 0, 3, 6)
        cut = cut[:, :, :, :, :, None].expand(-1, -1, -1, -1, -1, 2, -1, -1)
        given["pixel_values"] = cut.reshape(rows * columns * 4, 3 * 2 * 16 * 16)
        given["image_grid_thw"] = torch.tensor([[1, 2 * rows, 2 * columns]])
    hidden = network(**given).hidden_states[-1][0, -1]
    return hidden / hidden.norm()


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_pictures_and_texts_as_published(folder, embedder, network, padding_side, monkeypatch):
    monkeypatch.setattr(embedder.tokenizer, "padding_side", padding_side)
    images = embedder.embed_images(PICTURES)
    for picture, size, vector in zip(PICTURES, SIZES, images, strict=True):
        expected = reference_vector(folder, network, "Represent the user's input.", picture=picture, size=size)
        torch.testing.assert_close(vector, expected, atol=2e-5, rtol=1e-4)
    assert float((images[0] * images[1]).sum()) < 0.999
    texts = ["a cup", "two cats on a long red sofa"]
    embedder._texts = VectorCache()
    for text, vector in zip(texts, embedder.embed_texts(texts, QUERY), strict=True):
        torch.testing.assert_close(vector, reference_vector(folder, network, QUERY, text), atol=2e-5, rtol=1e-4)


def test_an_instruction_ends_in_punctuation(folder, embedder, network):
    expected = reference_vector(folder, network, "Find it.", "a cup")
    for instruction in ("Find it", " Find it ", "Find it."):
        torch.testing.assert_close(embedder.embed_texts(["a cup"], instruction)[0], expected, atol=2e-5, rtol=1e-4)
    default = reference_vector(folder, network, "Represent the user's input.", "a cup")
    torch.testing.assert_close(embedder.embed_texts(["a cup"])[0], default, atol=2e-5, rtol=1e-4)


def test_the_class_of_an_embedder_follows_its_model_type(folder, embedder):
    assert type(embedder) is Qwen3VLEmbedder
    assert embedder.options == {"min_pixels": 4096, "max_pixels": 1843200, "max_length": 8192}
    assert type(load_embedder("embedded", device="cpu")) is GmeEmbedder
    subjects = load_subject_embedder(str(folder), device="cpu")
    torch.testing.assert_close(subjects.embed([Image.fromarray(PICTURES[0])]), embedder.embed_images(PICTURES[:1]))
    assert (subjects.info.role, subjects.options["kind"]) == ("subject_embedder", "qwen3_vl")


def test_gmescore_of_another_edition(embedder, folder, network):
    frames = np.stack([PICTURES[0], PICTURES[0][:, ::-1]])
    metric = GmeScore(embedder, num_frames=2)
    outcome = score_clip(metric, ArrayVideo(frames, 8), "a cup")
    text = reference_vector(folder, network, QUERY, "a cup")
    expected = [
        float(text @ reference_vector(folder, network, "Represent the user's input.", picture=frame, size=(96, 64)))
        for frame in frames
    ]
    assert outcome.details["similarities"] == pytest.approx(expected, abs=3e-5)
    assert metric.options["instruction"] == QUERY
    assert any("another edition" in caveat for caveat in metric.caveats)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((832, 480), (832, 480)),
        ((48, 80), (64, 64)),  # 1.5 and 2.5 round to the even 2
        ((4000, 4000), (1344, 1344)),  # sqrt(1800) = 42.4 blocks a side, rounded down
        ((3, 30), (32, 224)),  # 4096 px with the aspect 1:10 are 20.2 x 202.4, rounded up to 1 x 7 blocks
    ],
)
def test_sizes_by_hand(size, expected):
    assert resized_size(*size) == expected


def test_a_picture_too_long():
    with pytest.raises(ArgumentError, match="1x201"):
        resized_size(1, 201)
