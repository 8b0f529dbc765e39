"""The tests' own Hub serves what the tests of this project rely on."""

import json

import httpx

WALK = """
import json, sys
from pathlib import Path
from huggingface_hub import (
    CommitOperationAdd, CommitOperationDelete, EvalResultEntry, HfApi, HfFileSystem,
    eval_result_entries_to_yaml, hf_hub_download, snapshot_download,
)
import yaml

api, seen = HfApi(), {}
folder = Path(sys.argv[1])
(folder / "data").mkdir(parents=True)
(folder / "data/a b.txt").write_bytes(b"spaced")
(folder / "big.parquet").write_bytes(b"0123456789" * 10)

api.create_repo("org/d", repo_type="dataset")
first = api.upload_folder(repo_id="org/d", folder_path=folder, repo_type="dataset").oid
seen["files"] = sorted(api.list_repo_files("org/d", repo_type="dataset"))
seen["lfs"] = api.get_paths_info("org/d", ["big.parquet"], repo_type="dataset")[0].lfs is not None
seen["read"] = Path(hf_hub_download("org/d", "data/a b.txt", repo_type="dataset")).read_text()
with HfFileSystem().open("datasets/org/d/big.parquet", block_size=7) as file:
    file.seek(15)
    seen["range"] = file.read(7).decode()

pull_request = api.create_commit(
    "org/d",
    [CommitOperationAdd("new.txt", b"new"), CommitOperationDelete("data/", is_folder=True)],
    commit_message="change", repo_type="dataset", create_pr=True,
)
number = pull_request.pr_num
seen["main"] = sorted(api.list_repo_files("org/d", repo_type="dataset"))
seen["pr"] = sorted(api.list_repo_files("org/d", repo_type="dataset", revision=f"refs/pr/{number}"))
seen["open"] = [d.num for d in api.get_repo_discussions("org/d", repo_type="dataset") if d.status == "open"]
api.merge_pull_request("org/d", number, repo_type="dataset")
seen["merged"] = sorted(p.name for p in Path(snapshot_download("org/d", repo_type="dataset")).iterdir())
seen["before"] = sorted(api.list_repo_files("org/d", repo_type="dataset", revision=first))

for name, value, create_pr in [("m1", 0.5, False), ("m2", 0.75, True)]:
    api.create_repo(f"org/{name}")
    entry = EvalResultEntry(dataset_id="org/d", task_id="total", value=value)
    content = yaml.safe_dump(eval_result_entries_to_yaml([entry])).encode()
    api.upload_file(
        path_or_fileobj=content, path_in_repo=".eval_results/d.yaml", repo_id=f"org/{name}", create_pr=create_pr
    )
rows = api.get_dataset_leaderboard("org/d")
seen["board"] = [[row.rank, row.model_id, row.value] for row in rows]
print(json.dumps(seen))
"""


def test_a_walk_through_the_protocol(loopback_hub, tmp_path):
    seen = json.loads(loopback_hub.run(WALK, tmp_path / "folder", home=tmp_path / "home"))
    assert seen["files"] == ["big.parquet", "data/a b.txt"]
    assert seen["lfs"] is True
    assert seen["read"] == "spaced"
    assert seen["range"] == "5678901"
    assert seen["main"] == seen["files"]
    assert seen["pr"] == ["big.parquet", "new.txt"]
    assert seen["open"] == [1]
    assert seen["merged"] == ["big.parquet", "new.txt"]
    assert seen["before"] == seen["files"]
    assert seen["board"] == [[1, "org/m2", 0.75], [2, "org/m1", 0.5]]


def test_the_hub_listens_on_loopback_and_counts_requests(loopback_hub):
    assert loopback_hub.url.startswith("http://127.0.0.1:")
    httpx.get(f"{loopback_hub.url}/counted")
    assert "GET /counted" in httpx.get(f"{loopback_hub.url}/__requests").json()
