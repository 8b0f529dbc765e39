"""With the embedded models, NexusScore tells the simulated models apart on held-out scenes, through real videos."""

import pytest

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import eval_ids, write_eval, write_generated
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.metrics.nexusscore import NexusScore
from opens2v_hf.models.roles import ModelChoice, load_model
from opens2v_hf.scores.nexus import NexusBox, Verdict, released
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip

PER_CATEGORY = 2
SEED = 7
NUM_FRAMES = 8
MODELS = ("perfect", "flicker", "wrong_subject", "missing_subject")
CATEGORIES = ("singlehuman", "singleobj", "multihuman", "multiobject", "faceobj", "humanobj")
"""Those that the released label rules leave a reference."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """{(model, sample id): {"coverage": value, "released": value}}."""
    folder = tmp_path_factory.mktemp("sample")
    split = open_split("open-domain", data_dir=str(write_eval(folder / "eval", per_category=PER_CATEGORY, seed=SEED)))
    samples = {sample.id: sample for sample in split.samples}
    ids = [i for i in eval_ids(PER_CATEGORY) if i.rpartition("_")[0] in CATEGORIES]
    models = [
        load_model(role, ModelChoice("embedded", {"device": "cpu"}))
        for role in ("detector", "embedder", "prompt_encoder")
    ]
    metric = NexusScore(*models, variant="coverage", num_frames=NUM_FRAMES, details=True)
    found = {}
    for model in MODELS:
        videos = write_generated(folder / model, model, seed=SEED, ids=ids, num_frames=NUM_FRAMES)
        for sample_id, video in zip(ids, videos, strict=True):
            sample = samples[sample_id]
            reference = NexusReference(
                images=tuple(split.picture_path(subject) for subject in sample.subjects),
                labels=tuple(subject.label for subject in sample.subjects),
                id=sample_id,
            )
            score = metric.score(Clip(video, rules=(metric.sampling,)), reference)
            assert score.status is Status.SCORED, score.reason
            boxes = [NexusBox(**{**box, "verdict": Verdict(box["verdict"])}) for box in score.details["boxes"]]
            found[model, sample_id] = {"coverage": score.value, "released": released(boxes)}
    return found


def share_in_order(scores, variant, better, worse):
    ids = {sample_id for _, sample_id in scores}
    ordered = [scores[better, i][variant] > scores[worse, i][variant] for i in ids]
    assert len(ordered) == len(CATEGORIES) * PER_CATEGORY
    return sum(ordered) / len(ordered)


@pytest.mark.parametrize(
    ("better", "worse"), [("perfect", "flicker"), ("flicker", "missing_subject"), ("perfect", "wrong_subject")]
)
def test_coverage_orders_the_simulated_models(scores, better, worse):
    assert share_in_order(scores, "coverage", better, worse) >= 0.95


def test_the_released_definition_rewards_flicker(scores):
    assert share_in_order(scores, "released", "flicker", "perfect") >= 0.95


def test_a_subject_that_is_shown_half_of_the_time_has_half_the_coverage(scores):
    mean = {m: sum(v["coverage"] for (model, _), v in scores.items() if model == m) for m in ("perfect", "flicker")}
    assert mean["flicker"] / mean["perfect"] == pytest.approx(0.5, abs=0.05)


def test_nothing_is_found_without_subjects(scores):
    empty = [values["coverage"] for (model, _), values in scores.items() if model == "missing_subject"]
    assert sum(value == 0 for value in empty) / len(empty) >= 0.95
