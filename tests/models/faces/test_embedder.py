import json

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.ir_network import IrConfig, IrNetwork
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES

CONFIG = IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), input_px=32, embed_dim=6)
CROPS = list(np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = IrNetwork(CONFIG)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
    return network.eval()


@pytest.fixture
def folder(tmp_path, network):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_dict()))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    return tmp_path


def by_hand(network, crop):
    """Crop by crop: resize, red first, to [-1, 1], embed, divide by the length."""
    pixels = cv2.resize(crop, (32, 32)).astype(np.float32).transpose(2, 0, 1)[None]
    vector = network(torch.from_numpy((pixels / 255 - 0.5) / 0.5)).detach().numpy()[0]
    return vector / np.linalg.norm(vector)


def test_vectors_are_those_of_each_crop_alone(network):
    embedder = IrFaceEmbedder(network, ModelInfo("face_embedder", "x"), batch_size=2)
    vectors = embedder.embed(CROPS)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, [by_hand(network, crop) for crop in CROPS], atol=1e-5)
    assert embedder.embed([]).shape == (0, 6)


def test_it_loads_from_a_folder_and_says_what_it_is(folder, network):
    embedder = IrFaceEmbedder.from_pretrained(folder, device="cpu")
    assert np.allclose(embedder.embed(CROPS[:1])[0], by_hand(network, CROPS[0]), atol=1e-5)
    assert embedder.options == {"input_px": 32}
    assert embedder.info.name == str(folder)
    assert embedder.info.revision.startswith("sha256:")
    assert (embedder.info.role, embedder.info.dtype, embedder.info.device) == ("face_embedder", "float32", "cpu")


def test_a_checkpoint_of_pytorch_is_read_beside_its_config(folder, network):
    (folder / "model.safetensors").unlink()
    torch.save({"state_dict": network.state_dict()}, folder / ROLES["face_embedder"].file)
    vectors = IrFaceEmbedder.from_pretrained(folder, device="cpu").embed(CROPS[:1])
    assert np.allclose(vectors[0], by_hand(network, CROPS[0]), atol=1e-5)
    # a file alone brings no configuration and is taken for IR-101
    with pytest.raises(ModelError, match=r"lacks \d+ of the \d+ tensors|input_layer.0.weight is"):
        IrFaceEmbedder.from_pretrained(folder / ROLES["face_embedder"].file, device="cpu")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    torch.save({"input_layer.0.weight": Evil()}, tmp_path / ROLES["face_embedder"].file)
    with pytest.raises(ModelError):
        IrFaceEmbedder.from_pretrained(tmp_path)
    assert not ran.exists()


def test_what_cannot_be_loaded_is_explained(folder, tmp_path):
    with pytest.raises(ModelError, match="neither a folder"):
        IrFaceEmbedder.from_pretrained("no-such-folder")
    with pytest.raises(ArgumentError, match="belongs to a Hub id"):
        IrFaceEmbedder.from_pretrained(folder, revision="main")
    with pytest.raises(ArgumentError, match="not to the file"):
        IrFaceEmbedder.from_pretrained(folder / "model.safetensors", revision="main")
    with pytest.raises(ModelError, match=r"no weights file other\.bin"):
        IrFaceEmbedder.from_pretrained(folder, filename="other.bin")
    with pytest.raises(ModelError, match=r"OpenS2V-Weight.*cannot be loaded"):
        IrFaceEmbedder.from_pretrained()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"single file ending in .* as the face embedder"):
        IrFaceEmbedder.from_pretrained(empty)
    (folder / "config.json").write_text(json.dumps({**CONFIG.to_dict(), "embed_dim": 7}))
    with pytest.raises(ModelError, match="belong together"):
        IrFaceEmbedder.from_pretrained(folder)


@pytest.mark.parametrize("crop", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), CROPS[0][:0]])
def test_what_is_no_crop_is_refused(network, crop):
    with pytest.raises(ArgumentError, match="aligned face"):
        IrFaceEmbedder(network, ModelInfo("face_embedder", "x")).embed([crop])
    with pytest.raises(ArgumentError, match="batch"):
        IrFaceEmbedder(network, ModelInfo("face_embedder", "x"), batch_size=0)
