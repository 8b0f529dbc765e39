import gc
import weakref

import numpy as np
import pytest
from helpers.faces import LevelEmbedder, SquareDetector, cosine, picture
from helpers.videos import encode

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics import face_reader
from opens2v_hf.metrics.face_reader import FaceReader, shared_reader
from opens2v_hf.metrics.face_reference import FaceReference, face_references_of
from opens2v_hf.metrics.facesim_cur import FaceSimCur
from opens2v_hf.metrics.facesim_multi import FaceSimMulti
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

REFERENCE = picture((20, 10, 40, 60))


def people(*images, labels=None):
    return FaceReference(images, tuple(labels or ["Man"] * len(images)), "singleface_1")


def clip_of(path, frames, rule):
    """Lossless, so that levels come back to within the rounding of the colour conversion."""
    return Clip(encode(path, frames, options={"qp": "0"}), rules=(rule,))


def test_the_largest_face_of_every_frame_is_compared_and_frames_without_are_left_out(tmp_path):
    metric = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=4)
    frames = [
        picture((8, 8, 20, 200), (40, 8, 40, 80)),
        picture(),
        picture((30, 12, 36, 100)),
        picture((30, 12, 36, 240)),  # 180 degrees away: nothing of the reference
    ]
    score = metric.score(clip_of(tmp_path / "v.mp4", frames, metric.sampling), people(REFERENCE))
    assert score.status is Status.SCORED
    cosines = score.details["cosines"]
    assert cosines[1] is None
    assert [cosines[0], cosines[2], cosines[3]] == pytest.approx([cosine(60, 80), cosine(60, 100), -1.0], abs=0.03)
    assert score.value == pytest.approx((cosines[0] + cosines[2]) / 2)
    assert (score.details["frames_with_face"], score.details["frames_counted"]) == (3, 2)
    assert score.details["frame_indices"] == [0, 1, 2, 3]


def test_only_the_first_person_counts(tmp_path):
    metric = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=2)
    clip = clip_of(tmp_path / "v.mp4", [picture((30, 12, 36, 60))] * 2, metric.sampling)
    assert metric.score(clip, people(REFERENCE, picture((20, 10, 40, 200)))).value == pytest.approx(1.0, abs=0.01)


def test_a_reference_that_its_face_fills_is_found_with_grey_around(tmp_path):
    metric = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=2)
    clip = clip_of(tmp_path / "v.mp4", [picture((30, 12, 36, 60))] * 2, metric.sampling)
    filled = np.full((64, 64, 3), 60, np.uint8)
    assert metric.score(clip, people(filled)).value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("level", "reason"), [(None, "no face was found in any frame"), (240, "no frame shows")])
def test_a_video_without_the_person_scores_nothing_and_says_why(tmp_path, level, reason):
    metric = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=2)
    frame = picture() if level is None else picture((30, 12, 36, level))
    score = metric.score(clip_of(tmp_path / "v.mp4", [frame] * 2, metric.sampling), people(REFERENCE))
    assert (score.status, score.value) == (Status.SCORED, 0.0)
    assert reason in score.reason


def test_what_cannot_be_compared_fails_with_its_reason(tmp_path):
    metric = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=2)
    clip = clip_of(tmp_path / "v.mp4", [picture((30, 12, 36, 60))] * 2, metric.sampling)
    assert metric.score(clip, people()).status is Status.NOT_APPLICABLE
    faceless = metric.score(clip, people(picture()))
    assert faceless.status is Status.FAILED
    assert "picture 0 of singleface_1" in faceless.reason
    missing = metric.score(clip, people(str(tmp_path / "none.png")))
    assert missing.status is Status.FAILED
    assert "none.png" in missing.reason
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert metric.score(Clip(broken, rules=(metric.sampling,)), people(REFERENCE)).status is Status.FAILED
    metric.reader.embedder.embed = lambda crops: np.full((len(crops), 2), np.nan, np.float32)
    other = clip_of(tmp_path / "w.mp4", [picture((30, 12, 30, 60))] * 2, metric.sampling)
    nan = metric.score(other, people(REFERENCE))
    assert nan.status is Status.FAILED
    assert "finite" in nan.reason


