from helpers.results import make_result
from helpers.scorecards import full_result

from opens2v_hf.results.extremes import extremes
from opens2v_hf.scores.scorecard import COLUMNS


def _ids(result, most):
    (found,) = extremes(result, most=most)
    return [video.id for video in found.best], [video.id for video in found.worst]


def test_the_highest_and_the_lowest() -> None:
    # singleobj_1, faceobj_1, singleobj_2, faceobj_2, singleobj_3 (failed), faceobj_3
    result = make_result(values=(0.2, 0.9, 0.5, 0.1, None, 0.7))
    assert _ids(result, 2) == (["faceobj_1", "faceobj_3"], ["faceobj_2", "singleobj_1"])


def test_no_video_is_both() -> None:
    assert _ids(make_result(values=(0.2, 0.9, 0.5)), 2) == (["faceobj_1", "singleobj_2"], ["singleobj_1"])
    assert _ids(make_result(values=(0.2,)), 3) == (["singleobj_1"], [])


def test_equal_videos_go_by_their_ids_and_none_at_all_has_no_column() -> None:
    assert _ids(make_result(values=(0.5, 0.5, 0.5, 0.5)), 1) == (["faceobj_1"], ["singleobj_2"])
    assert extremes(make_result(values=(None,)), most=1) == []


def test_every_column_in_the_order_of_the_tables_by_what_counts() -> None:
    assert [found.column for found in extremes(full_result(), most=1)] == list(COLUMNS)
    # the sign of a motion is no merit: 0.8 to the left is more than 0.3
    result = make_result(values=(0.3, -0.8), metric="motion_amplitude")
    (found,) = extremes(result, most=1)
    assert (found.best[0].raw, found.best[0].normalised) == (-0.8, 0.8)
