"""OWLv2 through transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, Owlv2ForObjectDetection

from opens2v_hf.models.hub import ResolvedModel
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.text_detector.base import Detections, collect, corners_of, unique_phrases, wordless
from opens2v_hf.models.text_detector.transformers_detector import TransformersDetector
from opens2v_hf.models.yolo_world.boxes import non_maximum_suppression


class Owlv2Detector(TransformersDetector):
    """Finds phrases by the similarity of each patch of the picture with each phrase.

    A patch belongs to the phrase that it is most similar to. The network gives many boxes of one thing, of which
    non-maximum suppression keeps the best, phrase by phrase: from an overlap of `nms_iou` on the box with the lower
    score goes.
    """

    THRESHOLDS: ClassVar[dict[str, float]] = {"box_threshold": 0.2, "nms_iou": 0.5}
    what: ClassVar[str] = "OWLv2"
    nms_iou: float

    @classmethod
    def _network_class(cls) -> Any:
        return Owlv2ForObjectDetection

    @classmethod
    def _image_processor(cls, found: ResolvedModel) -> Any:
        return AutoImageProcessor.from_pretrained(found.source, backend="pil", **found.load_arguments())

    @torch.inference_mode()
    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture; see `TextDetector.detect`."""
        height, width = check_picture(image)
        length = self.network.config.text_config.max_position_embeddings
        not_searched, asked = wordless(phrases), {}
        for phrase, index in unique_phrases(phrases).items():
            # a longer one would lose its last words
            if len(self.tokenizer(phrase)["input_ids"]) > length:
                not_searched.append(index)
            else:
                asked[phrase] = index
        if not asked:
            return Detections((), 0, tuple(sorted(not_searched)))
        text = self.tokenizer(list(asked), padding="max_length", max_length=length, return_tensors="pt")
        pixels = self.image_processor(
            images=[Image.fromarray(image)], return_tensors="pt", input_data_format="channels_last"
        )["pixel_values"]
        output = self.network(
            pixel_values=pixels.to(self.network.device, self.network.dtype),
            input_ids=text["input_ids"].to(self.network.device),
            attention_mask=text["attention_mask"].to(self.network.device),
        )
        scores = output.logits[0].float().sigmoid().cpu().numpy()
        # the picture is the upper left part of a square as long as its longer side
        boxes = corners_of(output.pred_boxes[0].float().cpu().numpy()) * max(height, width)
        best, scores = scores.argmax(axis=1), scores.max(axis=1)
        selected = [
            queries[non_maximum_suppression(boxes[queries], self.nms_iou)]
            for phrase in range(len(asked))
            for queries in [_descending(np.flatnonzero((best == phrase) & (scores > self.box_threshold)), scores)]
        ]
        chosen = np.concatenate(selected)
        return collect(
            boxes[chosen],
            scores[chosen],
            np.array(list(asked.values()))[best[chosen]],
            size=(height, width),
            not_searched=sorted(not_searched),
        )


def _descending(positions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return positions[np.argsort(-scores[positions], kind="stable")]
