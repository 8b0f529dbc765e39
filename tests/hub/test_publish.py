"""Publishing on a Hub on loopback, reading back with nothing but `datasets` and `evaluate`, and a row on the boards."""

import json
import re
from pathlib import Path

import datasets
import httpx
import pytest
import yaml
from helpers.eval_folder import OPEN_IDS, write_eval_folder
from helpers.hub_commands import opens2v
from helpers.opens2v5m import folder_form
from helpers.submissions import make_whole_result, total_of_seed
from huggingface_hub import DatasetCard

from opens2v_hf._version import __version__
from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.opens2v5m.shards.features import card_front_matter
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.dataset_card import front_matter
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.hub.repo_content import contents, repo_names

MODEL = "alice/video-model"

PUBLISH = """
import sys
from opens2v_hf.cli import main
sys.exit(main(["publish", "--org", "org", "--package-is-ours", *sys.argv[1:]]))
"""

READ = """
import importlib.abc, json, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opens2v_hf":
            raise ModuleNotFoundError(name)

absent = Absent()
sys.meta_path.insert(0, absent)
from datasets import Image, Video, get_dataset_config_names, load_dataset
seen = {"configs": get_dataset_config_names("org/opens2v-5m")}
stream = load_dataset("org/opens2v-5m", split="train", streaming=True)
seen["video"] = isinstance(stream.features["video"], Video)
seen["background"] = isinstance(stream.features["background"], Image)
rows = list(stream.decode(False))
seen["ids"] = [row["id"] for row in rows]
seen["columns"] = sorted(rows[0])
seen["mask"] = rows[0]["subjects"][0]["mask"]
seen["video_bytes"] = rows[0]["video"]["bytes"].hex()
seen["pairs"] = sum(1 for row in load_dataset("org/opens2v-5m", "cross_pairs", split="train", streaming=True))
views = next(iter(load_dataset("org/opens2v-5m", "views", split="train", streaming=True)))
seen["view"] = [views["id"], views["main_image"].size]
seen["map_style"] = load_dataset("org/opens2v-5m", "cross_pairs", split="train").num_rows
seen["eval_configs"] = get_dataset_config_names("org/opens2v-eval")
samples = load_dataset("org/opens2v-eval", "open-domain", split="test")
seen["eval"] = [[sample["id"], sample["subjects"][0]["image"].size] for sample in samples]
assert "opens2v_hf" not in sys.modules
sys.meta_path.remove(absent)
rows = load_dataset("org/opens2v-results", split="train")
seen["rows"] = sorted([row["model"], row["split"], row["total"]] for row in rows)
seen["streamed"] = sum(1 for row in load_dataset("org/opens2v-results", split="train", streaming=True))
import evaluate
metrics = {name: evaluate.load(f"org/{name}") for name in ("nexusscore", "gmescore", "naturalscore")}
seen["metrics"] = {name: [type(metric).__name__, list(metric.features)] for name, metric in metrics.items()}
seen["loaded"] = "opens2v_hf.models.gme" in sys.modules
print(json.dumps(seen))
"""

LAZILY = """
import json, sys
import opens2v_hf
from datasets import load_dataset
wanted = [("id", "==", sys.argv[1])]
rows = load_dataset("opens2v-5m", repo="org/opens2v-5m", split="train", streaming=True, filters=wanted)
row = next(iter(rows))
print(json.dumps([row["video"].num_frames, row["subjects"][0]["mask"].area]))
"""

AFTERWARDS = """
import json
from huggingface_hub import HfApi
from opens2v_hf.leaderboard.submissions.record import load_submissions
api, results = HfApi(), "org/opens2v-results"
(discussion,) = api.get_repo_discussions(results, repo_type="dataset")
before = len(load_submissions(results))
proposed = len(load_submissions(results, revision=f"refs/pr/{discussion.num}"))
api.merge_pull_request(results, discussion.num, repo_type="dataset")
found = load_submissions(results)
(row,) = [one for one in found if one.model == "Rocket"]
rows = api.get_dataset_leaderboard("org/opens2v-eval")
print(json.dumps({
    "counts": [before, proposed, len(found)],
    "row": [row.model_id, row.submitted_by, row.total, len(row.per_video)],
    "board": [[entry.model_id, entry.value, entry.pull_request] for entry in rows],
}))
"""

