"""InsightFace's detectors, which the released FaceSim-Cur finds faces with; an extra of this package."""

from __future__ import annotations

import importlib
import os
from typing import Any

import cv2
import numpy as np
import torch

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.models.faces.face import Face
from opens2v_hf.models.files import WeightsFile, find_weights
from opens2v_hf.models.hub import pick_device
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import OPENS2V_WEIGHTS, ROLES

RELEASED_INPUT_PX = 320
RELEASED_SCORE_THRESHOLD = 0.5
INSTALL = "pip install 'opens2v-hf[faces]'"
ROLE = "face_detector"
_ENDINGS = (".onnx",)


class InsightFaceDetector:
    """A detector of InsightFace (SCRFD or RetinaFace with landmarks) as an ONNX file.

    Args:
        model: as `insightface.model_zoo.get_model` returns it, prepared.
        info: provenance.
        input_px: side of the input it was prepared with.
        score_threshold: it was prepared with.
    """

    def __init__(
        self,
        model: Any,
        info: ModelInfo,
        *,
        input_px: int = RELEASED_INPUT_PX,
        score_threshold: float = RELEASED_SCORE_THRESHOLD,
    ) -> None:
        self.model = model
        self.info = info
        self.options: dict[str, Any] = {"input_px": input_px, "score_threshold": score_threshold}

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = OPENS2V_WEIGHTS,
        *,
        revision: str | None = None,
        filename: str | None = None,
        device: str | torch.device | None = None,
        input_px: int = RELEASED_INPUT_PX,
        score_threshold: float = RELEASED_SCORE_THRESHOLD,
    ) -> InsightFaceDetector:
        """Load a detector. Only the named file is downloaded, not what InsightFace would fetch by itself.

        Args:
            model: the Hub repo of the released weights; another repo or a folder with one .onnx file; or such a file.
            revision: of a Hub repo.
            filename: of the ONNX file in a repo or folder, where it is not the usual one.
            device: see `pick_device`; CUDA needs onnxruntime-gpu, and without it the CPU computes.
            input_px: side of the square that pictures are fitted into; released: 320.
            score_threshold: faces that score below are none; released: 0.5.

        Raises:
            MissingDependencyError: InsightFace is not installed; the message has the command.
            ModelError: nothing found, the file is no face detector with landmarks, or its input is of another size.
            ArgumentError: an argument has a value that cannot be used.
        """
        if not is_whole(input_px, 32) or input_px % 32:
            raise ArgumentError(f"input_px must be a multiple of 32 (got {input_px})")
        if not 0.0 < score_threshold < 1.0:
            raise ArgumentError(f"the detector's threshold lies between 0 and 1 (got {score_threshold=})")
        get_model = model_loader()
        found = find_weights(model, revision, ROLE, endings=_ENDINGS, filename=filename)
        chosen = pick_device(device)
        network = _load(get_model, found, chosen)
        network.prepare(chosen.index or 0 if chosen.type == "cuda" else -1, input_size=(input_px, input_px),
                        det_thresh=score_threshold)  # fmt: skip
        if tuple(network.input_size) != (input_px, input_px):  # a network of a fixed size takes no notice of another
            width, height = network.input_size
            raise ModelError(
                f"{found.path} takes pictures of {width} x {height} px alone"
                + (f"; load it with input_px={width}" if width == height else ", and a square is needed here")
            )
        on_cuda = "CUDAExecutionProvider" in network.session.get_providers()
        info = found.info(dtype="float32", device=str(chosen) if on_cuda else "cpu")
        detector = cls(network, info, input_px=input_px, score_threshold=score_threshold)
        detector._try()
        return detector

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find faces in a picture, uint8 [H, W, 3] RGB, by falling score.

        Raises:
            ModelError: the model gives no landmarks, or numbers that are not finite.
        """
        if min(image.shape[:2]) * self.options["input_px"] < max(image.shape[:2]):
            return []  # fitted into the input, it would be less than a pixel high or wide
        boxes, landmarks = self.model.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), max_num=0, metric="default")
        if landmarks is None:
            raise ModelError(
                f"the face detector {self.info.name!r} gives boxes without landmarks; use one that has them"
            )
        if not (np.isfinite(boxes).all() and np.isfinite(landmarks).all()):
            raise ModelError(f"the face detector {self.info.name!r} gives places of faces that are no numbers")
        return [
            Face(np.asarray(box[:4], np.float32), np.asarray(points, np.float32), float(box[4]))
            for box, points in zip(boxes, landmarks, strict=True)
        ]

    def _try(self) -> None:
        """Find out now, and not at each video, that it gives something else than faces."""
        side = self.options["input_px"]
        try:
            self.detect(np.zeros((side, side, 3), np.uint8))
        except ModelError:
            raise
        except Exception as error:  # see `_load`
            raise ModelError(
                f"the face detector {self.info.name!r} cannot be used ({' '.join(str(error).split())}); give e.g. "
                f"{ROLES[ROLE].file}"
            ) from error


def model_loader() -> Any:
    """InsightFace's function that loads a model.

    Raises:
        MissingDependencyError: InsightFace cannot be imported; the message has the command that installs it.
    """
    try:
        return importlib.import_module("insightface.model_zoo").get_model
    except ImportError as error:
        raise MissingDependencyError(
            f"faces are found by InsightFace, which cannot be imported here ({error}): {INSTALL}; or use the small "
            f"detector of this package, `{ROLE}=embedded`, which knows synthetic people only"
        ) from error


def _load(get_model: Any, found: WeightsFile, device: torch.device) -> Any:
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda":
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        network = get_model(str(found.path), providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise ModelError(
            f"{found.path} cannot be loaded as an ONNX face detector: {' '.join(str(error).split())}; download it again"
        ) from error
    if getattr(network, "taskname", None) != "detection":
        kind = getattr(network, "taskname", "model of no known kind")
        raise ModelError(f"{found.path} is a {kind}, and no face detector; give e.g. {ROLES['face_detector'].file}")
    return network
