"""The reference picture of each subject of a synthetic scene, and other true views of the same subject."""

from __future__ import annotations

from PIL import Image

from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import Scene, Sprite
from opens2v_hf.errors import ArgumentError

REFERENCE_PX = 112
"""Width and height of a subject's reference picture."""

SYNTHESIS_FLAGS = {
    "singleface": "Wrong", "singlehuman": "wrong", "singleobj": "wrong", "multiface": "True",
    "multihuman": "True", "multiobject": "True", "faceobj": "Wrong", "humanobj": "Wrong",
}  # fmt: skip
"""The released spellings of true and false, by prefix."""

_VIEW_TURNS = (9.0, -9.0, 16.0, -16.0)
_VIEW_SEEDS = 8001  # 1 more than a multiple of the number of backgrounds: a view has another one than the reference


def reference_background(scene: Scene) -> str:
    """Whether the references of a scene are on "white" (the synthesised ones) or on a "textured" background."""
    return "white" if SYNTHESIS_FLAGS[scene.category] == "True" else "textured"


def reference_crop(sprite: Sprite) -> str:
    """The part of a subject that its reference shows: the head of a "face", the "whole" of everything else."""
    return "face" if sprite.kind == "face" else "whole"


def subject_reference(scene: Scene, index: int) -> Image.Image:
    """The picture of an actor that is given to a model, `REFERENCE_PX` wide and high."""
    sprite = scene.sprites[index]
    crop = reference_crop(sprite)
    background = reference_background(scene)
    return reference_picture(sprite, REFERENCE_PX, background, crop=crop, seed=scene.seed + index)


def subject_views(scene: Scene, index: int, count: int = 2) -> tuple[Image.Image, ...]:
    """Other true views of an actor: the whole of it, leaning, in other places; never given to a model.

    Args:
        scene: drawn from a seed.
        index: of the actor.
        count: of the views, 1 to 4.

    Raises:
        ArgumentError: another number of views.
    """
    if not 1 <= count <= len(_VIEW_TURNS):
        raise ArgumentError(f"a subject has 1 to {len(_VIEW_TURNS)} views (got {count=})")
    return tuple(
        reference_picture(
            scene.sprites[index],
            REFERENCE_PX,
            "textured",
            seed=scene.seed + index + number + _VIEW_SEEDS,
            turn=_VIEW_TURNS[number],
        )
        for number in range(count)
    )
