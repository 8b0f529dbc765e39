"""Base of the detectors of transformers: loading, thresholds and provenance."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from transformers import AutoTokenizer

from opens2v_hf.models.hub import ResolvedModel
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.text_detector.base import check_threshold
from opens2v_hf.models.transformers_loading import load_config, load_placed


class TransformersDetector:
    """A network, its tokenizer and thresholds.

    Attributes:
        THRESHOLDS: names and defaults of the thresholds, each 0..1.
        what: the network is, for messages.

    Args:
        network: of transformers.
        tokenizer: of the model.
        info: provenance.
        image_processor: of the model, with a PIL back end; None for a network that takes plain squares.
        **thresholds: in place of the defaults.

    Raises:
        ArgumentError: a threshold is out of range.
    """

    THRESHOLDS: ClassVar[dict[str, float]]
    what: ClassVar[str]
    box_threshold: float

    def __init__(
        self, network: Any, tokenizer: Any, info: ModelInfo, *, image_processor: Any = None, **thresholds: float
    ) -> None:
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.info = info
        for name, value in {**self.THRESHOLDS, **thresholds}.items():
            setattr(self, name, check_threshold(value, name))

    @classmethod
    def load(
        cls, found: ResolvedModel, device: str | torch.device | None, dtype: str | torch.dtype | None, **options: float
    ) -> Self:
        """Load a model that was found; see `load_text_detector`."""
        load_config(found)
        network, info = load_placed(cls._network_class(), found, device, dtype, what=cls.what)
        tokenizer = AutoTokenizer.from_pretrained(found.source, **found.load_arguments())
        return cls(network, tokenizer, info, image_processor=cls._image_processor(found), **options)

    @classmethod
    def _network_class(cls) -> Any:
        raise NotImplementedError

    @classmethod
    def _image_processor(cls, found: ResolvedModel) -> Any:
        return None

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the boxes, JSON-compatible."""
        return {name: getattr(self, name) for name in self.THRESHOLDS}
