"""The embedded face detector and face embedder know synthetic people whom they have not been shown."""

import numpy as np
import pytest

from opens2v_hf.data.synthetic.render import reference_face, reference_picture
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, PersonSprite
from opens2v_hf.embedded.training.faces_evaluation import evaluate_faces
from opens2v_hf.models.faces.align import align_face
from opens2v_hf.models.faces.embedder import IrFaceEmbedder
from opens2v_hf.models.faces.face import find_faces, largest
from opens2v_hf.models.faces.loading import load_face_detector
from opens2v_hf.models.hub import _EMBEDDED_ROOT
from opens2v_hf.models.info import EMBEDDED

FIRST_SEED = 620_000


@pytest.fixture(scope="module")
def figures():
    assert FIRST_SEED + 1000 < FIRST_TRAINING_SEED
    return evaluate_faces(EMBEDDED, EMBEDDED, num_scenes=24, first_seed=FIRST_SEED)


def test_faces_are_found_and_little_else(figures):
    assert figures["recall"] >= 0.95
    assert figures["false_faces"] <= 0.05
    assert figures["references_found"] >= 0.98
    assert figures["landmark_error"] <= 0.1


def test_the_same_person_is_more_alike_than_another_one(figures):
    assert figures["told_apart"] >= 0.97
    assert figures["same"] >= figures["other"] + 0.5


@pytest.mark.parametrize("crop", ["whole", "face"])
@pytest.mark.parametrize("figure", ["face", "human"])
def test_a_reference_picture_has_one_face_in_its_place(figure, crop):
    person = PersonSprite(figure, "woman", "red", "green", glasses=True, skin="dark")
    picture = np.asarray(reference_picture(person, 112, crop=crop))
    faces = find_faces(load_face_detector(EMBEDDED, device="cpu"), picture)
    box, landmarks = reference_face(person, 112, crop=crop)
    found = faces[largest(faces)]
    size = float((box[2:] - box[:2]).mean())
    assert np.abs(found.box - box).max() < 0.15 * size
    assert np.linalg.norm(found.landmarks - landmarks, axis=1).mean() < 0.06 * size


def test_one_feature_makes_another_person():
    embedder = IrFaceEmbedder.from_pretrained(EMBEDDED, device="cpu")

    def vector(**changed):
        looks = {"gender": "man", "hair": "brown", "skin": "tan", "glasses": False, **changed}
        person = PersonSprite("face", shirt="blue", **looks)
        picture = np.asarray(reference_picture(person, 112))
        return embedder.embed([align_face(picture, reference_face(person, 112)[1])])[0]

    asked = vector()
    assert asked @ vector() == pytest.approx(1.0, abs=1e-5)
    for changed in ({"hair": "blond"}, {"skin": "dark"}, {"glasses": True}, {"gender": "woman"}):
        assert asked @ vector(**changed) < 0.7, changed


def test_they_are_small_and_say_what_they_are():
    for role in ("face_detector", "face_embedder"):
        size = sum(path.stat().st_size for path in (_EMBEDDED_ROOT / role).iterdir())
        assert size < 1_200_000
    infos = [load_face_detector(EMBEDDED).info, IrFaceEmbedder.from_pretrained(EMBEDDED).info]
    assert [info.role for info in infos] == ["face_detector", "face_embedder"]
    assert all(info.embedded and info.revision.startswith("sha256:") for info in infos)
