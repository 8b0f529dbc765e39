"""Loading of text detectors by name."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.config_file import read_config
from opens2v_hf.models.files import CONFIG_NAME, find_file
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.text_detector.base import TextDetector

if TYPE_CHECKING:
    import torch

ROLE = "text_detector"

_PACKAGE = "opens2v_hf.models.text_detector"
CLASSES = {
    "grounding-dino": (f"{_PACKAGE}.grounding_dino", "GroundingDinoDetector"),
    "mm-grounding-dino": (f"{_PACKAGE}.grounding_dino", "GroundingDinoDetector"),
    "owlv2": (f"{_PACKAGE}.owlv2", "Owlv2Detector"),
    "yolo-world-text": (f"{_PACKAGE}.yolo_world", "YoloWorldTextDetector"),
    "sam3": (f"{_PACKAGE}.sam3", "Sam3Detector"),
    "sam3_video": (f"{_PACKAGE}.sam3", "Sam3Detector"),
}
"""`model_type` of config.json to module and class of the detector."""


def load_text_detector(
    model: str | os.PathLike[str] = ROLES[ROLE].released,
    *,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = "float32",
    **options: Any,
) -> TextDetector:
    """Load a detector of any of the known architectures.

    Args:
        model: Hub id or folder, in transformers' layout, or "embedded".
        revision: of a Hub repo.
        device: see `pick_device`.
        dtype: see `pick_dtype`.
        **options: thresholds of the detector's class.

    Raises:
        ArgumentError: an argument or option has a value that cannot be used.
        ModelError: the model cannot be found or loaded, or is of another architecture.
    """
    found = resolve_model(model, revision, ROLE)
    with loading(found):
        config = find_file(found, CONFIG_NAME)
        if config is None:
            raise ModelError(f"the text detector {found.name!r} has no config.json")
        model_type = read_config(config, "a text detector").get("model_type")
        if model_type not in CLASSES:
            raise ModelError(
                f"the text detector {found.name!r} is a {model_type!r} model; text detectors are "
                f"{', '.join(CLASSES)} models"
            )
        module, name = CLASSES[model_type]
        kind: Any = getattr(importlib.import_module(module), name)
        if unknown := sorted(set(options) - set(kind.THRESHOLDS)):
            raise ArgumentError(
                f"{', '.join(unknown)} are no options of a {model_type} text detector; it takes "
                f"{', '.join(kind.THRESHOLDS)}"
            )
        return kind.load(found, device, dtype, **options)
