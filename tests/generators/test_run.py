"""Runs with small generators: videos are made once, resumed, repeated or refused."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.eval_folder import OPEN_IDS, write_eval_folder
from helpers.stripes import RECIPE, Stripes, make

import opens2v_hf.generators.unit as generation_unit
from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators import Generated, Recipe
from opens2v_hf.generators.api import generate
from opens2v_hf.video.reader import open_video


@pytest.fixture
def benchmark(tmp_path):
    return write_eval_folder(tmp_path / "benchmark")


def test_each_sample_gets_a_video_and_its_record(benchmark, tmp_path):
    stripes = Stripes()
    run = make(stripes, benchmark, tmp_path)
    assert sorted(run.made) == sorted(OPEN_IDS)
    assert stripes.closed
    with open_video(tmp_path / "out/videos/faceobj_2.mp4") as reader:
        assert (reader.num_frames, reader.width, reader.height, reader.fps) == (4, 32, 16, 8)
    record = json.loads((tmp_path / "out/videos/faceobj_2.json").read_text())
    assert record["prompt"] == "A man."
    assert record["seed"] == 42
    assert record["checks"] == ["number of frames", "size", "finite values", "more than one colour", "motion"]
    assert record["video"] == {"num_frames": 4, "width": 32, "height": 16, "fps": 8.0}
    assert list(record["pictures"]) == ["Images/humanobj/human/man/2.jpg", "Images/humanobj/thing/ball/2.png"]
    request = next(request for request in stripes.requests if request.id == "faceobj_2")
    assert request.labels == ("Man", "Ball")
    assert [image.getpixel((0, 0))[2] == 200 for image in request.images] == [False, True]


@pytest.mark.parametrize("error", [ValueError("gone"), SystemExit(3)])
def test_a_generator_that_cannot_be_closed_has_made_its_videos(benchmark, tmp_path, capsys, error):
    stripes = Stripes()

    def close():
        raise error

    stripes.close = close
    assert sorted(make(stripes, benchmark, tmp_path).made) == sorted(OPEN_IDS)
    assert "stripes could not be closed (" in capsys.readouterr().err


def test_a_second_run_makes_nothing(benchmark, tmp_path):
    make(Stripes(), benchmark, tmp_path)
    again = Stripes()
    run = make(again, benchmark, tmp_path)
    assert (len(again.requests), run.num_reused) == (0, len(OPEN_IDS))


@pytest.mark.parametrize("forget_journal", [False, True])
def test_a_removed_video_is_made_again_each_time(benchmark, tmp_path, forget_journal):
    make(Stripes(), benchmark, tmp_path)
    for _ in range(2):
        (tmp_path / "out/videos/singleobj_1.mp4").unlink()
        if forget_journal:
            for path in (tmp_path / "out/videos.journal").glob("*.jsonl"):
                path.unlink()
        again = Stripes()
        make(again, benchmark, tmp_path)
        assert [request.id for request in again.requests] == ["singleobj_1"]
        assert (tmp_path / "out/videos/singleobj_1.mp4").is_file()


@pytest.mark.parametrize("change", [{"seed": 43}, {"recipe": Recipe(fps=12)}])
def test_another_request_makes_new_videos(benchmark, tmp_path, change):
    make(Stripes(), benchmark, tmp_path)
    again = Stripes()
    make(again, benchmark, tmp_path, **change)
    assert len(again.requests) == len(OPEN_IDS)


def test_a_failed_video_costs_no_other_and_only_transient_failures_are_repeated(benchmark, tmp_path):
    faults = {
        "singleobj_1": GenerationError("no memory", transient=True),
        "faceobj_2": Generated(frames=np.full((4, 16, 32, 3), np.nan)),
        "singleface_3": Generated(frames=np.zeros((3, 16, 32, 3), np.uint8)),
    }
    run = make(Stripes(faults), benchmark, tmp_path)
    assert list(run.made) == ["multiface_4"]
    assert run.failed["singleobj_1"] == "no memory"
    assert "NaN" in run.failed["faceobj_2"]
    assert run.failed["singleface_3"] == "the video must have 4 frames (got 3)"
    again = Stripes()
    run = make(again, benchmark, tmp_path)
    assert [request.id for request in again.requests] == ["singleobj_1"]
    assert sorted(run.failed) == ["faceobj_2", "singleface_3"]
    assert not make(Stripes(), benchmark, tmp_path, retry_failed=True).failed


def test_an_exception_of_a_function_fails_its_own_video(benchmark, tmp_path):
    def stripes(request):
        if request.id == "faceobj_2":
            raise ZeroDivisionError("by zero")
        return Stripes().generate(request).frames

    stripes.recipe = RECIPE
    run = make(stripes, benchmark, tmp_path)
    assert "ZeroDivisionError: by zero" in run.failed["faceobj_2"]
    assert len(run.made) == 3


def test_too_many_references_fail_or_are_recorded(benchmark, tmp_path):
    one = Stripes()
    one.max_references = 1
    run = make(one, benchmark, tmp_path)
    assert sorted(run.failed) == ["faceobj_2", "multiface_4"]
    run = make(one, benchmark, tmp_path, too_many_references="collage")
    assert run.references_changed == {"collage": 2}
    assert json.loads((tmp_path / "out/videos/generation.json").read_text())["references_changed"] == {"collage": 2}


def test_broken_pictures_fail_their_sample_only(benchmark, tmp_path):
    (benchmark / "Images/singleobject/cup/1.png").write_bytes(b"no picture")
    run = make(Stripes(), benchmark, tmp_path)
    assert list(run.failed) == ["singleobj_1"]
    assert len(run.made) == 3


def test_an_encoded_video_is_stored_unchanged(benchmark, tmp_path):
    make(Stripes(), benchmark, tmp_path)
    content = (tmp_path / "out/videos/singleobj_1.mp4").read_bytes()

    def service(request):
        return Generated(video=content if request.id != "faceobj_2" else b"<html>busy</html>")

    run = generate(service, data_dir=benchmark, out=tmp_path / "other")
    assert (tmp_path / "other/videos/singleobj_1.mp4").read_bytes() == content
    assert "is not a video" in run.failed["faceobj_2"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Recipe(num_frames=5), "must have 5 frames (got 4); leave num_frames out"),
        (Recipe(width=64), "must have 64x16 pixels (got 32x16)"),
        (Recipe(fps=30), None),  # of an encoded video the file's rate counts
    ],
)
def test_an_encoded_video_is_compared_with_the_recipe(benchmark, tmp_path, asked, reason):
    make(Stripes(), benchmark, tmp_path, ids=["singleobj_1"])
    content = (tmp_path / "out/videos/singleobj_1.mp4").read_bytes()
    options = {"data_dir": benchmark, "out": tmp_path / "other", "recipe": asked, "ids": ["singleobj_1"]}
    run = generate(lambda request: Generated(video=content), **options)
    assert [reason in said for said in run.failed.values()] == [True] * (reason is not None)


def test_a_full_disk_loses_no_finished_video(benchmark, tmp_path, monkeypatch):
    def full(path, *_arguments, **_options):
        if path.stem == "singleface_3":
            raise OSError(28, "No space left on device")
        return real(path, *_arguments, **_options)

    real = generation_unit.write_video
    monkeypatch.setattr(generation_unit, "write_video", full)
    with pytest.raises(Exception, match="No space left"):
        make(Stripes(), benchmark, tmp_path)
    monkeypatch.undo()
    again = Stripes()
    make(again, benchmark, tmp_path)
    assert "singleobj_1" not in [request.id for request in again.requests]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "seed must be a whole number"),
        ({"limit": 0}, "limit must be a whole number of at least 1"),
        ({"ids": ["nobody_1"]}, "has no sample nobody_1"),
        ({"too_many_references": "some"}, "must be 'fail', 'first' or 'collage'"),
    ],
)
def test_wrong_use_is_refused(benchmark, tmp_path, options, words):
    with pytest.raises(ArgumentError) as raised:
        make(Stripes(), benchmark, tmp_path, **options)
    assert words in str(raised.value)


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from helpers.stripes import Stripes
from opens2v_hf.generators.api import generate
class Killed(Stripes):
    def generate(self, request, progress=None):
        if len(self.requests) == 2:
            os.kill(os.getpid(), 9)
        return super().generate(request, progress)
generate(Killed(), data_dir=sys.argv[2], out=sys.argv[3])
"""


