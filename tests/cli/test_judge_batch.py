"""Batches of requests to a judge, from the command line: sent once, waited for, collected after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.batch_endpoint import batch_endpoint
from helpers.judge_endpoint import completion

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.models.judge import batched, loading
from opens2v_hf.models.judge import endpoint as endpoint_judge

IDS = ("singleobj_1", "singleface_1")
KEY = "sk-secret-of-this-test"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=4)
    return folder


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(loading.time, "sleep", lambda seconds: None)


def command(inputs: Path, out: Path, url: str, *more: str, runs: int = 2) -> list[str]:
    return [
        "score", str(inputs / "videos"), "--data-dir", str(inputs / "benchmark"), "--out", str(out), "--metrics",
        "naturalscore", "--runs", str(runs), "--judge", "openai:some-model", "--judge-base-url", url,
        "--judge-batch", *more,
    ]  # fmt: skip


def score(inputs: Path, out: Path, url: str, *more: str, runs: int = 2) -> tuple[int, dict[str, Any]]:
    code = main(command(inputs, out, url, *more, runs=runs))
    result = out / "open-domain.json"
    if not result.exists():
        return code, {}
    scores = json.loads(result.read_text())["metrics"]["naturalscore"]["scores"]
    return code, {sample_id: scores[sample_id] for sample_id in IDS}


def test_all_videos_are_in_one_batch(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replies = iter(["4", "2", "5", "3"])
    with batch_endpoint(lambda body: (200, completion(next(replies)))) as endpoint:
        _, scores = score(inputs, tmp_path, endpoint.base_url)
        assert sorted(one["value"] for one in scores.values()) == [3.0, 4.0], "means of 4 and 2, of 5 and 3"
        assert (len(endpoint.batches), len(endpoint.asked)) == (1, 4)
        assert endpoint.asked[0]["model"] == "some-model"
        assert sum(part["type"] == "image_url" for part in endpoint.asked[0]["messages"][0]["content"]) == 4
        assert endpoint.keys == {f"Bearer {KEY}"}
        assert "4 requests in 1 batches" in capsys.readouterr().err
        score(inputs, tmp_path, endpoint.base_url)
        assert len(endpoint.batches) == 1, "answers in the journal are not requested again"
    assert all(KEY not in path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl"))
    assert not list(tmp_path.rglob("requests-*")), "requests are large, and removed"


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_that_ends_while_it_waits_resumes_its_batch(
    lost: bool, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        assert seconds == batched.POLL_S
        raise KeyboardInterrupt

    with batch_endpoint(lambda body: (200, completion("4"))) as endpoint:
        with monkeypatch.context() as patched:
            patched.setattr(loading.time, "sleep", interrupt)
            assert score(inputs, tmp_path, endpoint.base_url)[0] == 130
        if lost:  # killed between the request for the batch and the note of its id
            (tmp_path / "open-domain.judge-batch" / "batches.json").unlink()
        _, scores = score(inputs, tmp_path, endpoint.base_url)
        assert [one["value"] for one in scores.values()] == [4.0, 4.0]
        assert len(endpoint.batches) == 1, "it is paid for once"


def test_a_run_that_is_killed_while_it_waits_pays_once(inputs: Path, tmp_path: Path) -> None:
    with batch_endpoint(lambda body: (200, completion("4")), looks=1000) as endpoint:
        words = [sys.executable, "-m", "opens2v_hf", *command(inputs, tmp_path, endpoint.base_url)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                assert any("0 of 0 requests are answered" in line for line in process.stderr), "it waits"
            finally:
                process.kill()  # SIGKILL
        assert len(endpoint.batches) == 1
        endpoint.batches[0]["left"] = 0
        _, scores = score(inputs, tmp_path, endpoint.base_url)
        assert [one["value"] for one in scores.values()] == [4.0, 4.0]
        assert len(endpoint.batches) == 1
        assert len(endpoint.asked) == 4, "two runs of two videos, each paid for once"


def test_a_batch_that_expired_without_an_answer_is_not_taken_again(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batch_endpoint(lambda body: None, state="expired") as endpoint:
        assert score(inputs, tmp_path, endpoint.base_url, runs=1)[0] == 1
        assert "0 of its requests were answered" in capsys.readouterr().err
        endpoint.answer, endpoint.state = (lambda body: (200, completion("2"))), "completed"
        _, scores = score(inputs, tmp_path, endpoint.base_url, runs=1)
        assert [one["value"] for one in scores.values()] == [2.0, 2.0]


def test_a_batch_that_is_completed_without_an_answer_ends_the_asking(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batch_endpoint(lambda body: None) as endpoint:
        assert score(inputs, tmp_path, endpoint.base_url, runs=1)[0] == 1
        assert len(endpoint.batches) == 1
    assert "hold no answer" in capsys.readouterr().err


def test_scores_that_were_read_again_stay_when_the_run_is_resumed(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "open-domain.json"
    replies = iter(["4", "2"])
    with batch_endpoint(lambda body: (200, completion(next(replies)))) as endpoint:
        with monkeypatch.context() as older:  # a parser that reads 5 in every reply
            older.setattr(endpoint_judge, "read_score", lambda reply: 5)
            score(inputs, tmp_path, endpoint.base_url, runs=1)
        other = tmp_path / "other.json"
        assert main(["rejudge", str(tmp_path), "--out", str(other)]) == 0
        assert "has the scores as before" in capsys.readouterr().err
        before = result.read_bytes()
        assert main(["rejudge", str(tmp_path), "--out", str(result)]) == 0
        assert "changed 2 scores in" in capsys.readouterr().err
        assert result.read_bytes() != before
        _, scores = score(inputs, tmp_path, endpoint.base_url, runs=1)
        assert sorted(one["value"] for one in scores.values()) == [2.0, 4.0]
        assert len(endpoint.batches) == 1


def test_a_reply_without_a_score_is_requested_again(inputs: Path, tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked.append(body)
        if "max_tokens" in body:
            return 400, {"error": {"message": "use max_completion_tokens", "param": "max_tokens"}}
        return 200, completion("hm" if len(asked) <= 3 else "**Score: 5**")

    with batch_endpoint(answer) as endpoint:
        _, scores = score(inputs, tmp_path, endpoint.base_url, runs=1)
    # both are refused for the name of the bound; then one says "hm" and the other a score; then that one, too
    assert [one["value"] for one in scores.values()] == [5.0, 5.0]
    assert [len(batch["lines"]) for batch in endpoint.batches] == [2, 2, 1]
    assert "max_completion_tokens" in endpoint.asked[2]
    runs = sorted((one["details"]["runs"][0] for one in scores.values()), key=lambda run: len(run["replies"]))
    assert runs[1]["replies"] == ["[HTTP 400] use max_completion_tokens", "hm", "**Score: 5**"]
    assert runs[1]["problems"] == ["no reply", "", ""]


def test_the_answers_of_an_expired_batch_are_used(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[object] = []

    def first_only(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        seen.append(body)
        return (200, completion("4")) if len(seen) == 1 else None

    with batch_endpoint(first_only, state="expired") as endpoint:
        code, scores = score(inputs, tmp_path, endpoint.base_url, runs=1)
        assert code == 1
        assert sorted(str(one["value"]) for one in scores.values()) == ["4.0", "None"]
        assert "is expired; 1 of its requests were answered" in capsys.readouterr().err
        [failed] = [one for one in scores.values() if one["value"] is None]
        assert "the same command asks again" in failed["reason"]
        endpoint.answer, endpoint.state = (lambda body: (200, completion("2"))), "completed"
        _, scores = score(inputs, tmp_path, endpoint.base_url, runs=1)
        assert sorted(one["value"] for one in scores.values()) == [2.0, 4.0]
        assert [len(batch["lines"]) for batch in endpoint.batches] == [2, 1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--judge-max-calls", "3"), "4 requests are left for batches, more than"),
        (("--judge", "embedded"), "batches are for a judge behind an endpoint"),
    ],
)
def test_wrong_use(
    more: tuple[str, ...], words: str, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batch_endpoint(lambda body: (200, completion("4"))) as endpoint:
        url = () if "embedded" in more else ("--judge-base-url", endpoint.base_url)
        words_of_run = [
            "score", str(inputs / "videos"), "--data-dir", str(inputs / "benchmark"), "--out", str(tmp_path),
            "--metrics", "naturalscore", "--runs", "2", "--judge", "openai:m", *url, "--judge-batch", *more,
        ]  # fmt: skip
        assert main(words_of_run) == 2
        assert endpoint.batches == []
    assert words in capsys.readouterr().err


def test_a_service_without_batches_fails_the_videos_and_not_the_run(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from helpers.judge_endpoint import fails, judge_endpoint

    with judge_endpoint(fails(404)) as endpoint:
        code, scores = score(inputs, tmp_path, endpoint.base_url)
    assert code == 1
    assert {one["status"] for one in scores.values()} == {"failed"}
    assert "/batches" in capsys.readouterr().err


def test_the_price_is_printed_before_any_request(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with batch_endpoint(lambda body: (200, completion("4"))) as endpoint:
        score(inputs, tmp_path, endpoint.base_url, "--judge", "openai:gpt-4o-2024-11-20")
    # 4 * (16 * 255 + 700) = 19120 tokens at 2.50 dollars a million, and 4 * 5 at 10: half of 0.0480
    assert "4 requests in 1 batches, about 0.0 M tokens and 0.02 dollars, half the price" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"response": {"status_code": 1e999}, "custom_id": "1"}', b"{}", b"3"]
)
def test_a_line_that_is_no_answer_is_none(line: bytes) -> None:
    assert batched._answer(line) is None
