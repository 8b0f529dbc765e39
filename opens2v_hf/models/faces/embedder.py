"""Faces as vectors: CurricularFace's IR-101 in the released FaceSim-Cur, or a smaller net of its make."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np
import torch

from opens2v_hf.models.batching import check_count
from opens2v_hf.models.faces.ir_network import IrConfig, IrNetwork, input_of
from opens2v_hf.models.files import find_weights, fit_weights, read_weights
from opens2v_hf.models.hub import loading, pick_device, pick_dtype
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.roles import OPENS2V_WEIGHTS

ROLE = "face_embedder"
_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")


class IrFaceEmbedder:
    """An IR net in evaluation mode with its preprocessing.

    Example:
        >>> config = IrConfig(units=(1, 1, 1, 1), widths=(4, 4, 8, 8, 8), input_px=32, embed_dim=6)
        >>> embedder = IrFaceEmbedder(IrNetwork(config), ModelInfo("face_embedder", "random"))
        >>> embedder.embed([np.zeros((224, 224, 3), np.uint8)] * 2).shape
        (2, 6)

    Args:
        network: with its weights.
        info: provenance.
        device: see `pick_device`.
        dtype: of the weights.
        batch_size: crops that pass the network at a time; bounds memory, changes no vector but for rounding.
    """

    def __init__(
        self,
        network: IrNetwork,
        info: ModelInfo,
        *,
        device: str | torch.device | None = "cpu",
        dtype: str | torch.dtype | None = "float32",
        batch_size: int = 32,
    ) -> None:
        check_count("batch_size", batch_size)
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.network = network.to(self.device, self.dtype).eval().requires_grad_(False)
        self.info = info
        self.batch_size = batch_size

    @property
    def options(self) -> dict[str, int]:
        """Settings that change the vectors."""
        return {"input_px": self.network.config.input_px}

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = OPENS2V_WEIGHTS,
        *,
        revision: str | None = None,
        filename: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "float32",
        batch_size: int = 32,
    ) -> IrFaceEmbedder:
        """Load an embedder.

        Args:
            model: the Hub repo of the released weights; another Hub repo or a folder with model.safetensors and
                config.json; a folder with the released file; a file (.bin, .pth, .safetensors); or "embedded". Without
                a config.json the weights are IR-101's.
            revision: of a Hub repo.
            filename: of the weights in a repo or folder, where it is not the usual one.
            device: see `pick_device`.
            dtype: of the weights; the released code embeds in float32 on every device.
            batch_size: see the class.

        Raises:
            ModelError: nothing found, or weights that do not fit.
            ArgumentError: an argument has a value that cannot be used.
        """
        found = find_weights(model, revision, ROLE, endings=_ENDINGS, filename=filename)
        with loading(found.resolved):
            config = IrConfig() if found.config is None else IrConfig.from_file(found.config)
            with torch.device("meta"):
                network = IrNetwork(config)
            fit_weights(network, read_weights(found.path), source=found.path)
            chosen = pick_device(device)
            weights_dtype = pick_dtype(dtype, chosen)
            info = found.info(dtype=weights_dtype, device=chosen)
            return cls(network, info, device=chosen, dtype=weights_dtype, batch_size=batch_size)

    @torch.inference_mode()
    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embed aligned faces.

        Args:
            crops: each uint8 [S, S, 3] RGB as `align_face` cuts them; resized bilinearly to the network's input, as
                released.

        Returns:
            float32 [N, D], L2-normalised.

        Raises:
            ArgumentError: a crop of another shape or dtype.
        """
        side = self.network.config.input_px
        for crop in crops:
            check_picture(crop, "an aligned face")
        inputs = [cv2.resize(crop, (side, side)) for crop in crops]
        found = [np.zeros((0, self.network.config.embed_dim), np.float32)]
        for start in range(0, len(inputs), self.batch_size):
            batch = torch.from_numpy(np.stack(inputs[start : start + self.batch_size])).to(self.device)
            embeds = self.network(input_of(batch).to(self.dtype)).float()
            found.append(torch.nn.functional.normalize(embeds, dim=1).cpu().numpy())
        return np.concatenate(found)