CRASH = """
import os, sys
from pathlib import Path
from huggingface_hub import HfApi
from opens2v_hf.hub import publish
from opens2v_hf.hub.repo_content import RepoContent
folder, crashes = Path(sys.argv[1]), sys.argv[2] == "crash"
files = {f"data/{path.name}": path for path in sorted(folder.iterdir())}
api = HfApi()
if crashes:
    api.create_commit = lambda *a, **k: os._exit(0)
    publish.FILES_AT_A_TIME = 2
(plan,) = publish.plan(api, [RepoContent("org/crash", "dataset", files, ("data",))])
print(plan.describe())
publish.publish(api, [plan])
(plan,) = publish.plan(api, [RepoContent("org/crash", "dataset", files, ("data",))])
print(plan.describe())
"""


def convert_to(folder: Path, **options) -> Path:
    convert(plan_conversion(read_layout(str(folder_form())), **options), folder)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publish")
    return write_eval_folder(folder / "benchmark"), convert_to(folder / "converted")


@pytest.fixture(scope="module")
def published(loopback_hub, sources):
    """What a dry run printed, and the first run."""
    command = [PUBLISH, "--eval", sources[0], "--opens2v-5m", sources[1]]
    return loopback_hub.forked(*command, "--dry-run"), loopback_hub.forked(*command, "--yes")


def changes(hub) -> list[str]:
    """Requests so far that can change something."""
    requests = httpx.get(f"{hub.url}/__requests").json()
    return [r for r in requests if r.startswith("PUT ") or r.endswith(("/repos/create", "/commit/main"))]


def test_plain_libraries_read_it_back(loopback_hub, published, sources, tmp_path):
    seen = json.loads(loopback_hub.run(READ, home=tmp_path / "home", cwd=tmp_path))
    released = {}
    for path in sorted((folder_form() / "regular").iterdir()):
        released |= json.loads(path.read_text())
    first = next(iter(released.values()))
    assert seen["configs"] == ["regular", "cross_pairs", "views"]
    assert (seen["video"], seen["background"]) == (True, True)
    assert seen["ids"] == list(released)
    mask = first["annotation"]["mask_annotation"][str(first["annotation"]["ann_frame_data"]["ann_frame_idx"])]["1"]
    assert seen["mask"] == {"size": mask["size"], "counts": mask["counts"]}
    video = folder_form() / "videos" / "dataset1" / first["metadata"]["path"]
    assert bytes.fromhex(seen["video_bytes"]) == video.read_bytes()
    pairs = json.loads((folder_form() / "cross-frames-pairs" / "cross_frames_pairs.json").read_text())
    assert seen["pairs"] == seen["map_style"] == sum(map(len, pairs.values()))
    assert seen["view"][0] in released
    assert [sample_id for sample_id, _ in seen["eval"]] == OPEN_IDS
    assert seen["eval"][0][1] == [24, 16]
    assert seen["eval_configs"] == ["open-domain", "human-domain", "single-domain"]
    assert len(seen["rows"]) == seen["streamed"] == 42
    assert ["VACE-14B", "single-domain", 0.6175] in seen["rows"]  # of the published table
    assert seen["metrics"] == {
        "nexusscore": ["NexusScore", ["predictions", "references"]],
        "gmescore": ["GmeScore", ["predictions", "references"]],
        "naturalscore": ["NaturalScore", ["predictions"]],
    }
    assert seen["loaded"] is False
    row = json.loads(loopback_hub.run(LAZILY, seen["ids"][0], home=tmp_path / "home"))
    assert row[0] > first["metadata"]["face_cut"][1]
    assert row[1] > 0


def test_a_second_run_uploads_nothing(loopback_hub, published, sources):
    benchmark, converted = sources
    plan, printed = published
    created = {line.split()[1].rstrip(":") for line in plan.splitlines() if ": create; add " in line}
    assert created == {f"org/{name}" for name in repo_names()}
    assert printed.startswith(plan.splitlines()[0])
    tasks = httpx.get(f"{loopback_hub.url}/datasets/org/opens2v-eval/resolve/main/eval.yaml").text
    assert "- id: open_domain_total\n  config: open-domain\n  split: test\n" in tasks
    before = changes(loopback_hub)
    assert before
    again = loopback_hub.forked(PUBLISH, "--eval", benchmark, "--opens2v-5m", converted, "--yes")
    assert changes(loopback_hub) == before
    assert len(again.splitlines()) == len(repo_names())
    assert all(": up to date, " in line for line in again.splitlines())


