from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.evaluation.unit_keys import digest_of, model_folders, unit_key, video_key
from opens2v_hf.metrics.nexus_reference import NexusReference
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.video.sampling import SamplingRule, linspace

FOUR = linspace(4)


@dataclass(frozen=True)
class Setting:
    """A metric, as far as keys are concerned."""

    name: str = "gmescore"
    sampling: SamplingRule = FOUR
    models: tuple[ModelInfo, ...] = (ModelInfo("embedder", "org/gme", "c0ffee", "float16", "cuda:0"),)
    options: Any = None

    @property
    def caveats(self) -> tuple[str, ...]:
        return ()


METRIC = Setting(options={"runs": 3})
PLAIN = {"sample_id": "singleobj_1", "video_sha256": "ab" * 32, "versions": {"torch": "2.13.0"}}


def key(metric: Any = METRIC, reference: Any = "a cup", **changed: Any) -> str:
    return unit_key(metric, reference, **(PLAIN | changed))


def with_model(**changed: Any) -> Setting:
    return replace(METRIC, models=(replace(METRIC.models[0], **changed),))


def test_the_same_unit_has_the_same_key() -> None:
    assert key() == key(Setting(options={"runs": 3}))
    assert len(key()) == 64


@pytest.mark.parametrize(
    "changed",
    [
        key(reference="a hat"),
        key(sample_id="singleobj_2"),
        key(video_sha256="cd" * 32),
        key(versions={"torch": "2.14.0"}),
        key(folders={"embedder": "ab" * 32}),
        key(replace(METRIC, name="nexusscore")),
        key(replace(METRIC, sampling=linspace(5))),
        key(replace(METRIC, options={"runs": 4})),
        key(with_model(revision="decaf")),
        key(with_model(name="org/other")),
        key(with_model(dtype="float32")),
        key(with_model(device="cpu")),
        key(with_model(quantization="bitsandbytes")),
    ],
)
def test_every_input_of_the_outcome_changes_the_key(changed: str) -> None:
    assert changed != key()


def test_a_changed_configuration_of_a_model_folder_changes_the_key(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"rms_norm_eps": 1e-6}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    metric = with_model(name=str(tmp_path))
    before = model_folders(metric)
    assert list(before) == ["embedder"]
    (tmp_path / "README.md").write_text("of no consequence")
    (tmp_path / "model.safetensors").write_bytes(b"other weights")  # these the revision tells of
    assert model_folders(metric) == before
    (tmp_path / "config.json").write_text('{"rms_norm_eps": 1e-5}')
    after = model_folders(metric)
    assert after != before
    (tmp_path / "config.json").rename(tmp_path / "other.json")
    assert model_folders(metric) not in (before, after)
    assert model_folders(METRIC) == {}
    assert model_folders(with_model(name="embedded", embedded=True)) == {}


def test_the_index_of_a_gpu_does_not_change_the_key() -> None:
    assert key(with_model(device="cuda:1")) == key(with_model(device="cuda")) == key()


def test_the_key_depends_on_the_bytes_of_a_picture_not_on_its_path(tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(b"one")
    second.write_bytes(b"one")

    def reference(path: Path, label: str = "Cup") -> NexusReference:
        return NexusReference((path,), (label,), "singleobj_1")

    before = digest_of(reference(first))
    assert digest_of(reference(second)) == before
    assert digest_of(reference(first, "Hat")) != before
    second.write_bytes(b"two")
    assert digest_of(reference(second)) != before
    with pytest.raises(FileNotFoundError):
        digest_of(reference(tmp_path / "absent.png"))


def test_the_key_depends_on_the_pixels_and_numbers_of_arrays() -> None:
    grey = np.full((2, 3, 3), 7, np.uint8)
    assert digest_of(Image.fromarray(grey)) == digest_of(Image.fromarray(grey.copy()))
    assert digest_of(Image.fromarray(grey)) != digest_of(Image.fromarray(grey + 1))
    assert digest_of(grey) == digest_of(grey[:, ::1])
    assert len({digest_of(grey), digest_of(grey.reshape(3, 2, 3)), digest_of(grey.astype(np.int8))}) == 3
    assert digest_of({"a": b"x"}) != digest_of({"a": b"y"})


def test_references_of_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="got object"):
        digest_of([object()])


def test_the_key_of_a_header_depends_on_bytes_and_versions() -> None:
    assert len({video_key("ab", {}), video_key("cd", {}), video_key("ab", {"av": "14"})}) == 3
