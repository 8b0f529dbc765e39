"""Checks of a pipeline that need no weights."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.generators.families import FAMILIES, TEXT_ONLY, Family, text_only_family
from opens2v_hf.generators.index_file import PipelineIndex, read_index
from opens2v_hf.generators.lora import Lora, find_lora
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.repos import SPEECH_TO_VIDEO, known_repo
from opens2v_hf.generators.request import GeneratorInfo
from opens2v_hf.generators.room import Room, find_room
from opens2v_hf.models.hub import pick_device, pick_dtype

if TYPE_CHECKING:
    import torch

References = Literal["given", "none"]


@dataclass(frozen=True)
class PipelinePlan:
    """A pipeline that passed all checks before loading. It has the attributes of a `Generator`.

    Attributes:
        index: of its repo or folder.
        family: how it is called.
        notes: for readers of the result.
        device: that it will run on.
        dtype: of its weights.
        room: sizes of its weights, the memory and the disk.
        lora: on top of it; None for none.
    """

    index: PipelineIndex
    family: Family
    notes: tuple[str, ...]
    device: torch.device
    dtype: torch.dtype
    room: Room
    lora: Lora | None = None

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos."""
        return GeneratorInfo(
            kind="diffusers",
            name=self.index.name + (f" + {self.lora.name}" if self.lora else ""),
            revision=self.index.revision + (f" + {self.lora.revision}" if self.lora else ""),
            family=self.family.pipeline_class,
            dtype=str(self.dtype).removeprefix("torch."),
            versions={package: version(package) for package in ("diffusers", "torch", "transformers")},
            subject_driven=self.family.subject_driven,
            notes=self.notes,
        )

    @property
    def recipe(self) -> Recipe:
        """The family's settings."""
        return self.family.recipe

    @property
    def max_references(self) -> int | None:
        """See `Family.max_references`; None as well for a family that takes no references."""
        return None if self.family.preparation == "none" else self.family.max_references

    def check_recipe(self, recipe: Recipe) -> None:
        """See `Family.check_recipe`."""
        self.family.check_recipe(recipe)

    def describe(self) -> list[str]:
        """The pipeline and its sizes as text, a line each."""
        return [f"{self.index.name} ({self.family.pipeline_class}, {self.index.revision[:19]})", *self.room.describe()]


def plan_pipeline(
    name: str,
    *,
    revision: str | None = None,
    references: References = "given",
    accept_license: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    lora: str | None = None,
) -> PipelinePlan:
    """Check a model before anything large is downloaded: known repo, index file, family, packages, disk and memory.

    Args:
        name: Hub id or folder.
        revision: branch, tag or commit of a Hub repo.
        references: "none" makes videos from the text alone, as an ablation.
        accept_license: confirms a licence that grants nothing in some territories.
        device: "cuda", "cpu", ...; None picks one.
        dtype: of the weights; None is bfloat16 on a GPU and float32 elsewhere. A Wan VAE is always float32.
        lora: on top of it; see `find_lora`.

    Raises:
        ArgumentError: the licence must be accepted first.
        MissingDependencyError: a package is missing or too old; the message has the command that installs it.
        ModelError: the model is not supported; the message has the reason and the alternatives.
    """
    known = known_repo(name)
    if known is not None and known.refusal:
        raise ModelError(f"{name!r}: {known.refusal}")
    if any(part in name.lower() for part in SPEECH_TO_VIDEO):
        raise ModelError(f"{name!r} makes video from speech: S2V means speech-to-video in its name")
    if known is not None and known.excluded and not accept_license:
        raise ArgumentError(
            f"the licence of {name!r} ({known.licence}) grants nothing in {', '.join(known.excluded)}; "
            "read it, then accept it (`accept_license=True`)"
        )
    _need_package("diffusers", "0.35", name)
    index = read_index(name, revision)
    family = _family(index.pipeline_class, name, references)
    _need_package("diffusers", family.min_diffusers, name)
    _need_class(index.pipeline_class, name)
    missing = [package for package in family.packages if find_spec(package) is None]
    if missing:
        raise MissingDependencyError(
            f"{name!r} ({family.pipeline_class}) needs {', '.join(missing)}: pip install {' '.join(missing)}"
        )
    chosen = pick_device(device)
    if dtype is None:
        dtype = "bfloat16" if chosen.type == "cuda" else "float32"
    picked = pick_dtype(dtype, chosen)
    found = None if lora is None else find_lora(lora)
    if found is not None:
        _need_package("peft", "0.17", name)
    notes = () if family.needs_lora and found is not None else family.notes
    return PipelinePlan(index, family, notes, chosen, picked, find_room(index, chosen, picked), found)


def _family(pipeline_class: str, name: str, references: References) -> Family:
    if references == "none":
        if pipeline_class in TEXT_ONLY:
            return text_only_family(pipeline_class)
        raise ModelError(
            f"{name!r} ({pipeline_class}) is not a text-to-video pipeline, so it cannot run without references"
        )
    if pipeline_class in FAMILIES:
        return FAMILIES[pipeline_class]
    if pipeline_class in TEXT_ONLY:
        raise ModelError(
            f"{name!r} is a text-to-video pipeline ({pipeline_class}): it cannot be given the subjects. "
            "`references='none'` makes its videos from the text alone, as an ablation"
        )
    raise ModelError(
        f"{name!r} is a {pipeline_class}, and how references are given to it is not known here (known: "
        f"{', '.join(FAMILIES)}). Score it by a Python function, an HTTP endpoint, or videos that you made"
    )


def _need_class(pipeline_class: str, name: str) -> None:
    import diffusers

    if pipeline_class not in dir(diffusers):  # `hasattr` would import the pipeline, which takes seconds
        raise MissingDependencyError(
            f"{name!r} needs {pipeline_class}, which diffusers {version('diffusers')} lacks: pip install -U diffusers"
        )


def _need_package(package: str, least: str, name: str) -> None:
    from packaging.version import Version

    try:
        found = version(package)
    except PackageNotFoundError as error:
        raise MissingDependencyError(f"{name!r} needs {package}: pip install 'opens2v-hf[generate]'") from error
    if Version(found) < Version(least):
        raise MissingDependencyError(
            f"{name!r} needs {package} {least} or newer (got {found}): pip install -U {package}"
        )
