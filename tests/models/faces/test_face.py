import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.faces.face import Face, find_faces, largest


def face(left=0.0, top=0.0, right=10.0, bottom=10.0):
    landmarks = np.array([[1, 1], [3, 1], [2, 2], [1, 3], [3, 3]], np.float32) + np.float32([left, top])
    return Face(np.float32([left, top, right, bottom]), landmarks, 0.9)


class Seeing:
    """Finds fixed faces, by the height of the picture."""

    def __init__(self, by_height):
        self.by_height = by_height
        self.seen = []

    def detect(self, image):
        self.seen.append(image)
        return self.by_height.get(image.shape[0], [])


def test_a_picture_with_a_face_is_searched_once():
    detector = Seeing({40: [face()]})
    assert len(find_faces(detector, np.zeros((40, 80, 3), np.uint8))) == 1
    assert len(detector.seen) == 1


def test_a_picture_without_a_face_is_searched_again_with_grey_padding():
    # 25 % of 41 x 83 is 10.25 and 20.75, cut to 10 and 20
    detector = Seeing({61: [face(25, 12, 35, 22)]})
    image = np.full((41, 83, 3), 7, np.uint8)
    [found] = find_faces(detector, image)
    assert found.box.tolist() == [5, 2, 15, 12]
    assert found.landmarks[0].tolist() == [6, 3]
    padded = detector.seen[1]
    assert padded.shape == (61, 123, 3)
    assert np.array_equal(padded[10:51, 20:103], image)
    assert (padded[:10] == 128).all()
    assert (padded[:, -20:] == 128).all()


def test_landmarks_that_cannot_be_aligned_are_no_face():
    flat = Face(np.float32([0, 0, 9, 9]), np.full((5, 2), 4, np.float32), 0.9)
    unknown = Face(np.float32([0, 0, 9, 9]), np.full((5, 2), np.nan, np.float32), 0.9)
    good = face()
    assert find_faces(Seeing({8: [flat, good, unknown]}), np.zeros((8, 8, 3), np.uint8)) == [good]


def test_the_largest_face_and_the_last_of_equals():
    assert largest([]) is None
    assert largest([face(), face(right=20), face(bottom=15)]) == 1
    assert largest([face(), face(right=20), face(bottom=20)]) == 2


def test_a_face_has_five_landmarks():
    with pytest.raises(ArgumentError, match=r"\[5, 2\]"):
        Face(np.zeros(4, np.float32), np.zeros((3, 2), np.float32), 0.5)
