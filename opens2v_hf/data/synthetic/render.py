"""Drawing synthetic scenes: frames with exact masks and boxes, painted-out backgrounds, reference pictures.

Sprites and backgrounds are drawn once at a size and cached; a frame only composes them. A sprite is drawn at four
times its size and shrunk, then shifted by the fraction of a pixel of its track; its mask is where it covers at
least half of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.backdrops import draw_backdrop, draw_occluder
from opens2v_hf.data.synthetic.figures import draw_figure
from opens2v_hf.data.synthetic.scenes import ASPECT, SUBJECT_HEIGHT, Actor, Background, PersonSprite, Scene, Sprite
from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.resize import resize

HEAD_BOXES = {"face": (0.14, 0.04, 0.86, 0.78), "human": (0.24, 0.01, 0.76, 0.27)}
"""Head of a person, xyxy in parts of the figure's width and height."""

_LANDMARKS_IN_HEAD = np.array([[0.32, 0.56], [0.68, 0.56], [0.5, 0.68], [0.37, 0.82], [0.63, 0.82]], np.float32)


@dataclass(frozen=True)
class Rendered:
    """A frame and what is known about it; N is the number of actors.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        masks: bool [N, H, W], the visible part of each actor.
        boxes: float32 [N, 4], xyxy around each mask in pixels, x1 and y1 exclusive; zeros where nothing is visible.
        heads: float32 [N, 4], xyxy around each person's head, occluded or not; NaN for objects and hidden actors.
        landmarks: float32 [N, 5, 2], x and y of left eye, right eye, nose, left and right corner of the mouth (left
            as seen in the picture); NaN likewise, and for actors that are turned.
    """

    image: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    heads: np.ndarray
    landmarks: np.ndarray


def render_frame(scene: Scene, frame_index: int) -> Rendered:
    """One frame of a scene.

    Raises:
        ArgumentError: the scene has no such frame.
    """
    progress = scene.progress(frame_index)
    size = (scene.width, scene.height)
    canvas = draw_backdrop(scene.background, *size).astype(np.float32)
    count = len(scene.actors)
    masks = np.zeros((count, scene.height, scene.width), bool)
    heads = np.full((count, 4), np.nan, np.float32)
    landmarks = np.full((count, 5, 2), np.nan, np.float32)
    for index, actor in enumerate(scene.actors):
        if frame_index in actor.hidden:
            continue
        x, y, width, height = _place(actor, progress, *size)
        patch = _sprite_patch(actor.sprite, height)
        if actor.turn:
            patch, x, y = _turned(patch, actor.turn, x, y)
        covered = _paste(canvas, patch, x, y)
        masks[:index] &= ~covered
        masks[index] = covered
        if actor.sprite.kind in HEAD_BOXES and not actor.turn:
            heads[index], landmarks[index] = _head(actor.sprite.kind, x, y, width, height)
    if scene.occluder is not None:
        patch, left, top = draw_occluder(scene.occluder, *size)
        masks &= ~_paste(canvas, patch, left, top)
    return Rendered(_to_uint8(canvas), masks, np.stack([mask_box(mask) for mask in masks]), heads, landmarks)


def render_video(scene: Scene) -> np.ndarray:
    """All frames of a scene, uint8 [T, H, W, 3] RGB."""
    return np.stack([render_frame(scene, index).image for index in range(scene.num_frames)])