def test_two_metrics_look_at_a_clip_once_and_at_a_frame_that_is_sampled_twice_once(tmp_path):
    detector, embedder = SquareDetector(), LevelEmbedder()
    one, several = FaceSimCur(detector, embedder, num_frames=6), FaceSimMulti(detector, embedder, num_frames=6)
    assert one.reader is several.reader
    frames = [picture((30, 12, 36, 60)), picture((8, 8, 20, 200), (40, 8, 40, 80))]
    clip = clip_of(tmp_path / "v.mp4", frames, one.sampling)
    one.score(clip, people(REFERENCE))
    several.score(clip, people(REFERENCE))
    assert len(detector.seen) == 1 + 2  # the reference, and two distinct frames
    assert embedder.num_crops == [1, 3]
    several.score(clip_of(tmp_path / "again.mp4", frames, one.sampling), people(REFERENCE))
    assert len(detector.seen) == 3  # the same bytes under another name


def test_faces_of_few_clips_are_remembered(tmp_path, monkeypatch):
    detector = SquareDetector()
    reader, rule = FaceReader(detector, LevelEmbedder()), linspace(1)
    clips = [
        clip_of(tmp_path / f"{level}.mp4", [picture((30, 12, 36, level))], rule) for level in (60, 70, 80, 90, 100)
    ]
    for clip in clips:
        reader.clip_faces(clip, rule)
    reader.clip_faces(clips[-1], rule)
    assert len(detector.seen) == len(clips)
    reader.clip_faces(clips[0], rule)
    assert len(detector.seen) == len(clips) + 1


def test_many_faces_are_embedded_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(face_reader, "_CROPS_HELD", 2)
    embedder, rule = LevelEmbedder(), linspace(1)
    frame = picture(*((8 + 28 * i, 8, 20, 60 + 40 * i) for i in range(3)))
    [faces] = FaceReader(SquareDetector(), embedder).clip_faces(clip_of(tmp_path / "v.mp4", [frame], rule), rule)
    assert embedder.num_crops == [2, 1]
    angles = np.rad2deg(np.arctan2(faces.embeds[:, 1], faces.embeds[:, 0]))
    assert sorted(angles) == pytest.approx([60, 100, 140], abs=2)
    assert faces.boxes.shape == (3, 4)


def test_a_reader_goes_with_its_metrics():
    detector, embedder = SquareDetector(), LevelEmbedder()
    first = shared_reader(detector, embedder)
    assert shared_reader(detector, embedder) is first
    assert shared_reader(SquareDetector(), embedder) is not first
    alive = weakref.ref(first)
    del first
    gc.collect()
    assert alive() is None


def test_only_the_released_procedure_is_without_caveats():
    assert FaceSimCur(SquareDetector(), LevelEmbedder()).caveats == ()
    (frames,) = FaceSimCur(SquareDetector(), LevelEmbedder(), num_frames=8).caveats
    assert "8 frames" in frames
    detector = SquareDetector("org/other")
    detector.options = {"input_px": 640, "score_threshold": 0.5}
    model, size = FaceSimCur(detector, LevelEmbedder()).caveats
    assert "org/other" in model
    assert "input_px" in size


def test_people_are_the_pictures_labelled_man_or_woman():
    records = [{"images": ["a", "b", "c"], "labels": ["Cup", "Man", "Woman"], "id": "x"}, {"images": [], "labels": []}]
    first, second = face_references_of(records)
    assert (first.images, first.labels, first.id) == (("b", "c"), ("Man", "Woman"), "x")
    assert second.images == ()
    assert [found.id for found in face_references_of(records, ["y", None])] == ["y", None]
    with pytest.raises(ArgumentError, match="one label"):
        face_references_of([{"images": ["a"], "labels": []}])
    with pytest.raises(ArgumentError, match="ids"):
        face_references_of(records, ["only one"])
    with pytest.raises(ArgumentError, match=r"references\[0\]"):
        face_references_of([{"images": ["a"]}])
