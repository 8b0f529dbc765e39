"""Which column sees which fault: the counts by hand, and the command with a cheap column."""

import json

import numpy as np
import pytest

from opens2v_hf.cli import main
from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import shows_fault
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation import faults
from opens2v_hf.evaluation.faults import Cell, fault_matrix, format_matrix, matrix_of

MOTION = "motion_amplitude_magnitude"
SCORES = {
    1: {
        "perfect": {"identity": 0.8, "motion": 0.02, "copy": None},
        "still": {"identity": 0.9, "motion": 0.0, "copy": 1.0},
        "wrong": {"identity": 0.1, "motion": 0.02, "copy": None},
    },
    2: {
        "perfect": {"identity": 0.4, "motion": 0.06, "copy": 0.5},
        "still": {"identity": 0.7, "motion": 0.05, "copy": 0.4},
    },
}


def test_more_motion_than_the_perfect_video_has_is_no_merit():
    scores = {1: {"perfect": {MOTION: 0.02, "a": 0.5}, "noise": {MOTION: 0.9, "a": 0.45}}}
    found = matrix_of(scores, {"both": [MOTION, "a"]}).cells["noise"]
    assert (found[MOTION].seen, found["both"].seen) == (0, 1)


def test_counts_by_hand():
    """Perfect videos have 0.6, 0.04 and 0.5 on the average."""
    found = matrix_of(
        SCORES, {"both": ["identity", "motion"], "all": ["identity", "motion", "copy"], "rest": ["motion", "copy"]}
    )
    still = found.cells["still"]
    assert still["identity"] == Cell(0, 2)
    assert still["motion"] == Cell(2, 2)
    assert still["copy"] == Cell(1, 1)  # without a value for the perfect one of scene 1
    # scene 1: both identities are above 0.6, so that 0 - 0.02 / 0.04; scene 2: +0.2 / 0.6 up to the average, and
    # motion is above 0.04 in both
    assert still["both"] == Cell(1, 2)
    # scene 2: +0.2 / 0.6 - 0.1 / 0.5
    assert still["all"] == Cell(1, 2)
    assert still["rest"] == Cell(2, 2)  # -0.5, and -0.2
    assert found.cells["wrong"]["both"] == Cell(1, 1)
    assert found.cells["wrong"]["motion"] == Cell(0, 1)
    assert found.cells["wrong"]["copy"].share is None
    assert found.num_scenes == 2


@pytest.fixture
def cheap(monkeypatch):
    """A column of how much moves, in place of the metrics."""

    def scorer(models, num_frames):
        return lambda scene, frames: {"moves": float(np.abs(np.diff(frames.astype(int), axis=0)).mean())}

    monkeypatch.setattr(faults, "_scorer", scorer)


def test_the_command_prints_a_table(cheap, capsys):
    assert main(["faults", "--scenes", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| fault | moves | together | with_text |"
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines[2:]}
    assert (rows["frozen"], rows["corrupted_frames"]) == ("100", "0")
    # three scenes of one subject each
    assert "swapped_subjects" not in rows
    assert main(["faults", "--scenes", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"]["frozen"]["moves"] == {"seen": 2, "scenes": 2}
    assert found["num_scenes"] == 2


def test_some_faults_alone_are_scored_where_they_can_be_seen(cheap, capsys):
    assert main(["faults", "--scenes", "8", "--faults", "swapped_subjects,frozen", "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert set(both["faults"]) == {"frozen", "swapped_subjects"}
    assert main(["faults", "--scenes", "8", "--faults", "swapped_subjects", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    scenes = [draw_scene(faults.FIRST_SEED + number, PREFIXES[number]) for number in range(8)]
    assert found["num_scenes"] == sum(shows_fault("swapped_subjects", scene) for scene in scenes) > 0
    assert found["faults"] == {"swapped_subjects": both["faults"]["swapped_subjects"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--faults", "smoke"), "(got smoke)"),
        (("--faults", "perfect"), "(got perfect)"),
        (("--first-seed", "999999"), "got 2 from 999999"),
        (("--first-seed", "-1"), "got 2 from -1"),
    ],
)
def test_what_cannot_be_scored_is_refused(words, said, capsys):
    assert main(["faults", "--scenes", "2", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, -3, 10_001])
def test_a_wrong_number_of_scenes_is_refused(count, capsys):
    with pytest.raises(ArgumentError, match=f"got {count}"):
        fault_matrix(count)
    assert main(["faults", "--scenes", str(count)]) == 2
    assert "number of scenes must be from 1 to 10000" in capsys.readouterr().err


def test_the_reference_of_each_metric_for_a_scene():
    scene = draw_scene(3, "multihuman", num_subjects=2)
    given = faults._references(scene)
    assert [len(given[name].images) for name in ("facesim_multi", "subject_identity", "nexusscore")] == [2, 2, 2]
    assert [len(views) for views in given["copypaste"].views] == [2, 2]
    assert given["facesim_cur"].images == ()  # the leaderboard's does not apply to several people
    assert len(faults._references(draw_scene(4, "humanobj"))["facesim_cur"].images) == 1


def test_no_embedded_model_was_trained_on_the_scenes():
    from opens2v_hf.data.synthetic.eval_layout import MAX_SAMPLE_SEED, SEEDS_PER_SAMPLE
    from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED

    assert faults.FIRST_SEED + faults.MAX_SCENES <= FIRST_TRAINING_SEED
    assert faults.FIRST_SEED + faults.MAX_SCENES <= (MAX_SAMPLE_SEED + 1) * SEEDS_PER_SAMPLE
    assert format_matrix(matrix_of({1: {"perfect": {"a": 1.0}}}, {})) == "| fault |  |\n|---|"
