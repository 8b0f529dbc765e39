"""Repos of the loopback Hub: missing, gated, without a pipeline, modular, and a real tiny one."""

import json

import pytest

pytest.importorskip("diffusers")

CHECK = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.generators.plan import plan_pipeline
api, seen = HfApi(), {}
if sys.argv[1] == "write":
    files = {
        "org/vace": {"model_index.json": {"_class_name": "WanVACEPipeline"}},
        "keeper/vace-gated": {"model_index.json": {"_class_name": "WanVACEPipeline"}},
        "org/modular": {"modular_model_index.json": {"_class_name": "EchoModularPipeline"}},
        "org/own-code": {"config.json": {}},
    }
    for repo, content in files.items():
        api.create_repo(repo)
        for name, value in content.items():
            api.upload_file(path_or_fileobj=json.dumps(value).encode(), path_in_repo=name, repo_id=repo)
    api.create_repo("org/videos", repo_type="dataset")
    header = json.dumps({"w": {"dtype": "F32", "shape": [40, 5], "data_offsets": [0, 800]}}).encode()
    header += b" " * (192 - len(header))
    weights = len(header).to_bytes(8, "little") + header + bytes(800)
    for name in ("model.safetensors", "model.fp16.safetensors"):
        api.upload_file(path_or_fileobj=weights, path_in_repo=f"transformer/{name}", repo_id="org/vace")
    api.upload_file(path_or_fileobj=weights, path_in_repo="original.safetensors", repo_id="org/vace")
else:
    import opens2v_hf.generators.room as rooms
    for name, revision, what in json.loads(sys.argv[2]):
        real = getattr(rooms, what or "_free_disk")
        if what:
            setattr(rooms, what, lambda: 900)
        try:
            plan = plan_pipeline(name, revision=revision)
            room = plan.room
            seen[name] = [plan.family.pipeline_class, len(plan.index.revision), room.download_bytes, room.loaded_bytes]
        except OpenS2VError as error:
            seen[f"{name}@{what or revision}"] = f"{type(error).__name__}: {error}"
        if what:
            setattr(rooms, what, real)
    try:
        find_videos("org/vace", ["singleobj_1"])
    except OpenS2VError as error:
        seen["find_videos"] = str(error)
print(json.dumps(seen))
"""


def test_repos_are_judged_by_their_index_file(loopback_hub, tmp_path):
    loopback_hub.run(CHECK, "write", home=tmp_path / "keeper")
    asked = [
        ["org/vace", None, ""], ["org/modular", None, ""], ["org/own-code", None, ""], ["org/nobody", None, ""],
        ["org/videos", None, ""],
        ["org/vace", "v9", ""], ["keeper/vace-gated", None, ""], ["no id at all", None, ""],
        ["org/vace", None, "_free_disk"], ["org/vace", None, "free_memory_bytes"],
    ]  # fmt: skip
    found = json.loads(loopback_hub.run(CHECK, "read", json.dumps(asked), home=tmp_path / "home", user="guest"))
    # a commit; 8 bytes, the header and 200 numbers to download; of those 1000 bytes as many in memory, in float32
    assert found["org/vace"] == ["WanVACEPipeline", 40, 1000, 1000]
    assert found["org/modular"][0] == "EchoModularPipeline"
    assert "holds no diffusers pipeline" in found["org/own-code@None"]
    assert "there is no model 'org/nobody'" in found["org/nobody@None"]
    assert "it is a dataset; to score videos in it, give it without `model=`" in found["org/videos@None"]
    assert "org/vace is a model on the Hub" in found["find_videos"]
    assert "give `model=org/vace`" in found["find_videos"]
    assert "has no revision 'v9'" in found["org/vace@v9"]
    assert "is gated: accept its terms" in found["keeper/vace-gated@None"]
    assert "must be a folder or a Hub id" in found["no id at all@None"]
    assert "must be downloaded and 0.0 MB are free" in found["org/vace@_free_disk"]
    assert "as float32" in found["org/vace@free_memory_bytes"]
    assert not list((tmp_path / "home").rglob("*.safetensors"))  # nothing large was downloaded


LORA = """
import json
from huggingface_hub import HfApi
from opens2v_hf.errors import ModelError
from opens2v_hf.generators.lora import find_lora
api, seen = HfApi(), {}
commit = api.create_repo("org/lora") and None
for name in ("a.safetensors", "deep/b.safetensors", "README.md"):
    commit = api.upload_file(path_or_fileobj=name.encode(), path_in_repo=name, repo_id="org/lora").oid
for name in ("org/lora", "org/lora/deep/b.safetensors", f"org/lora/a.safetensors@{commit}", "org/lora@v9"):
    try:
        found = find_lora(name)
        seen[name.partition("@")[0]] = [found.repo, found.weight_name, found.revision == commit]
    except ModelError as error:
        seen[name] = str(error)
print(json.dumps(seen))
"""


def test_a_lora_is_found_by_its_repo_file_and_revision(loopback_hub, tmp_path):
    found = json.loads(loopback_hub.run(LORA, home=tmp_path / "home"))
    assert "found a.safetensors, b.safetensors" in found["org/lora"]
    assert found["org/lora/deep/b.safetensors"] == ["org/lora", "deep/b.safetensors", True]
    assert found["org/lora/a.safetensors"] == ["org/lora", "a.safetensors", True]
    assert "cannot be read from the Hub" in found["org/lora@v9"]
