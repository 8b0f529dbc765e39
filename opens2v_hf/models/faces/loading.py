"""A face detector by its name, whichever kind it is."""

from __future__ import annotations

import os
from typing import Any

import torch

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.faces.face import FaceDetector
from opens2v_hf.models.faces.insightface_detector import ROLE, InsightFaceDetector, model_loader
from opens2v_hf.models.files import CONFIG_NAME, WEIGHTS_NAME, find_weights, fit_weights, read_weights
from opens2v_hf.models.hub import loading, model_path, pick_device
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import OPENS2V_WEIGHTS


def load_face_detector(
    model: str | os.PathLike[str] = OPENS2V_WEIGHTS,
    *,
    revision: str | None = None,
    device: str | torch.device | None = None,
    **arguments: Any,
) -> FaceDetector:
    """Load a face detector.

    Args:
        model: a Hub repo, folder or ONNX file for InsightFace, see `InsightFaceDetector.from_pretrained`; for the small
            detector of this package "embedded", or a folder with config.json and model.safetensors.
        revision: of a Hub repo.
        device: see `pick_device`.
        **arguments: further ones of `InsightFaceDetector.from_pretrained`.

    Raises:
        MissingDependencyError: InsightFace is needed and not installed; the message has the command.
        ModelError: nothing found, or weights that do not fit.
        ArgumentError: an argument has a value that cannot be used.
    """
    text = os.fspath(model)
    if _is_heatmap(text):
        if arguments:
            raise ArgumentError(f"the detector of {text!r} takes no {', '.join(sorted(arguments))}; leave them out")
        return _load_heatmap(text, revision, device)
    return InsightFaceDetector.from_pretrained(model, revision=revision, device=device, **arguments)


def check_face_detector(model: str | os.PathLike[str] = OPENS2V_WEIGHTS, **_arguments: Any) -> None:
    """Raise where InsightFace is needed for a detector and cannot be imported.

    Raises:
        MissingDependencyError: InsightFace is not installed; the message has the command.
    """
    if not _is_heatmap(os.fspath(model)):
        model_loader()


def _is_heatmap(model: str) -> bool:
    folder = model_path(model)
    return model == EMBEDDED or ((folder / CONFIG_NAME).is_file() and (folder / WEIGHTS_NAME).is_file())


def _load_heatmap(model: str, revision: str | None, device: str | torch.device | None) -> FaceDetector:
    # what InsightFace users load needs none of these
    from opens2v_hf.models.faces.heatmap_detector import HeatmapFaceDetector
    from opens2v_hf.models.faces.heatmap_network import HeatmapConfig, HeatmapFaceNetwork

    found = find_weights(model, revision, ROLE, endings=(".safetensors",))
    with loading(found.resolved):
        with torch.device("meta"):
            network = HeatmapFaceNetwork(HeatmapConfig.from_file(found.path.parent / CONFIG_NAME))
        fit_weights(network, read_weights(found.path), source=found.path)
        chosen = pick_device(device)
        return HeatmapFaceDetector(network, found.info(dtype="float32", device=str(chosen)), device=chosen)
