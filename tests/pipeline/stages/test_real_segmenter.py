"""The stage with a real network: MediaPipe's person segmenter against the released masks of the real clip.

`make install` takes its weights, in a package whose code is not used and without its dependencies; newer ones have no
weights. It is in no extra: an extra cannot leave dependencies out, and among them is opencv-contrib-python, which
overwrites the files of opencv-python-headless.
"""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.clips import clip_of

from opens2v_hf.masks.rle import RLE, decode
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.pipeline.records import Subject
from opens2v_hf.pipeline.stages.segment import Segment
from opens2v_hf.pipeline.subjects import foreground

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "opens2v-5m-demo"


def _weights() -> Path | None:
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "modules/selfie_segmentation/selfie_segmentation.tflite"
    return path if path.exists() else None


class People:
    """All people in a box."""

    info = ModelInfo("segmenter", "mediapipe selfie segmentation 0.10.14")

    def __init__(self, weights: Path) -> None:
        self.network = cv2.dnn.readNetFromTFLite(str(weights))

    def segment(self, image, boxes):
        self.network.setInput(cv2.dnn.blobFromImage(image, 1 / 255, (256, 256)))
        people = cv2.resize(self.network.forward().reshape(256, 256), image.shape[1::-1]) > 0.5
        masks = np.zeros((len(boxes), *image.shape[:2]), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, np.round(boxes).astype(int), strict=True):
            mask[y0:y1, x0:x1] = people[y0:y1, x0:x1]
        return Segmentation(masks, np.ones(len(boxes), np.float32))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the released files")
@pytest.mark.skipif(_weights() is None, reason="needs pip install --no-deps mediapipe==0.10.14")
def test_people_of_the_real_clip_are_those_of_the_released_masks() -> None:
    record = next(iter(json.loads((SHARED / "regular/dataset1.json").read_text()).values()))
    masks = next(iter(record["annotation"]["mask_annotation"].values()))
    boxes = record["annotation"]["ann_frame_data"]["annotations"]
    people = [number for number, entry in enumerate(boxes, 1) if entry["class_name"] == "person"]
    released = np.any([decode(RLE.from_dict(masks[str(number)])) for number in people], axis=0)
    x0, x1, y0, y1 = record["metadata"]["crop"]
    start, end = record["metadata"]["face_cut"]
    clip = clip_of(SHARED / "videos/dataset1" / Path(record["metadata"]["path"]).name)
    subjects = tuple(Subject(number, "person", tuple(boxes[number - 1]["bbox"]), 1.0) for number in people)
    clip = replace(clip, start=start, end=end, crop_xyxy=(x0, y0, x1, y1), frame_index=0, subjects=subjects)

    (found,) = Segment(segmenter=People(_weights()))([clip]).kept

    mine = foreground(found)
    overlap = (mine & released).sum() / (mine | released).sum()
    assert overlap > 0.93, overlap
