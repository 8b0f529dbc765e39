"""vLLM in this process, which is not installed with this package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from opens2v_hf.errors import EndpointError
from opens2v_hf.models.served_embedder import EnginePrompt, EngineVector, finite_vector


class VllmEngine:
    """Embeds by `vllm.LLM`.

    Args:
        model: Hub id or folder.
        tokenizer: of the model: a text loses its end here, at the same token as elsewhere.
        revision: of a Hub repo.
        dtype: as vLLM names it: "auto", "float16", "bfloat16", "float32".
        **arguments: more of `vllm.LLM`, e.g. `tensor_parallel_size`.
    """

    def __init__(self, model: str, tokenizer: Any, *, revision: str | None, dtype: str, **arguments: Any) -> None:
        from vllm import LLM

        self._tokenizer = tokenizer
        self._llm = LLM(
            model=model, revision=revision, dtype=dtype, runner="pooling", limit_mm_per_prompt={"image": 1}, **arguments
        )

    def embed(self, prompts: Sequence[EnginePrompt], max_length: int) -> Iterator[EngineVector]:
        """See `EmbeddingEngine.embed`.

        Raises:
            EndpointError: a vector is not finite, or all zeros.
        """
        given = []
        for prompt in prompts:
            ids = self._tokenizer(prompt.text)["input_ids"]
            if prompt.picture is None:
                given.append({"prompt_token_ids": ids[:max_length]})
            else:
                given.append({"prompt_token_ids": ids, "multi_modal_data": {"image": prompt.picture}})
        for output in self._llm.embed(given, use_tqdm=False):
            values = np.asarray(output.outputs.embedding, np.float32).tolist()
            try:
                vector = finite_vector(values)
            except ValueError as error:
                raise EndpointError(f"vLLM gives no vector: {error}; load it with dtype=bfloat16 or float32") from error
            yield EngineVector(vector, len(output.prompt_token_ids))