def test_a_result_becomes_a_row_on_both_leaderboards(loopback_hub, published, tmp_path):
    hub = loopback_hub
    path = make_whole_result(seed=3).save(tmp_path / "result.json")
    hub.forked("import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1])", MODEL, user="alice")
    to_model = ["--model", MODEL, "--benchmark", "org/opens2v-eval"]
    to_results = ["--results", "org/opens2v-results", "--name", "Rocket", "--team", "Team", "--venue", "Open-Source"]
    (code, printed), (checked, said) = (
        *opens2v(hub, ["push", path, *to_model, *to_results], user="alice"),
        *opens2v(hub, ["validate", "org/opens2v-results#1"]),
    )
    assert code == 0
    assert [line.split(",")[0] for line in printed.splitlines()] == [
        f"{MODEL}: opened a pull request",
        "org/opens2v-results: opened a pull request",
    ]
    assert (checked, said) == (0, "1 of 1 acceptable\n")
    seen = json.loads(hub.forked(AFTERWARDS))
    total = total_of_seed("open-domain", 3)
    assert seen["counts"] == [42, 43, 43]
    assert seen["row"] == [MODEL, "alice", pytest.approx(total), 180]
    assert seen["board"] == [[MODEL, round(100 * total, 2), 1]]

    # publishing again takes nothing of it back
    again = hub.forked(PUBLISH, "--only", "opens2v-results", "--yes")
    assert again == "dataset org/opens2v-results: up to date, 43 files\n"


def test_new_shards_replace_the_old_ones_in_one_commit(loopback_hub, published, tmp_path):
    other = convert_to(tmp_path / "other", json_step=4_000)
    before = changes(loopback_hub)
    dry = loopback_hub.forked(PUBLISH, "--opens2v-5m", other, "--only", "opens2v-5m", "--dry-run")
    assert dry.startswith("dataset org/opens2v-5m: update; add ")
    assert "delete 2 files" in dry  # a shard of each of the two parts
    assert changes(loopback_hub) == before
    loopback_hub.forked(PUBLISH, "--opens2v-5m", other, "--only", "opens2v-5m", "--yes")
    commits = [request for request in changes(loopback_hub)[len(before) :] if request.endswith("/commit/main")]
    assert len(commits) == 1
    tree = httpx.get(f"{loopback_hub.url}/api/datasets/org/opens2v-5m/tree/main/data/regular").json()
    assert {entry["path"] for entry in tree} == {f"data/regular/{p.name}" for p in (other / "data/regular").iterdir()}


