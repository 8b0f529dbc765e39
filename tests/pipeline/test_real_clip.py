"""A real clip through the stages, with its released annotations in place of models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from datasets import load_dataset

import opens2v_hf  # noqa: F401 - lets `datasets` know the bare names
from opens2v_hf.masks.rle import RLE, decode
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.models.text_detector.base import Detection, Detections
from opens2v_hf.pipeline.api import build
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.stages.detect import Detect
from opens2v_hf.pipeline.stages.segment import Segment
from opens2v_hf.pipeline.stages.tags import Tags

FILE = "gm1252760410-365677148_part2.mp4"


class Released:
    """Tagger, detector and segmenter at once: what the released record says of the clip."""

    info = ModelInfo("segmenter", "the released annotations")

    def __init__(self, record: dict) -> None:
        self.options = {}
        self._tags = record["word_tags"]
        annotation = record["annotation"]
        found = annotation["ann_frame_data"]["annotations"]
        self._boxes = [(entry["class_name"], tuple(entry["bbox"])) for entry in found]
        masks = annotation["mask_annotation"]["0"]
        self.masks = [decode(RLE.from_dict(masks[str(number)])) for number in range(1, len(found) + 1)]

    def caption(self, frames, prompt):
        return json.dumps({kind: words for kind, words in self._tags.items() if kind != "pre_define"})

    def detect(self, image, phrases):
        return Detections(
            tuple(
                Detection(index, box, 0.9 - number / 1000)
                for index, phrase in enumerate(phrases)
                for number, (name, box) in enumerate(self._boxes)
                if name == phrase
            )
        )

    def segment(self, image, boxes):
        nearest = [int(np.argmin([np.abs(np.subtract(box, own)).sum() for _, own in self._boxes])) for box in boxes]
        return Segmentation(np.stack([self.masks[index] for index in nearest]), np.full(len(boxes), 0.9, np.float32))


def test_the_released_masks_come_back_from_the_shards_without_their_duplicates(shared_data: Path, tmp_path) -> None:
    demo = shared_data / "opens2v-5m-demo"
    (record,) = json.loads((demo / "regular/dataset1.json").read_text()).values()
    released = Released(record)
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({FILE: record["metadata"]["face_cap_qwen"]}))
    stages = ["probe", "scenes", "caption", Tags(tagger=released, always=["person"]), Detect(detector=released)]

    made = build(
        demo / "videos/dataset1",
        tmp_path / "out",
        options=BuildOptions(models="embedded", captions=str(captions), scene_detector="none"),
        stages=[*stages, Segment(segmenter=released), "deduplicate"],
    )

    (row,) = load_dataset("opens2v-5m", data_dir=str(made.folder), split="train", streaming=True)
    assert row["video"].num_frames == 95
    labels = [subject["label"] for subject in row["subjects"]]
    # seen in the picture: the meadow and a strip of it, three women, and four things that they wear; 16 annotations
    assert len(labels) == 9
    assert {"blue top", "necklace", "glasses", "white lace top"} <= set(labels)
    known = [mask.tobytes() for mask in released.masks]
    assert all(decode(subject["mask"].rle).tobytes() in known for subject in row["subjects"])
