import json

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stages import STAGES, make_stages


def test_stages_come_in_the_order_of_a_build_with_their_arguments() -> None:
    stages = make_stages({"scenes": {"min_seconds": 1.5}}, only=["scenes", "probe"])

    assert [stage.name for stage in stages] == ["probe", "scenes"]
    assert stages[1].min_seconds == 1.5


def test_every_stage_can_be_made_without_arguments() -> None:
    for name, stage in zip(STAGES, make_stages(), strict=True):
        assert stage.name == name
        assert stage.resources.batch >= 1
        json.dumps(stage.facts())


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"the stages are probe, scenes.*\(got matting\)"):
        make_stages(only=["probe", "matting"])


def test_a_wrong_argument_of_a_model_ends_the_stage(tmp_path) -> None:
    """Whether or not somebody loads the stage before."""
    clip = ClipRecord("a", SourceFile("a.mp4", "a.mp4"), 0, 9, caption="A ball.", tags={"object": ("ball",)})
    absent = {"name": "embedded", "device": "abacus"}
    stages = make_stages(
        {
            "quality": {"aesthetic_encoder": absent},
            "scores": {"embedder": absent},
            "scenes": {"detector": "transnetv2", "device": "abacus"},
        },
        ["quality", "scores", "scenes"],
    )

    for stage in stages:
        with pytest.raises(ArgumentError, match="abacus"):
            stage([clip])


def test_a_model_on_a_server_gets_no_device_and_no_dtype() -> None:
    models = {"captioner": "openai:gpt", "embedder": {"name": "vllm:http://host/gme"}, "segmenter": "org/sam"}
    arguments = BuildOptions(device="cpu", dtype="float32", models=models).arguments()
    assert arguments["caption"]["captioner"] == "openai:gpt"
    assert arguments["scores"]["embedder"] == {"name": "vllm:http://host/gme"}
    assert arguments["segment"]["segmenter"] == {"name": "org/sam", "device": "cpu", "dtype": "float32"}
