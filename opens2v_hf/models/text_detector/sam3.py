"""SAM 3 as a detector of phrases, through transformers.

One phrase is one pass of the decoder over features of the picture that are computed once. The weights come under the
SAM License, which allows commercial use with exceptions and is no open-source licence, and are gated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.segmenter.preprocess import square_pixels
from opens2v_hf.models.text_detector.base import Detections, collect, unique_phrases, wordless
from opens2v_hf.models.text_detector.transformers_detector import TransformersDetector

_MEAN = _STD = (0.5, 0.5, 0.5)


class Sam3Detector(TransformersDetector):
    """Finds every instance of each phrase; a box's score is its own probability times that of the phrase's presence."""

    THRESHOLDS: ClassVar[dict[str, float]] = {"box_threshold": 0.5}  # the model's own
    what: ClassVar[str] = "SAM 3"

    @classmethod
    def _network_class(cls) -> Any:
        # transformers' own name for it asks for torchvision, which only prompts by box need
        from transformers.models.sam3.modeling_sam3 import Sam3Model

        return Sam3Model

    @torch.inference_mode()
    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture; see `TextDetector.detect`."""
        height, width = check_picture(image)
        config = self.network.config
        length = config.text_config.max_position_embeddings
        not_searched, features = wordless(phrases), None
        boxes, scores, indices = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, int)]
        for phrase, index in unique_phrases(phrases).items():
            text = self.tokenizer(phrase, padding="max_length", max_length=length, return_tensors="pt")
            if text["input_ids"].shape[1] > length:
                not_searched.append(index)
                continue
            if features is None:
                pixels = square_pixels(image, int(config.vision_config.image_size), _MEAN, _STD)[None]
                features = self.network.get_vision_features(pixels.to(self.network.device, self.network.dtype))
            output = self.network(
                vision_embeds=features,
                input_ids=text["input_ids"].to(self.network.device),
                attention_mask=text["attention_mask"].to(self.network.device),
            )
            presence = output.presence_logits[0].float().sigmoid()
            found = (output.pred_logits[0].float().sigmoid() * presence).cpu().numpy()
            above = np.flatnonzero(found > self.box_threshold)
            boxes.append(output.pred_boxes[0].float().cpu().numpy()[above] * [width, height, width, height])
            scores.append(found[above])
            indices.append(np.full(len(above), index))
        return collect(
            np.concatenate(boxes),
            np.concatenate(scores),
            np.concatenate(indices),
            size=(height, width),
            not_searched=sorted(not_searched),
        )