def render_pasted(scene: Scene, frame_index: int, pictures: Sequence[Image.Image], crops: Sequence[str]) -> np.ndarray:
    """A frame in which each actor is its reference picture, background and all, laid over the place of the actor.

    Args:
        scene: whose actors are not drawn; hidden ones have no picture either.
        frame_index: of the frame.
        pictures: square, one for each actor, as `reference_picture` draws them.
        crops: of each picture.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        ArgumentError: the scene has no such frame.
    """
    progress = scene.progress(frame_index)
    size = (scene.width, scene.height)
    canvas = draw_backdrop(scene.background, *size).astype(np.float32)
    for actor, picture, crop in zip(scene.actors, pictures, crops, strict=True):
        if frame_index in actor.hidden:
            continue
        left, top, _, height = _place(actor, progress, *size)
        figure_left, figure_top, _, figure_height = _reference_place(actor.sprite, picture.width, crop)
        scale = height / figure_height
        side = max(round(scale * picture.width), 1)
        pixels = np.asarray(resize(picture, (side, side), Image.Resampling.BILINEAR), np.float32)
        patch = np.concatenate([pixels, np.ones((side, side, 1), np.float32)], axis=2)
        _paste(canvas, np.pad(patch, ((1, 1), (1, 1), (0, 0))), left - scale * figure_left, top - scale * figure_top)
    if scene.occluder is not None:
        _paste(canvas, *draw_occluder(scene.occluder, *size))
    return _to_uint8(canvas)


def render_background(scene: Scene) -> np.ndarray:
    """The scene with its subjects painted out, uint8 [H, W, 3] RGB: the same for every frame, the occluder in place."""
    canvas = draw_backdrop(scene.background, scene.width, scene.height).astype(np.float32)
    if scene.occluder is not None:
        _paste(canvas, *draw_occluder(scene.occluder, scene.width, scene.height))
    return _to_uint8(canvas)


def reference_picture(
    sprite: Sprite,
    size_px: int = 112,
    background: str = "white",
    *,
    crop: str = "whole",
    seed: int = 0,
    turn: float = 0.0,
) -> Image.Image:
    """A square picture of a subject alone, as a benchmark's reference.

    Args:
        sprite: the subject; its size word does not matter here.
        size_px: width and height of the picture.
        background: "white", or "textured" for one of the backgrounds, chosen by `seed`.
        crop: "whole" (everything of the subject), or "face" (a person's head, as in the benchmark's crop_man and
            crop_woman folders).
        seed: decides the textured background.
        turn: degrees by which the subject leans, counter-clockwise: another pose.

    Raises:
        ArgumentError: a background or crop that does not exist, or the face of an object.
    """
    if background not in ("white", "textured") or crop not in ("whole", "face"):
        raise ArgumentError(f"a reference is on white or textured, whole or face (got {background=}, {crop=})")
    if crop == "face" and sprite.kind not in HEAD_BOXES:
        raise ArgumentError(f"an object has no face to crop (got {sprite=})")
    left, top, _, height = _reference_place(sprite, size_px, crop)
    if background == "white":
        canvas = np.full((size_px, size_px, 3), 255, np.float32)
    else:
        names = list(words.BACKGROUNDS)
        canvas = draw_backdrop(Background(names[seed % len(names)], seed), size_px, size_px).astype(np.float32)
    patch = _sprite_patch(sprite, height)
    if turn:
        patch, left, top = _turned(patch, turn, left, top)
    _paste(canvas, patch, left, top)
    return Image.fromarray(_to_uint8(canvas))


def reference_face(sprite: PersonSprite, size_px: int = 112, *, crop: str = "whole") -> tuple[np.ndarray, np.ndarray]:
    """Box of the head of a person in their `reference_picture`.

    Returns:
        float32 [4] and [5, 2]: the head's box and its landmarks, as in `Rendered`.
    """
    return _head(sprite.kind, *_reference_place(sprite, size_px, crop))


def environment_picture(background: Background, width: int = 168, height: int = 112) -> Image.Image:
    """The picture of a background alone, as an environment reference."""
    return Image.fromarray(draw_backdrop(background, width, height))


