"""A judge in vLLM in this process, which is not installed with this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from opens2v_hf.errors import ArgumentError, JudgeError, ModelError
from opens2v_hf.models.endpoint.engine_names import EngineName
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating
from opens2v_hf.models.judge.chat_judge import ChatJudge, check_digit_mass
from opens2v_hf.models.judge.local import load_processors
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.models.qwen_vl import size_in_blocks
from opens2v_hf.scores.natural import low_digit_mass, read_listed
from opens2v_hf.video.resize import resize

MAX_FRAMES = 16
"""Of a request, unless `limit_mm_per_prompt` says otherwise; every protocol shows so many."""
LISTED_TOKENS = 20
"""Likeliest first tokens that are read, as from a server."""


class VllmJudge(ChatJudge):
    """Reads the score of a video from the first token's log-probabilities, computed by `vllm.LLM`.

    The prompt, the frames' pixels and the reading are those of `LocalJudge`, but only the likeliest 20 tokens are
    known: a digit that is not among them counts as 0, and `uncertainty` in the details bounds what that changes.

    Args:
        llm: a `vllm.LLM`.
        sampling: its `SamplingParams`: one token, with the log-probabilities of `LISTED_TOKENS`.
        tokenizer: of the model.
        image_processor: of the model, with the pixel bounds to use.
        info: provenance of the weights.
        min_digit_mass: see `LocalJudge.from_pretrained`.

    Raises:
        ArgumentError: `min_digit_mass` is out of range.
        ModelError: the tokenizer lacks a token, or its chat template places no pictures.
    """

    def __init__(
        self,
        llm: Any,
        sampling: Any,
        tokenizer: Any,
        image_processor: Any,
        *,
        info: ModelInfo,
        min_digit_mass: float = 0.0,
    ) -> None:
        super().__init__(tokenizer, image_processor, info=info, min_digit_mass=min_digit_mass)
        self._llm = llm
        self._sampling = sampling

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the score, JSON-compatible."""
        return super().options | {"top_logprobs": LISTED_TOKENS}

    def _rating(self, frames: Sequence[Image.Image], rubric: Rubric) -> Rating:
        prompt = self._chat.prompt(len(frames), rubric.text)
        ids = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        pictures = [self._resized(frame) for frame in frames]
        try:
            [output] = self._llm.generate(
                [{"prompt_token_ids": ids, "multi_modal_data": {"image": pictures}}], self._sampling, use_tqdm=False
            )
        except ValueError as error:  # too many tokens or frames, or a frame's shape
            return Rating(None, error=f"vLLM takes no such prompt: {error}")
        self._check_tokens(len(output.prompt_token_ids), len(ids), pictures)
        [reply] = output.outputs
        listed: dict[str, float] = {}
        for token, found in (reply.logprobs[0] if reply.logprobs else {}).items():
            listed.setdefault(self._tokenizer.decode([token]), float(found.logprob))
        details: dict[str, Any] = {"logprobs": listed}
        try:
            read = read_listed(listed)
        except JudgeError as error:
            return Rating(None, reply.text, str(error), (reply.text,), details=details)
        details |= read.to_dict()
        if read.digit_mass < self._min_digit_mass:
            low = low_digit_mass(read.digit_mass, self._min_digit_mass)
            return Rating(None, reply.text, low, (reply.text,), details=details)
        return Rating(read.score, reply.text, replies=(reply.text,), details=details)

    def _resized(self, frame: Image.Image) -> Image.Image:
        size = self._image_processor.size
        bounds = size["shortest_edge"], size["longest_edge"]
        return resize(frame.convert("RGB"), size_in_blocks(*frame.size, self._block, *bounds))

    @property
    def _block(self) -> int:
        """Side in pixels of the part of a picture that is one token."""
        return self._image_processor.patch_size * self._image_processor.merge_size

    def _check_tokens(self, num_tokens: int, num_in_text: int, pictures: Sequence[Image.Image]) -> None:
        of_pictures = sum((picture.width // self._block) * (picture.height // self._block) for picture in pictures)
        expected = num_in_text - len(pictures) + of_pictures
        if num_tokens != expected:
            raise ModelError(
                f"vLLM reads {len(pictures)} frames of {pictures[0].width}x{pictures[0].height} px and the rubric as "
                f"{num_tokens} tokens, and the model's own processor as {expected}: it resizes frames again; load it "
                "with the same `min_pixels` and `max_pixels` in `mm_processor_kwargs`"
            )


def load_vllm_judge(
    name: EngineName,
    *,
    revision: str | None = None,
    device: Any = None,
    dtype: Any = None,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    min_digit_mass: float = 0.0,
    **arguments: Any,
) -> VllmJudge:
    """Load a judge in vLLM.

    Args:
        name: of the model, without a server.
        revision: of a Hub repo.
        device: none may be given; vLLM takes the GPUs that it sees.
        dtype: of the weights, as vLLM names it; by default what the model's config.json says.
        min_pixels: see `LocalJudge.from_pretrained`.
        max_pixels: likewise.
        min_digit_mass: likewise.
        **arguments: of `vllm.LLM`, e.g. `gpu_memory_utilization`, `tensor_parallel_size`.

    Raises:
        ArgumentError: an argument has no usable value.
        ModelError: the model cannot be found or loaded, or is of another architecture.
    """
    check_digit_mass(min_digit_mass)
    if device not in (None, "auto"):
        raise ArgumentError("a judge in an engine takes no device; set CUDA_VISIBLE_DEVICES")
    found = resolve_model(name.model, revision, "judge")
    kind = "auto" if dtype is None else str(dtype).removeprefix("torch.")
    with loading(found):
        tokenizer, image_processor = load_processors(found, min_pixels, max_pixels)
        from vllm import LLM, SamplingParams

        given = {"limit_mm_per_prompt": {"image": MAX_FRAMES}, "max_logprobs": LISTED_TOKENS} | arguments
        llm = LLM(model=found.source, revision=found.hub_revision, dtype=kind, **given)
        sampling = SamplingParams(temperature=0.0, max_tokens=1, logprobs=LISTED_TOKENS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    info = replace(found.info(dtype=None if kind == "auto" else kind, device=device), engine=name.engine)
    return VllmJudge(llm, sampling, tokenizer, image_processor, info=info, min_digit_mass=min_digit_mass)
