"""The three models of NexusScore, narrow and with random weights, saved as folders that load like real ones."""

from dataclasses import replace
from pathlib import Path

from helpers.detectors import NARROW, random_network
from helpers.tiny_clip import save_tiny_clip
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.models.yolo_world.weights import save_weights


def save_nexus_models(root: Path, *, max_detections: int = 3) -> dict[str, str]:
    """Role to folder; the detector gives at most so many boxes a frame and reference."""
    config = replace(NARROW, max_detections=max_detections)
    save_weights(random_network(config).state_dict(), config, root / "detector")
    return {
        "detector": str(root / "detector"),
        "prompt_encoder": str(save_tiny_clip(root / "prompt_encoder")),
        "embedder": str(save_tiny_qwen2vl(root / "embedder")),
    }
