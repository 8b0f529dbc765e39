"""SAM 3 as a detector of phrases, through transformers.

One phrase is one pass of the decoder over features of the picture that are computed once. The weights come under the
SAM License, which allows commercial use with exceptions and is no open-source licence, and are gated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from opens2v_hf.models.hub import ResolvedModel, pick_device, pick_dtype
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.segmenter.preprocess import square_pixels
from opens2v_hf.models.text_detector.base import Detections, check_threshold, collect, unique_phrases, wordless
from opens2v_hf.models.transformers_loading import load_config, load_network

_MEAN = _STD = (0.5, 0.5, 0.5)


class Sam3Detector:
    """Finds every instance of each phrase; a box's score is its own probability times that of the phrase's presence.

    Args:
        network: `Sam3Model`.
        tokenizer: of the model.
        info: provenance.
        box_threshold: that the score must be above, 0..1; 0.5 is the model's own.

    Raises:
        ArgumentError: a threshold is out of range.
    """

    OPTIONS = ("box_threshold",)

    def __init__(self, network: Any, tokenizer: Any, info: ModelInfo, *, box_threshold: float = 0.5) -> None:
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.info = info
        self.box_threshold = check_threshold(box_threshold, "box_threshold")

    @classmethod
    def load(
        cls, found: ResolvedModel, device: str | torch.device | None, dtype: str | torch.dtype | None, **options: float
    ) -> Sam3Detector:
        """Load a model that was found; see `load_text_detector`."""
        # transformers' own name for it asks for torchvision, which only prompts by box need
        from transformers.models.sam3.modeling_sam3 import Sam3Model

        load_config(found)
        target = pick_device(device)
        network = load_network(Sam3Model, found, pick_dtype(dtype, target), {}, what="SAM 3").to(target)
        tokenizer = AutoTokenizer.from_pretrained(found.source, **found.load_arguments())
        return cls(network, tokenizer, found.info(dtype=network.dtype, device=target), **options)

    @property
    def options(self) -> dict[str, Any]:
        """What decides the boxes besides the weights, JSON-compatible."""
        return {"box_threshold": self.box_threshold}

    @torch.inference_mode()
    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture; see `TextDetector.detect`."""
        height, width = check_picture(image)
        config = self.network.config
        length = config.text_config.max_position_embeddings
        not_asked, features = wordless(phrases), None
        boxes, scores, indices = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, int)]
        for phrase, index in unique_phrases(phrases).items():
            text = self.tokenizer(phrase, padding="max_length", max_length=length, return_tensors="pt")
            if text["input_ids"].shape[1] > length:
                not_asked.append(index)
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
            not_asked=sorted(not_asked),
        )
