"""A dry run shows what a push would do, and fails where the push would."""

import json
import os
from pathlib import Path

import httpx
import pytest
from helpers.hub_commands import opens2v, opens2v_with
from helpers.submissions import make_submission, make_whole_result, total_of_seed

from opens2v_hf.cli import main

BENCHMARK = "org/dry-benchmark"
ROW = ["--name", "Rocket", "--team", "T", "--venue", "Open-Source", "--link", "https://a.org"]

PREPARE = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
for kind, repo_id, files in json.loads(sys.argv[1]):
    api.create_repo(repo_id, repo_type=kind, exist_ok=True)
    for path, content in files.items():
        api.upload_file(path_or_fileobj=content.encode(), path_in_repo=path, repo_id=repo_id, repo_type=kind)
"""


@pytest.fixture(scope="module")
def hub(loopback_hub):
    record = make_submission("human-domain", 50, model="VACE-14B", submitted_by="bob")
    repos = [
        ["dataset", BENCHMARK, {"README.md": "b"}],
        ["dataset", "org/dry-results", {record.path: record.to_json().decode()}],
        ["model", "bob/dry-model", {"README.md": "m"}],
        ["model", "bob/dry-gated", {"README.md": "m"}],
        ["dataset", "bob/dry-data", {"README.md": "d"}],
    ]
    loopback_hub.forked(PREPARE, json.dumps(repos))
    return loopback_hub


@pytest.fixture
def result(tmp_path):
    return make_whole_result("human-domain", 1).save(tmp_path / "human-domain.json")


@pytest.mark.parametrize(
    ("user", "options", "said"),
    [
        ("alice", ["--model", "bob/dry-gated"], "the repo is gated, and the token has no access to it"),
        ("alice", ["--model", "bob/dry-nothing"], "the model bob/dry-nothing does not exist on the Hub"),
        ("alice", ["--model", "bob/dry-data"], "bob/dry-data must be a model on the Hub (got a dataset)"),
        ("alice", ["--model", "bob/dry-model", "--direct"], "alice may not commit to bob/dry-model"),
        ("reader", ["--model", "bob/dry-model"], "the token may only read"),
        ("reader", ["--results", "org/dry-results", *ROW], "the token may only read"),
        ("alice", ["--results", "bob/dry-model", *ROW], "bob/dry-model must be a dataset on the Hub (got a model)"),
        ("alice", ["--results", "org/dry-results", *ROW, "--owner", "carol"], "[not_the_sender]"),
        ("alice", ["--results", "https://hf.co/datasets/org/r", *ROW], "the results dataset must be org/name"),
        ("alice", ["--model", "bob/dry-model", "--benchmark", "a/b/c"], "the repo of the benchmark must be org/name"),
        ("alice", ["--results", "org/dry-results", *ROW, "--name", "vace 14b"], "[look_alike]"),
    ],
)
def test_it_fails_where_the_push_would(hub, result, user, options, said):
    command = ["push", result, "--benchmark", BENCHMARK, *options]
    dry, real = opens2v(hub, [*command, "--dry-run"], command, user=user)
    assert dry == real
    assert dry[0] == 2
    assert said in dry[1]
    assert "=True" not in dry[1]


def test_a_pull_request_that_is_open_is_named(hub, result):
    command = ["push", result, "--benchmark", BENCHMARK, "--model", "bob/dry-model"]
    new, opened, same = opens2v(hub, [*command, "--dry-run"], command, [*command, "--dry-run"], user="dave")
    assert new[1].endswith("bob/dry-model: would open a pull request\n")
    assert "opened a pull request" in opened[1]
    assert same == (0, "bob/dry-model: up to date, nothing to push\n")


def test_without_a_token_it_fails_as_well(hub, result):
    code, out, err = opens2v_with({"HF_TOKEN": ""}, hub, "push", result, "--model", "a/b", "--dry-run")
    assert (code, out) == (2, "")
    assert "needs a token" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "a/b/c"], "the repo of the model must be org/name"),
        (["--model", "a/b", "--results", "https://hf.co/r", *ROW], "the results dataset must be org/name"),
        (["--model", "a/b", "--results", "org/r", *ROW[:2]], "needs --team and --venue"),
    ],
)
def test_all_targets_are_checked_before_the_first_is_written(result, tmp_path, words, said, capsys):
    target = tmp_path / "space.json"
    assert main(["push", str(result), "--space-json", str(target), *words]) == 2
    assert said in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_without_a_way_to_the_hub_it_shows_what_it_can(hub, result, environment):
    env = {"HF_TOKEN": "hf_loopback_alice", **environment}
    push = ["push", result, "--model", "bob/dry-model"]
    code, out, err = opens2v_with(env, hub, *push, "--results", "org/r", *ROW, "--dry-run")
    assert (code, err) == (1, "")
    assert f"+  value: {round(100 * total_of_seed('human-domain', 1), 2)}" in out
    assert "+++ b/data/human-domain/rocket/" in out
    assert out.count("this would be proposed; the present files were not read: ") == 2
    code, out, err = opens2v_with(env, hub, *push)
    assert (code, out) == (2, "")  # and the push itself fails


def test_a_record_that_is_refused_is_so_without_a_hub(hub, tmp_path):
    embedded = make_whole_result("human-domain", 1, embedded=True).save(tmp_path / "embedded.json")
    env = {"HF_TOKEN": "hf_loopback_alice", "HF_HUB_OFFLINE": "1"}
    code, _, err = opens2v_with(env, hub, "push", embedded, "--results", "org/r", *ROW, "--dry-run")
    assert code == 2
    assert "[embedded]" in err


def test_a_dry_run_prints_the_released_form_and_checks_its_target(result, tmp_path, capsys):
    target = tmp_path / "deep" / "space.json"
    assert main(["push", str(result), "--space-json", str(target), "--dry-run"]) == 0
    printed, _, last = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    assert last == f"would write {target}"
    assert not target.parent.exists()
    assert main(["push", str(result), "--space-json", str(target)]) == 0
    assert json.loads(target.read_text()) == json.loads(printed)
    capsys.readouterr()
    assert main(["push", str(result), "--space-json", str(target), "--dry-run"]) == 0
    assert f"would replace {target}" in capsys.readouterr().out
    for wrong in (tmp_path, target / "below", Path("/proc/none/space.json"), result):
        assert main(["push", str(result), "--space-json", str(wrong), "--dry-run"]) == 2
        assert main(["push", str(result), "--space-json", str(wrong)]) == 2


def test_a_result_without_a_total_is_refused_as_the_push_is(tmp_path, capsys):
    whole = make_whole_result("human-domain", 1)
    partial = type(whole)(**{**vars(whole), "metrics": whole.metrics[:2]}).save(tmp_path / "partial.json")
    words = ["push", str(partial), "--space-json", str(tmp_path / "space.json"), "--allow-partial"]
    assert [main([*words, "--dry-run"]), main(words)] == [2, 2]
    first, second = capsys.readouterr().err.splitlines()
    assert first == second


def test_the_folder_of_a_run_is_taken_for_its_result(result, tmp_path, capsys):
    (tmp_path / "notes.json").write_text("{}")
    words = ["--space-json", str(tmp_path / "out" / "space.json"), "--dry-run"]
    assert main(["push", str(tmp_path), *words]) == 0
    other = make_whole_result("open-domain").save(tmp_path / "open-domain.json")
    capsys.readouterr()
    assert main(["push", str(tmp_path), *words]) == 2
    assert f"holds 2 results ({other.name}, {result.name}); name one" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["push", str(tmp_path / "empty"), *words]) == 2
    assert "holds no result" in capsys.readouterr().err


def test_validate_says_of_a_result_what_it_is_and_what_to_do(result, tmp_path, capsys):
    large = tmp_path / "large.json"  # more than a record may have
    large.write_text(result.read_text().rstrip("}\n") + ", " + json.dumps("x" * (1 << 20)) + ": 1}")
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + result.read_bytes())
    for target in (result, large, marked):
        assert main(["validate", str(target)]) == 1
        printed = capsys.readouterr().out
        assert "a result of `opens2v score`" in printed
        assert "opens2v push" in printed
        assert "[is_result]" in printed
    assert main(["validate", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("[is_result]") == 3


@pytest.mark.parametrize(
    "words",
    [
        ["validate", ""],
        ["validate", "file.json", "--results", ""],
        ["validate", "file.json", "--results="],
        ["push", "", "--model", "a/b"],
        ["push", "file.json", "--model", ""],
        ["push", "file.json", "--space-json", ""],
        ["score", "", "--out", "x"],
        ["score", "videos", "--out", ""],
        ["report", ""],
        ["compare", "a.json", ""],
        ["convert", "", "x"],
        ["convert", "x", ""],
        ["show", ""],
        ["publish", "--org", "", "--dry-run"],
    ],
)
def test_an_empty_argument_is_refused(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "record.json").write_bytes(make_submission().to_json())
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert "an argument is empty" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["record.json"]


def test_the_schema_is_printed(capsys):
    assert main(["validate", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["split"]["enum"][0] == "open-domain"
    assert main(["validate"]) == 2


def test_nothing_of_this_was_written(hub):
    for page in ("models/bob/dry-gated", "datasets/org/dry-results", "datasets/bob/dry-data"):
        assert httpx.get(f"{hub.url}/api/{page}/discussions").json()["discussions"] == []
