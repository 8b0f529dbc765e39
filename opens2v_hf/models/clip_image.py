"""Picture embeddings by CLIP's image tower, as several metrics use them, each with a CLIP of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

from opens2v_hf._util.threads import in_order
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.transformers_loading import load_config, load_placed
from opens2v_hf.video.resize import resizes_horizontally_first


class ClipImageEncoder:
    """CLIP's image tower with its projection; a subclass says what it is for, and which model is the released one.

    Args:
        model: in evaluation mode.
        image_processor: with a PIL back end.
        info: provenance.
        batch_size: pictures that pass the network at a time.
    """

    role: ClassVar[str]
    released: ClassVar[str]

    def __init__(
        self, model: CLIPVisionModelWithProjection, image_processor: Any, info: ModelInfo, *, batch_size: int = 32
    ) -> None:
        check_count("batch_size", batch_size)
        self.model = model
        self.image_processor = image_processor
        self.info = info
        self.batch_size = batch_size

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "float32",
        batch_size: int = 32,
        **model_kwargs: Any,
    ) -> Self:
        """Load an encoder.

        Args:
            model: Hub id, folder, or "embedded"; None for the released one.
            revision: of a Hub repo.
            device: see `pick_device`; not used where `device_map` places the model.
            dtype: see `pick_dtype`; the released code encodes in float32.
            batch_size: see the class.
            **model_kwargs: passed to the network's `from_pretrained`.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: the model cannot be found or loaded, or weights are missing from it.
        """
        found = resolve_model(cls.released if model is None else model, revision, cls.role)
        with loading(found):
            load_config(found)
            network, info = load_placed(
                CLIPVisionModelWithProjection, found, device, dtype, model_kwargs, what="CLIP image tower"
            )
            # the other back end resizes with other filters, and needs torchvision
            image_processor = AutoImageProcessor.from_pretrained(found.source, backend="pil", **found.load_arguments())
            return cls(network, resizes_horizontally_first(image_processor), info, batch_size=batch_size)

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> Tensor:
        """Embed pictures.

        Args:
            images: of any sizes and modes; colours are converted to RGB, transparency is dropped.

        Returns:
            [N, D] `image_embeds`, not normalised, float32 (float64 from a float64 model), on the CPU.
        """
        found = []
        prepared = in_order(self._pixels, images)
        while batch := list(islice(prepared, self.batch_size)):
            pixels = torch.cat(batch)
            embeds = self.model(pixel_values=pixels.to(self.model.device, self.model.dtype)).image_embeds
            found.append(embeds.cpu())
        if not found:
            return torch.empty(0, self.model.config.projection_dim)
        embeds = torch.cat(found)
        return embeds if embeds.dtype == torch.float64 else embeds.float()

    def _pixels(self, image: Image.Image) -> Tensor:
        # named, because in a picture one or three px high the channels would be guessed
        prepared = self.image_processor(image.convert("RGB"), return_tensors="pt", input_data_format="channels_last")
        return prepared["pixel_values"]
