import importlib
import inspect
import operator
import sys
from pathlib import Path

import pytest
from helpers.nexus_models import save_nexus_models
from helpers.scoring import score_found

from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.metrics import registry
from opens2v_hf.metrics.registry import load_metrics, load_tasks
from opens2v_hf.models.roles import ROLES, ModelChoice, load_model
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.nexus import Thresholds
from opens2v_hf.scores.outcome import Status


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelChoice]:
    folders = save_nexus_models(tmp_path_factory.mktemp("models"))
    return {role: ModelChoice(folder, {"device": "cpu"}) for role, folder in folders.items()}


@pytest.mark.parametrize("name", ROLES)
def test_the_released_models_are_the_defaults(name: str) -> None:
    """What the table of roles says is what the function that loads a model of the role takes by itself."""
    module, attribute = ROLES[name].loader
    load = operator.attrgetter(attribute)(importlib.import_module(module))
    default = next(iter(inspect.signature(load).parameters.values())).default
    assert ROLES[name].released == (default if default is not None else load.__self__.released)


@pytest.mark.parametrize("role", ROLES)
def test_an_argument_that_the_loading_of_a_model_does_not_take_is_named(role: str) -> None:
    with pytest.raises(ArgumentError, match="foo") as caught:
        load_model(role, ModelChoice("embedded", {"foo": 1}))
    assert "reinstall" not in str(caught.value)


def test_the_files_of_released_weights() -> None:
    """As the repo of the released weights lists them."""
    assert {ROLES[role].file for role in ROLES if ROLES[role].released == "BestWishYsh/OpenS2V-Weight"} == {
        "yolo_world_v2_l_image_prompt_adapter-719a7afb.pth",
        "aesthetic-model.pth",
        "face_extractor/models/buffalo_l/det_10g.onnx",
        "glint360k_curricular_face_r101_backbone.bin",
    }


def test_metrics_share_the_models_that_they_have_in_common(choices: dict[str, ModelChoice]) -> None:
    gme, nexus = load_metrics(["gmescore", "nexusscore"], models=choices)
    assert nexus.embedder is gme.embedder
    assert [info.role for info in nexus.models] == ["detector", "prompt_encoder", "embedder"]


def test_options_of_nexusscore_reach_it(choices: dict[str, ModelChoice]) -> None:
    chosen = {"variant": "coverage", "num_frames": 5, "box_threshold": 0.7, "text_threshold": -1.0, "details": True}
    (metric,) = load_metrics(["nexusscore"], models=choices, options={"nexusscore": chosen})
    assert (metric.variant, metric.sampling.count, metric.details) == ("coverage", 5, True)
    assert metric.thresholds == Thresholds(0.7, -1.0)
    with pytest.raises(ArgumentError, match="no option colour"):
        load_metrics(["nexusscore"], models=choices, options={"nexusscore": {"colour": 1}})


def test_a_split_is_scored_with_its_own_pictures_and_a_missing_picture_fails_one_video(
    choices: dict[str, ModelChoice], tmp_path: Path
) -> None:
    ids = ("singleobj_1", "singleface_1", "humanobj_1")
    write_eval(tmp_path / "benchmark", per_category=1)
    write_generated(tmp_path / "videos", "perfect", ids=ids, num_frames=4)
    split = open_split("open-domain", data_dir=str(tmp_path / "benchmark"))
    subjects = {sample.id: sample.subjects for sample in split.samples}
    picture = split.picture_path(subjects["singleobj_1"][0])
    found = find_videos(str(tmp_path / "videos"), list(subjects))
    tasks = load_tasks(["nexusscore"], split, models=choices, options={"nexusscore": {"num_frames": 2}})

    def run() -> RunResult:
        return score_found(found, split.samples, tasks, model="m", split=split.name, benchmark=split.provenance)

    scores = run().metric("nexusscore").scores
    assert scores["singleobj_1"].status is scores["humanobj_1"].status is Status.SCORED
    labels = [reference["label"] for reference in scores["humanobj_1"].references]
    assert labels == ["human" if s.label in ("Man", "Woman") else s.label for s in subjects["humanobj_1"]]
    assert "human" in labels
    assert scores["singleface_1"].status is Status.NOT_APPLICABLE

    picture.unlink()
    scores = run().metric("nexusscore").scores
    assert scores["singleobj_1"].status is Status.FAILED
    assert picture.name in scores["singleobj_1"].reason
    assert scores["humanobj_1"].status is Status.SCORED


def test_models_that_are_loaded_already_are_used_as_they_are(choices: dict[str, ModelChoice]) -> None:
    (first,) = load_metrics(["gmescore"], models={"embedder": choices["embedder"]})
    (again,) = load_metrics(
        ["gmescore"], models={"embedder": ModelChoice("no-such-folder")}, loaded={"embedder": first.embedder}
    )
    assert again.embedder is first.embedder


def test_all_that_is_missing_is_said_at_once_before_any_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)

    def load(role: str, choice: ModelChoice) -> object:
        raise AssertionError(f"{role} is loaded")

    monkeypatch.setattr(registry, "load_model", load)
    with pytest.raises(ModelError) as caught:
        load_metrics(
            ["gmescore", "naturalscore", "facesim_cur"], models={"face_embedder": ModelChoice("/nowhere/at/all")}
        )
    first, *lines = str(caught.value).splitlines()
    assert first == "what is missing:"
    for line, words in zip(
        lines,
        (
            ("OPENAI_API_KEY", "`judge=`"),
            ("InsightFace", "pip install 'opens2v-hf[faces]'"),
            ("/nowhere/at/all", "neither a folder"),
            ("HF_HUB_OFFLINE", "gme-Qwen2-VL-7B-Instruct (embedder)", "OpenS2V-Weight (face_detector)", "`embedder=`"),
        ),
        strict=True,
    ):
        assert all(word in line for word in words), line


def test_one_thing_that_is_missing_keeps_its_own_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    choice = ModelChoice(__file__)  # any file; InsightFace is looked for first
    with pytest.raises(MissingDependencyError, match="pip install"):
        registry.check_models({"face_detector": choice})
    registry.check_models({role: ModelChoice("embedded") for role in ROLES})
