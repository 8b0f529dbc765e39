"""Repos of the loopback Hub: missing, gated, without a pipeline, modular, and a real tiny one."""

import json

import pytest

pytest.importorskip("diffusers")

CHECK = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.generators.diffusers_pipeline import plan_pipeline
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
    api.upload_file(path_or_fileobj=bytes(1000), path_in_repo="transformer/a.safetensors", repo_id="org/vace")
else:
    for name, revision in json.loads(sys.argv[2]):
        try:
            plan = plan_pipeline(name, revision=revision)
            seen[name] = [plan.family.pipeline_class, len(plan.index.revision), plan.index.weights_bytes]
        except OpenS2VError as error:
            seen[f"{name}@{revision}"] = f"{type(error).__name__}: {error}"
print(json.dumps(seen))
"""


def test_repos_are_judged_by_their_index_file(loopback_hub, tmp_path):
    loopback_hub.run(CHECK, "write", home=tmp_path / "keeper")
    asked = [
        ["org/vace", None], ["org/modular", None], ["org/own-code", None], ["org/nobody", None], ["org/vace", "v9"],
        ["keeper/vace-gated", None], ["no id at all", None],
    ]  # fmt: skip
    found = json.loads(loopback_hub.run(CHECK, "read", json.dumps(asked), home=tmp_path / "home", user="guest"))
    assert found["org/vace"] == ["WanVACEPipeline", 40, 1000]  # a commit, and the weights' size
    assert found["org/modular"][0] == "EchoModularPipeline"
    assert "holds no diffusers pipeline" in found["org/own-code@None"]
    assert "there is no model 'org/nobody'" in found["org/nobody@None"]
    assert "has no revision 'v9'" in found["org/vace@v9"]
    assert "is gated: accept its terms" in found["keeper/vace-gated@None"]
    assert "must be a folder or a Hub id" in found["no id at all@None"]
