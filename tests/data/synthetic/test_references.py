"""The pictures and the other views of a scene's subjects, measured in pixels."""

import numpy as np
import pytest

from opens2v_hf.data.synthetic.references import subject_reference, subject_views
from opens2v_hf.data.synthetic.render import reference_picture
from opens2v_hf.data.synthetic.scenes import ObjectSprite, draw_scene
from opens2v_hf.errors import ArgumentError


def test_a_turned_subject_leans_to_its_left():
    """The apex of a triangle lies 0.47 of its height above the middle; the height is 0.9 of 112 px."""
    triangle = ObjectSprite("triangle", "red")
    for degrees, column in ((0.0, 55.5), (20.0, 55.5 - 0.47 * 0.9 * 112 * np.sin(np.radians(20)))):
        dark = np.asarray(reference_picture(triangle, 112, turn=degrees)).min(axis=-1) < 128
        top = dark.nonzero()[0].min()
        assert dark[top : top + 2].nonzero()[1].mean() == pytest.approx(column, abs=2)


def test_a_quarter_turn_is_exact():
    box = ObjectSprite("triangle", "red")
    upright = np.asarray(reference_picture(box, 112)).astype(int)
    quarter = np.asarray(reference_picture(box, 112, turn=90.0)).astype(int)
    assert np.abs(quarter - np.rot90(upright)).mean() < 1.5


def test_views_are_other_pictures_of_the_same_subject():
    scene = draw_scene(3, "singleobj")
    reference = np.asarray(subject_reference(scene, 0)).astype(int)
    views = [np.asarray(view).astype(int) for view in subject_views(scene, 0, 4)]
    corners = [picture[:8, :8].mean(axis=(0, 1)) for picture in (reference, *views)]
    assert all(np.abs(corners[0] - corner).max() > 5 for corner in corners[1:])
    middle = np.s_[50:62, 50:62]  # a lean of a few degrees leaves the middle as it is
    assert all(np.abs(np.median(view[middle] - reference[middle])) < 10 for view in views)


@pytest.mark.parametrize("count", [0, 5])
def test_a_number_of_views_that_there_is_not(count):
    with pytest.raises(ArgumentError, match=f"count={count}"):
        subject_views(draw_scene(3, "singleobj"), 0, count)
