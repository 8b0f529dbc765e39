"""What an endpoint of images/edits answers, and an embedder that goes by a picture's colour."""

from __future__ import annotations

import base64
import email
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from helpers.judge_endpoint import Behaviour, raw
from PIL import Image

USAGE = {
    "input_tokens": 600,
    "output_tokens": 1000,
    "input_tokens_details": {"text_tokens": 100, "image_tokens": 500},
}


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture with a bright corner, so that its perceptual hash is like that of no frame."""
    image = Image.new("RGB", size, color)
    image.paste((255, 255, 255), (size[0] // 2, size[1] // 2, *size))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def shows(picture: bytes | None = None, *, usage: Any = USAGE) -> Behaviour:
    """Answers with a picture."""
    record: dict[str, Any] = {"data": [{"b64_json": base64.b64encode(png() if picture is None else picture).decode()}]}
    if usage is not None:
        record["usage"] = usage
    return raw(json.dumps(record).encode())


def fields_of(body: bytes, headers: dict[str, str]) -> list[tuple[str, bytes]]:
    """Names and contents of a multipart body, in their order."""
    message = email.message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    return [
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
        for part in message.get_payload()
    ]


class ColorEmbedder:
    """Blue pictures are of another subject than all others."""

    def __init__(self) -> None:
        self.calls = 0

    def embed_images(self, images: Sequence[Any]) -> torch.Tensor:
        self.calls += 1
        blue = [np.asarray(image)[0, 0, 2] > 150 and np.asarray(image)[0, 0, 0] < 100 for image in images]
        return torch.tensor([[0.0, 1.0] if one else [1.0, 0.0] for one in blue])
