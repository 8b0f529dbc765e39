"""With the embedded models, FaceSim tells the simulated models apart on held-out scenes, through real videos."""

import pytest
from helpers.scoring import score_found

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import eval_ids, write_eval, write_generated
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.metrics.registry import load_tasks
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.scores.outcome import Status

PER_CATEGORY = 2
SEED = 8
NUM_FRAMES = 8
MODELS = ("perfect", "flicker", "wrong_subject", "missing_subject")
SEVERAL = ("multiface", "multihuman")
CUR = ("singleface", "singlehuman", "faceobj", "humanobj")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """{(metric, model): {sample id: outcome}} of the samples with people."""
    folder = tmp_path_factory.mktemp("sample")
    split = open_split("open-domain", data_dir=str(write_eval(folder / "eval", per_category=PER_CATEGORY, seed=SEED)))
    ids = [i for i in eval_ids(PER_CATEGORY) if i.rpartition("_")[0] in (*CUR, *SEVERAL)]
    samples = [sample for sample in split.samples if sample.id in ids]
    names = ["facesim_cur", "facesim_multi"]
    choices = {role: ModelChoice("embedded", {"device": "cpu"}) for role in ("face_detector", "face_embedder")}
    tasks = load_tasks(names, split, models=choices, options={name: {"num_frames": NUM_FRAMES} for name in names})
    found = {}
    for model in MODELS:
        write_generated(folder / model, model, seed=SEED, ids=ids, num_frames=NUM_FRAMES)
        videos = find_videos(str(folder / model), ids)
        result = score_found(videos, samples, tasks, model=model, split=split.name, benchmark=split.provenance)
        for name in names:
            found[name, model] = dict(result.metric(name).scores)
    return found


def values(scores, metric, model, categories):
    return {i: s.value for i, s in scores[metric, model].items() if i.rpartition("_")[0] in categories}


def share(better, worse):
    assert set(better) == set(worse)
    return sum(better[i] > worse[i] for i in better) / len(better)


def test_each_metric_has_a_value_where_it_is_defined(scores):
    for model in MODELS:
        for metric, categories in (("facesim_cur", CUR), ("facesim_multi", (*CUR, *SEVERAL))):
            statuses = {i: s.status for i, s in scores[metric, model].items() if s.status is not Status.NOT_APPLICABLE}
            assert {i.rpartition("_")[0] for i in statuses} == set(categories)
            assert set(statuses.values()) == {Status.SCORED}


@pytest.mark.parametrize(("metric", "categories"), [("facesim_cur", CUR), ("facesim_multi", (*CUR, *SEVERAL))])
def test_the_right_person_scores_above_another_and_an_empty_scene(scores, metric, categories):
    perfect, wrong, missing = (
        values(scores, metric, model, categories) for model in ("perfect", "wrong_subject", "missing_subject")
    )
    assert share(perfect, wrong) >= 0.95
    assert share(perfect, missing) >= 0.95
    assert sum(perfect.values()) / len(perfect) >= 0.7
    assert sum(wrong.values()) / len(wrong) <= 0.35
    assert sum(value == 0 for value in missing.values()) / len(missing) >= 0.9


def test_several_people_pay_for_flicker_and_the_released_score_does_not(scores):
    def mean(metric, model, categories):
        found = values(scores, metric, model, categories)
        return sum(found.values()) / len(found)

    ratio = mean("facesim_multi", "flicker", SEVERAL) / mean("facesim_multi", "perfect", SEVERAL)
    assert ratio == pytest.approx(0.5, abs=0.1)
    assert mean("facesim_cur", "flicker", CUR) >= 0.9 * mean("facesim_cur", "perfect", CUR)
