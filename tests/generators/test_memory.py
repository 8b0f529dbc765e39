"""A pipeline that runs out of memory, and weights that fit nowhere."""

import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

import torch

from opens2v_hf.errors import GenerationError, ModelError
from opens2v_hf.generators import Request
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.embedded import RECIPE, build_embedded_pipeline
from opens2v_hf.generators.memory import MemoryMeasures
from opens2v_hf.generators.plan import plan_pipeline

REQUEST = Request("singleobj_1", "A cup.", (Image.new("RGB", (40, 24), "red"),), ("Cup",), 42, RECIPE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_embedded_pipeline(tmp_path_factory.mktemp("pipelines") / "vace")


@pytest.fixture
def generator(folder):
    return PipelineGenerator(plan_pipeline(str(folder), device="cpu"))


def fail_at_steps(generator, monkeypatch, failures):
    """Let the transformer run out of memory as often as that, in its second step, as a real one does."""
    calls = []
    transformer = generator._pipeline.transformer
    real = transformer.forward

    def forward(*arguments, **options):
        calls.append(options["hidden_states"].shape)
        if len(calls) % 4 == 3 and len(calls) < 4 * failures:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(*arguments, **options)

    monkeypatch.setattr(transformer, "forward", forward)
    return calls


def test_a_lack_of_memory_takes_the_next_measure_and_keeps_the_size(generator, monkeypatch):
    whole = generator.generate(REQUEST)
    assert "memory_measures" not in whole.facts
    shapes = fail_at_steps(generator, monkeypatch, failures=1)
    made = generator.generate(REQUEST)
    assert made.facts["memory_measures"] == ["VAE tiling"]
    np.testing.assert_array_equal(made.frames, whole.frames)  # so small a video is one tile
    assert len(set(shapes)) == 1
    monkeypatch.undo()
    assert generator.generate(REQUEST).facts["memory_measures"] == ["VAE tiling"]  # for later videos, too


def test_without_a_measure_left_the_video_fails_and_the_next_one_does_not(generator, monkeypatch):
    fail_at_steps(generator, monkeypatch, failures=9)
    with pytest.raises(GenerationError, match=r"out of memory, with VAE tiling: .*2\.00 GiB") as raised:
        generator.generate(REQUEST)
    assert raised.value.transient
    monkeypatch.undo()
    assert generator.generate(REQUEST).frames.shape == (9, 32, 32, 3)


def test_each_measure_of_a_gpu_leads_to_the_same_frames(generator):
    """Offloading works from the processor to the processor, too."""
    whole = generator.generate(REQUEST).frames
    measures = MemoryMeasures(generator._pipeline, torch.device("cpu"))
    measures._known |= {"model offload": measures._offload_models, "group offload": measures._offload_groups}
    for name in ("VAE tiling", "model offload", "group offload"):
        assert measures.take_next()
        assert measures.taken[-1] == name
        np.testing.assert_allclose(generator.generate(REQUEST).frames, whole, atol=1e-6)
    assert not measures.take_next()


def test_weights_that_do_not_fit_the_gpu_are_offloaded(generator, monkeypatch):
    pipeline = generator._pipeline
    places, taken = [], []

    def to(device):
        places.append(str(device))
        if str(device) == "meta":  # in place of a GPU
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(pipeline, "to", to)
    monkeypatch.setattr(pipeline, "enable_model_cpu_offload", lambda device: taken.append(str(device)))
    for fits, moved in ((True, ["meta", "cpu"]), (False, [])):
        places.clear()
        measures = MemoryMeasures(pipeline, torch.device("meta"))
        measures.move_to_device(fits=fits)
        assert (measures.taken, places) == (["model offload"], moved)
    assert taken == ["meta", "meta"]


def test_the_size_of_the_weights_is_compared_with_memory_and_gpu(folder, monkeypatch):
    import opens2v_hf.generators.room as room

    stored = sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
    plan = plan_pipeline(str(folder), device="cpu")
    assert plan.room.weights_bytes == stored
    # stored in float32: the file less its headers
    assert plan.room.loaded_bytes == pytest.approx(stored, rel=0.2)
    half = plan_pipeline(str(folder), device="cpu", dtype="bfloat16").room.loaded_bytes
    assert half == pytest.approx(plan.room.loaded_bytes / 2, rel=0.01)
    assert plan.room.fits_gpu
    monkeypatch.setattr(room, "_free_gpu", lambda device: 1000)
    small = plan_pipeline(str(folder), device="cpu").room
    assert not small.fits_gpu
    assert "do not fit the GPU" in small.describe()[-1]
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 1000)
    with pytest.raises(ModelError, match=r"take 0.\d MB as float32 and 0.0 MB of memory are free"):
        plan_pipeline(str(folder), device="cpu")


def test_the_weights_of_all_processes_of_a_machine_are_added_up(folder, monkeypatch):
    import opens2v_hf.generators.room as room

    size = plan_pipeline(str(folder), device="cpu").room.loaded_bytes
    monkeypatch.setattr(room, "free_memory_bytes", lambda: 3 * size)

    def launched(local, rank):
        for name, value in (("WORLD_SIZE", 4), ("LOCAL_WORLD_SIZE", local), ("RANK", rank), ("LOCAL_RANK", rank)):
            monkeypatch.setenv(name, str(value))
        return plan_pipeline(str(folder), device="cpu").room

    with pytest.raises(ModelError, match=r"take 4 x 0\.\d MB as float32 .* start fewer processes"):
        launched(4, 0)
    assert "2 x 0." in "\n".join(launched(2, 0).describe())  # two machines
    assert launched(4, 1).num_copies == 1  # the first process counts for all


def test_variants_and_folders_of_no_component_are_not_counted(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = next((copy / "transformer").glob("*.safetensors"))
    shutil.copy(weights, weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    shutil.copy(weights, weights.with_name("diffusion_pytorch_model.fp16-00001-of-00002.safetensors"))
    shutil.copytree(copy / "transformer", copy / "transformer_old")
    whole, counted = (plan_pipeline(str(place), device="cpu").room.weights_bytes for place in (folder, copy))
    assert counted == whole
