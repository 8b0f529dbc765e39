"""The synthetic sample in OpenS2V-5M's released layout, the folder form.

    regular/<part>.json                                records, keyed by sample id
    videos/<part>/<file>.mp4
    foreground/<part>/<sample id>.png                  the annotated frame with its subjects painted out
    cross-frames-pairs/cluster_videos.json             cluster id -> ["<part>/<sample id>", ..]
    cross-frames-pairs/cross_frames_pairs.json         cluster id -> [pair, ..]
    cross-frames-pairs/final_output/<cluster id>.json  [pair, ..]
    gpt-frames-pairs/<sample id>/main_image.png  <i>_<tag>.png

Masks and boxes are exact; quality scores and similarities are random numbers in the ranges of the released ones,
because no model has scored these clips.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.data.synthetic.dataset_plan import PARTS, DatasetClip, plan_dataset
from opens2v_hf.data.synthetic.render import (
    environment_picture,
    mask_box,
    reference_picture,
    render_background,
    render_frame,
)
from opens2v_hf.data.synthetic.scenes import ObjectSprite, Scene, caption, phrase
from opens2v_hf.masks.rle import encode
from opens2v_hf.video.writer import write_video

PREDEFINED_TAGS = ("person", "human head")
"""Tags that the released pipeline detects in every clip."""

SMALLEST_VIEW = 0.08
"""A subject has a synthesised view if its box takes at least this part of the frame (released pipeline)."""

MOST_VIEWS = 4
"""Synthesised views of a clip at most (released pipeline)."""


@dataclass(frozen=True)
class Annotation:
    """Something found in the annotated frame of a clip.

    Attributes:
        class_name: the tag under which it was found.
        actor: index of the scene's actor that it shows; None for the background, and for a box in which there is
            nothing.
        mask: bool [H, W] in the cropped frame.
        box: float [4], xyxy in pixels of the cropped frame, x1 and y1 exclusive.
    """

    class_name: str
    actor: int | None
    mask: np.ndarray
    box: np.ndarray


def annotate(clip: DatasetClip) -> list[Annotation]:
    """The annotations of a clip's annotated frame, in the order of the mask ids 1..n.

    As in the released records, a person is found up to three times: by the caption's words, as "person" and as "human
    head".
    """
    rendered = render_frame(clip.scene, clip.scene_frame_index)
    found = []
    for index, (sprite, mask) in enumerate(zip(clip.scene.sprites, rendered.masks, strict=True)):
        found.append(Annotation(phrase(sprite), index, mask, mask_box(mask)))
        if not isinstance(sprite, ObjectSprite):
            found.append(Annotation("person", index, mask, mask_box(mask)))
            head = mask & _inside(rendered.heads[index], mask.shape)
            found.append(Annotation("human head", index, head, mask_box(head)))
    found = [annotation for annotation in found if annotation.mask.any()]
    surroundings = np.logical_not(rendered.masks.any(axis=0))
    found.append(Annotation(background_tag(clip.scene), None, surroundings, mask_box(surroundings)))
    if clip.has_empty_mask:
        box = np.array([4.0, 4.0, clip.scene.width / 8, clip.scene.height / 6])
        found.append(Annotation("person", None, np.zeros_like(surroundings), box))
    return found


def background_tag(scene: Scene) -> str:
    """The background's words in the caption without their article, e.g. "green park"."""
    return scene.background.name.partition(" ")[2]


def write_dataset(
    folder: Path,
    *,
    clusters: int = 3,
    clips_per_cluster: int = 3,
    singles: int = 2,
    parts: Sequence[str] = PARTS,
    seed: int = 0,
    on_file: Callable[[Path], object] | None = None,
) -> Path:
    """Writes a synthetic dataset.

    Args:
        folder: where to; made if it is missing, files of the same names are replaced.
        clusters: as the arguments below, see `opens2v_hf.data.synthetic.dataset_plan.plan_dataset`.
        clips_per_cluster: video files of a cluster.
        singles: files that belong to no cluster.
        parts: names of the parts.
        seed: of the sample.
        on_file: called with each file that is written.

    Raises:
        ArgumentError: an argument is out of range.
    """
    files = plan_dataset(
        clusters=clusters, clips_per_cluster=clips_per_cluster, singles=singles, parts=parts, seed=seed
    )
    notify = on_file or (lambda path: None)
    records: dict[str, dict[str, Any]] = {part: {} for part in parts}
    found: dict[str, list[Annotation]] = {}
    members: dict[str, list[DatasetClip]] = defaultdict(list)
    for file in files:
        path = folder / "videos" / file.part / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        notify(write_video(path, file.frames(), file.fps))
        for clip in file.clips:
            found[clip.id] = annotate(clip)
            records[clip.part][clip.id] = _record(clip, found[clip.id])
            members[clip.cluster].append(clip)
            notify(_save(render_background(clip.scene), folder / "foreground" / clip.part / f"{clip.id}.png"))
            if clip.has_views:
                for path in _write_views(clip, found[clip.id], folder / "gpt-frames-pairs" / clip.id):
                    notify(path)
    for part in parts:
        notify(_write_json(records[part], folder / "regular" / f"{part}.json"))
    _write_pairs({cluster: clips for cluster, clips in members.items() if len(clips) > 1}, found, folder, notify)
    return folder


