"""A diffusers pipeline, classic or modular, as a generator."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from opens2v_hf._util.retries import free_memory
from opens2v_hf._util.text import reason_of
from opens2v_hf.errors import ArgumentError, GenerationError, ModelError
from opens2v_hf.generators.loading import files_of, load_pipeline
from opens2v_hf.generators.memory import MemoryMeasures
from opens2v_hf.generators.plan import PipelinePlan
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.references import on_canvas
from opens2v_hf.generators.request import Generated, GeneratorInfo, Progress, Request


class PipelineGenerator:
    """A loaded pipeline.

    Args:
        plan: of `plan_pipeline`.

    Raises:
        ModelError: the weights cannot be loaded, do not fit the class, or fit neither the GPU nor the memory.
    """

    def __init__(self, plan: PipelinePlan) -> None:
        self.plan = plan
        self._device, self._dtype = plan.device, plan.dtype
        self._pipeline = load_pipeline(plan)
        self._face_models: tuple[Any, ...] | None = None
        self._measures = MemoryMeasures(self._pipeline, plan.device)
        try:
            self._measures.move_to_device(fits=plan.room.fits_gpu)
        except torch.OutOfMemoryError as error:
            raise ModelError(f"{plan.index.name!r} does not fit {plan.device}: {reason_of(error)}") from error

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos."""
        return self.plan.info

    @property
    def recipe(self) -> Recipe:
        """The family's settings."""
        return self.plan.recipe

    @property
    def max_references(self) -> int | None:
        """See `PipelinePlan.max_references`."""
        return self.plan.max_references

    def check_recipe(self, recipe: Recipe) -> None:
        """See `Family.check_recipe`."""
        self.plan.check_recipe(recipe)

    def num_frames(self, recipe: Recipe) -> int | None:
        """Number of frames of a video of this recipe."""
        if recipe.num_frames is None:
            return None
        # HunyuanVideo: weights of this kind spend a latent frame on the picture and cut its frames off
        config = getattr(getattr(self._pipeline, "transformer", None), "config", None)
        cut = 4 if getattr(config, "image_condition_type", None) == "latent_concat" else 0
        return recipe.num_frames - cut

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Make one video; the same request gives the same frames on the same machine.

        If memory does not suffice, the next measure is taken for this and all later videos: VAE tiling, then
        offloading. The size of the video is never changed.

        Raises:
            GenerationError: memory does not suffice with all measures, or the pipeline refuses the request.
        """
        while True:
            try:
                return self._generate(request, progress)
            except torch.OutOfMemoryError as error:
                reason = reason_of(error)
            # after the handler: until then the exception refers to the call's tensors
            free_memory()
            if not self._measures.take_next():
                taken = ", ".join(self._measures.taken) or "no measure"
                raise GenerationError(f"out of memory, with {taken}: {reason}", transient=True)

    def close(self) -> None:
        """Free the pipeline's memory."""
        del self._pipeline, self._measures, self._face_models
        free_memory()

    def _generate(self, request: Request, progress: Progress | None) -> Generated:
        family, recipe = self.plan.family, request.recipe
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
        family = self.plan.family
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
        """Features of the face, computed by ConsisID's own models."""
        utils = importlib.import_module("diffusers.pipelines.consisid.consisid_utils")
        if self._face_models is None:
            folder = files_of(self.plan.index, "face_encoder/*")
            self._face_models = utils.prepare_face_models(str(folder), device=self._device, dtype=self._dtype)
        helper_1, helper_2, clip, main, mean, deviation = self._face_models
        try:
            id_cond, id_vit_hidden, aligned, key_points = utils.process_face_embeddings_infer(
                helper_1, clip, helper_2, mean, deviation, main, self._device, self._dtype, np.asarray(image),
                is_align_face=True,
            )  # fmt: skip
        except RuntimeError as error:  # raised also where the picture has no face
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise GenerationError(f"no face could be read from the reference: {reason_of(error)}") from error
        return {"id_cond": id_cond, "id_vit_hidden": id_vit_hidden, "image": aligned, "kps_cond": key_points}

    def _facts(self, request: Request) -> dict[str, Any]:
        facts: dict[str, Any] = {"device": _name_of(self._device)}
        if self._measures.taken:
            facts["memory_measures"] = list(self._measures.taken)
        tokenizer = getattr(self._pipeline, "tokenizer", None)
        if callable(tokenizer):
            count = len(tokenizer(request.prompt)["input_ids"])
            facts["prompt_tokens"] = count
            limit = int(request.recipe.extra.get("max_sequence_length", self.plan.family.max_tokens))
            if count > limit:
                facts["prompt_cut_at_tokens"] = limit
        return facts

    def _takes(self, argument: str) -> bool:
        return argument in inspect.signature(type(self._pipeline).__call__).parameters

    def set_flow_shift(self, shift: float | None) -> None:
        """Set the scheduler's shift; None keeps the one that it has.

        Raises:
            ArgumentError: the scheduler has none.
        """
        if shift is None:
            return
        scheduler: Any = getattr(self._pipeline, "scheduler", None)
        name = next((name for name in ("flow_shift", "shift") if name in getattr(scheduler, "config", {})), None)
        if name is None:
            raise ArgumentError(f"the scheduler of {self.plan.index.name!r} has no shift; leave flow_shift out")
        self._pipeline.scheduler = type(scheduler).from_config(scheduler.config, **{name: shift})


def _step_callback(progress: Progress, steps: int | None) -> Callable[..., dict[str, Any]]:
    def on_step_end(_pipeline: Any, step: int, _timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        progress(step + 1, steps or step + 1)
        latents = state.get("latents")
        if latents is not None and not torch.isfinite(latents).all():
            raise GenerationError(f"latents contain NaN or infinite values after step {step + 1}; try another dtype")
        return state

    return on_step_end


def _frames_of(output: Any) -> np.ndarray:
    """Float or uint8 [T, H, W, 3] from any of the kinds of output that pipelines have for one video."""
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


def _name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _dotted(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
