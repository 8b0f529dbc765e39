import dataclasses
import json

import httpx
import pytest
from helpers.eval_folder import HUMAN_IDS, OPEN_IDS, write_eval_folder

UPLOAD = """
import sys
from huggingface_hub import HfApi
api, (repo, folder, path_in_repo) = HfApi(), sys.argv[1:4]
api.create_repo(repo, repo_type="dataset", exist_ok=True)
commit = api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=path_in_repo, repo_type="dataset")
print(commit.oid)
"""

SHOW = """
import json, sys
import opens2v_hf
from datasets import load_dataset
options = json.loads(sys.argv[1])
streaming = options.pop("streaming", False)
for row in load_dataset("opens2v-eval", split="test", streaming=streaming, **options):
    print(row["id"], row["prompt"], [s["image"] and s["image"].size for s in row["subjects"]], sep="|")
"""

FAIL = """
import json, sys, time
import opens2v_hf
from datasets import load_dataset
time.sleep = lambda seconds: None  # the Hub's client waits between its attempts
for options in json.loads(sys.argv[1]):
    try:
        list(load_dataset("opens2v-eval", split="test", **options))
    except Exception as error:
        print(type(error).__name__, error)
"""


def fail(hub, *options, **roots):
    """What the errors say, each in one line, of loading with these options."""
    return hub.run(FAIL, json.dumps(options), **roots).splitlines()


def ids(output):
    return [line.split("|")[0] for line in output.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_eval_folder(tmp_path_factory.mktemp("eval") / "released")


@pytest.fixture(scope="module")
def upstream(loopback_hub, folder):
    """The benchmark's own repo, as released; returns its first commit."""
    return loopback_hub.run(UPLOAD, "BestWishYsh/OpenS2V-Eval", folder, ".").strip()


@pytest.mark.parametrize("streaming", [False, True])
def test_the_default_is_the_benchmarks_own_repo(loopback_hub, upstream, tmp_path, streaming):
    out = loopback_hub.run(SHOW, json.dumps({"name": "human-domain", "streaming": streaming}), home=tmp_path)
    assert ids(out) == HUMAN_IDS
    assert "None" not in out


def test_data_dir_may_be_a_folder_of_a_hub_repo(loopback_hub, folder, tmp_path):
    loopback_hub.run(UPLOAD, "org/x", folder, "some/where")
    out = loopback_hub.run(SHOW, json.dumps({"data_dir": "hf://datasets/org/x/some/where"}), home=tmp_path)
    assert ids(out) == OPEN_IDS
    assert "(24, 16)" in out


def test_a_revision_is_the_repo_as_it_was(loopback_hub, folder, tmp_path):
    first = loopback_hub.run(UPLOAD, "org/revised", folder, ".").strip()
    changed = write_eval_folder(tmp_path / "changed")
    file = changed / "Open-Domain_Eval.json"
    file.write_text(file.read_text().replace("A red cup.", "A blue cup."))
    loopback_hub.run(UPLOAD, "org/revised", changed, ".")

    def first_prompt(**options):
        return loopback_hub.run(SHOW, json.dumps(options)).splitlines()[0].split("|")[1]

    assert first_prompt(data_dir="hf://datasets/org/revised") == "A blue cup."
    assert first_prompt(data_dir="hf://datasets/org/revised", revision=first) == "A red cup."
    assert first_prompt(data_dir=f"hf://datasets/org/revised@{first}") == "A red cup."


def test_a_cached_split_loads_offline(loopback_hub, upstream, tmp_path):
    online = loopback_hub.run(SHOW, json.dumps({"streaming": True}), home=tmp_path)
    assert loopback_hub.run(SHOW, json.dumps({"streaming": True}), home=tmp_path, offline=True) == online
    assert loopback_hub.run(SHOW, json.dumps({}), home=tmp_path, offline=True) == online
    [out] = fail(loopback_hub, {"name": "human-domain"}, home=tmp_path, offline=True)
    assert out.startswith("SampleError Human-Domain_Eval.json of hf://datasets/BestWishYsh/OpenS2V-Eval")
    assert "offline mode is on" in out


def test_prompts_only_downloads_no_picture(loopback_hub, upstream, tmp_path):
    def count():
        return sum("/Images/" in request for request in httpx.get(f"{loopback_hub.url}/__requests").json())

    before = count()
    out = loopback_hub.run(SHOW, json.dumps({"prompts_only": True}), home=tmp_path)
    assert ids(out) == OPEN_IDS
    assert out.count("None") == 6
    assert count() == before
    loopback_hub.run(SHOW, json.dumps({}), home=tmp_path)
    assert count() > before


def test_problems_with_a_repo_are_errors_of_one_sentence(loopback_hub, tmp_path):
    broken = write_eval_folder(tmp_path / "released")
    (broken / "Images/humanobj/thing/ball/2.png").unlink()
    loopback_hub.run(UPLOAD, "org/broken", broken, ".")
    root = "hf://datasets/org/broken"
    expected = [
        ({"data_dir": root}, "'Images/humanobj/thing/ball/2.png' of sample 'faceobj_2' is missing"),
        ({"data_dir": root, "streaming": True}, "is missing in hf://datasets/org/broken@"),
        ({"data_dir": root, "revision": "nope"}, "has no revision 'nope'"),
        ({"data_dir": "hf://datasets/org/nothing"}, "there is no Hub dataset org/nothing"),
        ({"data_dir": f"{root}/folder"}, "Open-Domain_Eval.json is missing in hf://datasets/org/broken/"),
    ]
    messages = fail(loopback_hub, *(options for options, _ in expected), home=tmp_path / "home")
    for message, (_, said) in zip(messages, expected, strict=True):
        assert message.startswith("SampleError")
        assert said in message


def test_an_unreachable_hub_and_offline_mode_are_different_errors(loopback_hub, tmp_path):
    nobody = dataclasses.replace(loopback_hub, url="http://127.0.0.1:9")
    [out] = fail(nobody, {}, home=tmp_path)
    assert out.startswith("SampleError Open-Domain_Eval.json of hf://datasets/BestWishYsh/OpenS2V-Eval")
    assert "the Hub cannot be reached" in out
