"""Every file of every kind of model, damaged in several ways: a typed error comes out, or a model, and nothing else."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.aesthetic_models import save_aesthetic_models
from helpers.detectors import NARROW, random_network
from helpers.tiny_clip import save_tiny_clip
from helpers.tiny_q_align import save_tiny_q_align
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from safetensors.torch import save_file

from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import check_sizes
from opens2v_hf.models.faces.heatmap_network import HeatmapConfig, HeatmapFaceNetwork
from opens2v_hf.models.faces.ir_network import IrConfig, IrNetwork
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.models.yolo_world.weights import save_weights

FACES = HeatmapConfig(widths=(4, 4, 4, 4, 4), neck_width=4, input_px=64)
IR = IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), input_px=32, embed_dim=6)


def save_with_config(folder: Path, network: torch.nn.Module, config: Any) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    save_file(network.state_dict(), folder / "model.safetensors")


MAKE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "embedder": ("embedder", save_tiny_qwen2vl),
    "judge": ("judge", save_tiny_qwen2vl),
    "prompt_encoder": ("prompt_encoder", save_tiny_clip),
    "quality_scorer": ("quality_scorer", save_tiny_q_align),
    "quality_scorer in shards": ("quality_scorer", lambda folder: save_tiny_q_align(folder, layout="bin shards")),
    "detector": ("detector", lambda folder: save_weights(random_network().state_dict(), NARROW, folder)),
    "aesthetic_head": (
        "aesthetic_head",
        lambda folder: shutil.copytree(save_aesthetic_models(folder.parent / "both")["aesthetic_head"], folder),
    ),
    "face_detector": ("face_detector", lambda folder: save_with_config(folder, HeatmapFaceNetwork(FACES), FACES)),
    "face_embedder": ("face_embedder", lambda folder: save_with_config(folder, IrNetwork(IR), IR)),
}


def leaves(value: Any, new: Any) -> Any:
    if isinstance(value, dict):
        return {key: leaves(item, new) for key, item in value.items()}
    return [leaves(item, new) for item in value] if isinstance(value, list) and value else new


def rewritten(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(change(json.loads(content))).encode()


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: bytes(byte ^ 0x55 for byte in content[:16]) + content[16:],
    "zeros": lambda content: bytes(len(content)),
}
TEXT: dict[str, Callable[[bytes], bytes]] = {
    "latin-1": lambda content: b'{"\xe4": "\xff\xfe"}',
    "deep": lambda content: b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "list": lambda content: b"[]",
    "number": lambda content: b"3",
    "nothing in it": lambda content: b"{}",
    "long number": lambda content: b'{"a": ' + b"9" * 5000 + b"}",
    "texts": rewritten(lambda values: leaves(values, "no")),
    "nulls": rewritten(lambda values: leaves(values, None)),
    "huge": rewritten(lambda values: leaves(values, 10**40)),
    "negative": rewritten(lambda values: leaves(values, -1)),
    "lists": rewritten(lambda values: {key: [] for key in values}),
    "objects": rewritten(lambda values: {key: {} for key in values}),
}
TENSORS: dict[str, Callable[[bytes], bytes]] = {
    "huge header": lambda content: struct.pack("<Q", 1 << 62) + content[8:],
    "long header": lambda content: struct.pack("<Q", 1 << 27) + content[8:],
    "bits in the header": lambda content: content[:20] + bytes(byte ^ 1 for byte in content[20:40]) + content[40:],
    "header of another kind": lambda content: struct.pack("<Q", 2) + b"[]" + content[8:],
    "deep header": lambda content: struct.pack("<Q", 200_000) + b"[" * 200_000,
    "a pickle": lambda content: b"\x80\x04\x95" + content,
}


def damages(name: str) -> dict[str, Callable[[bytes], bytes]]:
    if name.endswith(".json"):
        return BYTES | TEXT
    return BYTES | TENSORS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("models") / "model"
            MAKE[kind][1](folders[kind])
        return folders[kind]

    return make


def what_comes_out(role: str, folder: Path) -> BaseException | None:
    try:
        load_model(role, ModelChoice(folder, {"device": "cpu"}))
    except BaseException as error:  # a panic of a Rust library is no Exception
        return error
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", MAKE)
def test_damaged_files_raise_model_error_with_their_name(
    kind: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    role = MAKE[kind][0]
    whole = made(kind)
    folder = tmp_path / "damaged"
    shutil.copytree(whole, folder)
    load_model(role, ModelChoice(folder, {"device": "cpu"}))
    refused = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for name, damage in damages(path.name).items():
            path.write_bytes(damage(content))
            error = what_comes_out(role, folder)
            if error is None:
                continue
            refused += 1
            shown = f"{path.name}, {name}: {type(error).__name__}: {error}"
            assert isinstance(error, ModelError), shown
            assert str(tmp_path) in str(error), shown
            assert name not in BYTES or path.name in str(error), shown
        path.write_bytes(content)
    assert refused > 8


def test_sizes_that_no_network_has_are_refused() -> None:
    check_sizes({"hidden_size": 4096, "rope_theta": 1e6, "eps": float("inf"), "text_config": {"num_layers": 80}}, "x")
    with pytest.raises(ModelError, match=r"x is damaged: num_hidden_layers is 2222222"):
        check_sizes({"text_config": {"num_hidden_layers": 2222222}}, "x")
    with pytest.raises(ModelError, match="hidden_size"):
        check_sizes({"sizes": [{"hidden_size": 10**40}]}, "x")
