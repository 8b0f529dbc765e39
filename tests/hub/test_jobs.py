"""Commands as Hugging Face Jobs, on a Hub on loopback that runs them."""

import argparse
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest
from helpers.build_stages import write_videos
from helpers.hub_commands import opens2v
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

from opens2v_hf.cli import as_job, command_parser, main, reproduce
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.jobs import worker
from opens2v_hf.hub.jobs.mirror import Mirror
from opens2v_hf.hub.jobs.submit import RECORD, JobOptions, JobPlan, plan_job, read_record, submit_job
from opens2v_hf.pipeline.units import read_plan
from opens2v_hf.results.result import RunResult

IDS = ("singleobj_1", "singleface_1")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=8)
    return folder


def words_of(*words: str) -> tuple[list[str], dict[str, Path]]:
    parser = command_parser(words[0])
    uploads: dict[str, Path] = {}
    arguments = parser.parse_args(words[1:])
    return list(as_job._words(arguments, uploads, "inputs", "@work@", "@work@/out")), uploads


def test_the_command_line_is_sent_without_paths_of_this_machine(place, tmp_path):
    (tmp_path / "mine.py").write_text("def generate(request): ...")
    (tmp_path / "settings.yaml").write_text("steps: 3")
    words, uploads = words_of(
        "score", "--model", f"python:{tmp_path}/mine.py:generate", "--recipe", str(tmp_path / "settings.yaml"),
        "--data-dir", str(place / "benchmark"), "--out", "x", "--metrics", "gmescore,aesthetics", "--limit", "4",
        "--option", "judge.timeout_s=60", "--seeds", "1,2",
        "--job", "a100-large", "--yes", "--detach", "--job-timeout", "2h",
    )  # fmt: skip
    assert words == [
        "--model=python:@work@/inputs/0/mine.py:generate",
        "--out=@work@/out",
        "--metrics=gmescore,aesthetics",
        "--data-dir=@work@/inputs/1/benchmark",
        "--limit=4",
        "--option=judge.timeout_s=60",
        "--recipe=@work@/inputs/2/settings.yaml",
        "--seeds=1,2",
    ]
    assert uploads["inputs/0/mine.py"] == tmp_path / "mine.py"
    assert "inputs/1/benchmark/Open-Domain_Eval.json" in uploads
    words, uploads = words_of("score", "org/videos", "--out", "x", "--recursive", "--judge", "openai:gpt-4o")
    assert (words, uploads) == (["org/videos", "--out=@work@/out", "--recursive", "--judge=openai:gpt-4o"], {})


def test_a_build_and_a_reproduction_are_sent_with_their_own_arguments(place, tmp_path):
    (tmp_path / "dataset/data/regular").mkdir(parents=True)
    (tmp_path / "dataset/data/regular/a.parquet").write_text("")
    words, uploads = words_of("build", str(place / "videos"), "x", "--limit", "2", "--job", "a100-large", "--yes")
    assert words == ["@work@/inputs/0/videos", "@work@/out", "--limit=2"]
    assert sorted(uploads) == [f"inputs/0/videos/{id_}.mp4" for id_ in sorted(IDS)]
    words, uploads = words_of("build", "--from", str(tmp_path / "dataset"), "x", "--stages", "caption", "--job", "a")
    assert words == ["@work@/out", "--from=@work@/inputs/0/dataset", "--stages=caption"]
    assert list(uploads) == ["inputs/0/dataset/data/regular/a.parquet"]
    words, _ = words_of("build", "hf://datasets/org/clips", "x", "--job", "a100-large", "--engine", "ray")
    assert words == ["hf://datasets/org/clips", "@work@/out", "--engine=ray"]
    words, uploads = words_of("reproduce", "VACE-1.3B", "--out", "x", "--videos", str(place / "videos"), "--job", "a")
    assert words == ["VACE-1.3B", "--videos=@work@/inputs/0/videos", "--out=@work@/out"]
    assert len(uploads) == len(IDS)


