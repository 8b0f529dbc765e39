"""`opens2v score` with tiny models and a judge on loopback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.judge_endpoint import fails, judge_endpoint, says
from helpers.loopback_hub.fixture import LoopbackHub
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip

IDS = ("singleobj_1", "singleface_1")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of eight ids, videos for two of them, another file, and a tiny embedder."""
    folder = tmp_path_factory.mktemp("score")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=8)
    (folder / "videos" / "readme.txt").write_text("not a video")
    save_tiny_qwen2vl(folder / "embedder")
    return folder


def _words(inputs: Path, out: Path, *more: str) -> list[str]:
    return ["score", str(inputs / "videos"), "--data-dir", str(inputs / "benchmark"), "--out", str(out), *more]


def test_gmescore_and_naturalscore_of_a_folder(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    with judge_endpoint(says("4"), says("4"), says("2"), says("5")) as endpoint:
        code = main(
            _words(
                inputs, tmp_path, "--metrics", "gmescore,naturalscore", "--embedder", str(inputs / "embedder"),
                "--judge", "openai:some-model", "--judge-base-url", endpoint.base_url, "--judge-concurrency", "1",
            )
        )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 1  # six of eight samples have no video
    assert "without a video (6)" in printed.out
    assert "readme.txt" in printed.out
    record = json.loads((tmp_path / "open-domain.json").read_text())
    scores = record["metrics"]["naturalscore"]["scores"]
    # the video that is decoded first gets 4, 4, 2 and the other one three times 5
    assert sorted(scores[id_]["value"] for id_ in IDS) == pytest.approx([10 / 3, 5.0])
    assert record["metrics"]["gmescore"]["summary"]["num_scored"] == 2
    assert record["coverage"]["found"] == 2
    assert record["coverage"]["unknown"] == ["readme.txt"]
    assert not record["comparable"]
    embedder = record["metrics"]["gmescore"]["models"][0]
    assert embedder["name"] == str(inputs / "embedder")
    assert embedder["revision"].startswith("sha256:")
    everything = printed.out + printed.err + (tmp_path / "open-domain.json").read_text()
    assert "sk-secret-of-this-test" not in everything
    assert RunResult.load(tmp_path / "open-domain.json").model == inputs.name  # "videos" says nothing


def test_a_judge_that_refuses_is_listed_with_its_reason(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    with judge_endpoint(fails(401, "bad key")) as endpoint:
        code = main(_words(inputs, tmp_path, "--metrics", "naturalscore", "--judge-base-url", endpoint.base_url))
    printed = capsys.readouterr().out
    assert code == 1
    assert "not scored (2)" in printed
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["metrics"]["naturalscore"]["summary"]["mean"] is None


def test_an_existing_result_is_replaced_only_with_resume_never(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "open-domain.json").write_text("mine")
    words = _words(inputs, tmp_path, "--metrics", "gmescore", "--embedder", str(inputs / "embedder"))
    assert main(words) == 2
    assert "--resume never" in capsys.readouterr().err
    assert (tmp_path / "open-domain.json").read_text() == "mine"
    assert main([*words, "--resume", "never", "--num-frames", "4"]) == 1
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["metrics"]["gmescore"]["options"]["num_frames"] == 4


def test_the_number_of_frames_is_that_of_every_metric_that_samples_them(inputs: Path, tmp_path: Path) -> None:
    words = ("--metrics", "aesthetics,motion_amplitude", "--models", "embedded", "--num-frames", "3")
    main(_words(inputs, tmp_path, *words))
    metrics = json.loads((tmp_path / "open-domain.json").read_text())["metrics"]
    assert metrics["aesthetics"]["options"]["sampling"] == "linspace-3"
    assert metrics["motion_amplitude"]["options"]["sampling"] == "all"


def test_the_same_command_resumes_from_its_journal(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(inputs, tmp_path, "--metrics", "gmescore,motion_amplitude", "--embedder", str(inputs / "embedder"))
    score = GmeScore.score
    scored: list[str] = []

    def interrupted(self: GmeScore, clip: Clip, reference: str) -> VideoScore:
        scored.append(Path(clip.name).stem)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score(self, clip, reference)

    monkeypatch.setattr(GmeScore, "score", interrupted)
    assert main(words) == 130
    assert f"saved in {tmp_path}" in capsys.readouterr().err
    assert main([*words, "--memory", "low"]) == 1  # six of eight samples have no video
    # whichever is decoded first; the interrupted one is scored again
    assert len(scored) == 3
    assert scored[1] == scored[2] != scored[0]
    assert f"{inputs.name}, open-domain: 4 of 4 scored, 3 taken from the journal" in capsys.readouterr().err
    before = json.loads((tmp_path / "open-domain.json").read_text())
    assert main(words) == 1
    assert len(scored) == 3
    after = json.loads((tmp_path / "open-domain.json").read_text())
    assert {**after, "created_at": ""} == {**before, "created_at": ""}
    assert main([*words, "--resume", "never"]) == 1
    assert len(scored) == 5
    assert {path.stem for path in (tmp_path / "open-domain.thumbnails").iterdir()} == set(IDS)


def test_another_configuration_of_a_model_in_a_folder_is_noticed(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedder = shutil.copytree(inputs / "embedder", tmp_path / "embedder")
    words = _words(inputs, tmp_path / "out", "--metrics", "gmescore,motion_amplitude", "--embedder", str(embedder))
    assert main(words) == 1
    assert "4 of 4 scored, 0 taken" in capsys.readouterr().err
    assert main(words) == 1
    assert "4 of 4 scored, 4 taken" in capsys.readouterr().err
    config = json.loads((embedder / "config.json").read_text())
    (embedder / "config.json").write_text(json.dumps({**config, "remark": "not the same bytes"}))
    assert main(words) == 1
    assert "4 of 4 scored, 2 taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--metrics", "beauty"), "no metric 'beauty'"),
        (("--metrics", ","), "at least one metric"),
        (("--metrics", "gmescore", "--embedder", "no/such/folder"), "no/such/folder"),
        (("--metrics", "gmescore", "--embedder", "org/absent"), "org/absent"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_scored(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert main(_words(inputs, tmp_path, *more)) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.jsonl"))
    assert not (tmp_path / "open-domain.json").exists()


def test_videos_in_a_hub_repo(inputs: Path, tmp_path: Path, loopback_hub: LoopbackHub) -> None:
    printed = loopback_hub.run(
        """
        import sys
        from huggingface_hub import HfApi
        from opens2v_hf.cli import main
        inputs, out = sys.argv[1:]
        HfApi().create_repo("org/my-videos", repo_type="dataset")
        HfApi().upload_folder(repo_id="org/my-videos", repo_type="dataset", folder_path=f"{inputs}/videos")
        code = main(["score", "org/my-videos", "--data-dir", f"{inputs}/benchmark", "--metrics", "gmescore",
                     "--embedder", f"{inputs}/embedder", "--out", out])
        print("exit", code)
        """,
        inputs,
        tmp_path,
    )
    assert "exit 1" in printed
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["source"].startswith("hf://datasets/org/my-videos@")
    assert record["model"] == "my-videos"
    assert record["metrics"]["gmescore"]["summary"]["num_scored"] == 2


def test_a_trial_is_partial_and_the_whole_run_resumes_from_it(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(inputs, tmp_path, "--metrics", "motion_amplitude", "--name", "alpha")
    assert main([*words, "--limit", "1"]) == 0
    printed = capsys.readouterr()
    assert "alpha, open-domain: 1 of 1 videos, 1 scores" in printed.err
    assert "note: only some samples of the split were scored" in printed.out
    assert printed.out.splitlines()[-1] == f"wrote {tmp_path / 'open-domain.partial.json'}"
    trial = RunResult.load(tmp_path)
    assert trial.is_partial
    assert not trial.comparable
    assert trial.benchmark["subset"] == "1 of 8 samples (limit 1)"
    assert (trial.coverage.expected, trial.coverage.missing) == (1, ())
    assert main(words) == 1  # six of eight samples have no video
    assert "2 of 2 scored, 1 taken from the journal" in capsys.readouterr().err
    assert not RunResult.load(tmp_path / "open-domain.json").is_partial
    assert RunResult.load(tmp_path / "open-domain.partial.json") == trial
    assert main([*words, "--ids", "singleobj_1,multiface_1"]) == 1  # one of them has no video
    assert "without a video (1): multiface_1" in capsys.readouterr().out
    assert main([*words, "--category", "singleobj"]) == 0
    assert [video.id for video in RunResult.load(tmp_path / "open-domain.partial.json").videos] == ["singleobj_1"]


def test_an_estimate_comes_before_the_run(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    shutil.copytree(inputs / "videos", tmp_path / "alpha")
    shutil.copy(tmp_path / "alpha" / "singleobj_1.mp4", tmp_path / "alpha" / "multiface_1_seed42.mp4")
    words = ["score", str(tmp_path / "alpha"), "--data-dir", str(inputs / "benchmark"), "--out", str(tmp_path / "out")]
    words += ["--metrics", "naturalscore,motion_amplitude", "--runs", "2"]
    with judge_endpoint(*[says("4")] * 4) as endpoint:
        main([*words, "--judge-base-url", endpoint.base_url])
    first, near = capsys.readouterr().err.splitlines()[:2]
    assert first == "alpha, open-domain: 2 of 8 videos, 4 scores, up to 4 requests to the judge (2 a video)"
    assert "multiface_1_seed42.mp4 looks like multiface_1 (suffix '_seed42')" in near


def test_quiet_shows_the_result_alone(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(_words(inputs, tmp_path, "--metrics", "motion_amplitude", "--quiet"))
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "MotionAmplitude" in printed.out
    main(_words(inputs, tmp_path, "--metrics", "motion_amplitude"))
    assert "taken from the journal" in capsys.readouterr().err


def test_videos_in_subfolders(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(inputs / "videos", tmp_path / "alpha" / "seed1")
    words = ["score", str(tmp_path / "alpha"), "--data-dir", str(inputs / "benchmark"), "--out", str(tmp_path / "out")]
    words += ["--metrics", "motion_amplitude"]
    assert main(words) == 2
    assert "its subfolders hold 2 of them" in (message := capsys.readouterr().err)
    assert "search them with --recursive" in message
    assert main([*words, "--recursive"]) == 1
    result = RunResult.load(tmp_path / "out")
    assert (result.model, result.metrics[0].summary.num_scored) == ("alpha", 2)
    assert result.videos[0].file == "seed1/singleface_1.mp4"


def test_options_of_metrics_reach_the_result(inputs: Path, tmp_path: Path) -> None:
    words = ("--metrics", "motion_amplitude,aesthetics", "--models", "embedded", "--num-frames", "3")
    main(_words(inputs, tmp_path, *words, "--option", "motion_amplitude.variant=magnitude", "--device", "cpu"))
    result = RunResult.load(tmp_path)
    assert result.metric("motion_amplitude").options["variant"] == "magnitude"
    assert result.metric("aesthetics").options["sampling"] == "linspace-3"
    assert result.metric("aesthetics").models[0].device == "cpu"


def test_a_console_without_unicode_ends_no_run(inputs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "große 猫 \x1b[2J"
    shutil.copytree(inputs / "videos", folder)
    (folder / "\x1b]0;title\x07.txt").write_text("not a video")
    command = [sys.executable, "-m", "opens2v_hf", "score", str(folder), "--data-dir", str(inputs / "benchmark")]
    command += ["--out", str(tmp_path / "out"), "--metrics", "motion_amplitude"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr  # six of eight samples have no video
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\x07" not in done.stdout + done.stderr
    assert b"\\x1b]0;title\\x07.txt" in done.stdout
    assert (tmp_path / "out" / "open-domain.json").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
