import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.detectors import NARROW, random_detector, random_network

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.models.yolo_world.weights import convert, save_weights

BOXES_PX = 0.05  # the tolerance that comes with the released fixture
FRAMES = np.random.default_rng(0).integers(0, 256, (3, 60, 100, 3), dtype=np.uint8)


def embeddings(count, seed=0):
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def detector():
    return random_detector(dtype="float64")


def test_any_batch_gives_the_boxes_of_one_at_a_time(detector):
    prompts = detector.prompts(embeddings(3))
    single = [[detector.detect(frame[None], prompt[None])[0][0] for prompt in prompts] for frame in FRAMES]
    assert sum(len(found) for row in single for found in row) > 20
    for batch_size in (1, 2, 4, 16):
        batched = random_detector(dtype="float64", batch_size=batch_size).detect(FRAMES, prompts)
        for row, wanted_row in zip(batched, single, strict=True):
            for found, expected in zip(row, wanted_row, strict=True):
                np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-9, rtol=0)
                np.testing.assert_allclose(found.scores, expected.scores, atol=1e-9, rtol=0)


def test_boxes_lie_in_the_frame_best_first(detector):
    for row in detector.detect(FRAMES, detector.prompts(embeddings(2))):
        for found in row:
            assert (found.boxes[:, :2] >= 0).all()
            assert (found.boxes[:, 2:] <= [100, 60]).all()
            assert (np.diff(found.scores) <= 0).all()
            assert (found.scores > 0.5).all()


def test_the_backbone_sees_a_frame_once(detector, monkeypatch):
    seen = []
    features = detector.network.image_features
    monkeypatch.setattr(
        detector.network, "image_features", lambda pictures: seen.append(len(pictures)) or features(pictures)
    )
    detector.detect(FRAMES, detector.prompts(embeddings(5)))
    assert sum(seen) == 3


def test_cached_features_give_the_same_boxes(detector):
    prompts = detector.prompts(embeddings(2))
    features = detector.features(FRAMES)
    for found, expected in zip(
        detector.detect_features(features, prompts), detector.detect(FRAMES, prompts), strict=True
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-9, rtol=0)


def test_no_prompt_finds_nothing(detector):
    assert detector.detect(FRAMES, np.zeros((0, 64))) == [[], [], []]


def test_bfloat16_autocast_finds_much_the_same_scores():
    plain, mixed = random_detector(), random_detector(mixed_precision="bf16")
    prompts = plain.prompts(embeddings(1))
    expected, found = plain.detect(FRAMES[:1], prompts)[0][0], mixed.detect(FRAMES[:1], prompts)[0][0]
    assert found.boxes.dtype == expected.boxes.dtype == np.float32
    assert found.scores[0] == pytest.approx(expected.scores[0], abs=0.02)
    assert (found.scores[0] != expected.scores[0]).all()  # autocast was really on


