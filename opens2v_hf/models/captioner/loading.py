"""Loading of captioners by name."""

from __future__ import annotations

import os
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.captioner.base import Captioner
from opens2v_hf.models.captioner.endpoint import EndpointCaptioner
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ROLES


def load_captioner(
    captioner: str | os.PathLike[str] = ROLES["captioner"].released, *, revision: str | None = None, **options: Any
) -> Captioner:
    """Load a captioner by name.

    Args:
        captioner: "openai:<model>" for an OpenAI-compatible endpoint; else an image-text model to run here: a Hub id
            or a folder; or "embedded", which knows this project's synthetic scenes only.
        revision: of a Hub repo.
        **options: of `EndpointOptions` or of `LocalCaptioner.from_pretrained`.

    Raises:
        ArgumentError: an option has no usable value.
        ModelError: a local model cannot be loaded.
    """
    name = os.fspath(captioner)
    if name.startswith(ENDPOINT_PREFIX):
        if revision is not None:
            raise ArgumentError(
                f"a captioner behind an endpoint has no revision (got {revision=}); name the model's version"
            )
        return EndpointCaptioner(name, **options)
    if name == EMBEDDED:
        from opens2v_hf.models.captioner.scene_captioner import SceneCaptioner

        if unknown := sorted(set(options) - {"device", "dtype"}):
            raise ArgumentError(f"{', '.join(unknown)} are no options of the embedded captioner")
        return SceneCaptioner.embedded(device=options.get("device"))
    # imported here, so that asking an endpoint needs no torch
    from opens2v_hf.models.captioner.local import LocalCaptioner

    return LocalCaptioner.from_pretrained(name, revision=revision, **options)


def check_captioner(
    captioner: str | os.PathLike[str] = ROLES["captioner"].released, *, revision: str | None = None, **options: Any
) -> None:
    """Raise what `load_captioner` would raise for one behind an endpoint, as for a missing key; nothing is asked.

    Raises:
        ArgumentError: an option has no usable value, or the key is missing.
    """
    if os.fspath(captioner).startswith(ENDPOINT_PREFIX):
        load_captioner(captioner, revision=revision, **options)
