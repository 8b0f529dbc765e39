"""Grounding DINO and MM-Grounding-DINO through transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForZeroShotObjectDetection

from opens2v_hf.errors import ModelError
from opens2v_hf.models.hub import ResolvedModel
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.text_detector.base import Detections, collect, corners_of, unique_phrases, wordless
from opens2v_hf.models.text_detector.prompts import map_boxes, pack_phrases
from opens2v_hf.models.text_detector.transformers_detector import TransformersDetector
from opens2v_hf.video.resize import resizes_horizontally_first

RELEASED_THRESHOLD = 0.25
"""Both thresholds of the released pipeline."""


class GroundingDinoDetector(TransformersDetector):
    """Finds phrases by the tokens that each box answers to.

    `box_threshold` is of a box's best token, `text_threshold` of the best token within the phrase. The network is a
    `GroundingDinoForObjectDetection` or `MMGroundingDinoForObjectDetection`.

    Raises:
        ModelError: the tokenizer has no full stop.
    """

    THRESHOLDS: ClassVar[dict[str, float]] = {
        "box_threshold": RELEASED_THRESHOLD,
        "text_threshold": RELEASED_THRESHOLD,
    }
    what: ClassVar[str] = "Grounding DINO"
    text_threshold: float

    def __init__(self, network: Any, tokenizer: Any, info: ModelInfo, **arguments: Any) -> None:
        super().__init__(network, tokenizer, info, **arguments)
        separator = tokenizer.convert_tokens_to_ids(".")
        if separator in (None, tokenizer.unk_token_id):
            raise ModelError(f"the tokenizer of the text detector {info.name!r} has no token for the full stop")
        self._separator = int(separator)

    @classmethod
    def _network_class(cls) -> Any:
        return AutoModelForZeroShotObjectDetection

    @classmethod
    def _image_processor(cls, found: ResolvedModel) -> Any:
        processor = AutoImageProcessor.from_pretrained(found.source, backend="pil", **found.load_arguments())
        return resizes_horizontally_first(processor)

    @torch.inference_mode()
    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture; see `TextDetector.detect`. Every 256 tokens of text cost a pass."""
        size = check_picture(image)
        asked = unique_phrases(phrases)
        positions = list(asked.values())
        texts, too_long = pack_phrases(
            [self.tokenizer(phrase, add_special_tokens=False)["input_ids"] for phrase in asked],
            start=self.tokenizer.cls_token_id,
            separator=self._separator,
            end=self.tokenizer.sep_token_id,
            max_tokens=self.network.config.max_text_len,
        )
        not_searched = sorted([*wordless(phrases), *(positions[index] for index in too_long)])
        pixels = self._pixels(image) if texts else {}
        boxes, scores, indices = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, int)]
        num_unmapped = 0
        for text in texts:
            output = self.network(**pixels, **self._text(text.input_ids))
            mapped = map_boxes(
                output.logits[0].float().sigmoid().cpu().numpy(),
                text,
                box_threshold=self.box_threshold,
                text_threshold=self.text_threshold,
            )
            num_unmapped += mapped.num_unmapped
            parts_of_picture = corners_of(output.pred_boxes[0].float().cpu().numpy()[mapped.queries])
            boxes.append(parts_of_picture * [size[1], size[0], size[1], size[0]])
            scores.append(mapped.scores)
            indices.append(np.array(positions, int)[mapped.phrases])
        return collect(
            np.concatenate(boxes),
            np.concatenate(scores),
            np.concatenate(indices),
            size=size,
            num_unmapped=num_unmapped,
            not_searched=not_searched,
        )

    def _pixels(self, image: np.ndarray) -> dict[str, torch.Tensor]:
        inputs = self.image_processor(
            images=[Image.fromarray(image)], return_tensors="pt", input_data_format="channels_last"
        )
        return {
            "pixel_values": inputs["pixel_values"].to(self.network.device, self.network.dtype),
            "pixel_mask": inputs["pixel_mask"].to(self.network.device),
        }

    def _text(self, input_ids: Sequence[int]) -> dict[str, torch.Tensor]:
        ids = torch.tensor([list(input_ids)], device=self.network.device)
        return {
            "input_ids": ids,
            "token_type_ids": torch.zeros_like(ids),
            "attention_mask": torch.ones_like(ids),
        }
