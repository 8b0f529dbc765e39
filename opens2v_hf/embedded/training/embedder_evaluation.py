"""Accuracy of an embedder on held-out synthetic scenes, through `models.gme` as a metric uses it."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from opens2v_hf.data.synthetic.render import reference_picture, render_background, render_frame
from opens2v_hf.data.synthetic.scenes import (
    Scene,
    caption,
    draw_scene,
    label,
    other_background,
    other_sprite,
    with_background,
    with_hidden,
    with_sprite,
)
from opens2v_hf.embedded.training.embedder_network import LABELS
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder

GROUP = 64
"""Scenes among which a caption has to find its frame."""


def evaluate_embedder(
    model: str | os.PathLike[str], num_scenes: int = 256, first_seed: int = 700_000
) -> dict[str, float]:
    """Retrieval, and the margins that metrics live on.

    Args:
        model: folder, Hub id or "embedded".
        num_scenes: a multiple of `GROUP`.
        first_seed: of the scenes; below `scenes.FIRST_TRAINING_SEED` none was trained on.

    Returns:
        Name of a figure -> value: top-1 rates, mean cosines, and shares of pairs in the right order.
    """
    embedder = GmeEmbedder.from_pretrained(model, device="cpu", dtype="float32")
    scenes = [draw_scene(first_seed + index) for index in range(num_scenes)]
    return {**_scene_figures(embedder, scenes), **_subject_figures(embedder, scenes)}


def _scene_figures(embedder: GmeEmbedder, scenes: list[Scene]) -> dict[str, float]:
    rng = np.random.default_rng(scenes[0].seed)
    frames = [render_frame(scene, scene.num_frames // 2).image for scene in scenes]
    faulty = {
        "missing_subject": [render_background(scene) for scene in scenes],
        "one_missing": [render_frame(with_hidden(scene, 0), scene.num_frames // 2).image for scene in scenes],
        "wrong_subject": [
            render_frame(with_sprite(s, 0, other_sprite(s.sprites[0], rng)), s.num_frames // 2).image for s in scenes
        ],
        "other_background": [
            render_frame(with_background(s, other_background(s.background, rng)), s.num_frames // 2).image
            for s in scenes
        ],
        "noise": [np.clip(f + rng.normal(0, 48, f.shape), 0, 255).astype(np.uint8) for f in frames],
    }
    pictures = embedder.embed_images(frames)
    texts = embedder.embed_texts([caption(scene) for scene in scenes], RETRIEVAL_INSTRUCTION)
    cosines = texts @ pictures.T
    own = cosines.diagonal()
    found = [
        cosines[i : i + GROUP, i : i + GROUP].argmax(1) == torch.arange(GROUP) for i in range(0, len(scenes), GROUP)
    ]
    back = [
        cosines[i : i + GROUP, i : i + GROUP].argmax(0) == torch.arange(GROUP) for i in range(0, len(scenes), GROUP)
    ]
    figures = {
        "text_to_image_top1": float(torch.cat(found).float().mean()),
        "image_to_text_top1": float(torch.cat(back).float().mean()),
        "cosine_matching": float(own.mean()),
        "cosine_other_scenes": float((cosines.sum() - own.sum()) / (cosines.numel() - len(own))),
    }
    for name, images in faulty.items():
        other = (texts * embedder.embed_images(images)).sum(-1)
        figures[f"cosine_{name}"] = float(other.mean())
        figures[f"lower_with_{name}"] = float((other < own).float().mean())
    return figures


def _subject_figures(embedder: GmeEmbedder, scenes: list[Scene]) -> dict[str, float]:
    rng = np.random.default_rng(scenes[0].seed)
    crops, references, others, names, backgrounds = [], [], [], [], []
    for scene in scenes:
        rendered = render_frame(scene, scene.num_frames // 3)
        if rendered.masks[0].sum() < 200:
            continue
        sprite = scene.sprites[0]
        crops.append(Image.fromarray(rendered.image).crop(rendered.boxes[0].tolist()))
        references.append(reference_picture(sprite))
        others.append(reference_picture(replace(other_sprite(sprite, rng), size=sprite.size)))
        names.append("human" if sprite.kind == "human" else label(sprite))
        backgrounds.append(Image.fromarray(render_background(scene)).crop((50, 20, 120, 90)))
    crop, reference, other = (embedder.embed_images(pictures) for pictures in (crops, references, others))
    same, different = (crop * reference).sum(-1), (crop * other).sum(-1)
    labels = crop @ embedder.embed_texts(LABELS).T
    right = labels[torch.arange(len(names)), [LABELS.index(name) for name in names]]
    shapes = [index for index, name in enumerate(LABELS) if name not in ("Man", "Woman", "human", "face")]
    wrong = torch.cat([labels[i, [j for j in shapes if LABELS[j] != name]] for i, name in enumerate(names)])
    empty = (embedder.embed_images(backgrounds) * embedder.embed_texts(names)).sum(-1)
    return {
        "cosine_same_subject": float(same.mean()),
        "cosine_other_subject": float(different.mean()),
        "same_above_other": float((same > different).float().mean()),
        "reference_top1_of_all": float((crop @ reference.T).argmax(1).eq(torch.arange(len(names))).float().mean()),
        "right_label_above_0.30": float((right > 0.3).float().mean()),
        "wrong_label_below_0.30": float((wrong < 0.3).float().mean()),
        "background_below_0.30": float((empty < 0.3).float().mean()),
        "cosine_right_label": float(right.mean()),
        "cosine_wrong_label": float(wrong.mean()),
    }
