"""Models of released names and in shards, loaded from a Hub by one process: starting one takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.aesthetic_models import save_aesthetic_models
from helpers.loopback_hub.fixture import LoopbackHub
from helpers.tiny_q_align import save_tiny_q_align
from PIL import Image

from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead

FROM_HUB = """
    import json, os, sys
    os.environ["USE_TORCH"] = "1"
    from huggingface_hub import HfApi
    from PIL import Image
    from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead
    from opens2v_hf.models.q_align.scorer import QAlignScorer

    api, folder = HfApi(), sys.argv[1]
    repos = {
        "aesthetic_encoder": "openai/clip-vit-large-patch14", "aesthetic_head": "BestWishYsh/OpenS2V-Weight",
        "q_align": "org/tiny-q-align",
    }
    commits = []
    for role, repo in repos.items():
        api.create_repo(repo)
        commits.append(api.upload_folder(repo_id=repo, folder_path=f"{folder}/{role}").oid)
    encoder, head = AestheticEncoder.from_pretrained(device="cpu"), AestheticHead.from_pretrained(device="cpu")
    scorer = QAlignScorer.from_pretrained(repos["q_align"], device="cpu")
    print(json.dumps({
        "commits": commits,
        "revisions": [model.info.revision for model in (encoder, head, scorer)],
        "rating": head.rate(encoder.embed([Image.new("RGB", (40, 32), "red")]))[0],
        "weights": float(scorer.network.lm_head.weight.double().sum()),
        "cached": sorted({name for _, _, names in os.walk(os.environ["HF_HOME"]) for name in names}),
    }))
"""


def test_models_load_from_a_hub_with_their_commits_and_none_of_their_code(
    tmp_path: Path, loopback_hub: LoopbackHub
) -> None:
    folders = save_aesthetic_models(tmp_path)
    network = save_tiny_q_align(tmp_path / "q_align", layout="bin shards")
    (tmp_path / "q_align" / "modeling.py").write_text("raise SystemExit('code of the repo was run')")
    found = json.loads(loopback_hub.run(FROM_HUB, folders["aesthetic_head"].parent, home=tmp_path / "home"))
    assert found["revisions"] == found["commits"]
    encoder = AestheticEncoder.from_pretrained(folders["aesthetic_encoder"], device="cpu")
    head = AestheticHead.from_pretrained(folders["aesthetic_head"], device="cpu")
    expected = head.rate(encoder.embed([Image.new("RGB", (40, 32), "red")]))[0]
    assert found["rating"] == pytest.approx(expected, abs=1e-3)
    assert found["weights"] == float(network.lm_head.weight.double().sum())
    assert "pytorch_model.bin.index.json" in found["cached"]
    assert "modeling.py" not in found["cached"]
