"""The network against the released code's own numbers, stage by stage."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from opens2v_hf.models.q_align.abstractor import grid_positions, line_positions
from opens2v_hf.models.q_align.config import QAlignConfig
from opens2v_hf.models.q_align.network import PromptIds, QAlign
from opens2v_hf.scores.motion_smoothness import level_scores

IMAGE = -200
VIDEOS = ("A", "B", "C")


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "tiny-q-align"


@pytest.fixture(scope="module")
def inputs(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "inputs.npz"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "stages_fp32.npz"))


@pytest.fixture(scope="module")
def network(folder: Path) -> QAlign:
    network = QAlign(QAlignConfig.from_file(folder / "config.json"))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def prompt(inputs: dict[str, np.ndarray]) -> PromptIds:
    ids = inputs["input_ids"].tolist()
    at = ids.index(IMAGE)
    return PromptIds(tuple(ids[:at]), tuple(ids[at + 1 :]), tuple(inputs["level_ids"].tolist()))


@pytest.fixture(scope="module")
def stages(network: QAlign, inputs: dict[str, np.ndarray], prompt: PromptIds) -> dict[str, np.ndarray]:
    """What every part of the network gives for each video, by the names of the fixture."""
    body = network.model
    parts = {
        "vision_embeddings": body.vision_model.embeddings,
        "vision_out": body.vision_model.post_layernorm,
        "abstractor_out": body.visual_abstractor,
        "llm_norm": body.norm,
    }
    for name, layers in (
        ("vision", body.vision_model.encoder.layers),
        ("abstractor", body.visual_abstractor.encoder.layers),
        ("llm", body.layers),
    ):
        parts |= {f"{name}_layer{index}": layer for index, layer in enumerate(layers)}
    found: dict[str, np.ndarray] = {}
    for video in VIDEOS:
        handles = [
            part.register_forward_hook(
                lambda _module, _inputs, output, key=f"{video}/{name}": found.update({key: output.numpy()})
            )
            for name, part in parts.items()
        ]
        features = network.encode_frames(torch.from_numpy(inputs[f"pixel_values_{video}"]))[None]
        found[f"{video}/inputs_embeds"] = network.splice(features, prompt).numpy()
        found[f"{video}/level_logits of the whole sequence"] = network.level_logits(features, prompt).numpy()
        for handle in handles:
            handle.remove()
        found[f"{video}/level_logits"] = network.level_logits(features, prompt, network.prefix(prompt)).numpy()
    return found


@pytest.mark.parametrize("video", VIDEOS)
def test_every_stage_agrees(stages: dict[str, np.ndarray], expected: dict[str, np.ndarray], video: str) -> None:
    left = ("modality", "logits_last", "softmax", "score", "level_logits")
    names = [key for key in expected if key.startswith(f"{video}/") and not key.endswith(left)]
    assert len(names) == 11
    for name in names:
        np.testing.assert_allclose(stages[name], expected[name], atol=5e-5, rtol=0, err_msg=name)


@pytest.mark.parametrize("video", VIDEOS)
def test_levels_and_score_agree(stages: dict[str, np.ndarray], expected: dict[str, np.ndarray], video: str) -> None:
    for name in ("level_logits", "level_logits of the whole sequence"):
        logits = stages[f"{video}/{name}"]
        np.testing.assert_allclose(logits, expected[f"{video}/level_logits"], atol=1e-5, rtol=0, err_msg=name)
        np.testing.assert_allclose(level_scores(logits), expected[f"{video}/score"], atol=2e-6, rtol=0, err_msg=name)


def test_scores_are_the_published_ones(stages: dict[str, np.ndarray]) -> None:
    for video, score in (("A", 0.457446), ("B", 0.414504), ("C", 0.534435)):
        assert level_scores(stages[f"{video}/level_logits"])[0] == pytest.approx(score, abs=2e-6)


def test_a_prefix_of_other_text_changes_the_logits(
    network: QAlign, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], prompt: PromptIds
) -> None:
    """By the tolerance of the fixture's comparison, the text in front of the frames and its positions count."""
    features = network.encode_frames(torch.from_numpy(inputs["pixel_values_B"]))[None]
    other = dataclasses.replace(prompt, before=prompt.before[::-1])
    logits = network.level_logits(features, prompt, network.prefix(other)).numpy()
    assert np.abs(logits - expected["B/level_logits"]).max() > 1e-3


def test_a_batch_of_windows_scores_as_each_alone(
    network: QAlign, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], prompt: PromptIds
) -> None:
    both = torch.stack([network.encode_frames(torch.from_numpy(inputs[f"pixel_values_{video}"])) for video in "BC"])
    logits = network.level_logits(both, prompt, network.prefix(prompt)).numpy()
    np.testing.assert_allclose(logits, expected["BC/level_logits"], atol=1e-5, rtol=0)


def test_the_layout_marks_pictures_with_the_token_that_ends_them(
    network: QAlign, prompt: PromptIds, expected: dict[str, np.ndarray]
) -> None:
    for video, num_frames in (("A", 1), ("B", 3), ("C", 3)):
        layout = prompt.layout(num_frames * network.config.frame_tokens)
        np.testing.assert_array_equal(layout.indicator()[None], expected[f"{video}/modality"])
        assert layout.length == expected[f"{video}/inputs_embeds"].shape[1]


def test_positions_are_those_of_the_checkpoint(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    prefix = "model.visual_abstractor.encoder.layers.1.crossattention.attention"
    torch.testing.assert_close(line_positions(torch.arange(8), 32), state[f"{prefix}.q_pos_embed"], atol=1e-6, rtol=0)
    torch.testing.assert_close(grid_positions(4, 32), state[f"{prefix}.k_pos_embed"], atol=1e-6, rtol=0)


def test_half_precision_stays_near(
    folder: Path, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], prompt: PromptIds
) -> None:
    network = QAlign(QAlignConfig.from_file(folder / "config.json"))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    network.half().eval().requires_grad_(False)
    for video in VIDEOS:
        features = network.encode_frames(torch.from_numpy(inputs[f"pixel_values_{video}"]))[None]
        logits = network.level_logits(features, prompt, network.prefix(prompt))
        assert logits.dtype == torch.float16
        assert level_scores(logits.numpy())[0] == pytest.approx(float(expected[f"{video}/score"][0]), abs=2e-3)


def test_a_network_of_released_size_has_the_released_keys(folder: Path) -> None:
    released = json.loads((folder / "real_size_keys.json").read_text())
    with torch.device("meta"):
        network = QAlign(QAlignConfig())
    depths = {"model.layers.": 32, "model.vision_model.": 24, "model.visual_abstractor.": 6}
    wanted: dict[str, tuple[int, ...]] = {}
    for key, record in released["keys"].items():
        depth = next((depth for prefix, depth in depths.items() if key.startswith(prefix)), 1) if "{i}" in key else 1
        assert depth == record["count"], key
        wanted |= {key.replace("{i}", str(index)): tuple(record["shape"]) for index in range(depth)}
    found = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert found == wanted
    assert len(found) == released["total_keys"]
    assert sum(value.numel() for value in network.state_dict().values()) == released["total_elements"]