def test_a_killed_run_resumes_and_makes_nothing_twice(benchmark, tmp_path):
    tests = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", KILLED, str(tests), str(benchmark), str(tmp_path / "out")]
    environment = {"PYTHONPATH": str(tests.parent), "PATH": "/usr/bin:/bin"}
    assert subprocess.run(command, env=environment, capture_output=True).returncode == -9
    again = Stripes()
    run = make(again, benchmark, tmp_path)
    assert (len(again.requests), len(run.made)) == (len(OPEN_IDS) - 2, len(OPEN_IDS))


KILLED_PIPELINE = """
import os, sys
from opens2v_hf.generators.api import generate
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
real, calls = PipelineGenerator.generate, []
def generate_or_die(self, request, progress=None):
    calls.append(request.id)
    if len(calls) < 2:
        return real(self, request, progress)
    return real(self, request, lambda done, total: os.kill(os.getpid(), 9))  # in the middle of denoising
PipelineGenerator.generate = generate_or_die
generate("embedded", data_dir=sys.argv[1], out=sys.argv[2], limit=2)
"""


@pytest.mark.slow
def test_a_killed_run_of_a_pipeline_resumes_to_the_same_files(benchmark, tmp_path):
    pytest.importorskip("diffusers")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED_PIPELINE, str(benchmark), str(tmp_path / "killed")]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    resumed = generate("embedded", data_dir=benchmark, out=tmp_path / "killed", limit=2)
    whole = generate("embedded", data_dir=benchmark, out=tmp_path / "whole", limit=2)
    assert (resumed.num_reused, len(resumed.made), resumed.failed) == (1, 2, {})
    for sample_id in whole.made:
        videos = [(tmp_path / name / f"videos/{sample_id}.mp4").read_bytes() for name in ("killed", "whole")]
        assert videos[0] == videos[1]
    assert sorted(path.name for path in (tmp_path / "killed/videos").iterdir()) == sorted(
        path.name for path in (tmp_path / "whole/videos").iterdir()
    )