@pytest.mark.parametrize(
    ("words", "extras"),
    [
        (["build", "in", "x"], ["build"]),
        (["build", "in", "x", "--engine", "ray", "--inpainter", "org/m"], ["build", "ray", "generate"]),
        (["reproduce", "VACE-1.3B", "--metrics", "gmescore"], []),
        (["reproduce", "VACE-1.3B", "--metrics", "facesim_cur", "--from", "new"], ["faces", "generate"]),
        (["generate", "--model", "m", "--out", "x"], ["generate"]),
    ],
)
def test_the_package_is_installed_with_what_the_command_needs(words, extras):
    assert as_job._extras(command_parser(words[0]).parse_args(words[1:])) == extras


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reproduce"], "name the row"),
        (["reproduce", "nobody-1B", "--out", "x"], "nobody-1B"),
        (["build", "no/such/folder", "x"], "there is no such folder"),
        (["build", "--from", "no/such/folder", "x", "--stages", "caption"], "there is no such folder"),
        (["build", "s3://bucket", "x", "--stages", "dance"], "dance"),
        (["build", "s3://bucket", "x", "--processes", "0"], "--processes must be at least 1"),
    ],
)
def test_a_command_that_must_fail_starts_no_job(words, message, capsys):
    assert main([*words, "--job", "cpu-basic", "--yes"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("source", "folder"), [("results", "runs/VACE-1.3B"), ("new", "runs/VACE-1.3B-new")])
def test_a_reproduction_has_a_folder_by_default(source, folder):
    arguments = command_parser("reproduce").parse_args(["vace-1.3b", "--from", source])
    reproduce.check_before_job(arguments)
    assert arguments.out == folder


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("1.5h", 5400), ("2d", 172800), ("600", 600)])
def test_time_limits(text, seconds):
    assert as_job._seconds(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-1h", "9" * 400])
def test_a_malformed_time_limit_is_refused(text):
    with pytest.raises(ArgumentError, match="number of seconds, or one with m, h or d"):
        as_job._seconds(text)


def plan(**changes) -> JobPlan:
    settings = {
        "command": "score", "words": (), "uploads": {}, "flavor": "a100-large", "machine": "Nvidia A100", "gpu": "A100",
        "num_gpus": 1, "dollars_per_hour": 2.5, "timeout_s": 7200, "namespace": "org", "repo_id": "org/runs",
        "path": "x-1", "package": "opens2v-hf", "secret_names": ("HF_TOKEN",),
    }  # fmt: skip
    return JobPlan(**settings | changes)


def test_the_price_is_shown():
    said = "\n".join(plan().describe(0.5))
    assert "2.50 dollars an hour; estimated 0.5 h and 1.25 dollars" in said
    assert "at most  2.0 h, which is 5.00 dollars" in said
    assert "how long it takes is not known" in "\n".join(plan().describe())


def test_no_job_starts_without_a_confirmation(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y"))
    with pytest.raises(ArgumentError, match="give `yes=True`"):
        as_job._confirmed(False)
    assert as_job._confirmed(True)
    monkeypatch.setattr(sys, "stdin", argparse.Namespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert not as_job._confirmed(False)


def test_the_command_runs_once_a_gpu():
    content = {"words": ["score", "@work@/inputs/0/videos", "--out=@work@/out"], "num_gpus": 4}
    made = worker.command_of(content, Path("/job"))
    assert made[1:6] == ["-m", "accelerate.commands.launch", "--num_processes", "4", "-m"]
    assert made[6:] == ["opens2v_hf", "score", "/job/inputs/0/videos", "--out=/job/out"]
    assert worker.command_of({**content, "num_gpus": 0}, Path("/job"))[1:3] == ["-m", "opens2v_hf"]


def test_a_build_starts_a_process_for_each_gpu_by_itself():
    content = {"words": ["build", "@work@/inputs/0/clips", "@work@/out"], "num_gpus": 4}
    assert worker.command_of(content, Path("/job"))[1:] == [
        "-m", "opens2v_hf", "build", "/job/inputs/0/clips", "/job/out", "--processes=4",
    ]  # fmt: skip
    content["words"].append("--processes=2")
    assert worker.command_of(content, Path("/job"))[-2:] == ["/job/out", "--processes=2"]


def test_inputs_get_times_that_follow_from_their_content(tmp_path):
    times = []
    for content in ("a", "a", "b"):
        (tmp_path / "video.mp4").write_text(content)
        worker._set_times(tmp_path)
        times.append((tmp_path / "video.mp4").stat().st_mtime_ns)
    assert times[0] == times[1] != times[2]


class FakeApi:
    """Takes commits."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.commits: list[list[str]] = []
        self.broken = False

    def create_commit(self, repo_id, operations, **_):
        if self.broken:
            raise OSError("no network")
        self.commits.append(sorted(one.path_in_repo for one in operations))
        for one in operations:
            content = getattr(one, "path_or_fileobj", None)
            if content is None and one.path_in_repo not in self.files:
                answer = httpx.Response(404, request=httpx.Request("POST", "https://hub.example"))
                raise RemoteEntryNotFoundError("A file with this name doesn't exist", response=answer)
            if content is None:
                del self.files[one.path_in_repo]
            else:
                self.files[one.path_in_repo] = content if isinstance(content, bytes) else Path(content).read_bytes()


def test_a_mirror_uploads_changed_files_and_deletes_missing_ones(tmp_path):
    (tmp_path / "old.json").write_text("old")
    api = FakeApi()
    mirror = Mirror(api, "org/runs", "x/out", tmp_path)
    assert mirror.push() == 0  # what was there came from the repo
    (tmp_path / "a.journal").mkdir()
    (tmp_path / "a.journal/0.jsonl").write_text("1\n")
    (tmp_path / "a.journal/lock").write_text("")
    (tmp_path / "a.journal/holder.json").write_text("{}")
    (tmp_path / "b.mp4.tmp").write_text("half")
    (tmp_path / ".build/videos/0").mkdir(parents=True)
    (tmp_path / ".build/videos/0/1.mp4").write_text("of the unit that is being made")
    assert mirror.push(more={"x/state.json": b"{}"}) == 2
    assert api.commits[-1] == ["x/out/a.journal/0.jsonl", "x/state.json"]
    with (tmp_path / "a.journal/0.jsonl").open("a") as journal:
        journal.write("2\n")
    (tmp_path / "old.json").unlink()
    (tmp_path / ".build/0.json").write_text("{}")  # from which a build is resumed
    api.files["x/out/old.json"] = b"old"
    mirror.push()
    assert api.files == {"x/out/a.journal/0.jsonl": b"1\n2\n", "x/out/.build/0.json": b"{}", "x/state.json": b"{}"}


def test_a_file_that_is_removed_while_it_is_copied_is_removed_from_the_repo_as_well(tmp_path, monkeypatch):
    (tmp_path / "old.jsonl").write_text("1\n")
    api = FakeApi()
    api.files["x/out/old.jsonl"] = b"1\n"
    mirror = Mirror(api, "org/runs", "x/out", tmp_path)
    (tmp_path / "old.jsonl").write_text("1\n2\n")
    (tmp_path / "new.jsonl").write_text("3\n")

    def merged_meanwhile(source, target):
        """A journal is merged into another file between the listing and the copy."""
        Path(source).unlink()
        raise FileNotFoundError(source)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", merged_meanwhile)
        assert mirror.push() == 0
    (tmp_path / "merged.jsonl").write_text("1\n2\n3\n")
    mirror.push()
    assert api.files == {"x/out/merged.jsonl": b"1\n2\n3\n"}
    assert mirror.push() == 0


def test_files_of_a_folder_that_cannot_be_listed_are_not_deleted_from_the_repo(tmp_path, monkeypatch):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/1.mp4").write_text("1")
    api = FakeApi()
    mirror = Mirror(api, "org/runs", "x/out", tmp_path)
    scandir = os.scandir

    def failing(path):
        if Path(path).name == "videos":
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing)
        with pytest.raises(OSError, match="Too many open files"):
            mirror.push()
    assert api.commits == []
    shutil.rmtree(tmp_path / "videos")
    api.files["x/out/videos/1.mp4"] = b"1"
    mirror.push()
    assert api.files == {}


def test_a_deletion_whose_answer_was_lost_does_not_stop_later_copies(tmp_path):
    (tmp_path / "old.json").write_text("old")
    api = FakeApi()  # from which the file is deleted already
    mirror = Mirror(api, "org/runs", "x/out", tmp_path)
    (tmp_path / "old.json").unlink()
    (tmp_path / "new.json").write_text("new")
    assert mirror.push() == 1
    assert api.files == {"x/out/new.json": b"new"}
    assert mirror.push() == 0


class JobsApi:
    """The calls of a Hub that plan a job; `stage` is that of every job, None for jobs that it has forgotten."""

    endpoint, token = "https://hub.example", "hf_x"

    def __init__(self, stage: str | None) -> None:
        self.stage = stage

    def whoami(self):
        return {"name": "me"}

    def list_jobs_hardware(self):
        return [
            argparse.Namespace(
                name="cpu-basic", pretty_name="CPU", accelerator=None, unit_label="hour", unit_cost_usd=1.0
            )
        ]

    def inspect_job(self, *, job_id, namespace):
        if self.stage is None:
            raise HfHubHTTPError("gone", response=httpx.Response(404, request=httpx.Request("GET", self.endpoint)))
        return argparse.Namespace(status=argparse.Namespace(stage=self.stage))


@pytest.mark.parametrize(
    ("stage", "resumes"),
    [("RUNNING", False), ("SCHEDULING", False), ("COMPLETED", True), ("ERROR", True), ("CANCELED", True), (None, True)],
)
def test_a_job_is_resumed_only_when_it_has_ended(tmp_path, stage, resumes):
    """Two jobs of one folder would replace each other's journal."""
    (tmp_path / RECORD).write_text(json.dumps({"id": "j1", "namespace": "me", "repo_id": "me/runs", "path": "x-1"}))
    options = JobOptions("cpu-basic", 3600)
    if not resumes:
        with pytest.raises(ArgumentError, match=f"j1, which writes to the same folder, has not ended .{stage}."):
            plan_job("score", [], {}, tmp_path, options, api=JobsApi(stage))
        return
    planned = plan_job("score", [], {}, tmp_path, options, api=JobsApi(stage))
    assert (planned.resumes, planned.path) == (True, "x-1")


def test_a_folder_may_change_while_it_is_listed_and_uploaded(tmp_path, monkeypatch):
    folder = tmp_path / "videos"
    for name in ("a/1.mp4", "b/2.mp4", ".git/config"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    walk = os.walk

    def losing_b(top, **options):
        for root, folders, names in walk(top, **options):
            yield root, folders, names
            shutil.rmtree(folder / "b", ignore_errors=True)

    monkeypatch.setattr(os, "walk", losing_b)
    _, uploads = words_of("score", str(folder), "--out", "x")
    assert list(uploads) == ["inputs/0/videos/a/1.mp4"]
    planned = plan_job("score", [], uploads, tmp_path / "out", JobOptions("cpu-basic", 3600), api=JobsApi(None))
    assert planned.upload_bytes == len("a/1.mp4")
    (folder / "a/1.mp4").unlink()
    with pytest.raises(ArgumentError, match=r"1\.mp4 was to be uploaded and cannot be read"):
        submit_job(planned, tmp_path / "out", api=JobsApi(None))


def test_a_failed_upload_is_repeated_the_next_time(tmp_path, capsys):
    api = FakeApi()
    mirror = Mirror(api, "org/runs", "x/out", tmp_path)
    (tmp_path / "a.json").write_text("a")
    api.broken = True
    waits: list[float] = []
    worker._push(mirror, attempts=1, sleep=waits.append)
    assert "could not copy to the Hub (OSError: no network)" in capsys.readouterr().err
    api.broken = False
    worker._push(mirror, attempts=1, sleep=waits.append)
    assert api.files == {"x/out/a.json": b"a"}


WRITES = """
import signal, sys, time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("closed", flush=True)
    sys.exit(130)
"""


def test_a_command_is_stopped_before_the_time_limit(capfd):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it starts in the background
    ticks = []
    try:
        code = worker._Child([sys.executable, "-c", WRITES]).wait(0.3, time.monotonic() + 3, lambda: ticks.append(1))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert code is None
    assert ticks
    printed = capfd.readouterr()
    assert "closed" in printed.out
    assert "the job's time is over" in printed.err


def test_a_damaged_record_is_refused(tmp_path):
    assert read_record(tmp_path) is None
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(ResultError, match="is not a record of a job"):
        read_record(tmp_path)


def test_a_job_from_its_price_to_its_result(place, tmp_path, loopback_hub):
    out = tmp_path / "out"
    score = [
        "score", place / "videos", "--data-dir", place / "benchmark", "--metrics", "motion_amplitude", "--name", "x",
        "--out", out, "--job", "cpu-basic", "--job-timeout", "20m",
    ]  # fmt: skip
    answers = opens2v(
        loopback_hub,
        [*score[:-4], "--job", "a100", "--yes"],
        score,
        [*score, "--yes"],
        ["job", "status"],
        ["job", "status", "job1"],
        ["job", "logs", "job1"],
        ["job", "fetch", "job1", "--out", tmp_path / "again"],
        ["job", "cancel", "job9"],
        user="worker",
    )
    (unknown, refused, done, listed, one, logged, fetched, missing) = answers
    assert unknown[0] == 2
    assert "no machine 'a100' for jobs; did you mean a100-large" in unknown[1]
    assert refused[0] == 2
    assert "0.01 dollars an hour" in refused[1]
    assert "give --yes" in refused[1]
    code, printed = done
    assert code == 1, printed  # as without --job: six samples have no video
    assert "secrets  HF_TOKEN" in printed
    assert "without a video (6)" in printed, printed  # the output of the job itself
    assert "job job1: COMPLETED; fetched" in printed
    assert "hf_loopback_worker" not in printed
    result = RunResult.load(out / "open-domain.json")
    assert sorted(video.id for video in result.videos) == sorted(IDS)
    assert list((out / "open-domain.journal").glob("*.jsonl"))  # from which the same command resumes, here or there
    assert "job1  opens2v score on cpu-basic  COMPLETED, 2 min" in listed[1]
    record = json.loads((out / RECORD).read_text())
    assert record["repo_id"] == "worker/opens2v-runs"
    assert f"worker/opens2v-runs, folder {record['path']}" in one[1]
    assert "wrote " in logged[1]
    assert fetched[0] == 1
    assert "ended with code 1" in fetched[1]
    assert (tmp_path / "again/open-domain.json").read_bytes() == (out / "open-domain.json").read_bytes()
    assert missing[0] == 2


def test_a_build_as_a_job_fetches_what_it_is_resumed_from(tmp_path, loopback_hub):
    videos, out = write_videos(tmp_path / "videos", ("a.mp4", "b.mp4")), tmp_path / "out"
    build = [
        "build", videos, out, "--stages", "probe,scenes", "--scene-detector", "none", "--min-seconds", "0.5",
        "--unit-files", "1", "--job", "cpu-basic", "--yes",
    ]  # fmt: skip
    ((code, printed),) = opens2v(loopback_hub, build, user="builder")
    assert code == 0, printed
    assert "2 clips" in printed
    assert len(list((out / "data/regular").glob("*.parquet"))) == 2
    # the times of the files are part of a unit's key, and must be the same in the next job
    for unit in read_plan(out).units:
        assert (out / unit.note).is_file()
        (file,) = unit.files
        digest = hashlib.sha256((videos / file.name).read_bytes()).digest()
        assert file.stamp == f"{file.num_bytes}-{int.from_bytes(digest[:4]) * 10**9}"


def test_without_a_token_the_login_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    assert main(["job", "status"]) == 2
    said = capsys.readouterr().err
    assert "hf auth login" in said
    assert "cannot be reached" not in said


MODEL = """
import numpy as np
def generate(request):
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    frames[range(4), :, range(4)] = 255
    return frames
"""


def test_the_same_command_resumes_a_job(place, tmp_path, loopback_hub):
    out, model = tmp_path / "out", tmp_path / "mine.py"
    model.write_text(MODEL)
    score = [
        "score", "--model", f"python:{model}:generate", "--data-dir", place / "benchmark", "--metrics",
        "motion_amplitude", "--name", "x", "--out", out, "--job", "cpu-basic", "--yes",
    ]  # fmt: skip
    first, second, detached, stopped, elsewhere = opens2v(
        loopback_hub,
        [*score, "--ids", "singleobj_1"],
        [*score, "--ids", "singleobj_1,singleface_1"],
        [*score, "--detach"],
        ["job", "cancel", out],
        ["score", "org/videos", "--out", place, "--job", "cpu-basic", "--yes"],
        user="again",
    )
    assert "1 of 1 scored, 0 taken from the journal" in first[1]
    assert "an earlier job is resumed" in second[1]
    assert "2 samples: 1 video to make, 1 there already" in second[1]
    assert "2 of 2 scored, 1 taken from the journal" in second[1]
    assert (out / "videos/singleface_1.mp4").is_file()
    assert detached[0] == 0
    assert "opens2v job logs" in detached[1]
    assert stopped[0] == 0
    assert "is stopped" in stopped[1]
    assert elsewhere[0] == 2
    assert "holds files that no job wrote" in elsewhere[1]
