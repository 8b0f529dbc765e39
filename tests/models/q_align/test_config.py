from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, QAlignConfig, VisionConfig


@pytest.fixture
def values(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "tiny-q-align" / "config.json").read_text())


def test_every_value_is_read(values: dict[str, Any]) -> None:
    config = QAlignConfig.from_dict(values)
    assert config.vision == VisionConfig(32, 64, 2, 2, 56, 14, 1e-6)
    assert config.abstractor == AbstractorConfig(8, 32, 2, 4, 88, 1e-6)
    assert config.language == LanguageConfig(300, 64, 128, 2, 4, 1e-5, 10000.0)
    assert (config.vision.num_tokens, config.frame_tokens) == (17, 9)


def test_what_is_written_is_read_back(values: dict[str, Any]) -> None:
    config = QAlignConfig.from_dict(values)
    again = json.loads(json.dumps(config.to_dict()))
    assert QAlignConfig.from_dict(again) == config
    assert again["visual_config"]["visual_abstractor"]["grid_size"] == 4


def test_missing_values_are_those_of_the_released_class() -> None:
    config = QAlignConfig.from_dict({"rms_norm_eps": 1e-5})
    assert config.language == LanguageConfig(rms_norm_eps=1e-5)
    assert (config.vision.num_tokens, config.frame_tokens) == (1025, 65)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"num_key_value_heads": 2}, "num_key_value_heads"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling"),
        ({"hidden_size": "64"}, "hidden_size must be a whole number"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"num_attention_heads": 5, "num_key_value_heads": 5}, "num_attention_heads must divide"),
        ({"visual_config": []}, "visual_config is a list"),
        ({"visual_config": {"visual_model": {"hidden_act": "gelu"}}}, "quick_gelu"),
        ({"visual_config": {"visual_model": {"image_size": 50}}}, "patch_size must divide"),
        ({"visual_config": {"visual_abstractor": {"hidden_size": 512}}}, "as wide as"),
        ({"visual_config": {"visual_abstractor": {"grid_size": 31}}}, "grid_size is 31"),
    ],
)
def test_another_network_is_refused(values: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        QAlignConfig.from_dict(values | change)


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        QAlignConfig.from_file(path)
