"""From real prompts and reference pictures to videos and scores, with a tiny pipeline and the small metric models."""

import json
import shutil
from pathlib import Path

import pytest

from opens2v_hf.cli import main
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.results.result import RunResult

pytest.importorskip("diffusers")

from opens2v_hf.generators.embedded import build_embedded_pipeline

REAL = Path(__file__).parents[2].parent / "shared/data/real-s2v"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not here")

IDS = ("faceobj_1", "multihuman_14", "singleface_1")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The samples in the layout of the benchmark, and their ready videos by id."""
    place = tmp_path_factory.mktemp("real")
    (place / "benchmark").mkdir()
    shutil.copytree(REAL / "images", place / "benchmark/Images")
    shutil.copy(REAL / "test_case.json", place / "benchmark" / PROMPT_FILES["open-domain"])
    (place / "ready").mkdir()
    for id_ in IDS:
        shutil.copy(REAL / f"videos/{id_.partition('_')[0]}.mp4", place / f"ready/{id_}.mp4")
    build_embedded_pipeline(place / "vace")
    return place


def scored(words, place, out, capsys):
    fixed = ["--data-dir", place / "benchmark", "--models", "embedded", "--out", out]
    fixed += ["--metrics", "gmescore", "--num-frames", "2"]  # the videos are large
    code = main([str(word) for word in ["score", *words, *fixed]])
    assert code == 0, capsys.readouterr()
    return RunResult.load(out / "open-domain.json")


def test_a_pipeline_from_real_prompts_and_pictures_to_scores(place, tmp_path, capsys):
    recipe = ["--gen-width", "32", "--gen-height", "32", "--gen-num-frames", "9", "--gen-steps", "2"]
    make = ["--model", place / "vace", *recipe]
    words = ["generate", *make, "--data-dir", place / "benchmark", "--out", tmp_path]
    assert main([str(word) for word in words]) == 0
    assert f"3 videos in {tmp_path}/videos (0 from earlier runs), 0 failed" in capsys.readouterr().out
    records = {id_: json.loads((tmp_path / f"videos/{id_}.json").read_text()) for id_ in IDS}
    assert [len(records[id_]["pictures"]) for id_ in IDS] == [3, 2, 1]
    result = scored(make, place, tmp_path, capsys)
    assert "3 there already" in capsys.readouterr().err
    assert sorted(video.id for video in result.videos) == sorted(IDS)
    assert not any(metric.summary.num_failed for metric in result.metrics)
    # The real prompts are longer than 512 of the tiny tokenizer's tokens, which are single characters.
    assert list(result.generation.prompts_cut) == ["multihuman_14", "singleface_1"]
    assert result.generation.family == "WanVACEPipeline"


def test_ready_videos_to_scores(place, tmp_path, capsys):
    result = scored([place / "ready"], place, tmp_path, capsys)
    assert result.generation is None
    assert sorted(video.id for video in result.videos) == sorted(IDS)
    assert not any(metric.summary.num_failed for metric in result.metrics)
