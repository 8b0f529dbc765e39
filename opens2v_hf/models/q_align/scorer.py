"""Q-Align as MotionSmoothness uses it: the frames of a video in, the quality around each of them out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, CLIPImageProcessorPil, PreTrainedConfig

from opens2v_hf._util.threads import in_order
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.hub import ResolvedModel, loading, pick_device, pick_dtype, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.q_align.language import KeysValues
from opens2v_hf.models.q_align.network import PromptIds, QAlign
from opens2v_hf.models.q_align.preprocess import FramePreprocessor
from opens2v_hf.models.q_align.prompt import prompt_ids
from opens2v_hf.models.q_align.weights import load_network
from opens2v_hf.models.roles import ROLES
from opens2v_hf.scores.motion_smoothness import WINDOW_SIZE, level_scores, window

ROLE = "quality_scorer"
BATCH_TOKENS = 8192
CPU_BATCH_TOKENS = 2048


class QAlignScorer:
    """Rates short windows of a video on five levels.

    Args:
        network: with its weights, in evaluation mode.
        prompt: the question to the network.
        preprocessor: makes the pictures that the network takes.
        info: provenance.
        batch_tokens: how many tokens are computed at a time, of pictures and of windows; it bounds memory, and changes
            a score by rounding only.
    """

    def __init__(
        self,
        network: QAlign,
        prompt: PromptIds,
        preprocessor: FramePreprocessor,
        info: ModelInfo,
        *,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        check_count("batch_tokens", batch_tokens)
        side = network.config.vision.image_size
        if preprocessor.size != (side, side):
            raise ModelError(
                f"the {ROLE} {info.name!r} takes pictures of {side}x{side} px, and its preprocessor_config.json makes "
                f"{preprocessor.size[1]}x{preprocessor.size[0]}; the files do not belong together"
            )
        largest = max(*prompt.before, *prompt.after, *prompt.levels)
        if largest >= network.config.language.vocab_size:
            raise ModelError(
                f"the {ROLE} {info.name!r} knows {network.config.language.vocab_size} tokens, and its tokenizer gives "
                f"the id {largest}; the files do not belong together"
            )
        self.network = network
        self.prompt = prompt
        self.preprocessor = preprocessor
        self.info = info
        self.batch_tokens = batch_tokens
        self._prefix: list[KeysValues] | None = None

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = ROLES["quality_scorer"].released,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        batch_tokens: int | None = None,
    ) -> QAlignScorer:
        """Load a scorer.

        Args:
            model: Hub id, folder, or "embedded".
            revision: of a Hub repo.
            device: see `opens2v_hf.models.hub.pick_device`.
            dtype: see `opens2v_hf.models.hub.pick_dtype`; the released scores are float16 numbers.
            batch_tokens: see the class; by default 8192, and 2048 on a CPU.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: the model cannot be found or loaded, or its files do not belong together.
        """
        found = resolve_model(model, revision, ROLE)
        with loading(found):
            target = pick_device(device)
            weights_dtype = pick_dtype(dtype, target)
            # small files first: what is wrong with them shows before gigabytes are read
            prompt, preprocessor = _load_prompt(found), _load_preprocessor(found)
            network = load_network(found, device=target, dtype=weights_dtype)
            default = CPU_BATCH_TOKENS if target.type == "cpu" else BATCH_TOKENS
            return cls(
                network,
                prompt,
                preprocessor,
                found.info(dtype=weights_dtype, device=target),
                batch_tokens=default if batch_tokens is None else batch_tokens,
            )

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the scores, JSON-compatible."""
        return {"image_size": self.network.config.vision.image_size}

    @torch.inference_mode()
    def score_frames(self, frames: Iterable[np.ndarray]) -> list[float]:
        """Quality around every frame of a video.

        Every frame passes the picture encoder once, and its tokens are dropped when no later window needs them: memory
        does not grow with the video.

        Args:
            frames: uint8 [H, W, 3] RGB, in order; taken from an iterator as they are needed.

        Returns:
            One score a frame, in [0, 1], of the window that `opens2v_hf.scores.motion_smoothness.window` centres on
            it; of a float16 network, float16 numbers.

        Raises:
            ArgumentError: there is no frame, a frame has another shape or dtype, or the network's logits overflow.
        """
        after = WINDOW_SIZE - 1 - (WINDOW_SIZE - 1) // 2
        layout = self.prompt.layout(WINDOW_SIZE * self.network.config.frame_tokens)
        windows_at_once = max(1, self.batch_tokens // layout.length)
        features: dict[int, Tensor] = {}
        scores: list[float] = []
        num_frames = 0
        for tokens in self._encoded(frames):
            features[num_frames] = tokens
            num_frames += 1
            # later frames do not change these windows
            if num_frames - after - len(scores) >= windows_at_once:
                scores += self._rate(features, range(len(scores), num_frames - after), num_frames)
                features = {index: features[index] for index in features if index >= len(scores) - WINDOW_SIZE}
        if num_frames == 0:
            raise ArgumentError("the quality of a video is that of its frames, and it has none")
        while len(scores) < num_frames:
            stop = min(len(scores) + windows_at_once, num_frames)
            scores += self._rate(features, range(len(scores), stop), num_frames)
        return scores

    def _encoded(self, frames: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """Tokens of the frames, one after the other."""
        at_once = max(1, self.batch_tokens // self.network.config.vision.num_tokens)
        # a frame takes tens of milliseconds of a core, in which the network would wait
        prepared = in_order(lambda frame: self.preprocessor([frame]), frames)
        while batch := list(itertools.islice(prepared, at_once)):
            yield from self.network.encode_frames(torch.cat(batch))

    def _rate(self, features: dict[int, Tensor], centers: range, num_frames: int) -> list[float]:
        """Scores of the windows around some frames."""
        windows = torch.stack(
            [torch.stack([features[index] for index in window(center, num_frames)]) for center in centers]
        )
        if self._prefix is None:
            self._prefix = self.network.prefix(self.prompt)
        logits = self.network.level_logits(windows, self.prompt, self._prefix)
        # numpy has no bfloat16; float32 holds all its values
        exact = logits.float() if logits.dtype == torch.bfloat16 else logits
        return level_scores(exact.cpu().numpy()).tolist()


def _load_prompt(found: ResolvedModel) -> PromptIds:
    # transformers does not know this kind of model, and its configuration says nothing about the tokenizer
    tokenizer = AutoTokenizer.from_pretrained(
        found.source, config=PreTrainedConfig(), trust_remote_code=False, **_arguments(found)
    )
    return prompt_ids(tokenizer)


def _load_preprocessor(found: ResolvedModel) -> FramePreprocessor:
    return FramePreprocessor(CLIPImageProcessorPil.from_pretrained(found.source, **_arguments(found)))


def _arguments(found: ResolvedModel) -> dict[str, Any]:
    return {"revision": "main"} | found.load_arguments()
