"""`opens2v build`, from the files of a synthetic dataset to what it prints."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow.parquet as pq
import pytest
from helpers.build_stages import write_videos
from transformers.utils.logging import enable_progress_bar, is_progress_bar_enabled

from opens2v_hf._util import console
from opens2v_hf._util.console import is_quiet
from opens2v_hf.cli import command_parser, main
from opens2v_hf.cli.build import _options, _views
from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.engines import local
from opens2v_hf.pipeline.engines.outcome import EngineResult
from opens2v_hf.pipeline.options import BuildOptions

NAMES = ("a.mp4", "b.mp4")
CLIPS = ("--scene-detector", "none", "--min-seconds", "0.5")


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = write_videos(tmp_path_factory.mktemp("videos"), NAMES)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def _amount(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def options_of(*words: str) -> BuildOptions:
    return _options(command_parser("build").parse_args(["in", "out", *words]))


def test_from_files_to_a_dataset_and_its_card(videos, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["build", str(videos), str(out), "--stages", "probe,scenes", *CLIPS, "--verify", "--licence", "cc0-1.0"]
    command.append("--report")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "probe          3         2" in printed
    assert "1 unreadable" in printed
    assert "2 clips (2 s) of 3 files (2 s)" in printed
    assert "no pairs were made: the stages left no vectors of subjects" in printed
    assert "checked 1 shards, 2 rows, 0 masks" in printed
    assert f"wrote {out / 'report.html'}" in printed
    assert "unreadable" in (out / "report.html").read_text()
    card = (out / "README.md").read_text()
    assert "license: cc0-1.0" in card
    assert "| probe | 3 | 2 | 1 unreadable |" in card
    assert "num_examples: 2" in card
    assert '| scenes | `{"detector": "none", "max_seconds": 10.0, "min_seconds": 0.5}` |' in card
    assert pq.read_table(out / "data/regular")["licence"].to_pylist() == ["cc0-1.0"] * 2
    assert main(["build", str(out / "nowhere"), str(tmp_path / "x")]) == 2


def test_a_build_that_leaves_no_clip_says_which_stage_took_the_last(videos, tmp_path, capsys):
    command = ["build", str(videos), str(tmp_path / "out"), "--stages", "probe,scenes,crop", "--scene-detector", "none"]
    assert main([*command, "--min-seconds", "5"]) == 0
    printed = capsys.readouterr().out
    assert "0 clips (0 s) of 3 files (2 s) in" in printed
    assert (
        "note: no clip remains: scenes left out the last ones (too_short 2, no_scene 2); --report shows them" in printed
    )


def test_a_plan_says_what_it_will_take_and_makes_nothing(videos, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["build", str(videos), str(out), "--plan", "--captioner", "openai:gpt", "--views-model", "openai:none"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "3 videos" in printed
    assert "1 unreadable" in printed
    # two seconds of video, 2 / 6.6 clips; the bytes of the unreadable file count as video, 8 of some thousand
    assert _amount(printed, r"dropped, (\S+) GB of shards") == pytest.approx(2 / 6.6 * 2.75e-3, rel=0.01)
    found = _amount(printed, r"segment \(facebook/sam2.1-hiera-large\): (\S+) GPU hours; SAM 2.1 large, 24.2 frames/s")
    assert found == pytest.approx(2 / 6.6 / 24.2 / 3600, rel=0.01)
    assert _amount(printed, r"caption \(openai:gpt\): about (\S+) M input tokens") == pytest.approx(
        2 / 6.6 * 5000 / 1e6, rel=0.01
    )
    assert "no price of openai:none is known" in printed
    assert not out.exists()


def test_a_plan_by_measuring(videos, tmp_path, capsys):
    command = [
        "build",
        str(videos),
        str(tmp_path / "out"),
        "--plan",
        "--probe",
        "1",
        "--stages",
        "probe,scenes",
        *CLIPS,
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "about 2 clips" in printed
    assert "scenes: " in printed
    assert "measured on 1 videos (1 s)" in printed
    assert not (tmp_path / "out").exists()


def test_a_plan_of_remote_videos_says_what_no_clip_of_the_probe_reached(videos, tmp_path, capsys):
    for name in NAMES:
        with fsspec.open(f"memory://{tmp_path.name}/{name}", "wb") as target:
            target.write((videos / name).read_bytes())
    command = ["build", f"memory://{tmp_path.name}", str(tmp_path / "out"), "--plan", "--stages", "probe,scenes,crop"]
    assert main([*command, *CLIPS]) == 0
    printed = capsys.readouterr().out
    assert "2 videos" in printed
    assert "headers of 2, 0 unreadable" in printed
    assert main([*command, "--probe", "2", "--scene-detector", "none", "--min-seconds", "5"]) == 0
    printed = capsys.readouterr().out
    assert "about 0 clips that remain" in printed
    assert "crop: no clip of the probe came so far" in printed


def test_a_yaml_file_of_flags(videos, tmp_path, capsys):
    config = tmp_path / "build.yaml"
    config.write_text("stages: [probe, scenes]\nscene-detector: none\nmin-seconds: 0.5\nno-pairs: true\n")
    assert main(["build", str(videos), str(tmp_path / "out"), "--config", str(config), "--quiet"]) == 0
    assert "no pairs" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--probe", "3"], "--probe goes with --plan"),
        (["--workers", "3"], "go with --engine ray"),
        (["--processes", "0"], "--processes must be at least 1"),
        (["--crf", "99", "--unit-files", "0"], "unit_files"),
        (["--option", "scenes"], "--option must be STAGE.KEY=VALUE"),
        (["--stages", "nothing"], "the stages are probe"),
        (["--from", "there"], "give either the folder or URL"),
        (["--views-max-cost", "3"], "go with --views-model"),
        (["--views-model", "m", "--option", "views.api_key=x"], "--option views.api_key does not exist"),
        (["--views-model", "m", "--option", "views.extra=5"], "--option views.extra"),
        (["--views-model", "m", "--option", 'views.near_copy="5"'], "--option views.near_copy"),
        (["--option", "detect.min_scores=1"], "min_score,"),
        (["--option", "detect.min_score=abc"], "min_score='abc'"),
        (["--push", "org/name", "--limit", "0"], "limit must be"),
        (["--push", "name"], "the repo of the dataset must be org/name"),
        (["--prices", "absent.json"], "cannot read the result absent.json"),
        (["--engine", "ray", "--processes", "2"], "--engine ray takes --workers"),
        (["--plan", "--from", "x"], "there is no plan for --from"),
        (["--stages", "probe,probe"], "two stages are named 'probe'"),
        # of stages that were not chosen
        (["--stages", "probe", "--option", "detect.x=1"], "the stage detect has no option 'x'"),
        (["--stages", "probe", "--preset", "none"], "preset"),
        (["--stages", "probe", "--captions", "absent.json"], "absent.json: the captions cannot be read"),
    ],
)
def test_wrong_flags(videos, tmp_path, capsys, words, message):
    assert main(["build", str(videos), str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err


def test_models_of_stages_from_flags():
    assert options_of().arguments()["scenes"]["min_seconds"] == 2.0
    assert "captioner" not in options_of().arguments().get("caption", {})
    found = options_of("--models", "embedded").arguments()
    assert found["caption"] == {"captioner": {"name": "embedded"}}
    assert found["tags"] == {"tagger": {"name": "embedded"}}
    roles = ("embedder", "aesthetic_encoder", "aesthetic_head")
    assert found["scores"] == {role: {"name": "embedded"} for role in roles}
    assert "technical" not in found["quality"]
    found = options_of(
        "--models", "embedded", "--segmenter", "org/sam", "--segmenter-revision", "abc", "--device", "cuda", "--tagger",
        "synthetic", "--option", "segment.min_score=0.5", "--option", "background.dilation=3",
    ).arguments()  # fmt: skip
    assert found["segment"] == {
        "segmenter": {"device": "cuda", "name": "org/sam", "revision": "abc"}, "min_score": 0.5,
    }  # fmt: skip
    assert found["detect"] == {"detector": {"device": "cuda", "name": "embedded"}}
    assert found["tags"] == {"tagger": "synthetic"}
    assert found["background"] == {"dilation": 3}
    # the released model of a role, on the device that was asked for
    assert options_of("--device", "cuda").arguments()["detect"]["detector"] == {
        "device": "cuda", "name": "IDEA-Research/grounding-dino-tiny",
    }  # fmt: skip


def test_options_of_views_from_flags():
    words = ["in", "out", "--views-model", "org/editor", "--models", "embedded", "--device", "cpu"]
    words += ["--option", 'views.extra={"num_inference_steps": 4}', "--option", "views.choice=released"]
    arguments = command_parser("build").parse_args([*words, "--option", "crop.overlays=false"])
    found = _views(arguments)
    assert (found.model, found.embedder, found.device, found.choice) == ("org/editor", "embedded", "cpu", "released")
    assert found.extra == {"num_inference_steps": 4}
    assert _options(arguments).stages == {"crop": {"overlays": False}}


def test_no_bars_of_loading_weights_are_shown(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "_quiet", False)  # and is so again after the test
    enable_progress_bar()
    assert main(["build", str(videos), str(tmp_path / "out"), "--plan", "--stages", "probe"]) == 0
    assert not is_progress_bar_enabled()
    # the processes of the local engine start without the settings of this one
    enable_progress_bar()
    monkeypatch.setattr(local, "_share", lambda job: EngineResult())
    monkeypatch.setattr(local, "_end_with_parent", lambda: None)
    seen = []
    local._child(
        pickle.dumps(None), "", {}, True, SimpleNamespace(send=lambda answer: seen.append((answer, is_quiet())))
    )
    assert (seen, is_progress_bar_enabled()) == ([(EngineResult(), True)], False)


def test_a_role_that_there_is_not():
    with pytest.raises(ArgumentError, match="there is no role 'caption'"):
        BuildOptions.of({"models": {"caption": "org/model"}})


def test_one_stage_anew_by_flags(videos, tmp_path, capsys):
    first, second, captions = tmp_path / "first", tmp_path / "second", tmp_path / "captions.json"
    assert main(["build", str(videos), str(first), "--stages", "probe,scenes", *CLIPS]) == 0
    captions.write_text(json.dumps({"a.mp4": "one red star", "b.mp4": "one blue star"}))
    words = ["--stages", "caption", "--captions", str(captions)]
    assert main(["build", "--from", str(first), str(second), *words]) == 0
    assert pq.read_table(second / "data/regular")["caption"].to_pylist() == ["one red star", "one blue star"]
    assert "2 clips" in capsys.readouterr().out
