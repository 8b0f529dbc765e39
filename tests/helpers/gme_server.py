"""GME as servers of vLLM and SGLang answer for it, by transformers and one input at a time."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import torch
from helpers.judge_endpoint import Behaviour, raw
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2VLForConditionalGeneration


class ServedGme:
    """A network and its processors.

    Args:
        folder: of a Qwen2-VL.
        grid_positions: give a picture's tokens a row and a column each, as engines do, and not those of text.
    """

    def __init__(self, folder: Path, *, grid_positions: bool) -> None:
        self.network = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        self.grid_positions = grid_positions

    @torch.inference_mode()
    def vector(self, ids: list[int], picture: Image.Image | None = None) -> tuple[list[float], int]:
        """Normalised hidden state of the last token, and the number of tokens."""
        given: dict[str, Any] = {}
        if picture is not None:
            given = dict(self.image_processor([picture], return_tensors="pt"))
            pad = self.network.config.image_token_id
            at = ids.index(pad)
            ids = ids[:at] + [pad] * (int(given["image_grid_thw"].prod()) // 4) + ids[at + 1 :]
            given["mm_token_type_ids"] = torch.tensor([[int(token == pad) for token in ids]])
        if not self.grid_positions:
            given["position_ids"] = torch.arange(len(ids)).expand(3, 1, -1)
        hidden = self.network.model(input_ids=torch.tensor([ids]), use_cache=False, **given).last_hidden_state[0, -1]
        return (hidden / hidden.norm()).tolist(), len(ids)

    def vllm(self) -> Behaviour:
        """Answers `/v1/embeddings`."""

        def behave(handler: Any) -> None:
            body = json.loads(handler.body)
            picture = None
            if "input" in body:
                ids = self.tokenizer(body["input"])["input_ids"][: body["truncate_prompt_tokens"]]
            else:
                [url] = [part["image_url"]["url"] for part in body["messages"][1]["content"]]
                picture = picture_of(url)
                messages = [
                    body["messages"][0],
                    {"role": "user", "content": [{"type": "image"}]},
                    *body["messages"][2:],
                ]
                text = self.tokenizer.apply_chat_template(
                    messages, tokenize=False, continue_final_message=body["continue_final_message"]
                )
                ids = self.tokenizer(text, add_special_tokens=body["add_special_tokens"])["input_ids"]
            values, num_tokens = self.vector(ids, picture)
            data = [{"object": "embedding", "index": 0, "embedding": values}]
            raw(json.dumps({"object": "list", "data": data, "usage": {"prompt_tokens": num_tokens}}).encode())(handler)

        return behave

    def sglang(self) -> Behaviour:
        """Answers `/encode`."""

        def behave(handler: Any) -> None:
            body = json.loads(handler.body)
            picture = picture_of(body["image_data"]) if "image_data" in body else None
            values, num_tokens = self.vector(self.tokenizer(body["text"])["input_ids"], picture)
            raw(json.dumps({"embedding": values, "meta_info": {"prompt_tokens": num_tokens}}).encode())(handler)

        return behave


def picture_of(url: str) -> Image.Image:
    kind, _, data = url.partition(";base64,")
    assert kind == "data:image/png"
    return Image.open(io.BytesIO(base64.b64decode(data)))
