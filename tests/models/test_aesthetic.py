import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from helpers.aesthetic_models import head_weights, save_aesthetic_models
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead, build_head

MEAN, STD = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])  # CLIP's


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return save_aesthetic_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def head(folders):
    return AestheticHead.from_pretrained(folders["aesthetic_head"], device="cpu")


def rated_by_hand(embeds, weights):
    """Normalise, then one affine map after another, in float64 and without the package's network."""
    values = np.asarray(embeds, np.float64)
    values = values / np.sqrt((values**2).sum(axis=1, keepdims=True))
    for number in (0, 2, 4, 6, 7):
        weight, bias = (weights[f"layers.{number}.{part}"].double().numpy() for part in ("weight", "bias"))
        values = values @ weight.T + bias
    return values[:, 0]


def test_ratings_are_those_of_the_layers_by_hand(head):
    embeds = torch.randn(5, 64, generator=torch.Generator().manual_seed(3)) * 10
    assert head.rate(embeds) == pytest.approx(rated_by_hand(embeds, head_weights()), rel=1e-4)
    assert head.num_features == 64


def test_the_length_of_an_embedding_does_not_matter(head):
    embeds = torch.randn(2, 64, generator=torch.Generator().manual_seed(4))
    assert head.rate(embeds * 1000) == pytest.approx(head.rate(embeds), rel=1e-4)
    assert head.rate(embeds.half().double()) == pytest.approx(head.rate(embeds), rel=1e-2)


def test_zero_and_infinite_embeddings_have_no_rating(head):
    embeds = torch.zeros(2, 64)
    embeds[1, 0] = torch.inf
    assert np.isnan(head.rate(embeds)).all()
    with pytest.raises(ArgumentError, match=r"\[N, 64\]"):
        head.rate(torch.zeros(2, 32))
    assert head.rate(torch.zeros(0, 64)) == []


def test_pictures_are_rated_as_by_hand(folders, head):
    """From pixels to rating: bicubic to 32 px, centre crop, CLIP's mean and deviation, a CLIP written out, the head."""
    source = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 51, 3), dtype=np.uint8))
    encoder = AestheticEncoder.from_pretrained(folders["aesthetic_encoder"], device="cpu")
    resized = source.resize((40, 32), Image.Resampling.BICUBIC)  # 51 * 32 / 40 = 40.8, truncated
    pixels = (np.asarray(resized.crop((4, 0, 36, 32))) / 255 - MEAN) / STD
    expected = clip_by_hand({k: v.double() for k, v in encoder.model.state_dict().items()}, torch.from_numpy(pixels))
    embeds = encoder.embed([source])
    torch.testing.assert_close(embeds, expected[None].float(), atol=1e-3, rtol=0)
    assert head.rate(embeds) == pytest.approx(rated_by_hand(expected[None], head_weights()), abs=0.01)


