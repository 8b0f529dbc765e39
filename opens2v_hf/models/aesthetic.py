"""The aesthetic model: CLIP's picture embeddings, and the head that rates them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.clip_image import ClipImageEncoder
from opens2v_hf.models.files import find_weights, read_weights
from opens2v_hf.models.hub import loading, pick_device
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES

_ORIGINAL_NAME = "sac+logos+ava1-l14-linearMSE.pth"  # LAION's own name of the released file
_ENDINGS = (".safetensors", ".pth")
_RELEASED_LAYERS = (0, 2, 4, 6, 7)  # dropouts lay in between when it was trained
_KEY = re.compile(r"layers\.([0-9]+)\.(weight|bias)")


class AestheticEncoder(ClipImageEncoder):
    """Embeds frames for the aesthetic head; see `ClipImageEncoder`."""

    role: ClassVar[str] = "aesthetic_encoder"
    released: ClassVar[str] = ROLES["aesthetic_encoder"].released


class AestheticHead:
    """Linear layers one after another, with nothing in between (LAION's aesthetic predictor; released code v1.1).

    The released one has the widths 768, 1024, 128, 64, 16 and 1, under the keys `layers.{0,2,4,6,7}`; a head of the
    single layer `layers.0` is read as well. A file with other layers may come from a network with activations between
    them, which would be rated wrongly, and is refused.

    Args:
        network: linear layers, the last with one output.
        info: provenance.

    Example:
        >>> head = AestheticHead(nn.Sequential(nn.Linear(2, 1)), ModelInfo("aesthetic_head", "example"))
        >>> _ = head.network.load_state_dict({"0.weight": torch.tensor([[1.0, 10.0]]), "0.bias": torch.tensor([5.0])})
        >>> [round(value, 4) for value in head.rate(torch.tensor([[3.0, 4.0]]))]
        [13.6]
    """

    role: ClassVar[str] = "aesthetic_head"

    def __init__(self, network: nn.Sequential, info: ModelInfo) -> None:
        self.network = network.eval().requires_grad_(False)
        self.info = info

    @property
    def num_features(self) -> int:
        """Size of the embeddings that it rates."""
        return self.network[0].in_features  # type: ignore[return-value]

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = ROLES["aesthetic_head"].released,
        *,
        revision: str | None = None,
        filename: str | None = None,
        device: str | torch.device | None = None,
    ) -> AestheticHead:
        """Load a head; it computes in float32, as the released code does.

        Args:
            model: Hub repo, folder, file (.pth, .safetensors), or "embedded".
            revision: of a Hub repo.
            filename: of the weights in a repo or folder; by default "aesthetic-model.pth" in a repo, and in a folder
                that, "model.safetensors" or "sac+logos+ava1-l14-linearMSE.pth".
            device: see `pick_device`.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: nothing is found, or weights that are no such head.
        """
        found = find_weights(
            model,
            revision,
            cls.role,
            endings=_ENDINGS,
            filename=filename,
            other_names=(_ORIGINAL_NAME,),
            hub_name=ROLES[cls.role].file,
            has_config=False,
        )
        with loading(found.resolved):
            network = build_head(read_weights(found.path), source=str(found.path))
            chosen = pick_device(device)
            info = found.info(dtype="float32", device=chosen)
            return cls(network.to(chosen), info)

    @torch.inference_mode()
    def rate(self, embeds: Tensor) -> list[float]:
        """Rate pictures by their embeddings.

        Args:
            embeds: [N, `num_features`], of any length; they are L2-normalised here.

        Returns:
            N ratings, mostly within 1..10; NaN for an embedding of length 0 or that is not finite.

        Raises:
            ArgumentError: embeddings of another size.
        """
        if embeds.ndim != 2 or embeds.shape[1] != self.num_features:
            raise ArgumentError(
                f"this aesthetic head rates embeddings [N, {self.num_features}] (got {list(embeds.shape)}); give the "
                "head that was trained with the encoder"
            )
        values = embeds.to(next(self.network.parameters()).device, torch.float32)
        return self.network(values / values.norm(dim=-1, keepdim=True))[:, 0].tolist()


def build_head(weights: Mapping[str, Tensor], *, source: str) -> nn.Sequential:
    """The network that holds `weights`, in float32.

    Raises:
        ModelError: these are no such layers, or one does not fit the next.
    """
    keys = {key: _KEY.fullmatch(key) for key in weights}
    numbers = sorted({int(match[1]) for match in keys.values() if match})
    expected = {f"layers.{number}.{part}" for number in numbers for part in ("weight", "bias")}
    if tuple(numbers) not in (_RELEASED_LAYERS, (0,)) or set(weights) != expected:
        shown = ", ".join(sorted(weights)[:10]) or "nothing"
        raise ModelError(
            f"{source} is no aesthetic head: it should hold weight and bias of layers."
            f"{{{','.join(map(str, _RELEASED_LAYERS))}}} and holds {shown}; give LAION's "
            f"sac+logos+ava1-l14-linearMSE.pth ({ROLES['aesthetic_head'].file} in {ROLES['aesthetic_head'].released})"
        )
    layers: list[nn.Linear] = []
    for number in numbers:
        weight, bias = (weights[f"layers.{number}.{part}"].float() for part in ("weight", "bias"))
        before = layers[-1].out_features if layers else None
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or before not in (None, weight.shape[1]):
            raise ModelError(
                f"{source}: layers.{number} has a weight {list(weight.shape)} and a bias {list(bias.shape)}"
                + (f" after a layer of {before} outputs" if before else "")
                + ", which do not fit; download it again"
            )
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
    if layers[-1].out_features != 1:
        raise ModelError(f"{source}: an aesthetic head ends in one number (got {layers[-1].out_features})")
    return nn.Sequential(*layers)
