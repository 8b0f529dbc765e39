"""Vectors of what a picture shows: by DINOv2, DINOv3, SigLIP, CLIP, GME or Qwen3-VL-Embedding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from transformers import AutoImageProcessor, ViTImageProcessorPil

from opens2v_hf.errors import ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.embedder_loading import EMBEDDERS, load_embedder
from opens2v_hf.models.endpoint.engine_names import engine_name
from opens2v_hf.models.hub import ResolvedModel, loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.transformers_loading import load_config, load_placed
from opens2v_hf.video.resize import resizes_horizontally_first

ROLE = "subject_embedder"
GREY = (128, 128, 128)

_TOWERS = {
    "dinov2": ("Dinov2Model", "pooler_output"),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", "pooler_output"),
    "dinov3_vit": ("DINOv3ViTModel", "pooler_output"),
    "siglip": ("SiglipVisionModel", "pooler_output"),
    "siglip_vision_model": ("SiglipVisionModel", "pooler_output"),
    "clip": ("CLIPVisionModelWithProjection", "image_embeds"),
    "clip_vision_model": ("CLIPVisionModelWithProjection", "image_embeds"),
}
"""Model type to the class of transformers that holds its image tower alone, and the output that is the vector."""


class SubjectEmbedder(Protocol):
    """Interface of the embedders of subjects."""

    info: ModelInfo

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the vectors, JSON-compatible."""
        ...

    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """L2-normalised vectors [N, D], on the CPU."""
        ...


class TowerEmbedder:
    """Vectors of an image tower of transformers: DINO's class token, SigLIP's pooled output, CLIP's embedding.

    A picture is padded to a square with grey first: the processors of most towers cut the middle out, and a standing
    person would lose head and feet.

    Args:
        model: in evaluation mode.
        image_processor: with a PIL back end.
        info: provenance.
        output: name of the network's output that is the vector, [N, D].
        batch_size: pictures that pass the network at a time.
    """

    def __init__(
        self, model: Any, image_processor: Any, info: ModelInfo, *, output: str = "pooler_output", batch_size: int = 32
    ) -> None:
        check_count("batch_size", batch_size)
        self.model = model
        self.image_processor = image_processor
        self.info = info
        self.output = output
        self.batch_size = batch_size

    @property
    def options(self) -> dict[str, Any]:
        """The kind of network."""
        return {"kind": self.model.config.model_type}

    @torch.inference_mode()
    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Embed pictures.

        Returns:
            float32 [N, D], L2-normalised, on the CPU.
        """
        found = []
        for start in range(0, len(images), self.batch_size):
            batch = [on_a_square(image) for image in images[start : start + self.batch_size]]
            pixels = self.image_processor(batch, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
            vectors = self.model(pixel_values=pixels.to(self.model.device, self.model.dtype))[self.output]
            found.append(F.normalize(vectors.float(), dim=-1).cpu())
        return torch.cat(found) if found else torch.empty(0, 0)


class MultimodalEmbedder:
    """The picture vectors of an embedder of texts and pictures (GME, Qwen3-VL-Embedding).

    Args:
        embedder: see `opens2v_hf.models.embedder_loading.load_embedder`.
        info: provenance, in this role.
    """

    def __init__(self, embedder: Any, info: ModelInfo) -> None:
        self.embedder = embedder
        self.info = info

    @property
    def options(self) -> dict[str, Any]:
        """Options of the embedder."""
        return {"kind": self.embedder.kind, **self.embedder.options}

    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Embed pictures: float32 [N, D], L2-normalised, on the CPU."""
        return F.normalize(self.embedder.embed_images(list(images)).float(), dim=-1)


def load_subject_embedder(
    model: str | os.PathLike[str] = ROLES[ROLE].released,
    *,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int = 32,
    **model_kwargs: Any,
) -> SubjectEmbedder:
    """Load an embedder of subjects.

    Args:
        model: Hub id, folder, or "embedded"; or a GME in an engine, see `load_embedder`. config.json says what kind of
            network it is: dinov2, dinov3_vit, siglip, clip, qwen2_vl (GME) or qwen3_vl (Qwen3-VL-Embedding).
        revision: of a Hub repo.
        device: see `opens2v_hf.models.hub.pick_device`.
        dtype: of the weights; by default float32 for a tower, and what is usual for an embedder of texts and pictures.
        batch_size: of a tower, see `TowerEmbedder`.
        **model_kwargs: passed to the network's `from_pretrained`.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        ModelError: the model cannot be found or loaded, is of another kind, or weights are missing from it.
    """
    if engine_name(model):
        embedder = load_embedder(model, revision=revision, role=ROLE, device=device, dtype=dtype, **model_kwargs)
        return MultimodalEmbedder(embedder, embedder.info)
    found = resolve_model(model, revision, ROLE)
    with loading(found):
        config = load_config(found)
        if config.model_type in EMBEDDERS:
            embedder = load_embedder(model, revision=revision, role=ROLE, device=device, dtype=dtype, **model_kwargs)
            return MultimodalEmbedder(embedder, embedder.info)
        if config.model_type not in _TOWERS:
            raise ModelError(
                f"its config.json says it is a {config.model_type!r}; an embedder of subjects is one of "
                f"{', '.join((*_TOWERS, *EMBEDDERS))}"
            )
        class_name, output = _TOWERS[config.model_type]
        network_class: Any = getattr(transformers, class_name)
        network, info = load_placed(
            network_class, found, device, dtype, model_kwargs, what="image tower", cuda_dtype="float32"
        )
        processor = _load_processor(found, config.model_type)
        return TowerEmbedder(network, processor, info, output=output, batch_size=batch_size)


def _load_processor(found: ResolvedModel, kind: str) -> Any:
    if kind == "dinov3_vit":
        return DinoV3Processor(ViTImageProcessorPil.from_pretrained(found.source, **found.load_arguments()))
    # the other back end resizes with other filters, and needs torchvision
    processor = AutoImageProcessor.from_pretrained(found.source, backend="pil", **found.load_arguments())
    return resizes_horizontally_first(processor)


class DinoV3Processor:
    """DINOv3's image processing without torchvision, which the class of transformers needs.

    The order is its own: rescaled first, then resized as floats (bilinear, antialiased), then normalised.

    Args:
        settings: an image processor with DINOv3's size, mean, standard deviation and factor.
    """

    def __init__(self, settings: Any) -> None:
        self.size = (int(settings.size["height"]), int(settings.size["width"]))
        self.factor = float(settings.rescale_factor)
        self.mean, self.std = (
            torch.tensor(values)[:, None, None] for values in (settings.image_mean, settings.image_std)
        )

    def __call__(self, images: Sequence[Image.Image], **_arguments: Any) -> dict[str, torch.Tensor]:
        """RGB images -> `pixel_values`: float32 [N, 3, H, W]."""
        pixels = [
            F.interpolate(
                torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] * self.factor,
                self.size,
                mode="bilinear",
                antialias=True,
            )
            for image in images
        ]
        return {"pixel_values": (torch.cat(pixels) - self.mean) / self.std}


def on_a_square(image: Image.Image) -> Image.Image:
    """A picture in the middle of a grey square as wide as its longer side, RGB."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), GREY)
    square.paste(image.convert("RGB"), ((side - image.width) // 2, (side - image.height) // 2))
    return square