def test_a_killed_run_resumes_without_uploading_again(loopback_hub, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.parquet").write_bytes(bytes([number]) * 1000)
    start = len(changes(loopback_hub))
    assert "create; add 5 files, 5.00kB" in loopback_hub.run(CRASH, folder, "crash").splitlines()[0]
    killed = changes(loopback_hub)[start:]
    assert sum(request.startswith("PUT ") for request in killed) == 5
    assert not any(request.endswith("/commit/main") for request in killed)
    lines = loopback_hub.run(CRASH, folder, "finish").splitlines()
    finished = changes(loopback_hub)[start + len(killed) :]
    assert finished == ["POST /api/datasets/org/crash/commit/main"]
    assert lines[0].startswith("dataset org/crash: update; add 5 files")
    assert lines[-1] == "dataset org/crash: up to date, 5 files"


def test_the_spaces_hold_their_folders(loopback_hub, published):
    names = [name for name, (kind, _) in repo_names().items() if kind != "dataset_scripts"]
    assert {"gmescore", "nexusscore", "naturalscore", "opens2v-explorer"} <= set(names)
    for name in names:
        kind, folder = repo_names()[name]
        tree = httpx.get(f"{loopback_hub.url}/api/spaces/org/{name}/tree/main", params={"recursive": "true"}).json()
        held = {entry["path"] for entry in tree if entry["type"] == "file"}
        assert {"README.md", "app.py", "requirements.txt"} <= held
        assert not any("__pycache__" in path or path.startswith(".") for path in held)
        page = f"{loopback_hub.url}/spaces/org/{name}/resolve/main/requirements.txt"
        assert re.fullmatch(rf"opens2v-hf\[[\w,]+\]=={re.escape(__version__)}\n", httpx.get(page).text)
        page = f"{loopback_hub.url}/spaces/org/{name}/resolve/main/app.py"
        assert httpx.get(page).content == (hub_folder(kind, folder) / "app.py").read_bytes()


def test_nothing_of_this_machine_is_published(sources, tmp_path):
    _, converted = sources
    (content,), _ = contents("org", tmp_path / "work", only=["opens2v-5m"], converted=converted)
    for path in ("README.md", "conversion.json", "rejected.jsonl"):
        assert str(folder_form()).encode() not in content.files[path]
        assert str(converted).encode() not in content.files[path]
    assert b"<this repo>" not in content.files["README.md"]


def test_records_that_were_left_out_are_named_without_folders(tmp_path):
    source = tmp_path / "secret" / "source"
    (source / "regular").mkdir(parents=True)
    released = json.loads((folder_form() / "regular" / "dataset1.json").read_text())
    for record in released.values():
        record["metadata"]["path"] = "absent.mp4"
    (source / "regular" / "dataset1.json").write_text(json.dumps(released))
    convert(plan_conversion(read_layout(str(source))), tmp_path / "converted")
    (content,), _ = contents("org", tmp_path / "work", only=["opens2v-5m"], converted=tmp_path / "converted")
    entries = [json.loads(line) for line in content.files["rejected.jsonl"].splitlines()]
    assert [entry["key"] for entry in entries] == list(released)
    assert {entry["source"] for entry in entries} == {"regular/dataset1.json"}
    assert {entry["reason"] for entry in entries} == {"its video 'absent.mp4' is not in videos/dataset1"}
    assert b"secret" not in content.files["rejected.jsonl"]


def test_pointers_to_local_files_are_refused(tmp_path):
    with pytest.raises(ResultError, match=r"convert again, as by `opens2v convert \.\.\. --url-base"):
        contents("org", tmp_path, converted=convert_to(tmp_path / "local", videos="reference"))
    options = {"videos": "reference", "url_base": "hf://datasets/BestWishYsh/OpenS2V-5M"}
    (content,), _ = contents("org", tmp_path, only=["opens2v-5m"], converted=convert_to(tmp_path / "remote", **options))
    card = DatasetCard(content.files["README.md"].decode())
    head, body = card.data, card.text
    features = {feature["name"]: feature for feature in head["dataset_info"][0]["features"]}
    assert features["video"] == {
        "name": "video",
        "struct": [
            {"name": "path", "dtype": "string"},
            {
                "name": "spans",
                "list": [
                    {"name": "url", "dtype": "string"},
                    {"name": "offset", "dtype": "int64"},
                    {"name": "length", "dtype": "int64"},
                ],
            },
        ],
    }
    assert "from `hf://datasets/BestWishYsh/OpenS2V-5M`" in body
    assert "point to their videos" in body


def test_a_card_speaks_of_what_there_is(tmp_path):
    folder = convert_to(tmp_path / "some", configs=("regular",))
    (content,), _ = contents("org", tmp_path, only=["opens2v-5m"], converted=folder)
    card = DatasetCard(content.files["README.md"].decode())
    head, body = card.data, card.text
    assert [config["config_name"] for config in head["configs"]] == ["regular"]
    rows = sum(len(json.loads(path.read_text())) for path in (folder_form() / "regular").iterdir())
    (split,) = head["dataset_info"][0]["splits"]
    assert (split["name"], split["num_examples"]) == ("train", rows)
    assert head["size_categories"] == ["n<1K"]
    assert head["license"] == "cc-by-4.0"
    assert f"{rows} rows of `regular`. The shards hold their videos." in body


@pytest.mark.parametrize(
    ("rows", "size"), [(None, "n<1K"), (0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (10**7, "n>10M")]
)
def test_the_size_on_a_card_is_that_of_the_clips(rows, size):
    counts = {} if rows is None else {"regular": rows, "views": 5000}
    found = card_front_matter((name, datasets.Features(), count, 1) for name, count in counts.items())
    assert found["size_categories"] == [size]


def test_the_card_of_the_folder_is_that_of_shards_that_hold_their_videos():
    text = (hub_folder("dataset_scripts", "opens2v-5m") / "README.md").read_text()
    head = DatasetCard(text).data
    expected = front_matter("embed", dict.fromkeys(("regular", "cross_pairs", "views"), (0, 0)))
    assert {name: head[name] for name in expected} == yaml.safe_load(yaml.safe_dump(expected))


def test_unknown_names_and_unfinished_conversions_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"repos must be among opens2v-5m, opens2v-eval.*got 'nothing'"):
        contents("org", tmp_path, only=["nothing"])
    with pytest.raises(ArgumentError, match="must be the name of a user"):
        contents("org/name", tmp_path)
    with pytest.raises(ResultError, match="must be the output of a finished `opens2v convert`"):
        contents("org", tmp_path, converted=tmp_path)
    repos, left_out = contents("org", tmp_path)
    assert [content.repo_id for content in repos if content.kind == "dataset"] == ["org/opens2v-results"]
    assert len(repos) == len(repo_names()) - 2
    assert [sentence.split()[0] for sentence in left_out] == ["org/opens2v-5m", "org/opens2v-eval"]