def clip_by_hand(weights, pixels, *, patch=8, heads=2):
    """CLIP's image tower from its weights: pixels [H, W, 3] to an embedding."""
    weights = {key.removeprefix("vision_model."): value for key, value in weights.items()}

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)

    def norm(x, name):
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    rows, columns = pixels.shape[0] // patch, pixels.shape[1] // patch
    patches = pixels.reshape(rows, patch, columns, patch, 3).permute(0, 2, 4, 1, 3).reshape(rows * columns, -1)
    tokens = patches @ weights["embeddings.patch_embedding.weight"].flatten(1).T
    x = torch.cat([weights["embeddings.class_embedding"][None], tokens])
    x = norm(x + weights["embeddings.position_embedding.weight"], "pre_layrnorm")
    layer = 0
    while (name := f"encoder.layers.{layer}") + ".layer_norm1.weight" in weights:
        y = norm(x, f"{name}.layer_norm1")
        q, k, v = (
            linear(y, f"{name}.self_attn.{part}_proj").unflatten(-1, (heads, -1)).transpose(0, 1) for part in "qkv"
        )
        attention = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + linear((attention @ v).transpose(0, 1).flatten(1), f"{name}.self_attn.out_proj")
        y = linear(norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
        x = x + linear(y * torch.sigmoid(1.702 * y), f"{name}.mlp.fc2")
        layer += 1
    assert layer == 2
    return linear(norm(x[0], "post_layernorm"), "visual_projection")


def test_the_image_tower_of_a_whole_clip_is_read(tmp_path):
    """The released encoder's repo holds both towers."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=24,
    )  # fmt: skip
    whole = CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24)).eval()
    whole.save_pretrained(tmp_path)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    encoder = AestheticEncoder.from_pretrained(tmp_path, device="cpu")
    pixels = torch.from_numpy((np.asarray(picture) / 255 - MEAN) / STD)
    expected = clip_by_hand({k: v.double() for k, v in whole.state_dict().items() if k.startswith("vi")}, pixels)
    torch.testing.assert_close(encoder.embed([picture])[0], expected.float(), atol=1e-3, rtol=0)


def test_a_head_comes_from_a_folder_a_file_or_safetensors(folders, head, tmp_path):
    embeds = torch.randn(3, 64, generator=torch.Generator().manual_seed(5))
    file = folders["aesthetic_head"] / "aesthetic-model.pth"
    save_file(head_weights(), tmp_path / "model.safetensors")
    (tmp_path / "laion").mkdir()
    torch.save(head_weights(), tmp_path / "laion" / "sac+logos+ava1-l14-linearMSE.pth")
    for source in (file, tmp_path, tmp_path / "model.safetensors", tmp_path / "laion"):
        loaded = AestheticHead.from_pretrained(source, device="cpu")
        assert loaded.rate(embeds) == head.rate(embeds)
        assert (loaded.info.role, loaded.info.name) == ("aesthetic_head", str(source))
        assert loaded.info.revision.startswith("sha256:")
    named = AestheticHead.from_pretrained(tmp_path / "laion", filename="sac+logos+ava1-l14-linearMSE.pth", device="cpu")
    assert named.rate(embeds) == head.rate(embeds)


def changed(**changes):
    weights = head_weights()
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            del weights[name]
        else:
            weights[name] = value
    return weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (changed(layers__6__bias=None), "is no aesthetic head"),
        (changed(layers__9__weight=torch.zeros(1, 1), layers__9__bias=torch.zeros(1)), "is no aesthetic head"),
        (changed(other=torch.zeros(1)), "is no aesthetic head"),
        (changed(layers__4__weight=torch.zeros(5, 7)), r"layers\.4 has a weight \[5, 7\].*after a layer of 6 outputs"),
        (changed(layers__0__bias=torch.zeros(7)), r"layers\.0 has a weight \[8, 64\] and a bias \[7\]"),
        (changed(layers__7__weight=torch.zeros(2, 3), layers__7__bias=torch.zeros(2)), "ends in one number"),
        ({}, "holds nothing"),
    ],
)
def test_what_is_no_head_is_refused(weights, message):
    with pytest.raises(ModelError, match=message):
        build_head(weights, source="file.pth")


class _Evil:
    def __reduce__(self):
        return (print, ("code of the file is run",))


def test_a_file_that_would_run_code_does_not(tmp_path, capsys):
    with (tmp_path / "aesthetic-model.pth").open("wb") as file:
        pickle.dump(_Evil(), file)
    with pytest.raises(ModelError, match="cannot be read as weights") as caught:
        AestheticHead.from_pretrained(tmp_path, device="cpu")
    assert "weights_only" not in str(caught.value)  # the message does not advise to run it
    assert "code of the file" not in capsys.readouterr().out


def test_bad_names_are_explained(folders, tmp_path):
    file = folders["aesthetic_head"] / "aesthetic-model.pth"
    with pytest.raises(ArgumentError, match="belongs to a repo"):
        AestheticHead.from_pretrained(file, revision="main")
    with pytest.raises(ModelError, match="neither a folder"):
        AestheticHead.from_pretrained(tmp_path / "nowhere")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="is no aesthetic head"):
        AestheticHead.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no weights file"):
        AestheticHead.from_pretrained(tmp_path, filename="gone.pth")
    with pytest.raises(ModelError, match=r"BestWishYsh/OpenS2V-Weight.*without a network"):
        AestheticHead.from_pretrained(device="cpu")
    with pytest.raises(ModelError, match=r"openai/clip-vit-large-patch14.*without a network"):
        AestheticEncoder.from_pretrained(device="cpu")


def test_the_released_form_of_a_preprocessor_is_read(folders, tmp_path):
    """The released encoder's repo describes it as CLIP's old feature extractor, with sizes that are numbers."""
    shutil.copytree(folders["aesthetic_encoder"], tmp_path / "encoder")
    config = {
        "feature_extractor_type": "CLIPFeatureExtractor", "do_resize": True, "size": 32, "resample": 3,
        "do_center_crop": True, "crop_size": 32, "do_normalize": True, "image_mean": MEAN.tolist(),
        "image_std": STD.tolist(),
    }  # fmt: skip
    (tmp_path / "encoder" / "preprocessor_config.json").write_text(json.dumps(config))
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 83, 3), dtype=np.uint8))
    expected, found = (
        AestheticEncoder.from_pretrained(folder, device="cpu").embed([picture])
        for folder in (folders["aesthetic_encoder"], tmp_path / "encoder")
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
