import importlib.util
import json

import pytest
import torch

from opens2v_hf.errors import ModelError
from opens2v_hf.models.faces.ir_network import IrConfig, IrNetwork, input_of


def test_keys_and_shapes_are_the_released_checkpoints(shared):
    expected = json.loads((shared / "conformance/curricularface_ir101_keys.json").read_text())
    with torch.device("meta"):
        network = IrNetwork()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == expected


def test_it_computes_what_the_released_network_computes(shared):
    spec = importlib.util.spec_from_file_location("seeded_weights", shared / "conformance/seeded_weights.py")
    seeded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeded)
    with torch.device("meta"):
        network = IrNetwork()
    network = seeded.fill(network.to_empty(device="cpu"))
    pictures = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(7)) * 2 - 1
    with torch.inference_mode():
        embeds = network(pictures)
    assert embeds.shape == (2, 512)
    assert embeds[0, :3].tolist() == pytest.approx([-6.88, -42.24, -28.00], abs=0.006)


def test_a_side_that_does_not_halve_evenly_rounds_up():
    config = IrConfig(units=(1, 1, 1, 1), widths=(2, 2, 2, 2, 2), input_px=50, embed_dim=3)
    assert config.map_px == 4  # 50, 25, 13, 7, 4
    assert IrNetwork(config).eval()(torch.zeros(1, 3, 50, 50)).shape == (1, 3)


def test_colours_are_scaled_to_minus_one_to_one():
    crops = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    assert input_of(crops).flatten().tolist() == pytest.approx([-1.0, -0.6, 1.0])


def test_a_configuration_survives_a_file(tmp_path):
    config = IrConfig(units=(1, 2, 1, 1), widths=(4, 4, 8, 8, 16), input_px=64, embed_dim=32)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert IrConfig.from_file(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "JSON object"),
        ('{"depth": 3}', "depth"),
        ('{"architecture": "resnet"}', "resnet"),
        ('{"units": 3}', "list"),
        ('{"units": [1, 1]}', "stages"),
        ('{"input_px": 0}', "whole numbers"),
        ('{"widths": [1, 1, 1, 1, "a"]}', "whole numbers"),
    ],
)
def test_a_bad_configuration_raises_model_error(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        IrConfig.from_file(tmp_path / "config.json")
