"""A diffusers pipeline, classic or modular, as a generator."""

from __future__ import annotations

import gc
import importlib
import inspect
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from opens2v_hf.errors import ArgumentError, GenerationError, MissingDependencyError, ModelError
from opens2v_hf.generators.families import FAMILIES, TEXT_ONLY, Family, text_only_family
from opens2v_hf.generators.index_file import PipelineIndex, read_index
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.references import on_canvas
from opens2v_hf.generators.repos import SPEECH_TO_VIDEO, known_repo
from opens2v_hf.generators.request import Generated, GeneratorInfo, Progress, Request
from opens2v_hf.models.hub import pick_device, pick_dtype

if TYPE_CHECKING:
    import torch

_LOGGER = logging.getLogger(__name__)

References = Literal["given", "none"]


@dataclass(frozen=True)
class PipelinePlan:
    """A pipeline that may be loaded: everything that can be checked without its weights was.

    Attributes:
        index: what was found.
        family: how it is called.
        notes: what a reader of the result must know.
    """

    index: PipelineIndex
    family: Family
    notes: tuple[str, ...]


def plan_pipeline(
    name: str, *, revision: str | None = None, references: References = "given", accept_license: bool = False
) -> PipelinePlan:
    """Check a model before anything large is downloaded: known repo, index file, family, packages, disk.

    Args:
        name: Hub id or folder.
        revision: branch, tag or commit of a Hub repo.
        references: "none" makes videos from the text alone, as an ablation.
        accept_license: the user has read a licence that grants nothing in some territories, and may use the model.

    Raises:
        ArgumentError: the licence must be accepted first.
        MissingDependencyError: a package is missing or too old; the message has the command that installs it.
        ModelError: the model cannot be scored this way; the message says why and which ways there are.
    """
    known = known_repo(name)
    if known is not None and known.refusal:
        raise ModelError(f"{name!r}: {known.refusal}")
    if any(part in name.lower() for part in SPEECH_TO_VIDEO):
        raise ModelError(f"{name!r} makes video from speech: S2V does not mean subject-to-video there")
    if known is not None and known.excluded and not accept_license:
        raise ArgumentError(
            f"the licence of {name!r} ({known.licence}) grants nothing in {', '.join(known.excluded)}; "
            "read it, then accept it (accept_license=True)"
        )
    _need_package("diffusers", "0.35", name)
    index = read_index(name, revision)
    family = _family(index.pipeline_class, name, references)
    _need_package("diffusers", family.min_diffusers, name)
    missing = [package for package in family.packages if find_spec(package) is None]
    if missing:
        raise MissingDependencyError(
            f"{name!r} ({family.pipeline_class}) needs {', '.join(missing)}: pip install {' '.join(missing)}"
        )
    _check_disk(index)
    return PipelinePlan(index, family, family.notes)


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
            "references='none' makes its videos from the text alone, as an ablation"
        )
    raise ModelError(
        f"{name!r} is a {pipeline_class}, and how references are given to it is not known here (known: "
        f"{', '.join(FAMILIES)}). Score it by a Python function, an HTTP endpoint, or videos that you made"
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


def _check_disk(index: PipelineIndex) -> None:
    if index.is_local or index.weights_bytes is None:
        return
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    if isinstance(try_to_load_from_cache(index.name, "model_index.json", revision=index.revision), str):
        return  # downloaded before, perhaps only in part: what is missing is not known
    with suppress(FileNotFoundError):  # the folder is made by the first download
        free = shutil.disk_usage(HF_HUB_CACHE).free
        if free < index.weights_bytes:
            raise ModelError(
                f"the weights of {index.name!r} take {index.weights_bytes / 1e9:.0f} GB and {free / 1e9:.0f} GB are "
                f"free in {HF_HUB_CACHE}; make room, or set HF_HUB_CACHE to another disk"
            )


class PipelineGenerator:
    """A loaded pipeline.

    Args:
        plan: of `plan_pipeline`.
        device: "cuda", "cpu", ...; None picks one.
        dtype: of the weights; None takes bfloat16 on a GPU and float32 elsewhere. A Wan VAE is always float32.

    Raises:
        ModelError: the weights cannot be loaded, or do not fit the class.
    """

    def __init__(self, plan: PipelinePlan, *, device: str | None = None, dtype: str | None = None) -> None:
        self._plan = plan
        self._device = pick_device(device)
        if dtype is None:
            dtype = "bfloat16" if self._device.type == "cuda" else "float32"
        self._dtype = pick_dtype(dtype, self._device)
        self._pipeline = self._load()
        self._pipeline_defaults()
        self._measures: list[str] = []  # against running out of memory, in the order in which they were taken

    @property
    def info(self) -> GeneratorInfo:
        """Who makes the videos."""
        return GeneratorInfo(
            kind="diffusers",
            name=self._plan.index.name,
            revision=self._plan.index.revision,
            family=self._plan.family.pipeline_class,
            dtype=str(self._dtype).removeprefix("torch."),
            versions={package: version(package) for package in ("diffusers", "torch", "transformers")},
            subject_driven=self._plan.family.subject_driven,
            notes=self._plan.notes,
        )

    @property
    def recipe(self) -> Recipe:
        """The family's settings."""
        return self._plan.family.recipe

    @property
    def max_references(self) -> int | None:
        """See `Family.max_references`; none are used where the family takes none."""
        return None if self._plan.family.preparation == "none" else self._plan.family.max_references

    def check_recipe(self, recipe: Recipe) -> None:
        """See `Family.check_recipe`."""
        self._plan.family.check_recipe(recipe)

    def num_frames(self, recipe: Recipe) -> int | None:
        """How many frames a video of this recipe has."""
        if recipe.num_frames is None:
            return None
        # HunyuanVideo: weights of this kind spend a latent frame on the picture and cut its frames off
        config = getattr(getattr(self._pipeline, "transformer", None), "config", None)
        cut = 4 if getattr(config, "image_condition_type", None) == "latent_concat" else 0
        return recipe.num_frames - cut

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Make one video; the same request gives the same frames on the same machine.

        Where memory does not suffice, the next measure is taken for this and all later videos: VAE tiling, then
        offloading. The size of the video is never changed.

        Raises:
            GenerationError: no memory in spite of all measures, or the pipeline refuses the request.
        """
        import torch

        while True:
            try:
                return self._generate(request, progress)
            except torch.OutOfMemoryError as error:
                reason = str(error)
            # outside of the handler: the exception holds on to the frames of the call, and they to the memory
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if not self._take_next_measure():
                raise GenerationError(
                    f"out of memory, with {', '.join(self._measures) or 'no measure that this pipeline knows'}: "
                    f"{' '.join(reason.split())[:200]}",
                    transient=True,
                )

    def close(self) -> None:
        """Let go of the pipeline's memory."""
        import torch

        self._pipeline = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _generate(self, request: Request, progress: Progress | None) -> Generated:
        import torch

        family, recipe = self._plan.family, request.recipe
        call: dict[str, Any] = {
            "prompt": request.prompt,
            "generator": torch.Generator("cpu").manual_seed(request.seed),
            "output_type": "np",  # "pil" turns NaN into black
            **recipe.extra,
        }
        if recipe.num_frames is not None:
            call["num_frames"] = recipe.num_frames
        if family.steps_argument and recipe.steps is not None:
            call[family.steps_argument] = recipe.steps
        if recipe.guidance is not None and self._takes("guidance_scale"):
            call["guidance_scale"] = recipe.guidance
        if recipe.negative_prompt is not None:
            if not family.takes_negative_prompt:
                raise GenerationError(f"{family.pipeline_class} takes no negative prompt")
            call["negative_prompt"] = recipe.negative_prompt
        if family.takes_size:
            call |= {name: value for name in ("width", "height") if (value := getattr(recipe, name)) is not None}
        call |= self._references(request)
        if progress is not None and self._takes("callback_on_step_end"):
            call["callback_on_step_end"] = _step_callback(progress, recipe.steps)
        pipeline: Any = self._pipeline
        with torch.inference_mode():
            output = pipeline(**call)
        return Generated(frames=_frames_of(output), fps=recipe.fps, facts=self._facts(request))

    def _references(self, request: Request) -> dict[str, Any]:
        family = self._plan.family
        if family.argument is None:
            return {}
        images: list[Any] = list(request.images)
        if family.preparation in ("first-frame", "one-canvas", "face"):
            width, height = request.recipe.width, request.recipe.height
            images = [on_canvas(image, width, height) if width and height else image for image in images]
        found: list[Any] = images
        if family.wrap is not None:
            wrapper, argument = _dotted(family.wrap[0]), family.wrap[1]
            found = [wrapper(**{argument: image}, **family.wrap_arguments) for image in images]
        if family.argument_is_list:
            return {family.argument: found}
        if len(found) != 1:
            raise GenerationError(f"{family.pipeline_class} takes one reference (got {len(found)})")
        return {family.argument: found[0]} | (self._face(images[0]) if family.preparation == "face" else {})

    def _face(self, image: Any) -> dict[str, Any]:
        """Features of the face for ConsisID: its own models find and describe it."""
        # through importlib: without its packages the module lacks these functions
        utils = importlib.import_module("diffusers.pipelines.consisid.consisid_utils")

        if not hasattr(self, "_face_models"):
            self._face_models = utils.prepare_face_models(self._plan.index.name, device=self._device, dtype=self._dtype)
        helper, *models = self._face_models
        id_cond, id_vit_hidden, aligned, key_points = utils.process_face_embeddings_infer(
            helper, *models, self._device, self._dtype, np.asarray(image), is_align_face=True
        )
        return {"id_cond": id_cond, "id_vit_hidden": id_vit_hidden, "image": aligned, "kps_cond": key_points}

    def _facts(self, request: Request) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if self._measures:
            facts["memory_measures"] = list(self._measures)
        tokenizer = getattr(self._pipeline, "tokenizer", None)
        if callable(tokenizer):
            count = len(tokenizer(request.prompt)["input_ids"])
            facts["prompt_tokens"] = count
            limit = int(request.recipe.extra.get("max_sequence_length", self._plan.family.max_tokens))
            if count > limit:
                facts["prompt_cut_at_tokens"] = limit
        return facts

    def _takes(self, argument: str) -> bool:
        return argument in inspect.signature(type(self._pipeline).__call__).parameters

    def _load(self) -> Any:
        index, family = self._plan.index, self._plan.family
        arguments: dict[str, Any] = {} if index.is_local else {"revision": index.revision}
        try:
            if family.modular:
                return self._load_modular(arguments)
            import torch
            from diffusers import DiffusionPipeline

            # the VAE of Wan loses detail in half precision, its documentation says
            vae_dtype = torch.float32 if "Wan" in family.pipeline_class else self._dtype
            parts = self._checked_parts(vae_dtype, arguments)
            pipeline = DiffusionPipeline.from_pretrained(
                index.name, dtype=self._dtype, use_safetensors=True, **parts, **arguments
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
            reason = " ".join(str(error).split())[:500]
            raise ModelError(f"{index.name!r} cannot be loaded as a {family.pipeline_class}: {reason}") from error
        return pipeline.to(self._device)

    def _checked_parts(self, vae_dtype: torch.dtype, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The networks of diffusers, loaded one by one: only so are weights that do not belong to a class reported."""
        import diffusers

        index = self._plan.index
        parts: dict[str, Any] = {}
        wrong: list[str] = []
        for part, (library, class_name) in index.components.items():
            network = getattr(diffusers, class_name, None) if library == "diffusers" else None
            if not (inspect.isclass(network) and issubclass(network, diffusers.ModelMixin)):
                continue
            parts[part], report = network.from_pretrained(
                index.name,
                subfolder=part,
                torch_dtype=vae_dtype if part == "vae" else self._dtype,
                use_safetensors=True,
                output_loading_info=True,
                **arguments,
            )
            for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
                if keys := sorted(map(str, report.get(kind) or ())):
                    wrong.append(f"{part}: {len(keys)} {kind.replace('_', ' ')}, such as {keys[0]}")
        if wrong:
            raise ModelError(
                f"the weights of {index.name!r} are not those of the classes that its index file names "
                f"({'; '.join(wrong)}); the repo may need its own code"
            )
        return parts

    def _load_modular(self, arguments: Mapping[str, Any]) -> Any:
        from diffusers import ModularPipeline

        family = self._plan.family
        workflow = {} if family.workflow is None else {"workflow": family.workflow}
        pipeline = ModularPipeline.from_pretrained(self._plan.index.name, **workflow, **arguments)
        pipeline.load_components(dtype=self._dtype)
        return pipeline.to(self._device)

    def _pipeline_defaults(self) -> None:
        if hasattr(self._pipeline, "set_progress_bar_config"):
            self._pipeline.set_progress_bar_config(disable=True)

    def set_flow_shift(self, shift: float | None) -> None:
        """Give the scheduler another shift.

        Raises:
            ArgumentError: the scheduler has none.
        """
        if shift is None:
            return
        scheduler: Any = getattr(self._pipeline, "scheduler", None)
        name = next((name for name in ("flow_shift", "shift") if name in getattr(scheduler, "config", {})), None)
        if name is None:
            raise ArgumentError(f"the scheduler of {self._plan.index.name!r} has no shift; leave flow_shift out")
        self._pipeline.scheduler = type(scheduler).from_config(scheduler.config, **{name: shift})

    def _take_next_measure(self) -> bool:
        """Take the next measure against running out of memory; False when none is left."""
        pipeline: Any = self._pipeline
        measures: list[tuple[str, Callable[[], None]]] = []
        vae: Any = getattr(pipeline, "vae", None)
        if hasattr(vae, "enable_tiling"):
            measures.append(("VAE tiling", lambda: vae.enable_tiling()))
        if self._device.type != "cpu":
            if hasattr(pipeline, "enable_model_cpu_offload"):
                measures.append(("model offload", lambda: pipeline.enable_model_cpu_offload(device=self._device)))
            if hasattr(pipeline, "enable_group_offload"):
                measures.append(
                    ("group offload", lambda: pipeline.enable_group_offload(self._device, offload_type="leaf_level"))
                )
        for name, take in measures:
            if name not in self._measures:
                _LOGGER.warning("out of memory: going on with %s, for all videos from here on", name)
                take()
                self._measures.append(name)
                return True
        return False


def _step_callback(progress: Progress, steps: int | None) -> Callable[..., dict[str, Any]]:
    def on_step_end(_pipeline: Any, step: int, _timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        import torch

        progress(step + 1, steps or step + 1)
        latents = state.get("latents")
        if latents is not None and not torch.isfinite(latents).all():
            raise GenerationError(f"latents hold NaN or infinite values after step {step + 1}; try another dtype")
        return state

    return on_step_end


def _frames_of(output: Any) -> np.ndarray:
    """Float or uint8 [T, H, W, 3] of whatever a pipeline returns for one video."""
    frames = getattr(output, "frames", None)
    if frames is None:
        frames = output.get("videos") if hasattr(output, "get") else output[0]
    first = frames[0]
    if isinstance(first, list):
        return np.stack([np.asarray(frame) for frame in first])
    if hasattr(first, "cpu"):
        first = first.float().cpu().numpy()
    array = np.asarray(first)
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 and array.shape[-1] != 3 and array.shape[1] == 3 else array


def _dotted(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
