"""Pictures inside of text."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image


def picture_url(picture: Image.Image, kind: str, **options: Any) -> str:
    """A picture as a data URL.

    Args:
        picture: of a mode that the format can hold.
        kind: "png", "jpeg" or "webp".
        **options: of Pillow for this format.
    """
    buffer = io.BytesIO()
    picture.save(buffer, format=kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
