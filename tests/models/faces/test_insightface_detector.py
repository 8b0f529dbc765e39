"""InsightFace's own classes on ONNX Runtime, with detectors of its format that can be calculated by hand."""

import hashlib
import sys

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.models.faces.insightface_detector import InsightFaceDetector
from opens2v_hf.models.faces.loading import load_face_detector
from opens2v_hf.models.roles import ROLES

pytest.importorskip("insightface", reason="the extra 'faces' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'faces' is not installed")
pytest.importorskip("onnx", reason="makes the detectors of these tests")

import onnx
from helpers.onnx_faces import RED_SCORE, write_detector, write_recogniser


def picture_of(*cells, size=(320, 320), cell=8, colour=(255, 0, 0)):
    """Black, with squares of a colour."""
    image = np.zeros((*size, 3), np.uint8)
    for column, row in cells:
        image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = colour
    return image


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return InsightFaceDetector.from_pretrained(
        write_detector(tmp_path_factory.mktemp("faces") / "det.onnx"), device="cpu"
    )


def test_a_face_lies_where_the_network_says(detector):
    [face] = detector.detect(picture_of((10, 12)))
    x, y = 80, 96  # 8 px a cell; the distances are in cells
    assert face.box.tolist() == [x - 2 * 8, y - 3 * 8, x + 4 * 8, y + 5 * 8]
    assert face.landmarks.tolist() == [
        [x - 8, y - 8],
        [x + 16, y - 8],
        [x + 4, y + 8],
        [x - 4, y + 24],
        [x + 12, y + 24],
    ]
    assert face.score == pytest.approx(RED_SCORE, abs=1e-6)
    assert (face.box.dtype, face.landmarks.dtype) == (np.float32, np.float32)


def test_a_picture_is_fitted_into_the_input_and_boxes_are_of_the_picture(detector):
    """640x480 becomes 320x240, a square of 16 px one cell of 8, and every length is half of what it was."""
    [face] = detector.detect(picture_of((10, 12), size=(480, 640), cell=16))
    assert face.box.tolist() == [160 - 32, 192 - 48, 160 + 64, 192 + 80]
    assert face.landmarks[1].tolist() == [160 + 32, 192 - 16]


def test_faces_come_by_falling_score_and_doubles_are_left_out(detector):
    image = picture_of((4, 4), (30, 30), (31, 30))  # the last two overlap by more than 0.4
    image[16 * 8 : 17 * 8, 4 * 8 : 5 * 8] = (200, 0, 0)
    faces = detector.detect(image)
    assert len(faces) == 3
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    paler = 1 / (1 + np.exp(-(2 * 200 / 128 - 2)))
    assert faces[-1].score == pytest.approx(paler, abs=1e-6)


def test_colours_are_red_green_blue(detector):
    assert detector.detect(picture_of((10, 12), colour=(0, 0, 255))) == []
    assert detector.detect(picture_of()) == []


def test_it_is_prepared_as_the_released_code_prepares_it(tmp_path):
    path = write_detector(tmp_path / "det.onnx")
    detector = load_face_detector(path, device="cpu")
    assert (detector.model.input_size, detector.model.det_thresh) == ((320, 320), 0.5)
    assert detector.options == {"input_px": 320, "score_threshold": 0.5}
    assert detector.info.revision == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert (detector.info.role, detector.info.device, detector.info.name) == ("face_detector", "cpu", str(path))


def test_the_threshold_is_the_detectors(tmp_path):
    path = write_detector(tmp_path / "det.onnx")
    strict = InsightFaceDetector.from_pretrained(path, device="cpu", score_threshold=0.9)
    assert strict.detect(picture_of((10, 12))) == []  # 0.88


def test_a_detector_of_another_size_is_not_said_to_be_of_this(tmp_path):
    path = write_detector(tmp_path / "det.onnx", size=640)
    with pytest.raises(ModelError, match=r"640 x 640 px.*input_px=640"):
        InsightFaceDetector.from_pretrained(path, device="cpu")
    detector = InsightFaceDetector.from_pretrained(path, device="cpu", input_px=640)
    [face] = detector.detect(picture_of((10, 12)))  # twice as large: two cells in each direction
    assert face.score == pytest.approx(RED_SCORE, abs=0.05)


def test_the_released_folder_holds_more_models_than_one(tmp_path):
    path = write_detector(tmp_path / ROLES["face_detector"].file)
    write_recogniser(path.parent / "w600k_r50.onnx")
    for place in (tmp_path, path.parent):
        detector = InsightFaceDetector.from_pretrained(place, device="cpu")
        assert len(detector.detect(picture_of((10, 12)))) == 1


def test_what_is_no_face_detector_is_refused(tmp_path):
    with pytest.raises(ModelError, match="recognition"):
        InsightFaceDetector.from_pretrained(write_recogniser(tmp_path / "recognition.onnx"), device="cpu")
    (tmp_path / "broken.onnx").write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"broken\.onnx cannot be loaded"):
        InsightFaceDetector.from_pretrained(tmp_path / "broken.onnx", device="cpu")
    with pytest.raises(ModelError, match="single file ending in"):
        InsightFaceDetector.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="neither a folder"):
        InsightFaceDetector.from_pretrained("no-such-folder")
    with pytest.raises(ModelError, match="without landmarks"):
        InsightFaceDetector.from_pretrained(write_detector(tmp_path / "w.onnx", landmarks=False), device="cpu")
    network = onnx.load(write_detector(tmp_path / "order.onnx"))
    outputs = list(network.graph.output)[::-1]
    del network.graph.output[:]
    network.graph.output.extend(outputs)
    onnx.save(network, tmp_path / "order.onnx")
    with pytest.raises(ModelError, match=r"order\.onnx' cannot be used \("):
        InsightFaceDetector.from_pretrained(tmp_path / "order.onnx", device="cpu")


def test_places_that_are_no_numbers_are_no_faces(tmp_path):
    network = onnx.load(write_detector(tmp_path / "det.onnx"))
    for weights in network.graph.initializer:
        if weights.name == "box8_b":
            nowhere = np.full(weights.dims, np.inf, np.float32)
            weights.CopyFrom(onnx.numpy_helper.from_array(nowhere, weights.name))
    onnx.save(network, tmp_path / "det.onnx")
    detector = InsightFaceDetector.from_pretrained(tmp_path / "det.onnx", device="cpu")
    with pytest.raises(ModelError, match="no numbers"):
        detector.detect(picture_of((10, 12)))


def test_a_picture_that_is_too_narrow_for_the_input_has_no_face(detector):
    assert detector.detect(np.full((2, 3000, 3), (255, 0, 0), np.uint8)) == []
    assert detector.detect(np.full((3000, 2, 3), (255, 0, 0), np.uint8)) == []


@pytest.mark.parametrize(
    "arguments", [{"input_px": 300}, {"input_px": 0}, {"score_threshold": 1.5}, {"revision": "main"}]
)
def test_bad_arguments_are_refused(tmp_path, arguments):
    with pytest.raises(ArgumentError):
        InsightFaceDetector.from_pretrained(write_detector(tmp_path / "det.onnx"), **arguments)


def test_without_the_extra_the_message_has_the_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'opens2v-hf\[faces\]'"):
        load_face_detector(write_detector(tmp_path / "det.onnx"))
