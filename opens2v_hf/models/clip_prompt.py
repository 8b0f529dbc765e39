"""The picture embeddings that the detector's prompts are made from."""

from __future__ import annotations

from typing import ClassVar

from opens2v_hf.models.clip_image import ClipImageEncoder
from opens2v_hf.models.roles import ROLES


class ClipPromptEncoder(ClipImageEncoder):
    """Embeds the reference pictures that the detector searches for; see `ClipImageEncoder`."""

    role: ClassVar[str] = "prompt_encoder"
    released: ClassVar[str] = ROLES["prompt_encoder"].released
