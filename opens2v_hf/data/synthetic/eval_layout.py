"""The synthetic sample in OpenS2V-Eval's released layout, and the videos of simulated models for it.

    Open-Domain_Eval.json  Human-Domain_Eval.json  Single-Domain_Eval.json
    Images/singleobject/star/1.jpg  Images/singlehuman/man/1.png  Images/singlehuman/crop_man/1.png  ...

Layout, key names, the spellings of `synthesis_flag` and the folders (which do not follow the id prefixes) are those of
the released files. Every id has one scene, `eval_scene`, which does not depend on the other ids of the folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic.references import REFERENCE_PX, SYNTHESIS_FLAGS, subject_reference
from opens2v_hf.data.synthetic.render import environment_picture, reference_picture
from opens2v_hf.data.synthetic.scenes import (
    Background,
    ObjectSprite,
    PersonSprite,
    Scene,
    Sprite,
    caption,
    draw_scene,
    label,
)
from opens2v_hf.data.synthetic.simulated import other_way, simulate
from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.writer import write_video

PER_CATEGORY = 3
"""Ids of each prefix by default; with three, every number of references occurs."""

SEEDS_PER_SAMPLE = 10_000
"""Scene seeds that belong to one seed of the sample: 1000 for each prefix, and 2000 for the dataset's clips."""

MAX_SAMPLE_SEED = 99
"""Above it, scene seeds would reach those of the embedded models' training."""

SPLITS = {
    "Open-Domain": PREFIXES,
    "Human-Domain": ("singleface", "singlehuman"),
    "Single-Domain": ("singleface", "singlehuman", "singleobj"),
}
"""Released prompt files and the prefixes in each."""


@dataclass(frozen=True)
class _Reference:
    """A reference picture: its label, its folder and ending, and how to draw it."""

    label: str
    folder: str
    ending: str
    draw: Callable[[], Image.Image]


def eval_ids(per_category: int = PER_CATEGORY) -> tuple[str, ...]:
    """The ids of a sample, prefix by prefix, numbered from 1.

    >>> eval_ids(1)[:3]
    ('singleface_1', 'singlehuman_1', 'singleobj_1')

    Raises:
        ArgumentError: fewer than 1 or more than 999 ids a prefix.
    """
    if not 1 <= per_category <= 999:
        raise ArgumentError(f"a sample has 1 to 999 ids of each prefix (got {per_category=})")
    return tuple(f"{prefix}_{number}" for prefix in PREFIXES for number in range(1, per_category + 1))


def eval_scene(sample_id: str, seed: int = 0, *, num_frames: int = 16) -> Scene:
    """The scene of an id of the synthetic sample; something moves in each.

    Args:
        sample_id: as "multiface_2".
        seed: of the sample.
        num_frames: length of the film; the rest of the scene does not depend on it.

    Raises:
        ArgumentError: no such id, or a seed out of range.
    """
    check_seed(seed)
    prefix, _, digits = sample_id.rpartition("_")
    if prefix not in PREFIXES or not digits.isdecimal() or not 1 <= int(digits) <= 999:
        raise ArgumentError(f"{sample_id!r} is no id of the synthetic sample, as 'singleobj_1' is one")
    number = int(digits)
    scene_seed = seed * SEEDS_PER_SAMPLE + PREFIXES.index(prefix) * 1000 + number
    num_subjects, environment = None, prefix in ("faceobj", "humanobj")
    if prefix.startswith("multi"):
        # As released, only samples of people have a scene as a reference; every third one here.
        environment = prefix != "multiobject" and number % 3 == 0
        num_subjects = 3 if number % 3 == 2 else 2
    scene = draw_scene(scene_seed, prefix, num_subjects=num_subjects, environment=environment, num_frames=num_frames)
    if all(actor.track.direction == "still" for actor in scene.actors):
        # A frozen video of a scene at rest would be a perfect one.
        first = scene.actors[0]
        scene = replace(scene, actors=(replace(first, track=other_way(first.track)), *scene.actors[1:]))
    return scene


def check_seed(seed: int) -> None:
    """Raises ArgumentError unless a sample may have the seed."""
    if not 0 <= seed <= MAX_SAMPLE_SEED:
        raise ArgumentError(f"a sample's seed is 0 to {MAX_SAMPLE_SEED}: others are for training (got {seed=})")