def mask_box(mask: np.ndarray) -> np.ndarray:
    """The tightest box around a mask.

    Args:
        mask: bool [H, W].

    Returns:
        float32 [4]: x0, y0, x1, y1 in pixels, x1 and y1 exclusive; zeros for an empty mask.
    """
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if columns.size == 0:
        return np.zeros(4, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _place(actor: Actor, progress: float, frame_width: int, frame_height: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of an actor in pixels."""
    sprite = actor.sprite
    height = SUBJECT_HEIGHT[sprite.kind][sprite.size] * frame_height
    width = height * ASPECT[sprite.kind]
    x, y = actor.track.position(progress)
    return x * frame_width - width / 2, y * frame_height - height / 2, width, height


def _reference_place(sprite: Sprite, size_px: int, crop: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of a subject in its reference picture, in pixels."""
    height = 0.9 * size_px / max(ASPECT[sprite.kind], 1.0)
    width = height * ASPECT[sprite.kind]
    if crop == "whole":
        return (size_px - width) / 2, (size_px - height) / 2, width, height
    x0, y0, x1, y1 = HEAD_BOXES[sprite.kind]
    zoom = 0.9 / max((y1 - y0) * height / size_px, (x1 - x0) * width / size_px)
    width, height = width * zoom, height * zoom
    return size_px / 2 - (x0 + x1) / 2 * width, size_px / 2 - (y0 + y1) / 2 * height, width, height


def _head(kind: str, x: float, y: float, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Box and landmarks of the head of a person that fills a box (left, top, width, height in pixels)."""
    x0, y0, x1, y1 = HEAD_BOXES[kind]
    box = np.array([x + x0 * width, y + y0 * height, x + x1 * width, y + y1 * height], np.float32)
    return box, _LANDMARKS_IN_HEAD * (box[2:] - box[:2]) + box[:2]


@lru_cache(maxsize=1024)
def _sprite_patch(sprite: Sprite, height_px: float) -> np.ndarray:
    """Premultiplied float32 [h, w, 4] with an empty border of a pixel, so that it can be shifted by less than one."""
    patch = draw_figure(sprite, height_px * ASPECT[sprite.kind], height_px)
    return np.pad(patch, ((1, 1), (1, 1), (0, 0)))


def _turned(patch: np.ndarray, degrees: float, left: float, top: float) -> tuple[np.ndarray, float, float]:
    """A patch turned counter-clockwise about its centre, which stays in place, and its new left and top."""
    height, width = patch.shape[:2]
    angle = np.deg2rad(degrees)
    across = int(np.ceil(abs(width * np.cos(angle)) + abs(height * np.sin(angle)))) + 2
    down = int(np.ceil(abs(width * np.sin(angle)) + abs(height * np.cos(angle)))) + 2
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += ((across - width) / 2, (down - height) / 2)
    turned = cv2.warpAffine(patch, matrix, (across, down), flags=cv2.INTER_LINEAR)
    return turned, left - (across - width) / 2, top - (down - height) / 2


def _paste(canvas: np.ndarray, patch: np.ndarray, left: float, top: float) -> np.ndarray:
    """Lay a premultiplied patch (with its border of one pixel) over a canvas, in place; bool [H, W] where it covers."""
    height, width = canvas.shape[:2]
    x, y = int(np.floor(left)), int(np.floor(top))
    shift = np.array([[1, 0, left - x], [0, 1, top - y]], np.float32)
    patch = cv2.warpAffine(patch, shift, (patch.shape[1] + 1, patch.shape[0] + 1), flags=cv2.INTER_LINEAR)
    x, y = x - 1, y - 1
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + patch.shape[1], width), min(y + patch.shape[0], height)
    covered = np.zeros((height, width), bool)
    if x0 < x1 and y0 < y1:
        part = patch[y0 - y : y1 - y, x0 - x : x1 - x]
        alpha = part[..., 3:]
        window = canvas[y0:y1, x0:x1]
        window *= 1 - alpha
        window += part[..., :3]
        covered[y0:y1, x0:x1] = alpha[..., 0] >= 0.5
    return covered


def _to_uint8(canvas: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
