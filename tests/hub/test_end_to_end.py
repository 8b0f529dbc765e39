"""From nothing to a row on the leaderboards, on a Hub on loopback, with plain libraries in fresh processes."""

import json

import httpx
import pytest
from helpers.eval_folder import OPEN_IDS, write_eval_folder
from helpers.hub_commands import opens2v
from helpers.submissions import make_whole_result, total_of_seed

from opens2v_hf.hub.repo_content import repo_names

ORG, MODEL = "lab", "alice/video-model"

READ = """
import importlib.abc, json, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opens2v_hf":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from datasets import get_dataset_config_names, load_dataset
seen = {"configs": get_dataset_config_names("lab/opens2v-eval")}
seen["ids"] = [row["id"] for row in load_dataset("lab/opens2v-eval", "open-domain", split="test")]
rows = load_dataset("lab/opens2v-results", split="train")
seen["rows"] = sorted([row["model"], row["split"], row["total"]] for row in rows)
streamed = load_dataset("lab/opens2v-results", split="train", streaming=True)
seen["streamed"] = sum(1 for row in streamed)
print(json.dumps(seen))
"""

EVALUATE = """
import evaluate, json
metrics = {name: evaluate.load(f"lab/{name}") for name in ("nexusscore", "gmescore", "naturalscore")}
print(json.dumps({name: [type(metric).__name__, list(metric.features)] for name, metric in metrics.items()}))
"""

AFTERWARDS = """
import json, sys
from huggingface_hub import HfApi
from opens2v_hf.leaderboard.submissions.record import load_submissions
api = HfApi()
(discussion,) = api.get_repo_discussions("lab/opens2v-results", repo_type="dataset")
before = len(load_submissions("lab/opens2v-results"))
proposed = len(load_submissions("lab/opens2v-results", revision=f"refs/pr/{discussion.num}"))
api.merge_pull_request("lab/opens2v-results", discussion.num, repo_type="dataset")
found = load_submissions("lab/opens2v-results")
(row,) = [one for one in found if one.model == "Rocket"]
rows = api.get_dataset_leaderboard("lab/opens2v-eval")
print(json.dumps({
    "counts": [before, proposed, len(found)],
    "row": [row.model_id, row.submitted_by, row.total, len(row.per_video)],
    "board": [[entry.model_id, entry.value, entry.pull_request] for entry in rows],
}))
"""


@pytest.fixture(scope="module")
def published(loopback_hub, tmp_path_factory):
    benchmark = write_eval_folder(tmp_path_factory.mktemp("benchmark"))
    command = ["publish", "--org", ORG, "--eval", benchmark, "--package-is-ours"]
    return opens2v(loopback_hub, [*command, "--dry-run"], [*command, "--yes"], [*command, "--yes"], user=ORG)


def test_everything_is_published_once(loopback_hub, published):
    (planned, plan), (done, _), (again, unchanged) = published
    assert (planned, done, again) == (0, 0, 0)
    expected = {f"{ORG}/{name}" for name in repo_names()} - {f"{ORG}/opens2v-5m"}
    assert f"{ORG}/opens2v-results" in expected
    created = {line.split()[1].rstrip(":") for line in plan.splitlines() if ": create; add " in line}
    assert created == expected
    assert f"{ORG}/opens2v-5m is left out" in plan
    current = {line.split()[1].rstrip(":") for line in unchanged.splitlines() if ": up to date, " in line}
    assert current == expected
    tasks = httpx.get(f"{loopback_hub.url}/datasets/{ORG}/opens2v-eval/resolve/main/eval.yaml").text
    assert "- id: open_domain_total\n  config: open-domain\n  split: test\n" in tasks


def test_plain_libraries_read_it(loopback_hub, published, tmp_path):
    seen = json.loads(loopback_hub.run(READ, home=tmp_path, cwd=tmp_path))
    assert seen["configs"] == ["open-domain", "human-domain", "single-domain"]
    assert seen["ids"] == OPEN_IDS
    assert len(seen["rows"]) == seen["streamed"] == 42
    assert ["VACE-14B", "single-domain", 0.6175] in seen["rows"]  # of the published table
    metrics = json.loads(loopback_hub.run(EVALUATE, home=tmp_path, cwd=tmp_path))
    assert metrics == {
        "nexusscore": ["NexusScore", ["predictions", "references"]],
        "gmescore": ["GmeScore", ["predictions", "references"]],
        "naturalscore": ["NaturalScore", ["predictions"]],
    }


def test_a_result_becomes_a_row_on_both_leaderboards(loopback_hub, published, tmp_path):
    hub = loopback_hub
    path = make_whole_result(seed=3).save(tmp_path / "result.json")
    hub.forked("import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1])", MODEL, user="alice")
    to_model = ["--model", MODEL, "--benchmark", f"{ORG}/opens2v-eval"]
    to_results = ["--results", f"{ORG}/opens2v-results", "--name", "Rocket", "--team", "Team", "--venue", "Open-Source"]
    (code, printed), (checked, said) = (
        *opens2v(hub, ["push", path, *to_model, *to_results], user="alice"),
        *opens2v(hub, ["validate", f"{ORG}/opens2v-results#1"]),
    )
    assert code == 0
    assert [line.split(",")[0] for line in printed.splitlines()] == [
        f"{MODEL}: opened a pull request",
        f"{ORG}/opens2v-results: opened a pull request",
    ]
    assert (checked, said) == (0, "1 of 1 acceptable\n")
    seen = json.loads(hub.forked(AFTERWARDS))
    total = total_of_seed("open-domain", 3)
    assert seen["counts"] == [42, 43, 43]
    assert seen["row"] == [MODEL, "alice", pytest.approx(total), 180]
    assert seen["board"] == [[MODEL, round(100 * total, 2), 1]]

    # publishing again takes nothing of it back
    ((code, printed),) = opens2v(hub, ["publish", "--org", ORG, "--only", "opens2v-results", "--yes"], user=ORG)
    assert (code, printed) == (0, f"dataset {ORG}/opens2v-results: up to date, 43 files\n")