def test_pictures_of_every_kind_arrive_as_rgb_or_are_named(benchmark, tmp_path):
    from PIL import Image

    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(benchmark / "Images/singleobject/cup/1.png")
    Image.new("L", (20, 20), 77).save(benchmark / "Images/humanobj/thing/ball/2.png")
    Image.new("RGB", (1, 1)).save(benchmark / "Images/singleface/crop_woman/3.png")
    stripes = Stripes()
    run = make(stripes, benchmark, tmp_path)
    assert list(run.failed) == ["singleface_3"]
    assert "must be at least 16 pixels wide and high" in run.failed["singleface_3"]
    seen = {request.id: request.images for request in stripes.requests}
    assert (seen["singleobj_1"][0].mode, seen["singleobj_1"][0].getpixel((0, 0))) == ("RGB", (255, 255, 255))
    assert seen["faceobj_2"][1].getpixel((5, 5)) == (77, 77, 77)


def test_an_exception_of_a_generator_costs_its_video_only(benchmark, tmp_path):
    run = make(Stripes({"faceobj_2": ZeroDivisionError("by zero")}), benchmark, tmp_path)
    assert list(run.failed) == ["faceobj_2"]
    assert "by zero" in run.failed["faceobj_2"]
    assert len(run.made) == 3


def test_prompts_that_differ_only_after_the_encoder_s_limit_are_reported(benchmark, tmp_path):
    pytest.importorskip("diffusers")
    path = benchmark / "Open-Domain_Eval.json"
    prompts = json.loads(path.read_text())
    prompts["singleobj_1"]["prompt"] = "a" * 600 + " cup"
    prompts["singleface_3"]["prompt"] = "a" * 600 + " man"
    path.write_text(json.dumps(prompts))
    run = generate("embedded", data_dir=benchmark, out=tmp_path / "out", ids=["singleobj_1", "singleface_3"])
    assert run.prompts_cut == ["singleface_3", "singleobj_1"]


def test_changed_weights_of_a_folder_are_another_model(tmp_path):
    pytest.importorskip("diffusers")
    from opens2v_hf.generators.index_file import read_index

    folder = tmp_path / "model"
    (folder / "transformer").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "WanVACEPipeline"}')
    weights = folder / "transformer/w.safetensors"
    weights.write_bytes(bytes(9 << 20))
    first = read_index(str(folder)).revision
    assert read_index(str(folder)).revision == first
    weights.write_bytes(b"\1" * (9 << 20))  # another step of a training: same size, same index file
    assert read_index(str(folder)).revision != first


def test_an_empty_negative_prompt_is_a_choice():
    assert Recipe(negative_prompt="").over(Recipe(negative_prompt="blurry")).negative_prompt == ""


def test_the_plan_counts_existing_videos_and_samples_with_too_many_references(benchmark, tmp_path, capsys):
    one = Stripes()
    one.max_references = 1
    make(one, benchmark, tmp_path, ids=["singleobj_1"])
    capsys.readouterr()
    make(one, benchmark, tmp_path)
    said = capsys.readouterr().err
    # of four samples two have two references, and one video is there
    assert "4 samples: 1 video to make, 1 there already" in said
    assert "2 samples with more references than the model takes (1): they are listed as failed" in said
    make(one, benchmark, tmp_path / "other", too_many_references="first", seeds=[1, 2])
    assert "4 samples x 2 seeds: 8 videos to make, 0 there already" in capsys.readouterr().err


def test_the_time_of_the_other_videos_is_printed_after_the_first(benchmark, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(generation_unit.time, "monotonic", itertools.count(0, 90).__next__)
    make(Stripes(), benchmark, tmp_path)
    assert "the first video took 90 s; the other 3 take about 0:04:30 in all" in capsys.readouterr().err
    make(Stripes(), benchmark, tmp_path / "two", seeds=[1, 2])
    assert "the other 7 take about 0:10:30 in all" in capsys.readouterr().err


def test_a_model_whose_videos_all_exist_is_not_loaded(benchmark, tmp_path, monkeypatch, caplog):
    pytest.importorskip("diffusers")
    from opens2v_hf.generators.embedded import RECIPE as SMALL
    from opens2v_hf.generators.embedded import build_embedded_pipeline

    folder = str(build_embedded_pipeline(tmp_path / "vace"))
    options = {"data_dir": benchmark, "out": tmp_path / "out", "recipe": SMALL, "ids": ["singleobj_1"]}
    made = generate(folder, **options)

    def load(plan):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("opens2v_hf.generators.load._load", load)
    again = generate(folder, **options)
    assert (again.num_reused, again.made) == (1, made.made)
    with pytest.raises(AssertionError, match="was loaded"):
        generate(folder, **options, seed=43)
