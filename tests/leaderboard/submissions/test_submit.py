"""Submitting to a results dataset on a Hub on loopback, and validating what was submitted."""

import json

import httpx
import pytest
from helpers.hostile_submissions import SPLIT, hostile_submissions
from helpers.hub_commands import opens2v, opens2v_with
from helpers.submissions import make_submission, make_whole_result

SEED = """
import json, sys
from huggingface_hub import CommitOperationAdd, HfApi
repo_id, files = sys.argv[1], json.loads(sys.argv[2])
api = HfApi()
api.create_repo(repo_id, repo_type="dataset", exist_ok=True)
api.create_commit(
    repo_id,
    [CommitOperationAdd(path, content.encode("latin-1")) for path, content in files.items()],
    commit_message="first content",
    repo_type="dataset",
)
"""

PROPOSE = """
import json, sys
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
repo_id, requests = sys.argv[1], json.load(open(sys.argv[2]))
for files in requests:
    HfApi().create_commit(
        repo_id,
        [
            CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content.encode("latin-1"))
            for path, content in files.items()
        ],
        commit_message="a proposal",
        repo_type="dataset",
        create_pr=True,
    )
"""

MERGE = """
import json, sys
from huggingface_hub import HfApi
for number in json.loads(sys.argv[2]):
    HfApi().merge_pull_request(sys.argv[1], number, repo_type="dataset")
"""

LOAD = """
import json, sys
from opens2v_hf.leaderboard.submissions.record import load_submissions
print(json.dumps([[one.model, one.submitted_by, one.split] for one in load_submissions(sys.argv[1])]))
"""


def seed(hub, repo_id, *submissions):
    files = {one.path: one.to_json().decode("latin-1") for one in submissions}
    hub.forked(SEED, repo_id, json.dumps({"README.md": "results", **files}))


def tree(hub, repo_id):
    answer = httpx.get(f"{hub.url}/api/datasets/{repo_id}/tree/main", params={"recursive": "true"}).json()
    return {entry["path"]: entry["oid"] for entry in answer if entry["type"] == "file"}


def pull_requests(hub, repo_id):
    return httpx.get(f"{hub.url}/api/datasets/{repo_id}/discussions").json()["discussions"]


def loaded(hub, repo_id):
    return json.loads(hub.forked(LOAD, repo_id))


def row(result, repo_id, name, **options):
    words = {"team": "Some Team", "venue": "Closed-Source", "link": "https://example.org/model", **options}
    return ["push", result, "--results", repo_id, "--name", name, *(w for k, v in words.items() for w in (f"--{k}", v))]


def test_a_submission_from_a_result_to_a_row(loopback_hub, tmp_path):
    hub, repo_id = loopback_hub, "org/results-one"
    seed(hub, repo_id, make_submission(SPLIT, 50, model="VACE-14B", submitted_by="bob"))
    result = make_whole_result(SPLIT, 1).save(tmp_path / "result.json")
    other = make_whole_result(SPLIT, 2).save(tmp_path / "other.json")
    before = tree(hub, repo_id)
    dry, opened, updated, look_alike, unnamed = opens2v(
        hub,
        [*row(result, repo_id, "Rocket"), "--dry-run"],
        row(result, repo_id, "Rocket"),
        row(other, repo_id, "Rocket"),
        row(result, repo_id, "vace 14b"),
        ["push", result, "--results", repo_id],
        user="alice",
    )
    assert dry[0] == 0
    assert dry[1].startswith("--- /dev/null\n+++ b/data/human-domain/rocket/")
    assert f"{repo_id}: would open a pull request" in dry[1]
    assert f"{repo_id}: opened a pull request, {hub.url}/datasets/{repo_id}/discussions/1" in opened[1]
    assert "updated pull request 1" in updated[1]
    assert look_alike[0] == 2
    assert "[look_alike]" in look_alike[1]
    assert unnamed == (2, f"opens2v push: a submission to {repo_id} needs --team and --venue\n")
    (discussion,) = pull_requests(hub, repo_id)
    assert discussion["title"] == "Add Rocket (human-domain, released v1.1)"
    assert tree(hub, repo_id) == before
    checked = opens2v(hub, ["validate", f"{repo_id}#1"], ["validate", f"{hub.url}/datasets/{repo_id}/discussions/1"])
    assert checked == [(0, "1 of 1 acceptable\n")] * 2
    hub.forked(MERGE, repo_id, "[1]")
    assert loaded(hub, repo_id) == [["Rocket", "alice", SPLIT], ["VACE-14B", "bob", SPLIT]]
    duplicate, of_others, closed = (
        *opens2v(hub, row(other, repo_id, "Rocket"), user="alice"),
        *opens2v(hub, row(result, repo_id, "Rocket"), ["validate", f"{repo_id}#1"], user="carol"),
    )
    assert (duplicate[0], "[duplicate]" in duplicate[1]) == (2, True)
    assert (of_others[0], "'Rocket' belongs to 'alice'" in of_others[1]) == (2, True)
    assert (closed[0], "is not an open pull request" in closed[1]) == (2, True)


