"""Accuracy of a face detector and a face embedder on held-out synthetic people."""

from __future__ import annotations

import os

import numpy as np

from opens2v_hf._util.boxes import box_iou
from opens2v_hf.data.synthetic.render import reference_picture, render_frame
from opens2v_hf.data.synthetic.scenes import Scene, draw_scene, other_sprite
from opens2v_hf.embedded.training.faces_data import Head, heads_of
from opens2v_hf.models.faces.align import align_face
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.face import Face, find_faces, largest
from opens2v_hf.models.faces.loading import load_face_detector

_SEEN = 0.6  # visible share of a head from which on it should be found
_SAME_IOU = 0.5
_PEOPLE = ("singleface", "singlehuman", "multiface", "multihuman", "faceobj", "humanobj")


def evaluate_faces(
    detector: str | os.PathLike[str] = "embedded",
    embedder: str | os.PathLike[str] = "embedded",
    num_scenes: int = 200,
    first_seed: int = 600_000,
) -> dict[str, float]:
    """Find faces in one frame of each scene, and compare them with pictures of the same and of other people.

    Args:
        detector: folder, or "embedded".
        embedder: likewise.
        num_scenes: frames to search.
        first_seed: of the scenes; below `FIRST_TRAINING_SEED` none was trained on.

    Returns:
        recall: share of the heads in sight that are found. false_faces: share of what is found that is no head.
        landmark_error: mean distance in parts of the distance of the eyes. references_found: share of reference
        pictures whose face is found. same, other: mean cosine of a face with a picture of the same person, and of one
        who differs in everything. told_apart: share of faces that are more like the former.
    """
    find, embed = load_face_detector(detector), IrFaceEmbedder.from_pretrained(embedder)
    heads_seen, heads_found, faces_found, false_faces = 0, 0, 0, 0
    errors: list[float] = []
    pictures: list[np.ndarray] = []
    crops: list[np.ndarray] = []
    for number in range(num_scenes):
        scene = draw_scene(first_seed + number, _PEOPLE[number % len(_PEOPLE)])
        rendered = render_frame(scene, scene.num_frames // 2)
        heads = heads_of(rendered, scene.sprites)
        faces = find_faces(find, rendered.image)
        faces_found += len(faces)
        false_faces += sum(all(box_iou(face.box, head.box) < _SAME_IOU for head in heads) for face in faces)
        for head in heads:
            if head.seen < _SEEN:
                continue
            heads_seen += 1
            face = next((face for face in faces if box_iou(face.box, head.box) >= _SAME_IOU), None)
            if face is None:
                continue
            heads_found += 1
            errors.append(_landmark_error(face, head))
            crops.append(align_face(rendered.image, face.landmarks))
            pictures += _pictures(scene, head, number)
    reference_faces = [_face_crop(find, picture) for picture in pictures]
    known = [
        i for i in range(len(crops)) if reference_faces[2 * i] is not None and reference_faces[2 * i + 1] is not None
    ]
    vectors = embed.embed([crops[i] for i in known])
    same, other = (
        (vectors * embed.embed([crop for i in known if (crop := reference_faces[2 * i + which]) is not None])).sum(
            axis=1
        )
        for which in (0, 1)
    )
    return {
        "recall": heads_found / heads_seen,
        "false_faces": false_faces / max(faces_found, 1),
        "landmark_error": float(np.mean(errors)),
        "references_found": float(np.mean([crop is not None for crop in reference_faces])),
        "same": float(same.mean()),
        "other": float(other.mean()),
        "told_apart": float((same > other).mean()),
    }


def _pictures(scene: Scene, head: Head, number: int) -> list[np.ndarray]:
    """A reference picture of a person and one of somebody else."""
    rng = np.random.default_rng([scene.seed, number])
    crop = "face" if number % 2 else "whole"
    paper = "white" if rng.random() < 0.5 else "textured"
    people = (head.sprite, other_sprite(head.sprite, rng))
    return [np.asarray(reference_picture(person, 112, paper, crop=crop, seed=number)) for person in people]


def _face_crop(detector: object, picture: np.ndarray) -> np.ndarray | None:
    faces = find_faces(detector, picture)  # type: ignore[arg-type]
    chosen = largest(faces)
    return None if chosen is None else align_face(picture, faces[chosen].landmarks)


def _landmark_error(face: Face, head: Head) -> float:
    eyes = float(np.linalg.norm(head.landmarks[1] - head.landmarks[0]))
    return float(np.linalg.norm(face.landmarks - head.landmarks, axis=1).mean()) / eyes
