"""Loading a diffusers pipeline; weights that do not belong to its classes are refused."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from opens2v_hf._util.text import reason_of
from opens2v_hf.errors import ModelError
from opens2v_hf.generators.index_file import PipelineIndex
from opens2v_hf.generators.lora import add_lora
from opens2v_hf.generators.plan import PipelinePlan


def load_pipeline(plan: PipelinePlan) -> Any:
    """Load a pipeline into the machine's memory.

    Raises:
        ModelError: the weights cannot be loaded, or are not those of the classes that the index file names.
    """
    index, family = plan.index, plan.family
    arguments: dict[str, Any] = {} if index.is_local else {"revision": index.revision}
    # in half precision the VAE of Wan loses detail, according to its documentation
    dtypes = {"vae": torch.float32} if "Wan" in family.pipeline_class else {}
    try:
        pipeline = _modular(plan, dtypes, arguments) if family.modular else _classic(plan, dtypes, arguments)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
        raise ModelError(f"{index.name!r} cannot be loaded as a {family.pipeline_class}: {reason_of(error)}") from error
    if plan.lora is not None:
        add_lora(pipeline, plan.lora)
    if hasattr(pipeline, "set_progress_bar_config"):
        pipeline.set_progress_bar_config(disable=True)
    return pipeline


def files_of(index: PipelineIndex, pattern: str) -> Path:
    """The folder of a pipeline, with files that diffusers does not download.

    Args:
        index: of the pipeline.
        pattern: of the files, e.g. "face_encoder/*".

    Raises:
        ModelError: they cannot be downloaded.
    """
    if index.is_local:
        return Path(os.path.expanduser(index.name))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(index.name, revision=index.revision, allow_patterns=pattern))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(f"{pattern} of {index.name!r} cannot be downloaded: {reason_of(error)}") from error


@dataclass(frozen=True)
class _Part:
    """A network of a pipeline, and the source of its weights."""

    name: str
    network: type | None
    source: str
    arguments: Mapping[str, Any]


def _classic(plan: PipelinePlan, dtypes: Mapping[str, torch.dtype], arguments: Mapping[str, Any]) -> Any:
    from diffusers import DiffusionPipeline

    parts = [
        _Part(name, _class_of(library, class_name), plan.index.name, {"subfolder": name, **arguments})
        for name, (library, class_name) in plan.index.components.items()
    ]
    networks = _checked_networks(plan, parts, dtypes)
    return DiffusionPipeline.from_pretrained(
        plan.index.name, dtype=plan.dtype, use_safetensors=True, **networks, **arguments
    )


def _modular(plan: PipelinePlan, dtypes: Mapping[str, torch.dtype], arguments: Mapping[str, Any]) -> Any:
    from diffusers import ModularPipeline

    workflow = {} if plan.family.workflow is None else {"workflow": plan.family.workflow}
    pipeline = ModularPipeline.from_pretrained(plan.index.name, **workflow, **arguments)
    parts, others = [], []
    for name in pipeline.pretrained_component_names:
        spec = pipeline.get_component_spec(name)
        source = {key: getattr(spec, key) for key in ("subfolder", "revision", "variant") if getattr(spec, key)}
        if isinstance(spec.pretrained_model_name_or_path, str) and _is_network(spec.type_hint):
            parts.append(_Part(name, spec.type_hint, spec.pretrained_model_name_or_path, source))
        elif spec.pretrained_model_name_or_path:
            others.append(name)
    pipeline.update_components(**_checked_networks(plan, parts, dtypes))
    pipeline.load_components(names=others, dtype=plan.dtype)
    if lacking := [name for name in others if getattr(pipeline, name, None) is None]:
        # diffusers only logs a warning for these
        raise ModelError(f"parts of {plan.index.name!r} cannot be loaded: {', '.join(lacking)}")
    return pipeline


def _checked_networks(
    plan: PipelinePlan, parts: Sequence[_Part], dtypes: Mapping[str, torch.dtype]
) -> dict[str, torch.nn.Module]:
    """The networks, loaded one by one, because only then are weights reported that do not belong to a class."""
    import diffusers

    networks: dict[str, torch.nn.Module] = {}
    wrong: list[str] = []
    for part in parts:
        network: Any = part.network
        if not _is_network(network):
            continue
        networks[part.name], report = network.from_pretrained(
            part.source,
            torch_dtype=dtypes.get(part.name, plan.dtype),
            use_safetensors=True,
            output_loading_info=True,
            **part.arguments,
        )
        kinds = ["missing_keys", "mismatched_keys"]
        if issubclass(network, diffusers.ModelMixin):  # repos of a text encoder often contain its decoder
            kinds.append("unexpected_keys")
        for kind in kinds:
            # pipelines do not use the language model's head of a text encoder, and some repos leave it out
            if keys := sorted(key for key in map(str, report.get(kind) or ()) if not key.startswith("lm_head.")):
                wrong.append(f"{part.name}: {len(keys)} {kind.replace('_', ' ')}, such as {keys[0]}")
    if wrong:
        raise ModelError(
            f"the weights of {plan.index.name!r} are not those of the classes that its index file names "
            f"({'; '.join(wrong)}); the repo may need its own code"
        )
    return networks


def _is_network(found: object) -> bool:
    import diffusers
    from transformers import PreTrainedModel

    return inspect.isclass(found) and issubclass(found, diffusers.ModelMixin | PreTrainedModel)


def _class_of(library: str, class_name: str) -> type | None:
    """The class that an index file names; None for one of another library."""
    if library in ("diffusers", "transformers"):
        found = getattr(importlib.import_module(library), class_name, None)
    else:  # of a family of pipelines, e.g. "ltx2"
        import diffusers.pipelines

        found = getattr(getattr(diffusers.pipelines, library, None), class_name, None)
    return found if inspect.isclass(found) else None
