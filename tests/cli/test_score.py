"""The main job from the command line, with tiny models and a judge on loopback."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.judge_endpoint import fails, judge_endpoint, says
from helpers.loopback_hub.fixture import LoopbackHub
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.run.metrics.gmescore import GmeScore
from opens2v_hf.run.result import RunResult
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip

IDS = ("singleobj_1", "singleface_1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of eight ids, videos for two of them and a file that belongs to none, a tiny embedder."""
    folder = tmp_path_factory.mktemp("score")
    write_eval(folder / "benchmark", per_category=1)
    write_generated(folder / "videos", "perfect", ids=IDS, num_frames=8)
    (folder / "videos" / "readme.txt").write_text("not a video")
    save_tiny_qwen2vl(folder / "embedder")
    return folder


def _words(place: Path, out: Path, *more: str) -> list[str]:
    return ["score", str(place / "videos"), "--data-dir", str(place / "benchmark"), "--out", str(out), *more]


def test_gmescore_and_naturalscore_of_a_folder(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    with judge_endpoint(says("4"), says("4"), says("2"), says("5")) as endpoint:
        code = main(
            _words(
                place, tmp_path, "--metrics", "gmescore,naturalscore", "--embedder", str(place / "embedder"),
                "--judge", "openai:some-model", "--judge-base-url", endpoint.base_url, "--judge-concurrency", "1",
            )
        )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 1  # six of eight samples have no video
    assert "without a video (6)" in printed.out
    assert "readme.txt" in printed.out
    record = json.loads((tmp_path / "open-domain.json").read_text())
    scores = record["metrics"]["naturalscore"]["scores"]
    # videos go in the benchmark's order: singleface_1 gets 4, 4, 2 and singleobj_1 three times 5
    assert scores["singleface_1"]["value"] == pytest.approx(10 / 3)
    assert scores["singleobj_1"]["value"] == 5.0
    assert record["metrics"]["gmescore"]["summary"]["num_scored"] == 2
    assert record["coverage"]["found"] == 2
    assert record["coverage"]["unknown"] == ["readme.txt"]
    assert not record["comparable"]
    embedder = record["metrics"]["gmescore"]["models"][0]
    assert embedder["name"] == str(place / "embedder")
    assert embedder["revision"].startswith("sha256:")
    everything = printed.out + printed.err + (tmp_path / "open-domain.json").read_text()
    assert "sk-secret-of-this-test" not in everything
    assert RunResult.load(tmp_path / "open-domain.json").model == place.name  # "videos" says nothing


def test_a_judge_that_refuses_is_listed_with_its_reason(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    with judge_endpoint(fails(401, "bad key")) as endpoint:
        code = main(_words(place, tmp_path, "--metrics", "naturalscore", "--judge-base-url", endpoint.base_url))
    printed = capsys.readouterr().out
    assert code == 1
    assert "not scored (2)" in printed
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["metrics"]["naturalscore"]["summary"]["mean"] is None


def test_an_existing_result_is_kept_unless_asked(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "open-domain.json").write_text("mine")
    words = _words(place, tmp_path, "--metrics", "gmescore", "--embedder", str(place / "embedder"))
    assert main(words) == 2
    assert "--resume never" in capsys.readouterr().err
    assert (tmp_path / "open-domain.json").read_text() == "mine"
    assert main([*words, "--resume", "never", "--num-frames", "4"]) == 1
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["metrics"]["gmescore"]["options"]["num_frames"] == 4


def test_the_number_of_frames_is_that_of_every_metric_that_samples_them(place: Path, tmp_path: Path) -> None:
    words = ("--metrics", "aesthetics,motion_amplitude", "--models", "embedded", "--num-frames", "3")
    main(_words(place, tmp_path, *words))
    metrics = json.loads((tmp_path / "open-domain.json").read_text())["metrics"]
    assert metrics["aesthetics"]["options"]["sampling"] == "linspace-3"
    assert metrics["motion_amplitude"]["options"]["sampling"] == "all"


def test_the_same_command_goes_on_from_its_journal(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(place, tmp_path, "--metrics", "gmescore,motion_amplitude", "--embedder", str(place / "embedder"))
    score = GmeScore.score
    scored: list[str] = []

    def interrupted(self: GmeScore, clip: Clip, reference: str) -> VideoScore:
        scored.append(Path(clip.name).stem)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score(self, clip, reference)

    monkeypatch.setattr(GmeScore, "score", interrupted)
    assert main(words) == 130
    assert f"what was finished is kept in {tmp_path}" in capsys.readouterr().err
    assert main([*words, "--memory", "low"]) == 1  # six of eight samples have no video
    # by the order of the benchmark; the interrupted one is scored again
    assert scored == ["singleface_1", "singleobj_1", "singleobj_1"]
    assert f"{place.name}, open-domain: 4 of 4 scored, 3 taken from the journal" in capsys.readouterr().err
    before = json.loads((tmp_path / "open-domain.json").read_text())
    assert main(words) == 1
    assert len(scored) == 3
    after = json.loads((tmp_path / "open-domain.json").read_text())
    assert {**after, "created_at": ""} == {**before, "created_at": ""}
    assert main([*words, "--resume", "never"]) == 1
    assert len(scored) == 5
    assert {path.stem for path in (tmp_path / "open-domain.thumbnails").iterdir()} == set(IDS)


def test_another_configuration_of_a_model_in_a_folder_is_noticed(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedder = shutil.copytree(place / "embedder", tmp_path / "embedder")
    words = _words(place, tmp_path / "out", "--metrics", "gmescore,motion_amplitude", "--embedder", str(embedder))
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
def test_what_cannot_work_is_said_before_anything_is_scored(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert main(_words(place, tmp_path, *more)) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.jsonl"))
    assert not (tmp_path / "open-domain.json").exists()


def test_videos_in_a_hub_repo(place: Path, tmp_path: Path, loopback_hub: LoopbackHub) -> None:
    printed = loopback_hub.run(
        """
        import sys
        from huggingface_hub import HfApi
        from opens2v_hf.cli import main
        place, out = sys.argv[1:]
        HfApi().create_repo("org/my-videos", repo_type="dataset")
        HfApi().upload_folder(repo_id="org/my-videos", repo_type="dataset", folder_path=f"{place}/videos")
        code = main(["score", "org/my-videos", "--data-dir", f"{place}/benchmark", "--metrics", "gmescore",
                     "--embedder", f"{place}/embedder", "--out", out])
        print("exit", code)
        """,
        place,
        tmp_path,
    )
    assert "exit 1" in printed
    record = json.loads((tmp_path / "open-domain.json").read_text())
    assert record["source"].startswith("hf://datasets/org/my-videos@")
    assert record["model"] == "my-videos"
    assert record["metrics"]["gmescore"]["summary"]["num_scored"] == 2
