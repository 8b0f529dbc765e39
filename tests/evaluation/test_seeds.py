"""From several videos of each prompt to the spread in the scorecard."""

import json
from dataclasses import replace

import numpy as np
import pytest

import opens2v_hf
from opens2v_hf.cli import main
from opens2v_hf.data.synthetic.sample import write_sample
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.generators import Recipe
from opens2v_hf.results.comparability import other_reasons
from opens2v_hf.results.result import RunResult

SMALL = Recipe(width=32, height=16, num_frames=4, fps=8)
IDS = ["singleobj_1", "singleface_1"]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample"), per_category=1, seed=0).benchmark


def stripes(request):
    """Wider steps for another seed, so that the amplitude of the motion differs."""
    frames = np.zeros((4, 16, 32, 3), np.uint8)
    for number in range(4):
        start = (len(request.prompt) + (1 + request.seed) * number) % 24
        frames[number, :, start : start + 8] = 255
    return frames


stripes.recipe = SMALL


def score(benchmark, out, **options):
    return opens2v_hf.score(
        model=stripes, data_dir=benchmark, out=out, ids=IDS, metrics=["motion_amplitude"], **options
    )


@pytest.fixture(scope="module")
def scored(benchmark, tmp_path_factory):
    out = tmp_path_factory.mktemp("seeds")
    return score(benchmark, out, seeds=[0, 1, 2]), out


def test_the_result_is_that_of_the_first_seed_with_the_values_of_the_others(benchmark, scored, tmp_path):
    result, _ = scored
    for seed in (0, 1, 2):
        alone = score(benchmark, tmp_path / str(seed), seed=seed)
        values = {i: one.value for i, one in alone.metric("motion_amplitude").scores.items()}
        if seed == 0:
            assert {i: one.value for i, one in result.metric("motion_amplitude").scores.items()} == values
            assert result.scorecard().columns == alone.scorecard().columns
        else:
            assert result.other_seeds[seed] == {"motion_amplitude": values}
    by_seed = result.scorecard().seeds.columns["motion_amplitude"].by_seed
    assert len(set(by_seed.values())) == 3  # else nothing is shown here


def test_the_saved_result_has_all_seeds_and_a_second_run_scores_nothing(benchmark, scored, monkeypatch, capsys):
    result, out = scored
    saved = RunResult.load(out / "open-domain.partial.json")
    assert saved.scorecard() == result.scorecard()
    written = json.loads((out / "open-domain.partial.json").read_text())
    assert written["scorecard"]["released"]["seeds"]["seeds"] == [0, 1, 2]

    def nothing(*_):
        raise AssertionError("something was made or scored again")

    monkeypatch.setattr("opens2v_hf.generators.unit.write_video", nothing)
    monkeypatch.setattr("opens2v_hf.metrics.motion_amplitude.MotionAmplitude.score", nothing)
    again = score(benchmark, out, seeds=[0, 1, 2])
    assert again.scorecard() == result.scorecard()
    assert all(one.status == "scored" for one in again.metric("motion_amplitude").scores.values())


def test_a_seed_that_is_not_the_first_is_not_comparable(scored):
    result, out = scored
    second = RunResult.load(out / "seed-1/open-domain.partial.json")
    assert second.model == "stripes, seed 1"
    assert (result.generation.seeds, second.generation.seed) == ((0, 1, 2), 1)
    assert result.generation.caveats == []
    assert any("seed 1 is not the first of 0, 1, 2" in reason for reason in other_reasons(second))
    assert not replace(second, benchmark={}).comparable
    assert "seed 1 of 0, 1, 2" in second.generation.describe()


@pytest.mark.parametrize(
    "values",
    [
        {"1": {"motion_amplitude": {"singleobj_99": 0.5}}},
        {"1": {"beauty": {"singleobj_1": 0.5}}},
        {"0": {"motion_amplitude": {"singleobj_1": 0.5}}},
        {"x": {}},
    ],
)
def test_a_file_with_impossible_values_of_other_seeds_is_refused(scored, tmp_path, values):
    record = json.loads((scored[1] / "open-domain.partial.json").read_text())
    (tmp_path / "x.json").write_text(json.dumps(record | {"other_seeds": values}))
    with pytest.raises(ResultError, match="other_seeds"):
        RunResult.load(tmp_path / "x.json")


def test_a_result_of_another_model_in_a_seed_folder_is_refused_before_videos_are_made(benchmark, tmp_path):
    score(benchmark, tmp_path / "out/seed-1", seed=1, name="another")
    with pytest.raises(ArgumentError, match="is the result of 'another'"):
        score(benchmark, tmp_path / "out", seeds=[0, 1])
    assert not (tmp_path / "out/videos").exists()


def test_the_command(benchmark, tmp_path, capsys):
    module = tmp_path / "mine.py"
    module.write_text(
        "import numpy as np\n"
        "def generate(request):\n"
        "    if (request.id, request.seed) == ('singleobj_1', 8): raise ValueError('no cup')\n"
        "    frames = np.zeros((4, 16, 32, 3), np.uint8)\n"
        "    frames[range(4), :, range(4)] = request.seed\n"
        "    return frames * 31\n"
    )
    words = ["score", "--data-dir", str(benchmark), "--metrics", "motion_amplitude", "--out", str(tmp_path / "out")]
    words += ["--model", f"python:{module}:generate", "--ids", ",".join(IDS)]
    assert main([*words, "--seeds", "7,8"]) == 1  # a video of seed 8 is missing
    printed = capsys.readouterr().out
    assert "seed 7 of 7, 8" in printed
    assert "mean of 2 seeds" in printed
    assert "seed 8: 1" in printed
    with pytest.raises(SystemExit):
        main([*words, "--seeds", "7,x"])
    assert "whole numbers with commas" in capsys.readouterr().err
