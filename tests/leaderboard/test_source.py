import json
import re

from helpers.leaderboard import measured, write_records

from opens2v_hf.leaderboard.source import Repos, Source, repos_of_the_space


def test_without_a_hub_the_copy_of_the_package_is_shown(tmp_path):
    boards, origin = Source(Repos()).current()
    assert len(boards.submissions) == 42
    assert not origin.live
    assert origin.words == "This is the copy that is part of this page, with results up to 2026-11-22."


def test_an_unreachable_hub_is_named_with_the_date_of_the_copy(tmp_path):
    copy = write_records(tmp_path, [measured("Alpha", 0.0, submitted_at="2026-05-04 00:00:00")])
    boards, origin = Source(Repos("org/results", "org/eval"), copy).current()  # the tests are offline
    assert [one.model for one in boards.submissions] == ["Alpha"]
    assert not origin.live
    assert "results up to 2026-05-04. The Hub does not answer: " in origin.words
    assert "HF_HUB_OFFLINE" in origin.words


def test_the_default_repos_of_a_space(monkeypatch):
    for name in ("SPACE_ID", "OPENS2V_RESULTS", "OPENS2V_BENCHMARK"):
        monkeypatch.delenv(name, raising=False)
    assert repos_of_the_space() == Repos()
    monkeypatch.setenv("SPACE_ID", "lab/board")
    assert repos_of_the_space() == Repos("lab/opens2v-results", "lab/opens2v-eval")
    monkeypatch.setenv("OPENS2V_RESULTS", "other/results")
    assert repos_of_the_space() == Repos("other/results", "lab/opens2v-eval")


WALK = """
import json, sys, threading
from pathlib import Path
import yaml
from huggingface_hub import EvalResultEntry, HfApi, eval_result_entries_to_yaml
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.leaderboard.source import Repos, Source
from opens2v_hf.leaderboard.submit import Details, check_upload, send

folder, api, seen = Path(sys.argv[1]), HfApi(), {}
api.create_repo("org/board-results", repo_type="dataset")
api.create_repo("org/board-eval", repo_type="dataset")
api.upload_folder(repo_id="org/board-results", repo_type="dataset", folder_path=folder / "first")

def push(model, notes, create_pr, **values):
    api.create_repo(model)
    entries = [
        EvalResultEntry(dataset_id="org/board-eval", task_id=f"open_domain_{name}", value=value, notes=notes)
        for name, value in values.items()
    ]
    content = yaml.safe_dump(eval_result_entries_to_yaml(entries)).encode()
    api.upload_file(
        path_or_fileobj=content, path_in_repo=".eval_results/x.yaml", repo_id=model, create_pr=create_pr
    )

push("org/board-merged", "", False, total=61.5, gmescore=70.25)
push("org/board-proposed", "", True, total=55.0)
push("org/board-toy", sys.argv[2], False, total=99.0)
push("org/board-wrong", "", False, total=1234.0)

now = [0.0]
source = Source(Repos("org/board-results", "org/board-eval"), folder / "first", max_age_s=100, clock=lambda: now[0])
def look():
    boards, origin = source.current()
    return [sorted(one.model for one in boards.submissions), origin.live, origin.words]
def settled():
    source.current()
    for thread in threading.enumerate():
        if getattr(thread, "_target", None) == source.read:  # a thread that has ended has none
            thread.join()
    return look()

seen["first"] = look()
seen["hub"] = [
    [one.model_id, one.split, one.total, one.pull_request] for one in source.current()[0].hub
]
boards = source.current()[0]
now[0] = 101
seen["unchanged"] = settled()[0]
seen["same boards"] = source.current()[0] is boards

api.upload_folder(repo_id="org/board-results", repo_type="dataset", folder_path=folder / "second")
seen["young"] = look()[0]
now[0] = 202
seen["grown old"] = settled()[0]

checked = check_upload(folder / "upload.json", None, source.current()[0].submissions)
seen["url"] = send(checked.submission, "org/board-results", "hf_visitor")
seen["requests"] = [d.title for d in api.get_repo_discussions("org/board-results", repo_type="dataset")]
number = [d.num for d in api.get_repo_discussions("org/board-results", repo_type="dataset")][0]
api.merge_pull_request("org/board-results", number, repo_type="dataset")
try:
    send(checked.submission, "org/board-results", "hf_visitor")
except OpenS2VError as error:
    seen["twice"] = str(error)
api.upload_file(
    path_or_fileobj=b"{}", path_in_repo="data/open-domain/x/y.json", repo_id="org/board-results", repo_type="dataset"
)
now[0] = 303
seen["broken file"] = settled()[:2] + [list(source.current()[1].problems)]
api.delete_repo("org/board-results", repo_type="dataset")
now[0] = 404
seen["gone"] = settled()
print(json.dumps(seen))
"""


def test_a_walk_with_the_hub(loopback_hub, tmp_path):
    from opens2v_hf.models.info import EMBEDDED_NOTE

    write_records(tmp_path / "first", [measured("Alpha", 0.0)])
    write_records(tmp_path / "second", [measured("Beta", 0.1, seed=1)])
    upload = measured("Gamma", 0.2, seed=2)
    (tmp_path / "upload.json").write_bytes(upload.to_json())
    printed = loopback_hub.forked(WALK, tmp_path, f"notes; {EMBEDDED_NOTE}")
    seen = json.loads(printed)
    assert "hf_visitor" not in printed
    assert seen["first"][:2] == [["Alpha"], True]
    assert re.match(r"Read from org/board-results on the Hub on \d{4}-\d\d-\d\d \d\d:\d\d UTC\.", seen["first"][2])
    assert seen["hub"] == [
        ["org/board-merged", "open-domain", 0.615, None],
        ["org/board-proposed", "open-domain", 0.55, 1],
    ]
    assert seen["unchanged"] == ["Alpha"]
    assert seen["same boards"] is True
    assert seen["young"] == ["Alpha"]
    assert seen["grown old"] == ["Alpha", "Beta"]
    assert "/discussions/1" in seen["url"]
    assert seen["requests"] == ["Add Gamma (open-domain, released v1.1)"]
    assert "there already" in seen["twice"]
    models, live, problems = seen["broken file"]
    assert (models, live) == (["Alpha", "Beta", "Gamma"], True)
    assert "data/open-domain/x/y.json is not a submission" in problems[0]
    models, live, words = seen["gone"]
    assert (models, live) == (["Alpha", "Beta", "Gamma"], False)
    assert words.startswith("These are the results of 20")
    assert "The Hub does not answer" in words
