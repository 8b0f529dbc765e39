from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.slow_gme import SlowGme
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models import gme
from opens2v_hf.models.gme import DEFAULT_INSTRUCTION, RETRIEVAL_INSTRUCTION, GmeEmbedder, _first_size, similarities
from opens2v_hf.models.vector_cache import VectorCache

TEXTS = ["a red square", "", "two dogs run over a field, and a third one watches them", "ein Häuschen ☂", "x" * 90]
SIZES = [(84, 112), (56, 56), (112, 84), (28, 140), (84, 112), (112, 112)]  # height, width


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    return save_tiny_qwen2vl(tmp_path_factory.mktemp("tiny-gme") / "model")


@pytest.fixture(scope="session")
def slow(tiny_folder):
    return SlowGme(tiny_folder)


@pytest.fixture
def embedder(tiny_folder):
    return GmeEmbedder.from_pretrained(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def pictures():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.fixture(scope="session")
def slow_vectors(slow, pictures):
    texts = torch.stack([slow.text_vector(text, RETRIEVAL_INSTRUCTION) for text in TEXTS])
    images = torch.stack([slow.image_vector(Image.fromarray(picture), DEFAULT_INSTRUCTION) for picture in pictures])
    return texts, images


def test_vectors_are_those_written_out_by_hand(embedder, pictures, slow_vectors):
    texts, images = slow_vectors
    torch.testing.assert_close(embedder.embed_texts(TEXTS, RETRIEVAL_INSTRUCTION).double(), texts, atol=5e-6, rtol=0)
    torch.testing.assert_close(embedder.embed_images(pictures).double(), images, atol=5e-6, rtol=0)


def test_no_padding_is_computed_in_the_vision_tower(embedder, pictures):
    rows = []
    block = embedder.model.visual.blocks[0]
    hook = block.register_forward_pre_hook(lambda _block, inputs: rows.append(len(inputs[0])))
    embedder.embed_images(pictures)
    hook.remove()
    # patches of 14 px: 6x8, 4x4, 8x6, 2x10, 6x8, 8x8
    assert sum(rows) == 48 + 16 + 48 + 20 + 48 + 64


def test_the_comparison_can_fail(embedder, slow, pictures):
    """Vectors of other texts, pictures and instructions are far off on the scale of the tolerance."""
    other = embedder.embed_texts(["a red squarf"], RETRIEVAL_INSTRUCTION)[0].double()
    assert (other - slow.text_vector("a red square", RETRIEVAL_INSTRUCTION)).abs().max() > 1e-3
    one, two = (embedder.embed_images([picture])[0] for picture in (pictures[0], pictures[4]))
    assert (one - two).abs().max() > 1e-3
    default, retrieval = (embedder.embed_images(pictures[:1], text) for text in (None, RETRIEVAL_INSTRUCTION))
    assert (default - retrieval).abs().max() > 1e-3


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(budget=st.integers(1, 900), side=st.sampled_from(["left", "right"]), data=st.data())
def test_no_batch_size_padding_or_order_changes_a_vector(tiny_folder, pictures, slow_vectors, budget, side, data):
    embedder = GmeEmbedder.from_pretrained(tiny_folder, device="cpu", batch_tokens=budget)
    embedder.tokenizer.padding_side = side
    order = data.draw(st.permutations(range(len(pictures))))
    images = embedder.embed_images([pictures[index] for index in order]).double()
    torch.testing.assert_close(images, slow_vectors[1][list(order)], atol=1e-5, rtol=0)
    order = data.draw(st.permutations(range(len(TEXTS))))
    texts = embedder.embed_texts([TEXTS[index] for index in order], RETRIEVAL_INSTRUCTION).double()
    torch.testing.assert_close(texts, slow_vectors[0][list(order)], atol=1e-5, rtol=0)


def test_a_batch_stays_within_the_budget(embedder, pictures, monkeypatch):
    batches = []
    original = embedder._last_hidden_states
    monkeypatch.setattr(
        embedder, "_last_hidden_states", lambda rows, *rest: batches.append(rows) or original(rows, *rest)
    )
    longest = 8 + 52 + 16  # special tokens, bytes of the turns, and a token for each 28 x 28 of 112 x 112 pixels
    embedder.batch_tokens = 3 * longest
    embedder.embed_images(pictures * 4)
    assert sum(len(rows) for rows in batches) == 24
    assert max(len(rows) for rows in batches) == 3
    assert all(len(rows) * max(map(len, rows)) <= embedder.batch_tokens for rows in batches)


def test_each_distinct_text_is_computed_once(embedder, monkeypatch):
    computed = []
    original = embedder._last_hidden_states
    monkeypatch.setattr(
        embedder, "_last_hidden_states", lambda rows, *rest: computed.extend(rows) or original(rows, *rest)
    )
    first = embedder.embed_texts(["a", "b", "a"])
    again = embedder.embed_texts(["b", "c", "a"])
    assert len(computed) == 3
    assert torch.equal(first[0], first[2])
    assert torch.equal(first[[1, 0]], again[[0, 2]])
    embedder.embed_texts(["a"], RETRIEVAL_INSTRUCTION)
    assert len(computed) == 4


def test_forgotten_texts_are_computed_anew(embedder):
    embedder._texts = VectorCache(2)
    vectors = embedder.embed_texts(["a", "b", "c", "d"])
    assert len(embedder._texts) == 2
    assert torch.equal(embedder.embed_texts(["a"]), vectors[:1])


def test_a_text_beyond_the_longest_sequence_loses_its_end(embedder, slow):
    embedder.max_length = 60
    vectors = embedder.embed_texts(["y" * 200, "y" * 300])
    torch.testing.assert_close(vectors[0], vectors[1], atol=1e-6, rtol=0)
    ids = slow._ids("y" * 200, DEFAULT_INSTRUCTION)[:60]
    torch.testing.assert_close(vectors[0].double(), slow._vector(ids, None), atol=5e-6, rtol=0)


def test_nothing_gives_no_vectors(embedder):
    assert embedder.embed_texts([]).shape == (0, 32)
    assert embedder.embed_images([]).shape == (0, 32)


def test_pictures_of_any_mode_are_embedded_as_rgb(embedder, pictures):
    grey = Image.fromarray(pictures[0]).convert("L")
    with_alpha = Image.fromarray(pictures[0]).convert("RGBA")
    vectors = embedder.embed_images([grey, grey.convert("RGB"), with_alpha, Image.fromarray(pictures[0]), pictures[0]])
    torch.testing.assert_close(vectors[0], vectors[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(vectors[2], vectors[4], atol=1e-5, rtol=0)
    torch.testing.assert_close(vectors[3], vectors[4], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((832, 480), (840, 476)),  # 29.7 and 17.1 times 28
        ((42, 70), (56, 56)),  # 1.5 and 2.5 times 28: half to even
        ((1, 1), (56, 56)),  # grown to 4 * 28^2 pixels
        ((28, 1), (308, 28)),  # 784 < 3136 pixels: scaled by sqrt(3136 / 28) = 10.58 and rounded up
        ((4200, 4200), (3584, 3584)),  # 150 * 28 squared is beyond 16384 * 28^2 = 3584^2
        ((20000, 10), (5600, 28)),  # 714 * 28 by 28: one side at most 200 times the other
    ],
)
def test_first_size(size, expected):
    assert _first_size(*size) == expected


def test_the_smallest_and_the_longest_picture_can_be_embedded(embedder):
    vectors = embedder.embed_images([np.zeros((1, 1, 3), np.uint8), np.zeros((10, 20000, 3), np.uint8)])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_bad_pictures_are_refused(embedder):
    for picture, message in (
        ("a.png", "got a str"),
        (np.zeros((4, 4, 3), np.float32), "float32 array"),
        (np.zeros((4, 4), np.uint8), "array of shape"),
        (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
    ):
        with pytest.raises(ArgumentError, match=message):
            embedder.embed_images([picture])
    with pytest.raises(ArgumentError, match="must not hold the token"):
        embedder.embed_images([np.zeros((56, 56, 3), np.uint8)], "look at <|image_pad|>")
    embedder.max_length = 50
    with pytest.raises(ArgumentError, match="more than max_length=50"):
        embedder.embed_images([np.zeros((56, 56, 3), np.uint8)])


def test_pixel_bounds_come_from_the_folder_unless_they_are_given(tiny_folder):
    assert GmeEmbedder.from_pretrained(tiny_folder, device="cpu").options == {
        "min_pixels": 3136, "max_pixels": 12544, "max_length": 1800,
    }  # fmt: skip
    given = GmeEmbedder.from_pretrained(tiny_folder, device="cpu", max_pixels=9408, max_length=300)
    assert given.options == {"min_pixels": 3136, "max_pixels": 9408, "max_length": 300}
    with pytest.raises(ArgumentError, match="min_pixels <= max_pixels"):
        GmeEmbedder.from_pretrained(tiny_folder, device="cpu", max_pixels=1000)


def test_released_pixel_bounds_hold_where_nothing_is_said(tmp_path):
    folder = save_tiny_qwen2vl(tmp_path / "model")
    (folder / "opens2v.json").unlink()
    assert GmeEmbedder.from_pretrained(folder, device="cpu").options == {
        "min_pixels": 256 * 784, "max_pixels": 1280 * 784, "max_length": 1800,
    }  # fmt: skip


def test_bad_bounds_are_refused(tiny_folder):
    for arguments in ({"batch_tokens": 0}, {"max_length": 0}):
        with pytest.raises(ArgumentError, match="must be a whole number from 1"):
            GmeEmbedder.from_pretrained(tiny_folder, device="cpu", **arguments)


def test_half_precision_stays_half_and_near(tiny_folder, pictures, slow_vectors):
    embedder = GmeEmbedder.from_pretrained(tiny_folder, device="cpu", dtype="float16")
    vectors = embedder.embed_images(pictures)
    assert vectors.dtype == torch.float16
    assert embedder.info.dtype == "float16"
    cosines = torch.nn.functional.cosine_similarity(vectors.double(), slow_vectors[1])
    assert cosines.min() > 0.999


def test_similarities_are_taken_in_the_dtype_of_the_vectors():
    one, two = torch.tensor([[0.6, 0.8]], dtype=torch.float16), torch.tensor([[0.8, 0.6], [0.6, 0.8]]).half()
    result = similarities(one, two)
    assert result.dtype == torch.float16
    assert result.tolist() == pytest.approx([0.96, 1.0], abs=1e-3)


def test_missing_weights_are_named(tmp_path):
    folder = save_tiny_qwen2vl(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing \(language_model\.layers\.1\.mlp\.down_proj"):
        GmeEmbedder.from_pretrained(folder, device="cpu")


def test_a_checkpoint_without_its_head_will_do(tmp_path, tiny_folder):
    folder = save_tiny_qwen2vl(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    headless = GmeEmbedder.from_pretrained(folder, device="cpu").embed_texts(["a cat"])
    whole = GmeEmbedder.from_pretrained(tiny_folder, device="cpu").embed_texts(["a cat"])
    torch.testing.assert_close(headless, whole, atol=1e-6, rtol=0)


def test_broken_folders_are_explained(tmp_path):
    folder = save_tiny_qwen2vl(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        GmeEmbedder.from_pretrained(folder, device="cpu")
    folder = save_tiny_qwen2vl(tmp_path / "other")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        GmeEmbedder.from_pretrained(folder, device="cpu")
    with pytest.raises(ModelError, match="without a network give a folder"):
        GmeEmbedder.from_pretrained("org/not-in-the-cache", device="cpu")


def test_a_model_is_placed_by_its_device_map(tiny_folder, slow_vectors):
    embedder = GmeEmbedder.from_pretrained(tiny_folder, device_map={"": "cpu"}, attn_implementation="eager")
    assert embedder.model.config._attn_implementation == "eager"
    vectors = embedder.embed_texts(TEXTS, RETRIEVAL_INSTRUCTION).double()
    torch.testing.assert_close(vectors, slow_vectors[0], atol=5e-6, rtol=0)


def real_similarities(shared_data, name, dtype):
    """Of the frames of a released video with its prompt, by the small embedder that the released code was run with."""
    from opens2v_hf.video.clip import Clip
    from opens2v_hf.video.sampling import linspace

    prompt = json.loads((shared_data / "opens2v-eval" / "Open-Domain_Eval.json").read_text())[name]["prompt"]
    frames = Clip(shared_data / "eval-demo" / "videos" / f"{name}.mp4").frames(linspace(32))
    embedder = GmeEmbedder.from_pretrained(shared_data / "tiny-gme", device="cpu", dtype=dtype)
    queries = embedder.embed_texts([prompt], RETRIEVAL_INSTRUCTION)
    return similarities(queries, embedder.embed_images(list(frames))).double()


@pytest.mark.parametrize(("name", "expected"), [("singleface_3", 0.0036437892), ("faceobj_14", -0.18557581)])
def test_released_number_of_a_real_video_by_the_order_of_the_leaderboard(shared_data, name, expected):
    """The released code's number where Pillow resizes horizontally first, as it did when the leaderboard was made."""
    assert float(real_similarities(shared_data, name, "float32").mean()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("singleface_3", 0.0036823840)])
def test_released_number_of_a_real_video_by_the_other_order(shared_data, name, expected, monkeypatch):
    """The same with Pillow 13, whose order is the other one at this size: nothing else differs."""
    monkeypatch.setattr(gme, "resize", lambda image, size: image.resize((image.width, size[1])).resize(size))
    assert float(real_similarities(shared_data, name, "float32").mean()) == pytest.approx(expected, abs=1e-6)


def test_released_number_of_a_real_video_in_float16(shared_data):
    """0.00393 from the released code; float16 kernels differ with the instruction set, by 3e-4 on two of them."""
    values = real_similarities(shared_data, "singleface_3", "float16")
    assert float(values.mean()) == pytest.approx(0.00393, abs=6e-4)
    assert float(values.std()) == pytest.approx(0.0076557, abs=3e-4)
