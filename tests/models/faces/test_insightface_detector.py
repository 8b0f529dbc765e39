"""InsightFace is an extra: a stand-in for its `model_zoo` says what it is asked and answers with known faces."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.models.faces.insightface_detector import RELEASED_FILE, InsightFaceDetector
from opens2v_hf.models.faces.loading import load_face_detector

LANDMARKS = np.array([[30, 40], [50, 40], [40, 50], [32, 60], [48, 60]], np.float32)


class FakeScrfd:
    """What `insightface.model_zoo.get_model` gives for a detector."""

    taskname = "detection"

    def __init__(self, path, providers):
        self.path, self.providers = path, providers
        self.session = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
        self.prepared = {}
        self.landmarks = LANDMARKS[None]

    def prepare(self, ctx_id, **arguments):
        self.prepared = {"ctx_id": ctx_id, **arguments}

    def detect(self, image, max_num, metric):
        self.seen, self.asked = image, (max_num, metric)
        boxes = np.array([[20, 25, 60, 75, 0.875]], np.float32)
        return (boxes, self.landmarks) if image.any() else (boxes[:0], LANDMARKS[None][:0])


@pytest.fixture
def loaded(monkeypatch):
    """The stand-in, and the detectors that were loaded from it."""
    made = []

    def get_model(path, providers):
        if "broken" in path:
            raise RuntimeError("[ONNXRuntimeError] : Protobuf parsing failed")
        model = FakeScrfd(path, providers)
        if "recognition" in path:
            model.taskname = "recognition"
        made.append(model)
        return model

    zoo = ModuleType("insightface.model_zoo")
    zoo.get_model = get_model
    package = ModuleType("insightface")
    package.model_zoo = zoo
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", zoo)
    return made


def onnx(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_it_is_prepared_as_the_released_code_prepares_it(loaded, tmp_path):
    path = onnx(tmp_path / "det.onnx")
    detector = load_face_detector(path, device="cpu")
    [model] = loaded
    assert (model.path, model.providers) == (str(path), ["CPUExecutionProvider"])
    assert model.prepared == {"ctx_id": -1, "input_size": (320, 320), "det_thresh": 0.5}
    assert detector.options == {"input_px": 320, "score_threshold": 0.5}
    # printf weights | sha256sum
    digest = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    assert detector.info.revision == f"sha256:{digest}"
    assert (detector.info.role, detector.info.device, detector.info.name) == ("face_detector", "cpu", str(path))


def test_faces_come_from_a_picture_in_blue_green_red(loaded, tmp_path):
    detector = InsightFaceDetector.from_pretrained(onnx(tmp_path / "det.onnx"), device="cpu")
    image = np.zeros((100, 100, 3), np.uint8)
    assert detector.detect(image) == []
    image[..., 0] = 200  # red
    [face] = detector.detect(image)
    assert face.box.tolist() == [20, 25, 60, 75]
    assert np.array_equal(face.landmarks, LANDMARKS)
    assert face.score == 0.875
    [model] = loaded
    assert model.seen[0, 0].tolist() == [0, 0, 200]
    assert model.asked == (0, "default")


def test_the_released_folder_holds_more_models_than_one(loaded, tmp_path):
    path = onnx(tmp_path / RELEASED_FILE)
    onnx(path.parent / "w600k_r50.onnx")
    InsightFaceDetector.from_pretrained(tmp_path, device="cpu")
    InsightFaceDetector.from_pretrained(path.parent, device="cpu")
    assert [model.path for model in loaded] == [str(path)] * 2


def test_what_is_no_face_detector_is_told_apart(loaded, tmp_path):
    with pytest.raises(ModelError, match="recognition"):
        InsightFaceDetector.from_pretrained(onnx(tmp_path / "recognition.onnx"))
    with pytest.raises(ModelError, match="Protobuf"):
        InsightFaceDetector.from_pretrained(onnx(tmp_path / "broken.onnx"))
    with pytest.raises(ModelError, match="does not tell which file"):
        InsightFaceDetector.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="neither a folder"):
        InsightFaceDetector.from_pretrained("no-such-folder")
    detector = InsightFaceDetector.from_pretrained(onnx(tmp_path / "det.onnx"))
    loaded[-1].landmarks = None
    with pytest.raises(ModelError, match="without landmarks"):
        detector.detect(np.ones((9, 9, 3), np.uint8))


@pytest.mark.parametrize(
    "arguments", [{"input_px": 300}, {"input_px": 0}, {"score_threshold": 1.5}, {"revision": "main"}]
)
def test_bad_arguments_are_refused(loaded, tmp_path, arguments):
    with pytest.raises(ArgumentError):
        InsightFaceDetector.from_pretrained(onnx(tmp_path / "det.onnx"), **arguments)


def test_without_the_extra_the_message_has_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'opens2v-hf\[faces\]'"):
        load_face_detector(onnx(tmp_path / "det.onnx"))
