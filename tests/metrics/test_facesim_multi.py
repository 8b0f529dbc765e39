import json

import pytest
from helpers.faces import LevelEmbedder, SquareDetector, cosine, picture
from helpers.videos import encode

from opens2v_hf.metrics.base import score_many
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.metrics.facesim_multi import FaceSimMulti
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip

HE, SHE = picture((20, 10, 40, 60)), picture((20, 10, 40, 140))
COUPLE = FaceReference((HE, SHE), ("Man", "Woman"), "multiface_1")


def score(path, *frames, reference=COUPLE):
    metric = FaceSimMulti(SquareDetector(), LevelEmbedder(), num_frames=len(frames))
    video = encode(path, list(frames), options={"qp": "0"})
    return metric.score(Clip(video, rules=(metric.sampling,)), reference)


def test_everybody_gets_the_face_that_fits_wherever_it_is(tmp_path):
    found = score(
        tmp_path / "v.mp4",
        picture((8, 8, 30, 60), (50, 8, 30, 140)),
        picture((8, 8, 30, 140), (50, 8, 30, 60)),
    )
    assert found.value == pytest.approx(1.0, abs=0.01)
    assert [one["label"] for one in found.references] == ["Man", "Woman"]
    assert [one["frames_found"] for one in found.references] == [2, 2]
    assert found.details["faces_found"] == [2, 2]
    json.dumps(found.to_dict())


def test_failure_costs(tmp_path):
    both, nobody = picture((8, 8, 30, 60), (50, 8, 30, 140)), picture()
    assert score(tmp_path / "half.mp4", both, nobody).value == pytest.approx(0.5, abs=0.01)
    alone = score(tmp_path / "one.mp4", picture((8, 8, 30, 60)))
    assert alone.value == pytest.approx((1.0 + 0.0) / 2, abs=0.01)
    none = score(tmp_path / "none.mp4", nobody)
    assert (none.status, none.value) == (Status.SCORED, 0.0)
    assert "no face" in none.reason


def test_one_person_on_all_faces_does_not_pay(tmp_path):
    copied = score(tmp_path / "v.mp4", picture((8, 8, 30, 60), (50, 8, 30, 60)))
    assert copied.value == pytest.approx((1.0 + cosine(60, 140)) / 2, abs=0.02)
    similarities = [one["similarity"] for one in copied.references]
    assert similarities == pytest.approx([1.0, cosine(60, 140)], abs=0.02)


def test_a_picture_without_a_face_is_left_out_and_said(tmp_path):
    frame = picture((8, 8, 30, 140))
    found = score(tmp_path / "v.mp4", frame, reference=FaceReference((picture(), SHE), ("Man", "Woman"), "m_1"))
    assert found.value == pytest.approx(1.0, abs=0.01)
    assert [one["position"] for one in found.references] == [1]
    assert "picture 0 of m_1" in found.reason
    failed = score(tmp_path / "w.mp4", frame, reference=FaceReference((picture(),), ("Man",)))
    assert failed.status is Status.FAILED


def test_a_sample_without_people_does_not_apply(tmp_path):
    assert score(tmp_path / "v.mp4", picture(), reference=FaceReference((), ())).status is Status.NOT_APPLICABLE


def test_it_never_passes_for_a_column_of_the_leaderboard():
    assert "no such column" in FaceSimMulti(SquareDetector(), LevelEmbedder()).caveats[0]


def test_the_answer_tells_of_each_person(tmp_path):
    metric = FaceSimMulti(SquareDetector(), LevelEmbedder(), num_frames=1)
    good = encode(tmp_path / "v.mp4", [picture((8, 8, 30, 60))], options={"qp": "0"})
    answer = score_many(metric, [good, tmp_path / "missing.mp4"], [COUPLE, COUPLE])
    assert answer["facesim_multi"] == pytest.approx(0.5, abs=0.01)
    assert answer["statuses"] == ["scored", "failed"]
    assert [one["frames_found"] for one in answer["references"][0]] == [1, 0]
    assert answer["references"][1] == []
    assert "details" not in answer
    assert answer["comparable"] is False
