"""Loading a network of transformers: sizes are checked before it is built, and missing weights are an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.config_file import check_sizes
from opens2v_hf.models.hub import ResolvedModel, pick_device, pick_dtype, quantization_of, with_placement
from opens2v_hf.models.info import ModelInfo

_UNKNOWN_ARGUMENT = re.compile(r"unexpected keyword argument '([^']+)'")


def load_config(found: ResolvedModel) -> Any:
    """The configuration of a folder or Hub repo.

    Raises:
        ModelError: a size is one that no network has.
    """
    config = AutoConfig.from_pretrained(found.source, **found.load_arguments())
    check_sizes(config.to_dict(), f"config.json of the {found.role} {found.name!r}")
    return config


def _complete_network(
    network_class: Any, found: ResolvedModel, dtype: torch.dtype, model_kwargs: Mapping[str, Any], *, what: str
) -> Any:
    """A network with all of its weights; see `load_config`, which comes first.

    Raises:
        ArgumentError: the network takes no argument of such a name.
        ModelError: weights are missing or have another shape.
    """
    load: Callable[..., Any] = network_class.from_pretrained
    arguments = {**found.load_arguments(), **model_kwargs}
    # transformers warns of weights that are left over, such as the language-model head of an embedder; what is
    # missing is an error here
    with _quiet():
        try:
            network, report = load(found.source, dtype=dtype, weights_only=True, output_loading_info=True, **arguments)
        except TypeError as error:
            unknown = _UNKNOWN_ARGUMENT.search(str(error))
            if unknown is None or unknown[1] not in model_kwargs:
                raise
            raise ArgumentError(
                f"the {found.role} {found.name!r} takes no argument {unknown[1]!r}; leave it out, or check its name"
            ) from error
    missing = sorted(report["missing_keys"])
    mismatched = sorted(str(entry) for entry in report["mismatched_keys"])
    if missing or mismatched:
        raise ModelError(
            f"the {found.role} {found.name!r} is no complete {what}: {len(missing)} weights are missing "
            f"({', '.join(missing[:3]) or 'none'}) and {len(mismatched)} have another shape "
            f"({', '.join(mismatched[:3]) or 'none'}); check the folder or the revision"
        )
    return network


def load_placed(
    network_class: Any,
    found: ResolvedModel,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    model_kwargs: Mapping[str, Any] | None = None,
    *,
    what: str,
    cuda_dtype: str = "float16",
) -> tuple[Any, ModelInfo]:
    """A network in evaluation mode on its device, and its provenance.

    Args:
        network_class: of transformers, with `from_pretrained`.
        found: the model.
        device: see `opens2v_hf.models.hub.pick_device`; not used where `model_kwargs` place the network.
        dtype: see `opens2v_hf.models.hub.pick_dtype`.
        model_kwargs: more arguments of `from_pretrained`.
        what: the network is, for messages.
        cuda_dtype: on a CUDA device, where `dtype` names none.

    Raises:
        ArgumentError: the device or the dtype cannot be used.
        ModelError: weights are missing or have another shape.
    """
    target = pick_device(device)
    arguments = with_placement(model_kwargs or {}, target)
    chosen = cuda_dtype if dtype in (None, "auto") and target.type == "cuda" else dtype
    network = _complete_network(network_class, found, pick_dtype(chosen, target), arguments, what=what)
    is_placed = "device_map" in arguments
    if not is_placed:
        network.to(target)
    quantization = quantization_of(network)
    where = network.device if is_placed else target
    return network.eval(), found.info(dtype=network.dtype, device=where, quantization=quantization)


@contextmanager
def _quiet() -> Iterator[None]:
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
