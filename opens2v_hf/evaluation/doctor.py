"""Checks of the installation: packages, hardware, models, and what is missing for which metric."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from opens2v_hf._util.memory import free_memory_bytes
from opens2v_hf._version import __version__

if TYPE_CHECKING:
    from opens2v_hf.models.roles import Role

State = Literal["ok", "missing", "note"]

_LIBRARIES = {
    "torch": "torch",
    "transformers": "transformers",
    "accelerate": "accelerate",
    "datasets": "datasets",
    "evaluate": "evaluate",
    "huggingface_hub": "huggingface_hub",
    "pyarrow": "pyarrow",
    "opencv-python-headless": "cv2",
    "matplotlib": "matplotlib",
}
_OPTIONAL = {
    "gradio": ("gradio", "the Spaces", "pip install 'opens2v-hf[spaces]'"),
    "insightface": ("insightface", "facesim_cur and facesim_multi", "pip install 'opens2v-hf[faces]'"),
}
GPU_LOW_GIB = 24
GPU_KEEP_GIB = 48
MEMORY_GIB = 32
"""Memory that the released models need; estimates, see docs/real_run.md."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: e.g. "gmescore".
        state: "ok", "missing" (something does not work without it) or "note".
        text: what was found, and what to do if something is missing.
    """

    topic: str
    state: State
    text: str


def examine() -> list[Finding]:
    """Check this installation against the list of docs/real_run.md, without loading or downloading models.

    One request is sent to the Hub, to see whether it can be reached.
    """
    return [*_packages(), _device(), _memory(), _disk(), _decoder(), _hub(), _token(), *_models()]


def _packages() -> Iterable[Finding]:
    yield Finding("opens2v-hf", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    for distribution, module in _LIBRARIES.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(distribution, "missing", f"not installed: pip install {distribution}")
        else:
            yield Finding(distribution, "ok", importlib.metadata.version(distribution))
    for distribution, (module, purpose, command) in _OPTIONAL.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(distribution, "note", f"not installed, needed for {purpose} only: {command}")
        else:
            yield Finding(distribution, "ok", importlib.metadata.version(distribution))


def _device() -> Finding:
    import torch

    from opens2v_hf.models.hub import pick_device, pick_dtype

    device = pick_device()
    dtype = str(pick_dtype(None, device)).removeprefix("torch.")
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        count = torch.cuda.device_count()
        free = torch.cuda.mem_get_info(device)[0] / 2**30
        text = (
            f"{count} x {properties.name}, {properties.total_memory / 2**30:.0f} GiB each, {free:.0f} GiB free on the "
            f"first, {dtype}"
        )
        if free < GPU_LOW_GIB:
            text += f"; the released models need {GPU_LOW_GIB} GiB with --memory low"
            return Finding("device", "note", text)
        return Finding("device", "ok", text if free >= GPU_KEEP_GIB else f"{text}; use --memory low")
    if device.type == "cpu":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return Finding(
            "device", "note", f"no GPU: CPU with {cores} cores, {dtype}; the released 7B models are slow here"
        )
    return Finding("device", "ok", f"{device.type}, {dtype}")


def _memory() -> Finding:
    gib = free_memory_bytes() / 2**30
    if gib < MEMORY_GIB:
        return Finding("memory", "note", f"{gib:.0f} GiB free; the released 7B models need some {MEMORY_GIB} GiB")
    return Finding("memory", "ok", f"{gib:.0f} GiB free")


def _disk() -> Finding:
    from huggingface_hub.constants import HF_HUB_CACHE

    from opens2v_hf.metrics.registry import METRICS
    from opens2v_hf.models.hub import cached_commit
    from opens2v_hf.models.roles import ROLES

    folder = Path(HF_HUB_CACHE)
    while not folder.exists():  # the first download creates it
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    needed = sum(
        role.download_gb
        for name, role in ROLES.items()
        if role.download_gb > 0
        and any(name in entry.roles for entry in METRICS.values())
        and not cached_commit(role.released, filename=role.file)
    )
    text = f"{free:.0f} GB free for {HF_HUB_CACHE}; released models of the metrics still to download: {needed:.1f} GB"
    if free < needed:
        return Finding("disk", "note", f"{text}; free space, or set HF_HOME to a larger disk")
    return Finding("disk", "ok", text)


def _hub() -> Finding:
    from opens2v_hf.metrics.registry import ROLES
    from opens2v_hf.models.hub_access import hub_problem

    role = ROLES["prompt_encoder"]
    if problem := hub_problem(role.released, None, role.file):
        return Finding("Hub", "note", f"{problem}; only models in the local cache can be used")
    return Finding("Hub", "ok", "can be reached")


def _token() -> Finding:
    from huggingface_hub import get_token

    if get_token() is None:
        return Finding("Hub token", "note", "none, needed for gated repos and to push results: hf auth login")
    return Finding("Hub token", "ok", "is set")


def _decoder() -> Finding:
    found = [name for name in ("av", "decord") if importlib.util.find_spec(name) is not None]
    if "av" not in found:
        return Finding("video decoder", "missing", "PyAV is not installed: pip install av")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in found)
    return Finding("video decoder", "ok", f"PyAV is used ({versions}); ffmpeg need not be installed")


def _models() -> Iterable[Finding]:
    from opens2v_hf.models.roles import ROLES

    for name, role in ROLES.items():
        yield _model(name, role)


def _model(name: str, role: Role) -> Finding:
    from opens2v_hf.metrics.registry import METRICS
    from opens2v_hf.models.hub import cached_commit
    from opens2v_hf.models.hub_access import hub_problem

    metrics = ", ".join(entry.name for entry in METRICS.values() if name in entry.roles)
    topic = f"{name.replace('_', ' ')} of {metrics or 'opens2v build'}"
    if role.released.startswith("openai:"):
        return _endpoint(topic, role)
    commit = cached_commit(role.released, filename=role.file)
    if commit:
        return Finding(topic, "ok", f"{role.released} at {commit[:12]} is in the local cache")
    missing = f"{role.released} is not in the local cache"
    if problem := hub_problem(role.released, None, role.file):
        return Finding(topic, "note", f"{missing}, and {problem}; give a folder that holds it")
    return Finding(topic, "note", f"{missing}; {role.download_gb:.1f} GB are downloaded when it is first used")


def _endpoint(topic: str, role: Role) -> Finding:
    from opens2v_hf.models.endpoint.lifetimes import OTHER_JUDGES, WARNING_DAYS

    if url := os.environ.get("OPENAI_BASE_URL"):
        return Finding(topic, "ok", f"{role.released} at OPENAI_BASE_URL ({url.rpartition('@')[2]})")
    left = None if role.shutdown is None else (role.shutdown - _today()).days
    if left is not None and left <= 0:
        return Finding(
            topic, "missing", f"{role.released} was shut down by its maker on {role.shutdown}; {OTHER_JUDGES}"
        )
    if not os.environ.get("OPENAI_API_KEY"):
        return Finding(topic, "missing", f"{role.released} needs OPENAI_API_KEY; or {OTHER_JUDGES}")
    if left is not None and left <= WARNING_DAYS:
        return Finding(
            topic, "note", f"{role.released} is shut down by its maker on {role.shutdown}; then {OTHER_JUDGES}"
        )
    return Finding(topic, "ok", f"{role.released}; OPENAI_API_KEY is set")


def _today() -> date:
    return datetime.now(UTC).date()
