from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import pytest
import torch
from transformers import BitsAndBytesConfig

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models import hub
from opens2v_hf.models.hub import pick_device, pick_dtype, resolve_model, weights_sha256


def test_a_folder_is_known_by_the_sha256_of_its_weights(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "opens2v.json").write_text('{"min_pixels": 7}')
    model = resolve_model(tmp_path, None, "embedder")
    assert model.revision == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert model.source == str(tmp_path)
    assert model.is_local
    assert model.hub_revision is None
    assert model.defaults == {"min_pixels": 7}
    info = model.info(dtype=torch.float16, device=torch.device("cpu"))
    assert (info.revision, info.dtype, info.device, info.embedded) == (model.revision, "float16", "cpu", False)


def test_several_weight_files_are_known_by_what_sha256sum_prints(tmp_path):
    for name, content in (("b.safetensors", b"two"), ("a.safetensors", b"one"), ("old.bin", b"the same again")):
        (tmp_path / name).write_bytes(content)
    printed = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (("a.safetensors", b"one"), ("b.safetensors", b"two"))
    )
    assert weights_sha256(tmp_path) == "sha256:" + hashlib.sha256(printed.encode()).hexdigest()


def test_hidden_files_do_not_count(tmp_path):
    """macOS writes `._x.safetensors` next to `x.safetensors` on disks of other systems."""
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).write_bytes(name.encode())
    weights, settings = weights_sha256(tmp_path), hub.settings_sha256(tmp_path)
    for name in ("._model.safetensors", "._config.json", ".DS_Store"):
        (tmp_path / name).write_bytes(b"resource fork")
    assert (weights_sha256(tmp_path), hub.settings_sha256(tmp_path)) == (weights, settings)


def test_a_hub_id_is_passed_on_with_its_revision():
    model = resolve_model("org/name", "v1", "embedder")
    assert (model.source, model.hub_revision, model.is_local) == ("org/name", "v1", False)
    assert model.info().revision == "v1"


def test_the_commit_of_a_hub_repo_is_read_from_the_cache(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--org--name"
    (repo / "snapshots" / commit).mkdir(parents=True)
    (repo / "snapshots" / commit / "config.json").write_text("{}")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert resolve_model("org/name", None, "embedder").info().revision == commit


@pytest.mark.parametrize("name", ["no-such-folder", "./no/such", "/no/such/folder", "a/b/c", "~/no-such-folder"])
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused(name):
    with pytest.raises(ModelError, match="neither a folder that exists nor a Hub id"):
        resolve_model(name, None, "embedder")


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no weights"):
        resolve_model(tmp_path, None, "embedder")


@pytest.mark.parametrize(
    ("content", "message"), [("{", "cannot be read as JSON"), ("[1]", "a JSON object is expected")]
)
def test_broken_defaults_are_refused(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "opens2v.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        resolve_model(tmp_path, None, "embedder")


def test_a_revision_belongs_to_the_hub(tmp_path):
    with pytest.raises(ArgumentError, match="belongs to a Hub id"):
        resolve_model(tmp_path, "main", "embedder")


def test_the_embedded_model_is_the_folder_of_its_role(tmp_path, monkeypatch):
    folder = tmp_path / "embedder"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "opens2v.json").write_text(json.dumps({"max_pixels": 12544}))
    monkeypatch.setattr(hub, "_EMBEDDED_ROOT", tmp_path)
    model = resolve_model("embedded", None, "embedder")
    assert (model.name, model.source, model.embedded) == ("embedded", str(folder), True)
    assert model.info().embedded
    with pytest.raises(ModelError, match="no embedded judge"):
        resolve_model("embedded", None, "judge")


def test_automatic_device_and_dtype(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device().type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device().type == "cpu"
    assert pick_dtype(None, torch.device("cuda")) is torch.float16
    assert pick_dtype("auto", torch.device("cpu")) is torch.float32
    assert pick_dtype("bfloat16", torch.device("cpu")) is torch.bfloat16
    assert pick_dtype(torch.float64, torch.device("cpu")) is torch.float64


def test_launched_processes_take_a_device_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert pick_device() == pick_device("cuda") == torch.device("cuda:1")
    assert pick_device("cuda:0") == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert pick_device("auto") == torch.device("cuda:0")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("cuda:1") == torch.device("cuda:1")


def test_quantised_weights_are_put_on_their_device_as_they_are_loaded():
    device = torch.device("cuda:1")
    assert hub.with_placement({"quantization_config": 4}, device) == {
        "quantization_config": 4, "device_map": {"": device}
    }  # fmt: skip
    given = {"quantization_config": 4, "device_map": "auto"}
    assert hub.with_placement(given, device) == given
    assert hub.with_placement({"quantization_config": None}, device) == {"quantization_config": None}


def test_a_quantisation_is_named():
    def network(config):
        return SimpleNamespace(config=SimpleNamespace(**config))

    assert hub.quantization_of(network({})) is None
    assert hub.quantization_of(network({"quantization_config": {"quant_method": "gptq"}})) == "gptq"
    assert hub.quantization_of(network({"quantization_config": BitsAndBytesConfig()})) == "bitsandbytes"


def test_devices_and_dtypes_that_cannot_be_had_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ArgumentError, match="no device 'cuda:1' here"):
        pick_device("cuda:1")
    with pytest.raises(ArgumentError, match="device must be"):
        pick_device("gpu")
    with pytest.raises(ArgumentError, match="dtype must be"):
        pick_dtype("int8", torch.device("cpu"))
