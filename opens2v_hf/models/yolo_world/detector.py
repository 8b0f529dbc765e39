"""The detector as NexusScore uses it: frames and prompts in, boxes out, each piece of work done once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.files import find_weights, read_weights
from opens2v_hf.models.hub import loading, pick_device, pick_dtype
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import OPENS2V_WEIGHTS
from opens2v_hf.models.yolo_world.boxes import Detections, decode, select
from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.network import ImageFeatures, YoloWorld
from opens2v_hf.models.yolo_world.preprocess import Letterbox, letterbox
from opens2v_hf.models.yolo_world.weights import build_network

ROLE = "detector"
MIXED_PRECISION = {"no": None, "fp16": torch.float16, "bf16": torch.bfloat16}
"""Words for the dtype that convolutions run in, as accelerate spells them."""

_NORM_TOLERANCE = 1e-2  # half-precision prompts are off by less


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """Features of frames, computed once for all prompts.

    Attributes:
        features: of the network, batched over the frames.
        letterbox: position of every frame in the network's input.
    """

    features: ImageFeatures
    letterbox: Letterbox

    def __len__(self) -> int:
        return len(self.features.levels.stride8)


class YoloWorldDetector:
    """An image-prompted open-vocabulary detector (YOLO-World-v2-L in the released NexusScore).

    Example:
        >>> from opens2v_hf.models.yolo_world.network import YoloWorld
        >>> config = YoloWorldConfig(widen_factor=0.125, deepen_factor=0.33, guide_dim=64, head_embed_dims=64,
        ...     cls_hidden=32, image_size=64)
        >>> detector = YoloWorldDetector(YoloWorld(config), info=ModelInfo("detector", "random"))
        >>> found = detector.detect(np.zeros((2, 48, 64, 3), np.uint8), detector.prompts(torch.ones(3, 64)))
        >>> len(found), len(found[0])
        (2, 3)
    """

    def __init__(
        self,
        network: YoloWorld,
        *,
        info: ModelInfo,
        device: str | torch.device | None = "cpu",
        dtype: str | torch.dtype | None = "float32",
        mixed_precision: str = "no",
        batch_size: int = 4,
        compile: bool = False,
    ) -> None:
        """Wrap a network.

        Args:
            network: with its weights.
            info: provenance.
            device: see `pick_device`.
            dtype: of the weights.
            mixed_precision: "no", "fp16" or "bf16": autocast for the network; boxes are decoded in float32.
            batch_size: pictures, or pairs of picture and prompt, that pass the network at a time; no result depends on
                it but for rounding.
            compile: compile the network with `torch.compile`, which takes a minute or more at first. Boxes differ by
                rounding. It needs a C++ compiler, and Triton on a GPU.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: the network cannot be compiled here.
        """
        if not isinstance(compile, bool):
            raise ArgumentError(f"compile must be true or false (got {compile!r:.80})")
        if mixed_precision not in MIXED_PRECISION:
            raise ArgumentError(
                f"mixed_precision must be one of {', '.join(MIXED_PRECISION)} (got {mixed_precision!r:.80})"
            )
        check_count("batch_size", batch_size)
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.network = network.to(self.device, self.dtype).eval()
        self.info = info
        self.mixed_precision = mixed_precision
        self.batch_size = batch_size
        self.is_compiled = compile
        if compile:
            self._compile()

    @property
    def config(self) -> YoloWorldConfig:
        """Widths and thresholds."""
        return self.network.config

    @property
    def options(self) -> dict[str, int | float | str]:
        """Settings that change the boxes, JSON-compatible; `compile` only if it is on."""
        names = ("image_size", "score_threshold", "nms_iou", "max_detections")
        compiled = {"compile": True} if self.is_compiled else {}
        return {
            **{name: getattr(self.config, name) for name in names},
            "mixed_precision": self.mixed_precision,
            **compiled,
        }

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = OPENS2V_WEIGHTS,
        *,
        revision: str | None = None,
        filename: str | None = None,
        config: YoloWorldConfig | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = "float32",
        mixed_precision: str = "no",
        batch_size: int = 4,
        compile: bool = False,
    ) -> YoloWorldDetector:
        """Load a detector.

        Args:
            model: the Hub repo of the released weights; another Hub repo or a folder with config.json and
                model.safetensors (as `convert` writes them); a checkpoint file (.pth, .safetensors); or "embedded".
            revision: of a Hub repo.
            filename: of the weights in a repo or folder, where it is not the usual one.
            config: of the weights; by default config.json next to them in a repo or folder, and the released v2-L's for
                a single file and the released repo.
            device: see `pick_device`.
            dtype: of the weights; the released code detects in float32 on every device.
            mixed_precision: see the class.
            batch_size: see the class.
            compile: see the class.

        Raises:
            ModelError: nothing found, or weights that do not fit; the message lists missing keys and wrong shapes.
            ArgumentError: an unknown device, dtype or mixed precision.
        """
        found = find_weights(
            model, revision, ROLE, endings=(".safetensors", ".pth"), filename=filename, has_config=config is None
        )
        with loading(found.resolved):
            if config is None:
                config = YoloWorldConfig() if found.config is None else YoloWorldConfig.from_file(found.config)
            network = build_network(config, read_weights(found.path), source=str(found.path))
            chosen = pick_device(device)
            weights_dtype = pick_dtype(dtype, chosen)
            info = found.info(dtype=weights_dtype, device=chosen)
            return cls(
                network,
                info=info,
                device=chosen,
                dtype=weights_dtype,
                mixed_precision=mixed_precision,
                batch_size=batch_size,
                compile=compile,
            )

    @torch.inference_mode()
    def _compile(self) -> None:
        """Compile what runs for each picture, and run it once: a missing compiler shows before the first video."""
        for name in ("image_features", "predict"):
            setattr(self.network, name, torch.compile(getattr(self.network, name)))
        side = self.config.image_size
        try:
            self.detect(np.zeros((1, side, side, 3), np.uint8), self.prompts(torch.ones(1, self.config.guide_dim)))
        except Exception as error:  # what a missing compiler raises has no common base
            said = str(error).partition("\n\n")[0]  # PyTorch's advice on debugging comes after it
            raise ModelError(
                f"the {ROLE} {self.info.name!r} cannot be compiled here ({type(error).__name__}: "
                f"{' '.join(said.split())[:300]}); install a C++ compiler (and Triton for a GPU), or leave it out"
            ) from error

    @torch.inference_mode()
    def prompts(self, image_embeds: Tensor | np.ndarray) -> Tensor:
        """Prompts from picture embeddings, by the detector's own projector.

        Args:
            image_embeds: [K, D], CLIP's `image_embeds` of the pictures to find.

        Returns:
            [K, D], L2-normalised, on the detector's device.

        Raises:
            ArgumentError: another shape, or values that are not finite.
        """
        embeds = self._matrix(image_embeds, "picture embeddings")
        with self._autocast():
            projected = self.network.image_prompt_encoder(embeds)
        return torch.nn.functional.normalize(projected.to(self.dtype), dim=-1)

    @torch.inference_mode()
    def features(self, frames: np.ndarray | Sequence[np.ndarray]) -> FrameFeatures:
        """Everything that does not depend on a prompt.

        Args:
            frames: uint8 [N, H, W, 3] RGB, or a list of such frames of one size.

        Raises:
            ArgumentError: no frame, frames of several sizes, or of another shape or dtype.
        """
        sizes = sorted({tuple(frame.shape[:2]) for frame in frames})
        if len(sizes) != 1:
            shown = ", ".join("x".join(map(str, size)) for size in sizes) or "none"
            raise ArgumentError(f"frames must have one size (got {shown}); group them by size first")
        placed = [letterbox(frame, self.config.image_size) for frame in frames]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in placed])).to(self.device)
        # `permute` alone leaves channels last, for which other kernels run, and boxes drift by tenths of a pixel.
        channels_first = pictures.permute(0, 3, 1, 2).contiguous()
        with self._autocast():
            features = self.network.image_features(channels_first.to(self.dtype) / 255)
        return FrameFeatures(features, placed[0][1])

    @torch.inference_mode()
    def detect_features(self, frames: FrameFeatures, prompt_embeds: Tensor | np.ndarray) -> list[list[Detections]]:
        """Search frames whose features are computed already; see `detect`."""
        prompts = self._checked_prompts(prompt_embeds)
        num_frames, num_prompts = len(frames), len(prompts)
        found: list[Detections] = []
        pairs = torch.arange(num_frames * num_prompts, device=self.device)
        for pair in pairs.split(self.batch_size) if num_prompts else ():
            with self._autocast():
                output = self.network.predict(
                    frames.features.select(pair // num_prompts), prompts[pair % num_prompts][:, None]
                )
            boxes, scores = decode(output, self.config.reg_max)
            # one transfer for the batch: what follows picks a few boxes out of thousands
            boxes, scores = boxes.cpu(), scores[..., 0].cpu()
            found += [
                select(*pair_output, frames.letterbox, self.config) for pair_output in zip(boxes, scores, strict=True)
            ]
        return [found[frame * num_prompts : (frame + 1) * num_prompts] for frame in range(num_frames)]

    def detect(
        self, frames: np.ndarray | Sequence[np.ndarray], prompt_embeds: Tensor | np.ndarray
    ) -> list[list[Detections]]:
        """Search every frame for every prompt; the backbone sees a frame once.

        Args:
            frames: uint8 [N, H, W, 3] RGB, or a list of such frames of one size.
            prompt_embeds: [K, D], L2-normalised, as `prompts` makes them.

        Returns:
            For each frame, for each prompt: its detections.

        Raises:
            ArgumentError: frames of several sizes, another shape or dtype, or prompts that are not normalised.
        """
        prompts = self._checked_prompts(prompt_embeds)
        step = max(self.batch_size // max(len(prompts), 1), 1)
        found: list[list[Detections]] = []
        for start in range(0, len(frames), step):
            found += self.detect_features(self.features(frames[start : start + step]), prompts)
        return found

    def _autocast(self) -> AbstractContextManager[object]:
        chosen = MIXED_PRECISION[self.mixed_precision]
        return torch.autocast(self.device.type, dtype=chosen) if chosen is not None else nullcontext()

    def _matrix(self, values: Tensor | np.ndarray, what: str) -> Tensor:
        matrix = torch.as_tensor(values).to(self.device, self.dtype)
        if matrix.ndim != 2 or matrix.shape[1] != self.config.guide_dim:
            raise ArgumentError(
                f"{what} must be [K, {self.config.guide_dim}] for this detector (got {list(matrix.shape)})"
            )
        if not bool(torch.isfinite(matrix).all()):
            raise ArgumentError(f"{what} must be finite (got NaN or infinity)")
        return matrix

    def _checked_prompts(self, values: Tensor | np.ndarray) -> Tensor:
        prompts = self._matrix(values, "prompts")
        norms = prompts.norm(dim=-1)
        if len(norms) and float((norms - 1).abs().max()) > _NORM_TOLERANCE:
            raise ArgumentError(
                f"prompts must be L2-normalised (got norms up to {float(norms.max()):.3g}); make them from picture "
                "embeddings with the detector's `prompts`"
            )
        return prompts
