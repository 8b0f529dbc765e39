import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.faces.heatmap_detector import HeatmapFaceDetector, fit_picture
from opens2v_hf.models.faces.heatmap_network import FaceMap, HeatmapConfig, HeatmapFaceNetwork
from opens2v_hf.models.faces.loading import load_face_detector
from opens2v_hf.models.info import ModelInfo

CONFIG = HeatmapConfig(widths=(4, 4, 4, 4, 4), neck_width=4, input_px=64)


class FixedFaces(HeatmapFaceNetwork):
    """Says that there are faces at some cells, in every picture: (row, column, logit, box)."""

    def __init__(self, *faces):
        super().__init__(CONFIG)
        self.faces = faces

    def forward(self, pictures):
        self.shown = pictures
        logits = torch.full((1, 16, 16), -9.0)
        boxes, landmarks = torch.zeros(1, 16, 16, 4), torch.zeros(1, 16, 16, 5, 2)
        for row, column, logit, box in self.faces:
            logits[0, row, column] = logit
            boxes[0, row, column] = torch.tensor(box)
            landmarks[0, row, column] = torch.tensor(box[:2]) + torch.arange(10.0).reshape(5, 2)
        return FaceMap(logits, boxes, landmarks)


def detector_of(*faces):
    return HeatmapFaceDetector(FixedFaces(*faces), ModelInfo("face_detector", "fixed"))


def test_faces_are_in_px_of_the_picture_best_score_first():
    detector = detector_of((2, 2, 0.5, (4.0, 4.0, 20.0, 24.0)), (9, 9, 2.0, (30.0, 30.0, 50.0, 50.0)))
    faces = detector.detect(np.zeros((96, 128, 3), np.uint8))  # twice the input
    assert [face.box.tolist() for face in faces] == [[60, 60, 100, 100], [8, 8, 40, 48]]
    assert faces[1].landmarks[2].tolist() == [(4 + 4) * 2, (4 + 5) * 2]
    assert [face.score for face in faces] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-0.5))])
    assert faces[0].box.dtype == np.float32


def test_overlapping_and_unlikely_faces_are_dropped():
    first, second = (10.0, 10.0, 30.0, 30.0), (10.0, 10.0, 30.0, 26.0)  # overlap of 0.8
    apart = (10.0, 22.0, 30.0, 42.0)  # 8 / 32 of the first
    detector = detector_of((3, 3, 3.0, first), (3, 4, 2.0, second), (7, 3, 1.0, apart), (9, 9, -0.1, (40, 40, 50, 50)))
    assert [face.box.tolist() for face in detector.detect(np.zeros((64, 64, 3), np.uint8))] == [[*first], [*apart]]


def test_a_picture_is_scaled_by_its_longer_side_and_set_on_grey():
    image = np.full((30, 60, 3), (255, 0, 51), np.uint8)
    placed, scale = fit_picture(image, 64)
    assert scale == pytest.approx(64 / 60)
    assert (placed[:32] == [255, 0, 51]).all()
    assert (placed[32:] == 128).all()
    detector = detector_of()
    detector.detect(image)
    assert detector.network.shown[0, :, 0, 0].tolist() == pytest.approx([1.0, -1.0, -0.6])


def test_what_is_no_picture_is_refused():
    for image in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(ArgumentError, match="uint8"):
            detector_of().detect(image)


def test_boxes_reach_from_their_cell_and_landmarks_lie_in_them():
    network = HeatmapFaceNetwork(CONFIG).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
        network.head.bias[1] = float(np.log(2))  # left: twice the usual 8 px
        network.head.bias[5:7] = torch.tensor([-0.25, 0.5])  # the left eye, from the box's middle
    found = network(torch.zeros(1, 3, 64, 64))
    # the cell of row 3, column 5 has its middle at x 22, y 14
    assert found.boxes[0, 3, 5].tolist() == pytest.approx([22 - 16, 14 - 8, 22 + 8, 14 + 8], abs=1e-4)
    assert found.landmarks[0, 3, 5, 0].tolist() == pytest.approx([18 - 0.25 * 24, 14 + 0.5 * 16], abs=1e-4)
    assert found.landmarks[0, 3, 5, 1].tolist() == pytest.approx([18, 14], abs=1e-4)


def test_a_folder_of_the_small_detector_needs_no_extra(tmp_path):
    torch.manual_seed(0)
    network = HeatmapFaceNetwork(CONFIG).eval()
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_dict()))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    detector = load_face_detector(tmp_path, device="cpu")
    assert detector.options["input_px"] == 64
    assert detector.info.revision.startswith("sha256:")
    picture = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(detector.network(picture).logits, network(picture).logits, atol=1e-5, rtol=0)
    with pytest.raises(ArgumentError, match="takes no input_px"):
        load_face_detector(tmp_path, input_px=320)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG.to_dict(), "neck_width": 8}))
    with pytest.raises(ModelError, match=r"another shape|lacks"):
        load_face_detector(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architecture": "yolo"}, "does not describe"),
        ({"depth": 1}, "depth"),
        ({"input_px": 100}, "multiple of 32"),
        ({"widths": [1, 2]}, "five levels"),
        ({"score_threshold": 2.0}, "between 0 and 1"),
        ({"neck_width": "wide"}, "whole numbers"),
        ({"nms_iou": "some"}, "does not describe"),
        ({"widths": 3}, "does not describe"),
    ],
)
def test_a_bad_configuration_raises_model_error(tmp_path, changed, message):
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG.to_dict(), **changed}))
    with pytest.raises(ModelError, match=message):
        HeatmapConfig.from_file(tmp_path / "config.json")
