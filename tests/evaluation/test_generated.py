"""From a model's name to its scorecard."""

import gc
import json
import subprocess
import weakref
from dataclasses import replace

import numpy as np
import pytest
from helpers.two_processes import LAUNCH, environment

import opens2v_hf.errors

pytest.importorskip("diffusers")

import opens2v_hf
from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.sample import write_sample
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.generators import Generated, GeneratorInfo, Recipe
from opens2v_hf.results.comparability import other_reasons
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.result import Coverage, RunResult, notes

SMALL = Recipe(width=32, height=16, num_frames=4, fps=8)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample"), per_category=1, seed=0).benchmark


def stripes(request):
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    for number in range(4):
        frames[number, :, (request.seed + len(request.prompt) + 4 * number) % 32] = 255
    return frames


stripes.recipe = SMALL


def score(model, benchmark, tmp_path, **options):
    options = {"ids": ["singleobj_1", "singleface_1"], "metrics": ["motion_amplitude"]} | options
    return opens2v_hf.score(model=model, data_dir=benchmark, out=tmp_path / "out", **options)


def test_the_videos_of_a_function_are_made_and_scored(benchmark, tmp_path):
    result = score(stripes, benchmark, tmp_path, seed=7)
    assert (result.model, sorted(video.id for video in result.videos)) == ("stripes", ["singleface_1", "singleobj_1"])
    assert result.coverage.unknown == ()  # the records of the videos are known files
    made = result.generation
    assert (made.kind, made.seed, made.recipe["width"], made.failed) == ("python", 7, 32, {})
    assert made.caveats == []
    saved = RunResult.load(tmp_path / "out/open-domain.partial.json")
    assert saved.generation == made
    assert RunResult.load(result.save(tmp_path / "given.json")).generation == made
    assert "seed 7, width 32, height 16, num_frames 4" in made.describe()


def test_given_videos_have_no_generator(benchmark, tmp_path):
    score(stripes, benchmark, tmp_path)
    given = opens2v_hf.score(
        tmp_path / "out/videos", data_dir=benchmark, name="given", metrics=["motion_amplitude"], ids=["singleobj_1"]
    )
    assert given.generation is None


def test_a_failed_generation_leaves_no_older_video(benchmark, tmp_path):
    score(stripes, benchmark, tmp_path)

    def broken(request):
        if request.id == "singleobj_1":
            raise RuntimeError("a layer is missing")
        return stripes(request)

    broken.recipe = SMALL
    result = score(broken, benchmark, tmp_path, name="stripes", seed=43)
    assert [video.id for video in result.videos] == ["singleface_1"]
    assert result.coverage.missing == ("singleobj_1",)
    assert "a layer is missing" in result.generation.failed["singleobj_1"]
    assert not (tmp_path / "out/videos/singleobj_1.mp4").exists()


def test_an_error_names_the_reason_if_no_video_was_made(benchmark, tmp_path):
    def broken(request):
        raise RuntimeError("no GPU")

    with pytest.raises(ModelError, match=r"none of 2 videos could be made.*no GPU"):
        score(broken, benchmark, tmp_path)


def test_the_generator_is_released_before_metrics_are_loaded(benchmark, tmp_path, monkeypatch):
    import opens2v_hf.evaluation.scoring as scoring
    import opens2v_hf.generators.diffusers_pipeline as diffusers_pipeline

    pipelines, alive = [], []
    load, score_all = diffusers_pipeline.load_pipeline, scoring._score_all

    def loaded(plan):
        pipeline = load(plan)
        pipelines.append(weakref.ref(pipeline.transformer))
        return pipeline

    def scored(*arguments):
        gc.collect()
        alive.extend(each() is not None for each in pipelines)
        return score_all(*arguments)

    monkeypatch.setattr(diffusers_pipeline, "load_pipeline", loaded)
    monkeypatch.setattr(scoring, "_score_all", scored)
    result = score("embedded", benchmark, tmp_path)
    assert alive == [False]
    assert result.model == "embedded"
    assert "random" in result.generation.caveats[0]
    assert not replace(result, benchmark={}).comparable


