"""A YOLO-World detector that is prompted by text: its text tower's embeddings are the prompts.

The released NexusScore uses YOLO-World with pictures for prompts (`opens2v_hf.models.yolo_world`); this is the same
network with a text tower. The embedded text detector is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, PreTrainedTokenizerFast

from opens2v_hf.errors import ModelError
from opens2v_hf.models.config_file import config_from
from opens2v_hf.models.files import CONFIG_NAME, WEIGHTS_NAME, find_file, needed_weights, read_weights
from opens2v_hf.models.hub import ResolvedModel, pick_device, pick_dtype
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.text_detector.base import Detections, check_threshold, collect, unique_phrases, wordless
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector
from opens2v_hf.models.yolo_world.network import YoloWorld

MODEL_TYPE = "yolo-world-text"
_DETECTOR, _TEXT = "detector.", "text."


class YoloWorldTextDetector:
    """Finds phrases whose every word its tokenizer knows; others are skipped.

    Args:
        detector: the network with its thresholds.
        text_tower: CLIP's text tower, whose projection is as wide as the detector's prompts.
        tokenizer: of the text tower.
        info: provenance.
        box_threshold: that the score must be above, 0..1; by default the detector's own.

    Raises:
        ArgumentError: the threshold is out of range.
    """

    THRESHOLDS = ("box_threshold",)

    def __init__(
        self,
        detector: YoloWorldDetector,
        text_tower: Any,
        tokenizer: Any,
        info: ModelInfo,
        *,
        box_threshold: float | None = None,
    ) -> None:
        self.detector = detector
        self.text_tower = text_tower.eval()
        self.tokenizer = tokenizer
        self.info = info
        own = detector.config.score_threshold
        self.box_threshold = own if box_threshold is None else max(own, check_threshold(box_threshold, "box_threshold"))

    @classmethod
    def load(
        cls, found: ResolvedModel, device: str | torch.device | None, dtype: str | torch.dtype | None, **options: float
    ) -> YoloWorldTextDetector:
        """Load a model that was found; see `load_text_detector`."""
        config_file, weights_file = (find_file(found, name) for name in (CONFIG_NAME, WEIGHTS_NAME))
        if config_file is None or weights_file is None:
            raise ModelError(f"the text detector {found.name!r} lacks {CONFIG_NAME} or {WEIGHTS_NAME}")
        of_detector, of_text = config_from(config_file, "a text-prompted YOLO-World", _configs)
        weights = read_weights(weights_file)
        network, tower = YoloWorld(of_detector), CLIPTextModelWithProjection(of_text)
        parts: tuple[tuple[nn.Module, str], ...] = ((network, _DETECTOR), (tower, _TEXT))
        for module, prefix in parts:
            own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
            module.load_state_dict(needed_weights(module, own, source=f"{weights_file} ({prefix}*)"))
        target = pick_device(device)
        picked = pick_dtype(dtype, target)
        info = found.info(dtype=picked, device=target)
        detector = YoloWorldDetector(
            network.requires_grad_(False), info=info, device=target, dtype=picked, batch_size=8
        )
        # AutoTokenizer would take the folder for a model of transformers
        tokenizer = PreTrainedTokenizerFast.from_pretrained(found.source, **found.load_arguments())
        nn.Module.to(tower, target, picked)
        return cls(detector, tower, tokenizer, info, **options)

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the boxes, JSON-compatible."""
        return {**self.detector.options, "box_threshold": self.box_threshold}

    @torch.inference_mode()
    def prompts(self, phrases: Sequence[str]) -> Tensor:
        """L2-normalised prompts [N, D] of phrases in the spelling of `unique_phrases`."""
        text = self.tokenizer(list(phrases), padding=True, return_tensors="pt").to(self.detector.device)
        embeds = self.text_tower(input_ids=text["input_ids"], attention_mask=text["attention_mask"]).text_embeds
        return F.normalize(embeds, dim=-1)

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture; see `TextDetector.detect`."""
        size = check_picture(image)
        asked, not_searched = {}, wordless(phrases)
        for phrase, index in unique_phrases(phrases).items():
            if self._understands(phrase):
                asked[phrase] = index
            else:
                not_searched.append(index)
        if not asked:
            return Detections((), 0, tuple(sorted(not_searched)))
        [found] = self.detector.detect(image[None], self.prompts(list(asked)))
        masks = [one.scores > self.box_threshold for one in found]
        return collect(
            np.concatenate([one.boxes[above] for one, above in zip(found, masks, strict=True)]),
            np.concatenate([one.scores[above] for one, above in zip(found, masks, strict=True)]),
            np.repeat(list(asked.values()), [int(above.sum()) for above in masks]),
            size=size,
            not_searched=sorted(not_searched),
        )

    def _understands(self, phrase: str) -> bool:
        ids = self.tokenizer(phrase)["input_ids"]
        longest = self.text_tower.config.max_position_embeddings
        return len(ids) <= longest and self.tokenizer.unk_token_id not in ids


def save_text_detector(
    network: YoloWorld, text_tower: Any, tokenizer: Any, folder: Path, *, score_threshold: float
) -> None:
    """Write a folder that `YoloWorldTextDetector.load` reads; weights in float16.

    Args:
        network: the detector.
        text_tower: see the class.
        tokenizer: see the class.
        folder: made where missing.
        score_threshold: that boxes must be above.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        prefix + key: (value.half() if value.is_floating_point() else value).clone().contiguous()
        for prefix, module in ((_DETECTOR, network), (_TEXT, text_tower))
        for key, value in module.state_dict().items()
    }
    config = {
        "model_type": MODEL_TYPE,
        "detector": {**network.config.to_dict(), "score_threshold": score_threshold},
        "text": text_tower.config.to_diff_dict(),
    }
    save_file(weights, folder / WEIGHTS_NAME)
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)


def _configs(values: Mapping[str, Any]) -> tuple[YoloWorldConfig, CLIPTextConfig]:
    return YoloWorldConfig.from_dict(values["detector"]), CLIPTextConfig.from_dict(values["text"])