def test_an_embedded_or_partial_result_is_never_submitted(loopback_hub, tmp_path):
    hub, repo_id = loopback_hub, "org/results-refused"
    seed(hub, repo_id, make_submission(SPLIT, 50, model="VACE-14B", submitted_by="bob"))
    embedded = make_whole_result(SPLIT, 1, embedded=True).save(tmp_path / "embedded.json")
    partial = make_whole_result(SPLIT, 1, missing=2).save(tmp_path / "partial.json")
    first, second = opens2v(
        hub,
        [*row(embedded, repo_id, "Rocket"), "--allow-embedded"],
        [*row(partial, repo_id, "Rocket"), "--allow-partial"],
        user="alice",
    )
    assert (first[0], "[embedded]" in first[1]) == (2, True)
    assert (second[0], "[values_missing]" in second[1]) == (2, True)
    assert pull_requests(hub, repo_id) == []


def test_ten_at_once_and_none_is_lost(loopback_hub, tmp_path):
    hub, repo_id = loopback_hub, "org/results-ten"
    seed(hub, repo_id, make_submission(SPLIT, 50, model="VACE-14B", submitted_by="bob"))
    submit = """
        import sys, time
        from concurrent.futures import ThreadPoolExecutor
        from huggingface_hub import HfApi
        from opens2v_hf.leaderboard.submissions.from_result import make_submission
        from opens2v_hf.leaderboard.submissions.submit import submit
        from opens2v_hf.results.result import RunResult

        def one(number):
            user = f"user-{number}"
            result = RunResult.load(f"{sys.argv[2]}/{number}.json")
            submission = make_submission(
                result, model=f"Rocket {number}", team="Team", venue="Open-Source", submitted_by=user,
                link="https://example.org",
            )
            return submit(submission, sys.argv[1], api=HfApi(token=f"hf_loopback_{user}")).done

        with ThreadPoolExecutor(10) as pool:
            assert all(pool.map(one, range(10)))
    """
    for number in range(10):
        make_whole_result(SPLIT, number).save(tmp_path / f"{number}.json")
    hub.forked(submit, repo_id, tmp_path)
    opened = pull_requests(hub, repo_id)
    numbers = [discussion["num"] for discussion in opened]
    assert {discussion["author"]["name"] for discussion in opened} == {f"user-{number}" for number in range(10)}
    answers = opens2v(hub, *(["validate", f"{repo_id}#{number}"] for number in numbers))
    assert answers == [(0, "1 of 1 acceptable\n")] * 10
    hub.forked(MERGE, repo_id, json.dumps(numbers[::-1]))
    assert {(model, user) for model, user, _ in loaded(hub, repo_id)} == {
        ("VACE-14B", "bob"),
        *((f"Rocket {number}", f"user-{number}") for number in range(10)),
    }


def test_hostile_pull_requests_are_refused_and_change_nothing(loopback_hub, tmp_path):
    hub, repo_id = loopback_hub, "org/results-hostile"
    good = make_submission(SPLIT, 60, model="VACE-14B", submitted_by="alice")
    seed(hub, repo_id, good)
    before = tree(hub, repo_id)
    mine = make_submission(SPLIT, 61, model="Rocket", submitted_by="mallory")
    text = mine.to_json().decode("latin-1")
    hostile = [one.content for one in hostile_submissions(5) if len(one.content) < 200_000][::40]
    requests = [
        {mine.path: text},
        {good.path: None, mine.path: text},
        {good.path: text},
        {"README.md": "mine now"},
        {mine.path: text, ".gitattributes": "x"},
        {f"data/{n}.json": "x" for n in range(30)},
        {"data/large.json": " " * (1 << 21)},
        {"data/human-domain/rocket/mine.json": text},
        {make_submission(SPLIT, 62, model="In Another's Name", submitted_by="alice").path: "{}"},
        *({f"data/hostile-{n}.json": content.decode("latin-1")} for n, content in enumerate(hostile)),
    ]
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    hub.forked(PROPOSE, repo_id, tmp_path / "requests.json", user="mallory")
    answers = opens2v(hub, *(["validate", f"{repo_id}#{n}"] for n in range(1, len(requests) + 1)))
    assert answers[0] == (0, "1 of 1 acceptable\n")
    for code, printed in answers[1:]:
        assert code == 1, printed
        assert "not acceptable" in printed
    for index, code in enumerate(
        ("touches_others", "touches_others", "touches_others", "touches_others", "too_many_files", "too_large", "path",
         "form"), start=1,
    ):  # fmt: skip
        assert f"[{code}]" in answers[index][1], answers[index][1]
    assert tree(hub, repo_id) == before
    assert len(hostile) >= 6


@pytest.mark.parametrize("target", ["org/results-none#1", "org/results-nothing#77"])
def test_a_missing_pull_request_is_an_error_of_one_line(loopback_hub, target):
    seed(loopback_hub, "org/results-nothing", make_submission(SPLIT, 1))
    code, _, err = opens2v_with({}, loopback_hub, "validate", target)
    assert code == 2
    assert err.startswith("opens2v validate: ")
    assert err.count("\n") == 1
