import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.aesthetic_models import save_aesthetic_models

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.pipeline import stage_models
from opens2v_hf.pipeline.stage_models import StageModel, check_stage_models, hide_bars_of_weights, on_gpu


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_aesthetic_models(tmp_path_factory.mktemp("models"))["aesthetic_head"]


def test_two_stages_that_name_a_model_share_it(head: Path) -> None:
    first = StageModel("aesthetic_head", str(head))
    second = StageModel("aesthetic_head", {"name": str(head)})
    on_cpu = StageModel("aesthetic_head", ModelChoice(str(head), {"device": "cpu"}))

    assert first.get() is second.get()
    assert on_cpu.get() is not first.get()


def test_facts_name_the_weights_once_they_are_loaded_and_never_the_device(head: Path) -> None:
    model = StageModel("aesthetic_head", str(head))
    assert model.facts() == {"name": str(head)}

    model.get()

    assert len(model.facts()["revision"]) >= 8
    assert "device" not in model.facts()


def test_a_named_model_is_pickled_by_its_name(head: Path) -> None:
    model = StageModel("aesthetic_head", str(head))
    model.get()

    copy = pickle.loads(pickle.dumps(model))

    assert copy._model is None
    assert copy.get() is model.get()


def test_what_is_missing_is_named_at_once_before_anything_is_loaded(head: Path, monkeypatch) -> None:
    monkeypatch.setattr("opens2v_hf.models.hub_access.cached_commit", lambda *_, **__: None)
    stages = [SimpleNamespace(first=StageModel("aesthetic_head", str(head)), other=3, none=None)]
    check_stage_models(stages)
    stages += [SimpleNamespace(a=StageModel("segmenter", "org/one"), b=StageModel("captioner", "org/two")), object()]
    with pytest.raises(ModelError, match=r"what is missing:\n.*org/one \(segmenter\), org/two \(captioner\)"):
        check_stage_models(stages)


def test_a_model_on_a_gpu_takes_one() -> None:
    assert on_gpu(None, StageModel("embedder", "org/model")) == 0
    assert on_gpu(StageModel("embedder", {"name": "org/model", "device": "cuda:0"})) == 1


def test_a_dict_without_a_name_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"the embedder is named by a dict with a 'name' \(got the keys \['dev"):
        StageModel("embedder", {"device": "cpu"})


def test_bars_are_hidden_when_a_model_is_loaded_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: list[bool] = []
    monkeypatch.delitem(sys.modules, "transformers")  # it is not imported yet
    monkeypatch.setattr(stage_models, "_hides_bars", False)
    monkeypatch.setattr(stage_models, "_shared", {})
    monkeypatch.setattr(stage_models, "hide_bars", lambda *, downloads: hidden.append(downloads))
    monkeypatch.setattr(stage_models, "load_model", lambda role, choice: (role, list(hidden)))
    assert StageModel("embedder", "one").get() == ("embedder", [])
    hide_bars_of_weights()
    assert hidden == []
    assert StageModel("embedder", "two").get() == ("embedder", [False])
