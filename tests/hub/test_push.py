"""Pushing to model repos on a Hub on loopback."""

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
import yaml
from helpers.hub_commands import opens2v, opens2v_with
from helpers.submissions import make_whole_result, total_of_seed

FILE = ".eval_results/opens2v-eval.yaml"
BENCHMARK = "org/benchmark"

PREPARE = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
for kind, repo_id, files in json.loads(sys.argv[1]):
    api.create_repo(repo_id, repo_type=kind, exist_ok=True)
    for path, content in files.items():
        api.upload_file(path_or_fileobj=content.encode(), path_in_repo=path, repo_id=repo_id, repo_type=kind)
"""

BOARD = """
import json, sys
from huggingface_hub import HfApi
rows = HfApi().get_dataset_leaderboard(sys.argv[1])
print(json.dumps([[row.rank, row.model_id, row.value, row.pull_request, row.notes] for row in rows]))
results = HfApi().model_info(sys.argv[2], expand=["evalResults"]).eval_results
print(json.dumps([[entry.task_id, entry.value] for entry in results]))
"""


def write(folder, name="result", **options):
    return make_whole_result(**{"split": "human-domain", **options}).save(folder / f"{name}.json")


def prepare(hub, *repos):
    hub.forked(PREPARE, json.dumps([["dataset", BENCHMARK, {"README.md": "benchmark"}], *repos]))


def file_of(hub, model, revision="main"):
    answer = httpx.get(f"{hub.url}/{model}/resolve/{revision.replace('/', '%2F')}/{FILE}")
    return yaml.safe_load(answer.text) if answer.status_code == 200 else None


def pull_requests(hub, model):
    return httpx.get(f"{hub.url}/api/models/{model}/discussions").json()["discussions"]


def test_a_pull_request_that_is_updated_and_a_commit(loopback_hub, tmp_path):
    hub, model = loopback_hub, "bob/push-model"
    foreign = [{"dataset": {"id": "cais/hle", "task_id": "default"}, "value": 20.9}]
    prepare(hub, ["model", model, {FILE: yaml.safe_dump(foreign)}])
    first, second = write(tmp_path, seed=1), write(tmp_path, "second", seed=2)
    other_split = write(tmp_path, "single", split="single-domain", seed=1)
    to_model = ["--model", model, "--benchmark", BENCHMARK]
    answers = opens2v(
        hub,
        ["push", first, *to_model, "--dry-run"],
        ["push", first, *to_model],
        ["push", first, *to_model],
        ["push", second, *to_model, "--dry-run"],
        ["push", second, *to_model],
        ["push", other_split, *to_model],
        user="alice",
    )
    assert [code for code, _ in answers] == [0] * 6
    dry, opened, again, dry_update, updated, added = (printed for _, printed in answers)
    assert dry.splitlines()[0] == f"--- a/{FILE}"
    assert "+    task_id: human_domain_total" in dry
    assert dry.splitlines()[-1] == f"{model}: would open a pull request"
    assert opened.startswith(f"{model}: opened a pull request, {hub.url}/{model}/discussions/1")
    assert again == f"{model}: up to date, nothing to push\n"
    assert dry_update.splitlines()[-1] == f"{model}: would update pull request 1"
    assert updated.startswith(f"{model}: updated pull request 1, ")
    assert added.startswith(f"{model}: updated pull request 1, ")
    (discussion,) = pull_requests(hub, model)
    assert (discussion["num"], discussion["author"]["name"]) == (1, "alice")
    assert file_of(hub, model) == foreign
    proposed = file_of(hub, model, "refs/pr/1")
    assert proposed[0] == foreign[0]
    assert len(proposed) == 1 + 2  # the totals of two splits
    assert proposed[1]["source"]["user"] == "alice"
    assert proposed[1]["value"] == round(100 * total_of_seed("human-domain", 2), 2)
    assert proposed[1]["dataset"]["id"] == BENCHMARK
    assert len(proposed[1]["dataset"]["revision"]) == 40

    # somebody else's push is another pull request; the owner's, directly, is a commit
    (other, direct, direct_again) = (
        *opens2v(hub, ["push", first, *to_model], user="carol"),
        *opens2v(hub, ["push", first, *to_model, "--direct"], ["push", first, *to_model, "--direct"], user="bob"),
    )
    assert "opened a pull request" in other[1]
    assert direct[1].startswith(f"{model}: committed, ")
    assert "up to date" in direct_again[1]
    assert len(pull_requests(hub, model)) == 2
    assert len(file_of(hub, model)) == 1 + 1
    rows, results = map(json.loads, hub.forked(BOARD, BENCHMARK, model).splitlines())
    total = round(100 * total_of_seed("human-domain", 1), 2)
    assert rows[0][:4] == [1, model, total, None]
    assert "60 of 60 videos" in rows[0][4]
    assert ["human_domain_total", total] in results


def test_what_is_refused_changes_nothing(loopback_hub, tmp_path):
    hub, model = loopback_hub, "bob/refused-model"
    prepare(hub, ["model", model, {}], ["model", "bob/broken-model", {FILE: "just: text"}])
    embedded, partial = write(tmp_path, embedded=True), write(tmp_path, "partial", missing=3)
    good = write(tmp_path, "good")
    answers = opens2v(
        hub,
        ["push", embedded, "--model", model, "--benchmark", BENCHMARK],
        ["push", partial, "--model", model, "--benchmark", BENCHMARK],
        ["push", good, "--model", model, "--benchmark", BENCHMARK, "--direct"],
        ["push", good, "--model", "bob/nothing", "--benchmark", BENCHMARK],
        ["push", good, "--model", model, "--benchmark", "bob/nothing"],
        ["push", good, "--model", "nothing"],
        ["push", good, "--model", "bob/two words", "--benchmark", BENCHMARK],
        ["push", good, "--model", model, "--source", "javascript:alert"],
        ["push", good, "--model", "bob/broken-model", "--benchmark", BENCHMARK],
        ["push", good],
        ["push", tmp_path / "none.json", "--model", model],
        user="alice",
    )
    said = [
        "(--allow-embedded)",
        "3 of 60 samples have no video (--allow-partial)",
        "alice may not commit to bob/refused-model: a pull request needs no right to write to the repo, so leave "
        "--direct out",
        "the model bob/nothing does not exist on the Hub",
        "the dataset bob/nothing does not exist on the Hub",
        "must be org/name, as the Hub allows it (got 'nothing')",
        "must be org/name, as the Hub allows it (got 'bob/two words')",
        "the source: 'javascript:alert' is not a web page",
        "must be a list of evaluation results; fix it first",
        "name a target",
        "none.json",
    ]
    for (code, printed), expected in zip(answers, said, strict=True):
        assert code == 2, printed
        assert expected in printed
        assert printed.startswith("opens2v push: ")
        assert printed.count("\n") == 1
        assert "hf_loopback" not in printed
    assert pull_requests(hub, model) == []
    assert file_of(hub, model) is None
    pushed = opens2v(
        hub, ["push", embedded, "--model", model, "--benchmark", BENCHMARK, "--allow-embedded", "--dry-run"]
    )
    assert pushed[0][0] == 0
    assert "not comparable" in pushed[0][1]


RACE = """
from huggingface_hub import HfApi
from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import who_am_i
from opens2v_hf.hub.pull_requests import find_target, propose
api, repo_id = HfApi(), "bob/raced-model"
target = find_target(api, repo_id, "model", title="A title", user=who_am_i(api), direct=True)
api.upload_file(path_or_fileobj=b"theirs", path_in_repo="file.txt", repo_id=repo_id)
try:
    propose(api, target, {"file.txt": ("", "ours")}, title="A title", description="")