def write_eval(
    folder: Path,
    *,
    per_category: int = PER_CATEGORY,
    seed: int = 0,
    on_file: Callable[[Path], object] | None = None,
) -> Path:
    """Writes the three prompt files and the reference pictures.

    Args:
        folder: where to; made if it is missing, files of the same names are replaced.
        per_category: ids of each prefix.
        seed: of the sample, 0 to 99.
        on_file: called with each file that is written.

    Raises:
        ArgumentError: a number or seed out of range.
    """
    samples: dict[str, Any] = {}
    cropped: dict[str, Any] = {}
    numbers: Counter[str] = Counter()
    notify = on_file or (lambda path: None)
    for sample_id in eval_ids(per_category):
        scene = eval_scene(sample_id, seed)
        paths = []
        references = _references(scene)
        for reference in references:
            numbers[reference.folder] += 1
            name = f"{numbers[reference.folder]}.{reference.ending}"
            paths.append(f"Images/{reference.folder}/{name}")
            notify(_save(reference.draw(), folder / paths[-1]))
        samples[sample_id] = _record(scene, paths, [reference.label for reference in references])
        if scene.category in SPLITS["Human-Domain"]:
            faces = [_face_path(path) for path in paths]
            cropped[sample_id] = samples[sample_id] | {"img_paths": faces}
            if faces != paths:
                face = reference_picture(scene.sprites[0], REFERENCE_PX, "textured", crop="face", seed=scene.seed)
                notify(_save(face, folder / faces[0]))
    for split, prefixes in SPLITS.items():
        chosen = cropped if split == "Human-Domain" else samples
        records = {sample_id: chosen[sample_id] for sample_id in samples if sample_id.rpartition("_")[0] in prefixes}
        path = folder / f"{split}_Eval.json"
        path.write_text(json.dumps(records, indent=4), encoding="utf-8")
        notify(path)
    return folder


def write_generated(
    folder: Path,
    model: str,
    *,
    per_category: int = PER_CATEGORY,
    seed: int = 0,
    ids: Iterable[str] | None = None,
    num_frames: int = 16,
    on_file: Callable[[Path], object] | None = None,
) -> list[Path]:
    """Writes what a simulated model makes of each id, as `<id>.mp4`.

    Args:
        folder: where to; made if it is missing, files of the same names are replaced.
        model: one of `opens2v_hf.data.synthetic.simulated.SIMULATED_MODELS`.
        per_category: ids of each prefix, where `ids` is not given.
        seed: of the sample, as given to `write_eval`.
        ids: only these.
        num_frames: length of each video, at 8 frames per second.
        on_file: called with each file that is written.

    Returns:
        The files, in the order of the ids.

    Raises:
        ArgumentError: no such model or id, or a number or seed out of range.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sample_id in eval_ids(per_category) if ids is None else ids:
        scene = eval_scene(sample_id, seed, num_frames=num_frames)
        path = write_video(folder / f"{sample_id}.mp4", simulate(model, scene), scene.fps)
        written.append(path)
        if on_file:
            on_file(path)
    return written


def _record(scene: Scene, paths: list[str], labels: list[str]) -> dict[str, Any]:
    return {
        "img_paths": paths,
        "prompt": caption(scene),
        "synthesis_flag": SYNTHESIS_FLAGS[scene.category],
        "class_label": labels,
    }


def _references(scene: Scene) -> list[_Reference]:
    references = [_subject(scene, index, sprite) for index, sprite in enumerate(scene.sprites)]
    if scene.environment:
        references.append(_environment(scene, scene.background))
    return references


def _subject(scene: Scene, index: int, sprite: Sprite) -> _Reference:
    # Single people and faces come as PNG, everything else as JPEG; the released files mix both.
    ending = "png" if scene.category in SPLITS["Human-Domain"] else "jpg"

    def draw() -> Image.Image:
        return subject_reference(scene, index)

    return _Reference(label(sprite), _subject_folder(scene.category, sprite), ending, draw)


def _subject_folder(category: str, sprite: Sprite) -> str:
    if isinstance(sprite, ObjectSprite):
        kind = sprite.shape
        if category in ("faceobj", "humanobj"):
            return f"humanobj/thing/{kind}"
        return f"singleobject/{kind}" if category == "singleobj" else f"{category}/{kind}"
    person = _person_folder(sprite)
    return f"humanobj/human/{person}/commoner" if category in ("faceobj", "humanobj") else f"{category}/{person}"


def _person_folder(sprite: PersonSprite) -> str:
    return f"crop_{sprite.gender}" if sprite.figure == "face" else sprite.gender


def _environment(scene: Scene, background: Background) -> _Reference:
    name = label(background)
    folder = f"humanobj/environment/{name.lower()}" if "obj" in scene.category else f"{scene.category}/scene"
    return _Reference(name, folder, "jpg", lambda: environment_picture(background, scene.width, scene.height))


def _face_path(path: str) -> str:
    """The path of the cropped face that replaces a whole person in Human-Domain.

    >>> _face_path("Images/singlehuman/woman/3.png")
    'Images/singlehuman/crop_woman/3.png'
    """
    head, folder, name = path.rsplit("/", 2)
    return path if folder.startswith("crop_") else f"{head}/crop_{folder}/{name}"


def _save(picture: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=95)
    return path