def test_a_refusal_to_replace_a_result_comes_before_the_videos(benchmark, tmp_path):
    score(stripes, benchmark, tmp_path)

    def other(request):
        raise AssertionError("was asked for a video")

    with pytest.raises(ArgumentError, match="is the result of 'stripes'"):
        score(other, benchmark, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either the videos .* or `model=`.*neither"),
        ({"videos": "x", "model": stripes}, "got both"),
        ({"videos": "x", "seed": 3}, "seed must not be given with videos"),
        ({"model": stripes}, "give `out=`"),
    ],
)
def test_videos_and_model_exclude_each_other(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        opens2v_hf.score(**arguments)


def test_the_command(benchmark, tmp_path, capsys):
    words = ["score", "--data-dir", str(benchmark), "--metrics", "motion_amplitude", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "--model" in capsys.readouterr().err
    module = tmp_path / "mine.py"
    module.write_text(
        "import numpy as np\n"
        "def generate(request):\n"
        "    if request.id == 'singleobj_1': raise ValueError('no cup')\n"
        "    frames = np.zeros((4, 16, 32, 3), np.uint8)\n"
        "    frames[range(4), :, range(4)] = 255\n"
        "    return frames\n"
    )
    assert main([*words, "--model", f"python:{module}:generate", "--limit", "4", "--seed", "3"]) == 1
    printed = capsys.readouterr().out
    assert "videos by" in printed
    assert "seed 3" in printed
    assert "not made (1):" in printed
    assert "no cup" in printed


def generation(**changes) -> Generation:
    info = {"kind": "python", "name": "mine", "revision": None, "family": None, "dtype": None, "versions": {}}
    settings = {"subject_driven": True, "notes": (), "recipe": {}, "seed": 42, "too_many_references": "fail"}
    return Generation(**info | settings | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subject_driven": False}, "not subject-driven"),
        ({"subject_driven": False, "notes": ("made from the text alone",)}, "made from the text alone"),
        ({"references_changed": {"first": 2}}, "2 videos were made from only the first references"),
        ({"references_changed": {"collage": 1}}, "1 videos were made from all references on one canvas"),
        ({"prompts_rewritten": ("singleobj_1",)}, "1 videos were made from a rewritten prompt"),
    ],
)
def test_reasons_why_a_generated_result_is_not_comparable(changes, words):
    result = RunResult("mine", "open-domain", {}, "videos", Coverage(0, 0, (), ()), (), (), generation=generation())
    assert result.comparable
    changed = replace(result, generation=generation(**changes))
    assert not changed.comparable
    assert any(words in reason for reason in other_reasons(changed))
    assert any(words in note for note in notes([changed]))


def test_a_rewritten_prompt_and_a_cut_one_are_counted(benchmark, tmp_path):
    def rewriting(request):
        facts = {"used_prompt": f"{request.prompt}, cinematic"} if request.id == "singleobj_1" else {}
        return Generated(frames=stripes(request), facts=facts | {"prompt_cut_at_tokens": 3})

    rewriting.recipe = SMALL
    made = score(rewriting, benchmark, tmp_path).generation
    assert made.prompts_rewritten == ("singleobj_1",)
    assert made.prompts_cut == ("singleface_1", "singleobj_1")


def test_facts_that_are_no_json_fail_their_video_only(benchmark, tmp_path):
    def odd(request):
        return Generated(frames=stripes(request), facts={"x": np.float32(1)} if request.id == "singleobj_1" else {})

    odd.recipe = SMALL
    made = score(odd, benchmark, tmp_path).generation
    assert list(made.failed) == ["singleobj_1"]
    assert "JSON-compatible" in made.failed["singleobj_1"]


def test_videos_of_another_program_are_not_replaced(benchmark, tmp_path):
    (tmp_path / "out/videos").mkdir(parents=True)
    mine = tmp_path / "out/videos/singleobj_1.mp4"
    mine.write_bytes(b"mine")
    with pytest.raises(opens2v_hf.errors.ResultError, match="would be replaced"):
        score(stripes, benchmark, tmp_path)
    assert mine.read_bytes() == b"mine"


def test_a_generator_that_lacks_a_part_is_named(benchmark, tmp_path):
    class Half:
        info = GeneratorInfo(kind="python", name="half")

        def generate(self, request, progress=None):
            return stripes(request)

    with pytest.raises(ArgumentError, match="lacks recipe, max_references, close"):
        score(Half(), benchmark, tmp_path)
    with pytest.raises(ArgumentError, match="must be a name, a function or a generator"):
        score(3, benchmark, tmp_path)


LAUNCHED = """
import json, os, sys
from pathlib import Path
import numpy as np, opens2v_hf
made = []
def stripes(request):
    made.append(f"{request.id} {request.seed}")
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    frames[range(4), :, [(len(request.prompt) + 4 * n) % 32 for n in range(4)]] = 255
    return frames
result = opens2v_hf.score(
    model=stripes, data_dir=sys.argv[1], out=sys.argv[2], metrics=["motion_amplitude"], seeds=[0, 1]
)
report = {"made": made, "scored": sorted(result.metric("motion_amplitude").scores)}
report["other"] = sorted(result.other_seeds[1]["motion_amplitude"])
Path(sys.argv[2], os.environ["RANK"] + ".json").write_text(json.dumps(report))
"""


def test_two_processes_share_the_videos_and_then_the_scores(benchmark, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(LAUNCHED)
    command = [*LAUNCH, str(script), str(benchmark), str(out)]
    launched = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert launched.returncode == 0, launched.stderr
    reports = [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]
    every = sorted(path.stem for path in (out / "videos").glob("*.mp4"))
    assert len(every) == 8
    both = sorted(f"{each} {seed}" for each in every for seed in (0, 1))
    assert sorted(reports[0]["made"] + reports[1]["made"]) == both  # nothing twice
    assert all(report["scored"] == report["other"] == every for report in reports)