except HubError as error:
    print(error)
print(open(api.hf_hub_download(repo_id, "file.txt")).read())
"""


def test_a_concurrent_commit_is_not_overwritten(loopback_hub):
    prepare(loopback_hub, ["model", "bob/raced-model", {}])
    message, content = loopback_hub.forked(RACE, user="bob").splitlines()
    assert message.startswith("the repo has changed meanwhile; run the command again")
    assert content == "theirs"


PUSH = """
import sys
import opens2v_hf
from opens2v_hf import RunResult
result = RunResult.load(sys.argv[1])
planned = opens2v_hf.push(result, "bob/python-model", dry_run=True, benchmark="org/benchmark")
print(planned.done, planned.is_needed, planned.url == "")
print(opens2v_hf.push(result, "bob/python-model", direct=True, benchmark="org/benchmark").done)
"""


def test_a_result_pushes_itself(loopback_hub, tmp_path):
    prepare(loopback_hub, ["model", "bob/python-model", {}])
    printed = loopback_hub.forked(PUSH, write(tmp_path), user="bob")
    assert printed.split() == ["False", "True", "True", "True"]
    assert len(file_of(loopback_hub, "bob/python-model")) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HF_TOKEN": ""}, "this needs a token of the Hub"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "the Hub at http://127.0.0.1:9 cannot be reached"),
        ({"HF_HUB_OFFLINE": "1"}, "offline mode is on"),
        ({"HF_TOKEN": "hf_secret-name\N{SNOWMAN}"}, "the token must be ASCII"),
    ],
)
def test_a_missing_token_or_network_is_an_error_of_one_line(loopback_hub, tmp_path, environment, said):
    check_one_line_error(loopback_hub, tmp_path, environment, said)


@pytest.mark.parametrize("answer", [b"<html>Please log in to the network</html>", b"{}", b"[]"])
def test_a_malformed_answer_of_the_hub_is_an_error_of_one_line(loopback_hub, tmp_path, answer):
    class Portal(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as portal:
        Thread(target=portal.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{portal.server_port}"
        check_one_line_error(loopback_hub, tmp_path, {"HF_ENDPOINT": url}, f"the answer of {url} is not that of a Hub")
        portal.shutdown()


IMPATIENT = """
import sys
from opens2v_hf.cli import main
from opens2v_hf.hub import client
client.TIMEOUT_S = 0.5
print(main(["push", sys.argv[1], "--model", "bob/x"]))
"""


def test_a_silent_hub_times_out(loopback_hub, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert loopback_hub.fork(IMPATIENT, write(tmp_path), environment={"HF_ENDPOINT": url})[1] == "2\n"


def check_one_line_error(loopback_hub, tmp_path, environment, said):
    environment = {"HF_TOKEN": "hf_loopback_secret-name", **environment}
    code, out, err = opens2v_with(environment, loopback_hub, "push", write(tmp_path), "--model", "bob/x")
    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "secret-name" not in err
