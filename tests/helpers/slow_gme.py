"""The GME embedding written out from its weights: one sequence at a time, no library model, no batch, no padding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


class SlowGme:
    """In float64, for a folder of `save_tiny_qwen2vl`; takes pictures whose sides are multiples of 28 and in bounds."""

    def __init__(self, folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        self.weights = {key.replace("model.visual.", "visual."): value.double() for key, value in weights.items()}
        prefix = "model.language_model." if any("language_model" in key for key in weights) else "model."
        self.prefix = prefix
        config = json.loads((folder / "config.json").read_text())
        self.text = config.get("text_config", config)
        self.vision = config["vision_config"]
        self.image_token = config["image_token_id"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def text_vector(self, text: str, instruction: str) -> torch.Tensor:
        return self._vector(self._ids(text, instruction), None)

    def image_vector(self, image: Image.Image, instruction: str) -> torch.Tensor:
        ids = self._ids("<|vision_start|><|image_pad|><|vision_end|>", instruction)
        features = self._see(image)
        at = ids.index(self.image_token)
        return self._vector(ids[:at] + [self.image_token] * len(features) + ids[at + 1 :], features)

    def _ids(self, content: str, instruction: str) -> list[int]:
        lines = ["<|im_start|>system", f"{instruction}<|im_end|>", "<|im_start|>user", f"{content}<|im_end|>"]
        return self.tokenizer.encode("\n".join([*lines, "<|im_start|>assistant", "<|endoftext|>"])).ids

    def _vector(self, ids: list[int], features: torch.Tensor | None) -> torch.Tensor:
        weights, prefix = self.weights, self.prefix
        hidden = weights[f"{prefix}embed_tokens.weight"][ids].clone()
        if features is not None:
            hidden[[index for index, token in enumerate(ids) if token == self.image_token]] = features
        heads, groups = self.text["num_attention_heads"], self.text["num_key_value_heads"]
        width = self.text["hidden_size"] // heads
        theta = self.text["rope_parameters"]["rope_theta"]
        frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
        angles = torch.arange(len(ids), dtype=torch.float64)[:, None] * frequencies
        future = torch.triu(torch.ones(len(ids), len(ids), dtype=torch.bool), diagonal=1)
        eps = self.text["rms_norm_eps"]
        for layer in range(self.text["num_hidden_layers"]):
            at = f"{prefix}layers.{layer}."
            normed = _rms(hidden, weights[f"{at}input_layernorm.weight"], eps)
            query, key, value = (
                normed @ weights[f"{at}self_attn.{name}_proj.weight"].T + weights[f"{at}self_attn.{name}_proj.bias"]
                for name in "qkv"
            )
            outputs = []
            for head in range(heads):
                group = head * groups // heads
                rotated_query = _rotate(query[:, head * width : (head + 1) * width], angles)
                rotated_key = _rotate(key[:, group * width : (group + 1) * width], angles)
                logits = (rotated_query @ rotated_key.T / width**0.5).masked_fill(future, -torch.inf)
                outputs.append(logits.softmax(-1) @ value[:, group * width : (group + 1) * width])
            hidden = hidden + torch.cat(outputs, 1) @ weights[f"{at}self_attn.o_proj.weight"].T
            normed = _rms(hidden, weights[f"{at}post_attention_layernorm.weight"], eps)
            gate, up = (normed @ weights[f"{at}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
            hidden = hidden + (gate * gate.sigmoid() * up) @ weights[f"{at}mlp.down_proj.weight"].T
        last = _rms(hidden, weights[f"{prefix}norm.weight"], eps)[-1]
        return last / last.norm()

    def _see(self, image: Image.Image) -> torch.Tensor:
        """Features of the merged patches, [H/28 * W/28, D]."""
        weights, dim, heads = self.weights, self.vision["embed_dim"], self.vision["num_heads"]
        pixels = (np.asarray(image, np.float64) / 255 - MEAN) / STD
        patches, places = [], []
        for row in range(0, image.height // 14, 2):
            for column in range(0, image.width // 14, 2):
                for y, x in ((row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)):
                    patch = pixels[y * 14 : y * 14 + 14, x * 14 : x * 14 + 14].transpose(2, 0, 1)
                    patches.append(np.stack([patch, patch], 1).ravel())
                    places.append((y, x))
        hidden = torch.tensor(np.stack(patches)) @ weights["visual.patch_embed.proj.weight"].reshape(dim, -1).T
        width = dim // heads
        frequencies = 10000.0 ** (-torch.arange(0, width // 2, 2, dtype=torch.float64) / (width // 2))
        angles = (torch.tensor(places, dtype=torch.float64)[:, :, None] * frequencies).flatten(1)
        for block in range(self.vision["depth"]):
            at = f"visual.blocks.{block}."
            query, key, value = self._linear(self._layer_norm(hidden, f"{at}norm1"), f"{at}attn.qkv").chunk(3, 1)
            outputs = []
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                logits = _rotate(query[:, part], angles) @ _rotate(key[:, part], angles).T / width**0.5
                outputs.append(logits.softmax(-1) @ value[:, part])
            hidden = hidden + self._linear(torch.cat(outputs, 1), f"{at}attn.proj")
            inner = self._linear(self._layer_norm(hidden, f"{at}norm2"), f"{at}mlp.fc1")
            hidden = hidden + self._linear(inner * (1.702 * inner).sigmoid(), f"{at}mlp.fc2")
        merged = self._layer_norm(hidden, "visual.merger.ln_q").reshape(-1, 4 * dim)
        inner = torch.nn.functional.gelu(self._linear(merged, "visual.merger.mlp.0"))
        return self._linear(inner, "visual.merger.mlp.2")

    def _linear(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return hidden @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _layer_norm(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        centred = hidden - hidden.mean(1, keepdim=True)
        scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _rms(hidden: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return hidden / (hidden.square().mean(1, keepdim=True) + eps).sqrt() * weight


def _rotate(vectors: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    first, second = vectors.chunk(2, 1)
    return torch.cat(
        [first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], dim=1
    )