def test_a_compiled_network_finds_the_same_boxes(monkeypatch):
    """Its captured graph runs on PyTorch's kernels: the default back end writes C++ for it, which takes minutes."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager", fullgraph=True))
    plain, compiled = random_detector(), random_detector(compile=True)
    prompts = plain.prompts(embeddings(1))
    [[found]], [[expected]] = compiled.detect(FRAMES[:1], prompts), plain.detect(FRAMES[:1], prompts)
    assert len(expected.boxes) > 5
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=BOXES_PX, rtol=0)
    assert compiled.options == {**plain.options, "compile": True}


def test_a_network_that_cannot_be_compiled_is_explained(monkeypatch):
    def no_compiler(*_arguments):
        raise RuntimeError("no C++ compiler\n\nSet TORCHDYNAMO_VERBOSE=1 for the internal stack trace")

    monkeypatch.setattr(torch, "compile", lambda function: no_compiler)
    with pytest.raises(ModelError, match=r"cannot be compiled here \(RuntimeError: no C\+\+ compiler\)"):
        random_detector(compile=True)


def test_frames_of_several_sizes_are_refused(detector):
    with pytest.raises(ArgumentError, match="30x40, 60x100"):
        detector.features([FRAMES[0], np.zeros((30, 40, 3), np.uint8)])


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (np.ones((2, 64)), "L2-normalised"),
        (np.ones((2, 32)), r"must be \[K, 64\]"),
        (np.full((1, 64), np.nan), "finite"),
    ],
)
def test_prompts_that_cannot_be_meant_are_refused(detector, prompts, message):
    with pytest.raises(ArgumentError, match=message):
        detector.detect(FRAMES, prompts)


@pytest.mark.parametrize(
    "options",
    [{"compile": "yes"}, {"mixed_precision": "int8"}, {"batch_size": 0}, {"dtype": "int8"}, {"device": "tpu"}],
)
def test_options_are_checked(options):
    with pytest.raises(ArgumentError):
        random_detector(**options)


def found_in(detector):
    return detector.detect(FRAMES[:1], detector.prompts(embeddings(1)))[0][0].boxes


def same_detector(loaded, expected):
    """Weights are equal to the bit. Boxes are not: two loads lie differently in memory, and kernels go by that."""
    weights = loaded.network.state_dict()
    assert weights.keys() == expected.network.state_dict().keys()
    assert all(torch.equal(weights[key], value) for key, value in expected.network.state_dict().items())
    np.testing.assert_allclose(found_in(loaded), found_in(expected), atol=BOXES_PX, rtol=0)


class Note:
    """Something that a training run may leave in a checkpoint."""

    def __init__(self):
        self.text = "epoch 80"

    def __reduce__(self):
        return (_record_that_code_ran, ("constructed",), {"text": self.text})


RAN = []


def _record_that_code_ran(word):
    RAN.append(word)
    return Note()


def test_a_checkpoint_with_foreign_objects_loads_and_runs_none_of_their_code(tmp_path):
    network = random_network()
    state = network.state_dict()
    state["backbone.text_model.logit_scale"] = torch.zeros(())
    torch.save({"state_dict": state, "meta": {"epoch": 80}, "note": Note()}, tmp_path / "detector.pth")
    detector = YoloWorldDetector.from_pretrained(tmp_path / "detector.pth", config=NARROW, device="cpu")
    assert RAN == []
    same_detector(detector, random_detector())
    assert detector.info.revision.startswith("sha256:")
    assert (detector.info.role, detector.info.dtype, detector.info.device) == ("detector", "float32", "cpu")


def test_a_converted_checkpoint_gives_the_same_boxes(tmp_path):
    state = random_network().state_dict() | {"backbone.text_model.unused": torch.zeros(1000)}
    torch.save(state, tmp_path / "detector.pth")
    written = convert(tmp_path / "detector.pth", tmp_path / "converted", config=NARROW)
    assert sorted(path.name for path in written.parent.iterdir()) == ["config.json", "model.safetensors"]
    detector = YoloWorldDetector.from_pretrained(tmp_path / "converted", device="cpu")
    same_detector(detector, random_detector())


def test_missing_keys_and_other_shapes_are_listed(tmp_path):
    state = random_network().state_dict()
    save_weights(state, NARROW, tmp_path / "whole")
    del state["neck.downsample_layers.0.conv.weight"]
    torch.save(state, tmp_path / "partial.pth")
    with pytest.raises(ModelError, match=r"lacks 1 of the \d+ tensors.*neck\.downsample_layers\.0\.conv\.weight"):
        YoloWorldDetector.from_pretrained(tmp_path / "partial.pth", config=NARROW)
    with pytest.raises(ModelError, match=r"partial\.pth lacks"):
        convert(tmp_path / "partial.pth", tmp_path / "never", config=NARROW)
    assert not (tmp_path / "never").exists()
    with pytest.raises(ModelError, match=r"tensors of another shape.*is \[8, 3, 3, 3\] and should be \[16, 3, 3, 3\]"):
        YoloWorldDetector.from_pretrained(tmp_path / "whole", config=replace(NARROW, widen_factor=0.25))


def test_files_that_are_no_weights(tmp_path):
    for name in ("broken.pth", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(ModelError, match=name):
            YoloWorldDetector.from_pretrained(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="holds a list"):
        YoloWorldDetector.from_pretrained(tmp_path / "list.pth")
    with pytest.raises(ModelError):
        YoloWorldDetector.from_pretrained(tmp_path / "nowhere.pth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="empty"):
        YoloWorldDetector.from_pretrained(tmp_path / "empty")
    with pytest.raises(ArgumentError, match="revision"):
        YoloWorldDetector.from_pretrained(tmp_path / "list.pth", revision="main")


def test_the_released_repo_cannot_be_reached_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="OpenS2V-Weight"):
        YoloWorldDetector.from_pretrained(device="cpu")
