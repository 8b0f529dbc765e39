"""Pipeline classes of diffusers that can be given pictures of subjects, and how.

A class that is not here is refused: a pipeline without an argument for references would make videos from the text
alone, and its scores would look like those of a subject-driven model. Figures are the defaults of the classes'
`__call__` in diffusers 0.42 unless `recipe.source` names another source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from opens2v_hf.errors import ArgumentError
from opens2v_hf.generators.recipe import Recipe

Preparation = Literal["as-is", "one-canvas", "first-frame", "face", "none"]
"""How references are given to the argument: each unchanged; all on one white canvas; one, fitted on a white canvas of
the video's size; one, with the features of its face; none."""


@dataclass(frozen=True)
class Family:
    """How to call a pipeline class.

    Attributes:
        pipeline_class: name in the repo's index file.
        subject_driven: whether the class takes pictures of subjects as such; image-to-video classes do not.
        preparation: see `Preparation`.
        max_references: largest number that it takes; None for any number.
        argument: name of the call's argument for references; None where there is none.
        wrap: dotted name of a class that each reference is wrapped in, and the name of its argument for the picture;
            other arguments of it in `wrap_arguments`.
        wrap_arguments: see `wrap`.
        argument_is_list: whether the argument takes a list, also for one reference.
        frame_step: the frames made are `frame_step * n + frame_offset`.
        frame_offset: see `frame_step`.
        size_multiple: width and height must be multiples of it.
        takes_size: whether the call has `height` and `width`.
        steps_argument: name of the call's argument for the steps.
        takes_negative_prompt: whether the call has `negative_prompt`.
        max_tokens: of a prompt; the text encoder silently cuts the rest.
        recipe: default settings.
        workflow: of a modular pipeline; None for a classic one.
        packages: that the class needs in addition to diffusers, by import name.
        min_diffusers: first release in which references work correctly.
        notes: for readers of a result.
        needs_lora: whether references mean something only with a LoRA made for them; the notes say so without one.
    """

    pipeline_class: str
    subject_driven: bool
    preparation: Preparation
    max_references: int | None
    argument: str | None
    recipe: Recipe
    wrap: tuple[str, str] | None = None
    wrap_arguments: dict[str, object] = field(default_factory=dict)
    argument_is_list: bool = False
    frame_step: int = 4
    frame_offset: int = 1
    size_multiple: int = 16
    takes_size: bool = True
    steps_argument: str = "num_inference_steps"
    takes_negative_prompt: bool = True
    max_tokens: int = 512
    workflow: str | None = None
    packages: tuple[str, ...] = ()
    min_diffusers: str = "0.35"
    notes: tuple[str, ...] = ()
    needs_lora: bool = False

    @property
    def modular(self) -> bool:
        """Whether the class is one of diffusers' modular pipelines."""
        return self.pipeline_class.endswith("ModularPipeline")

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse sizes and lengths that the class would change silently.

        Raises:
            ArgumentError: the message names the nearest possible value.
        """
        frames, step, offset = recipe.num_frames, self.frame_step, self.frame_offset
        if frames is not None and (frames < offset or (frames - offset) % step):
            below = max(offset, (frames - offset) // step * step + offset)
            raise ArgumentError(
                f"{self.pipeline_class} makes {step}n + {offset} frames (got num_frames={frames}); "
                f"choose {below} or {below + step}"
            )
        for name in ("width", "height"):
            value = getattr(recipe, name)
            if value is not None and value % self.size_multiple:
                raise ArgumentError(
                    f"{self.pipeline_class}: {name} must be a multiple of {self.size_multiple} (got {value})"
                )


_FIRST_FRAME = ("image-to-video: the picture of the subject is the first frame, so this is not subject-driven",)
_WAN = Recipe(width=832, height=480, num_frames=81, fps=16, steps=50, guidance=5.0)
_HUNYUAN = Recipe(width=1280, height=720, num_frames=129, fps=24, steps=50, guidance=1.0)
_LTX2 = Recipe(width=768, height=512, num_frames=121, fps=24, steps=30, guidance=3.0, extra={"frame_rate": 24.0})

FAMILIES: dict[str, Family] = {
    family.pipeline_class: family
    for family in (
        # Each reference is scaled to fit and centred on white by the pipeline itself.
        # Before 0.35 the masks of references were in the wrong order (huggingface/diffusers issue 11779).
        Family(
            "WanVACEPipeline", True, "as-is", None, "reference_images", _WAN, argument_is_list=True, packages=("ftfy",),
        ),
        Family(
            "MiniMaxH3ModularPipeline", True, "as-is", 9, "references",
            Recipe(width=1344, height=768, num_frames=124, fps=24, steps=50),
            wrap=("diffusers.modular_pipelines.minimax_h3.MiniMaxH3ImageReference", "image"), argument_is_list=True,
            frame_step=17, frame_offset=5, workflow="ref2va", packages=("torchvision",), min_diffusers="0.42",
            takes_negative_prompt=False,
        ),
        Family(
            "EchoModularPipeline", True, "as-is", 7, "memory_images",
            Recipe(width=704, height=512, num_frames=241, fps=24, extra={"frame_rate": 24.0}),
            argument_is_list=True, frame_step=8, min_diffusers="0.42", takes_negative_prompt=False, max_tokens=1024,
            steps_argument="",  # the noise levels are given as `sigmas`, in the recipe's extra
        ),
        Family(
            "LTX2InContextPipeline", True, "as-is", None, "reference_conditions", _LTX2,
            wrap=("diffusers.pipelines.ltx2.pipeline_ltx2_ic_lora.LTX2ReferenceCondition", "frames"),
            argument_is_list=True, frame_step=8, size_multiple=32, max_tokens=1024, min_diffusers="0.42",
            notes=("references mean something only with an IC-LoRA made for them",), needs_lora=True,
        ),
        Family(
            "ConsisIDPipeline", True, "face", 1, "image",
            Recipe(width=720, height=480, num_frames=49, fps=8, steps=50, guidance=6.0), frame_step=8, max_tokens=226,
            packages=("insightface", "facexlib", "consisid_eva_clip", "torchvision", "cv2"),
        ),
        Family(
            "WanImageToVideoPipeline", False, "first-frame", 1, "image", _WAN, packages=("ftfy",), notes=_FIRST_FRAME,
        ),
        Family(
            "CogVideoXImageToVideoPipeline", False, "first-frame", 1, "image",
            Recipe(width=720, height=480, num_frames=49, fps=8, steps=50, guidance=6.0), frame_step=8, max_tokens=226,
            notes=_FIRST_FRAME,
        ),
        Family(
            "LTXImageToVideoPipeline", False, "first-frame", 1, "image",
            Recipe(width=704, height=512, num_frames=161, fps=25, steps=50, guidance=3.0, extra={"frame_rate": 25}),
            frame_step=8, size_multiple=32, max_tokens=128, notes=_FIRST_FRAME,
        ),
        Family(
            "LTXConditionPipeline", False, "first-frame", 1, "conditions",
            Recipe(width=704, height=512, num_frames=161, fps=25, steps=50, guidance=3.0, extra={"frame_rate": 25}),
            wrap=("diffusers.pipelines.ltx.pipeline_ltx_condition.LTXVideoCondition", "image"), argument_is_list=True,
            wrap_arguments={"frame_index": 0}, frame_step=8, size_multiple=32, max_tokens=256, notes=_FIRST_FRAME,
        ),
        Family(
            "LTX2ConditionPipeline", False, "first-frame", 1, "conditions", _LTX2,
            wrap=("diffusers.pipelines.ltx2.pipeline_ltx2_condition.LTX2VideoCondition", "frames"),
            wrap_arguments={"index": 0}, argument_is_list=True, frame_step=8, size_multiple=32, max_tokens=1024,
            notes=_FIRST_FRAME,
        ),
        Family(
            "LTX2ImageToVideoPipeline", False, "first-frame", 1, "image", _LTX2, frame_step=8, size_multiple=32,
            max_tokens=1024, notes=_FIRST_FRAME,
        ),
        Family(
            "HunyuanVideoImageToVideoPipeline", False, "first-frame", 1, "image", _HUNYUAN, max_tokens=256,
            notes=_FIRST_FRAME,
        ),
        Family(
            "HunyuanVideo15ImageToVideoPipeline", False, "first-frame", 1, "image",
            Recipe(width=1280, height=720, num_frames=121, fps=24, steps=50), takes_size=False, max_tokens=1000,
            notes=_FIRST_FRAME,
        ),
    )
}  # fmt: skip
"""Pipeline class to how it is called."""

TEXT_ONLY = frozenset(
    {
        "WanPipeline",
        "CogVideoXPipeline",
        "HunyuanVideoPipeline",
        "HunyuanVideo15Pipeline",
        "LTXPipeline",
        "LTX2Pipeline",
    }
)
"""Classes without an argument for references; they run only as the ablation `references="none"`."""


def text_only_family(pipeline_class: str) -> Family:
    """How to call a text-to-video class, for the ablation without references."""
    is_wan = pipeline_class.startswith("Wan")
    return Family(
        pipeline_class, False, "none", None, None, _WAN if is_wan else Recipe(fps=24),
        frame_step=8 if pipeline_class.startswith(("LTX", "CogVideoX")) else 4,
        size_multiple=32 if pipeline_class.startswith("LTX") else 16,
        packages=("ftfy",) if is_wan else (),
        notes=("made from the text alone, without references",),
    )  # fmt: skip