def _record(clip: DatasetClip, annotations: list[Annotation]) -> dict[str, Any]:
    rng = _generator(clip, "record")
    height, width = clip.file_size
    sprites = clip.scene.sprites
    things = [phrase(sprite) for sprite in sprites if isinstance(sprite, ObjectSprite)]
    if clip.scene.occluder:
        things.append(clip.scene.occluder.name)
    return {
        "metadata": {
            "cut": list(clip.cut),
            "crop": list(clip.crop),
            "tech": round(rng.uniform(1.0, 4.0), 3),
            "motion": rng.uniform(0.002, 0.06),
            "fps": float(clip.scene.fps),
            "num_frames": clip.cut[1] - clip.cut[0],
            "resolution": {"height": height, "width": width},
            "path": clip.file,
            "aesthetic": rng.uniform(4.0, 6.5),
            "face_cut": list(clip.face_cut),
            "face_cap_qwen": caption(clip.scene),
        },
        "word_tags": {
            "background": [background_tag(clip.scene)],
            "subject": [phrase(sprite) for sprite in sprites if not isinstance(sprite, ObjectSprite)],
            "object": things,
            "pre_define": list(PREDEFINED_TAGS),
        },
        "annotation": {
            "ann_frame_data": {
                "ann_frame_idx": clip.face_cut[0],
                "annotations": [
                    {
                        "class_name": annotation.class_name,
                        "bbox": [float(corner) for corner in annotation.box],
                        "gme_score": _half(rng.uniform(0.2, 0.75)),
                        "aes_score": rng.uniform(3.2, 6.2),
                    }
                    for annotation in annotations
                ],
                "box_format": "xyxy",
                "img_width": clip.scene.width,
                "img_height": clip.scene.height,
                "foreground_ase_score": rng.uniform(4.0, 6.0),
                "background_ase_score": rng.uniform(4.0, 6.0),
            },
            "mask_map": {
                str(number): {"class_name": annotation.class_name} for number, annotation in enumerate(annotations, 1)
            },
            "mask_annotation": {
                str(clip.face_cut[0]): {
                    str(number): encode(annotation.mask).to_dict()
                    | {"score": [_half(rng.uniform(0.75, 1.0) if annotation.mask.any() else rng.uniform(0.0, 0.2))]}
                    for number, annotation in enumerate(annotations, 1)
                }
            },
        },
    }


def _write_views(clip: DatasetClip, annotations: list[Annotation], folder: Path) -> list[Path]:
    """Pictures of the subjects as an image model would generate them: elsewhere, from the front, alone."""
    scene = clip.scene
    written = [_save(render_frame(scene, clip.scene_frame_index).image, folder / "main_image.png")]
    smallest = SMALLEST_VIEW * scene.width * scene.height
    drawn = {
        phrase(sprite): reference_picture(sprite, 128, "textured", seed=scene.seed + index)
        for index, sprite in enumerate(scene.sprites)
    } | {background_tag(scene): environment_picture(scene.background, scene.width, scene.height)}
    shown = {
        annotation.class_name: drawn[annotation.class_name]
        for annotation in annotations
        if annotation.class_name in drawn and np.prod(annotation.box[2:] - annotation.box[:2]) >= smallest
    }
    for index, (tag, picture) in enumerate(list(shown.items())[:MOST_VIEWS]):
        written.append(_save(np.asarray(picture), folder / f"{index}_{tag.replace(' ', '_')}.png"))
    return written


def _write_pairs(
    clusters: dict[str, list[DatasetClip]],
    found: dict[str, list[Annotation]],
    folder: Path,
    notify: Callable[[Path], object],
) -> None:
    folder = folder / "cross-frames-pairs"
    pairs = {}
    for cluster, clips in clusters.items():
        pairs[cluster] = [
            pair
            for index, current in enumerate(clips)
            for after in clips[index + 1 :]
            for pair in _pairs(current, after, found)
        ]
        notify(_write_json(pairs[cluster], folder / "final_output" / f"{cluster}.json"))
    names = {cluster: [_full_id(clip) for clip in clips] for cluster, clips in clusters.items()}
    notify(_write_json(names, folder / "cluster_videos.json"))
    notify(_write_json(pairs, folder / "cross_frames_pairs.json"))


def _pairs(current: DatasetClip, after: DatasetClip, found: dict[str, list[Annotation]]) -> list[dict[str, Any]]:
    """Every subject of one clip with the same subject of the other, under the same name or as "person"."""
    rng = _generator(current, after.id)
    pairs = []
    for current_number, one in enumerate(found[current.id], 1):
        for after_number, other in enumerate(found[after.id], 1):
            same_name = one.class_name == other.class_name
            if one.actor is None or one.actor != other.actor:
                continue
            if not same_name and "human head" in (one.class_name, other.class_name):
                continue
            pairs.append(
                {
                    "cur_id": _full_id(current),
                    "aft_id": _full_id(after),
                    "cur_class_id": str(current_number),
                    "aft_class_id": str(after_number),
                    "cur_class_name": one.class_name,
                    "aft_class_name": other.class_name,
                    "text_similarity": 1.0 if same_name else _half(rng.uniform(0.61, 0.75)),
                    "image_similarity": _half(rng.uniform(0.7, 0.99)),
                    "cur_frame_idx": current.face_cut[0],
                    "aft_frame_idx": after.face_cut[0],
                }
            )
    return pairs


def _full_id(clip: DatasetClip) -> str:
    return f"{clip.part}/{clip.id}"


def _inside(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels whose centre lies in a box, bool [H, W]; none for a box of NaN."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray((columns >= box[0]) & (columns < box[2]) & (rows >= box[1]) & (rows < box[3]))


def _generator(clip: DatasetClip, purpose: str) -> np.random.Generator:
    return np.random.default_rng([clip.scene.seed, *purpose.encode("ascii")])


def _half(value: float) -> float:
    """The nearest float16: the released similarities and mask scores are of this kind."""
    return float(np.float16(value))


def _save(image: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def _write_json(content: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path
