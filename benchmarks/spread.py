"""How far numbers move with the precision and the engine, on the embedded weights, as a table.

    python benchmarks/spread.py                 # on this machine's CPU
    python benchmarks/spread.py --device cuda

Each network gets the golden frames of `opens2v calibrate`; a cell is the largest difference of one number from float32:
of a similarity of a frame with its prompt, of the quality of a window, of a box's score. "Vectors as text" sends the
embedder's vectors through JSON, as a server does. "Positions of engines" gives the tokens of a picture a row and a
column each, as Qwen2-VL does and vLLM with it; the released code gives them the positions of text. The
embedded networks are small: what half precision costs the released ones on a GPU, `opens2v calibrate` measures there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from opens2v_hf.data.images import read_image
from opens2v_hf.evaluation.calibrate import Golden
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, VISION_TOKENS, GmeEmbedder
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

FRAMES = 8
PRECISIONS = ("float16", "bfloat16")
MIXED = {"float32": "no", "float16": "fp16", "bfloat16": "bf16"}


def similarities(golden: Golden, embed: Callable[[np.ndarray], torch.Tensor], embedder: GmeEmbedder) -> np.ndarray:
    """Of every frame with the prompt of its video."""
    found = []
    for name, frames in golden.frames.items():
        text = embedder.embed_texts([golden.samples[name].prompt], RETRIEVAL_INSTRUCTION).double()
        found += [float(text[0] @ vector.double()) for vector in embed(frames[:FRAMES])]
    return np.array(found)


def images_of(embedder: GmeEmbedder) -> Callable[[np.ndarray], torch.Tensor]:
    return lambda frames: embedder.embed_images(list(frames))


def embedder_spread(golden: Golden, device: str) -> dict[str, float]:
    """Largest differences of similarities."""
    full = GmeEmbedder.from_pretrained("embedded", device=device, dtype="float32")

    def as_text(frames: np.ndarray) -> torch.Tensor:
        return torch.tensor(json.loads(json.dumps(full.embed_images(list(frames)).tolist())))

    exact = similarities(golden, images_of(full), full)
    others = {
        "vectors as text": similarities(golden, as_text, full),
        "positions of engines": similarities(golden, lambda frames: grid_vectors(full, frames), full),
    }
    for dtype in PRECISIONS:
        embedder = GmeEmbedder.from_pretrained("embedded", device=device, dtype=dtype)
        others[dtype] = similarities(golden, images_of(embedder), embedder)
    return {name: float(np.abs(values - exact).max()) for name, values in others.items()}


@torch.inference_mode()
def grid_vectors(embedder: GmeEmbedder, frames: np.ndarray) -> torch.Tensor:
    """Vectors of pictures with the positions that transformers' Qwen2-VL works out from their rows and columns."""
    model, pad = embedder.model, embedder.model.config.image_token_id
    template = embedder.tokenizer(embedder._conversation(embedder.default_instruction, VISION_TOKENS))["input_ids"]
    found = []
    for frame in frames:
        pixels, grid = embedder._patches(frame)
        at = template.index(pad)
        ids = template[:at] + [pad] * (int(grid.prod()) // 4) + template[at + 1 :]
        tokens = torch.tensor([ids], device=model.device)
        given: dict[str, Any] = {"pixel_values": pixels.to(model.device), "image_grid_thw": grid.to(model.device)}
        given["mm_token_type_ids"] = (tokens == pad).int()
        hidden = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False, **given)
        found.append(F.normalize(hidden.last_hidden_state[0, -1], dim=0).cpu())
    return torch.stack(found)


def quality_spread(golden: Golden, device: str) -> dict[str, float]:
    """Largest differences of the quality of a window."""

    def scores(dtype: str) -> np.ndarray:
        scorer = QAlignScorer.from_pretrained("embedded", device=device, dtype=dtype)
        return np.concatenate([scorer.score_frames(frames[:FRAMES]) for frames in golden.frames.values()])

    exact = scores("float32")
    return {dtype: float(np.abs(scores(dtype) - exact).max()) for dtype in PRECISIONS}


def detector_spread(golden: Golden, device: str) -> dict[str, float]:
    """Largest differences of the best score of a subject in a frame."""
    encoder = ClipPromptEncoder.from_pretrained("embedded", device=device)
    embeds = {
        name: encoder.embed([read_image(golden.split.picture_path(subject)) for subject in sample.subjects])
        for name, sample in golden.samples.items()
    }

    def scores(dtype: str) -> np.ndarray:
        detector = YoloWorldDetector.from_pretrained("embedded", device=device, mixed_precision=MIXED[dtype])
        found = []
        for name, frames in golden.frames.items():
            for row in detector.detect(frames[:FRAMES], detector.prompts(embeds[name])):
                found += [float(one.scores[0]) if len(one.scores) else 0.0 for one in row]
        return np.array(found)

    exact = scores("float32")
    return {dtype: float(np.abs(scores(dtype) - exact).max()) for dtype in PRECISIONS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    with tempfile.TemporaryDirectory() as folder:
        golden = Golden(Path(folder))
        rows = {
            "embedder: similarity of a frame": embedder_spread(golden, device),
            "quality scorer: quality of a window": quality_spread(golden, device),
            "detector: score of a box": detector_spread(golden, device),
        }
    columns = (*PRECISIONS, "vectors as text", "positions of engines")
    print(f"| largest difference from float32 | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[column]:.1e}' if column in row else '' for column in columns)} |")


if __name__ == "__main__":
    main()
