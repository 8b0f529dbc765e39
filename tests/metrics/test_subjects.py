"""`subject_identity` and `copypaste` with models whose every answer is known beforehand."""

import gc

import numpy as np
import pytest
from helpers.subjects import cosine, models, picture
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.unit_keys import digest_of
from opens2v_hf.metrics.base import score_clip, score_many
from opens2v_hf.metrics.copypaste import CopyPaste
from opens2v_hf.metrics.subject_identity import SubjectIdentity
from opens2v_hf.metrics.subject_reader import MAX_BOXES, distinct_boxes
from opens2v_hf.metrics.subject_reference import ReferenceViews, SubjectReference
from opens2v_hf.models.yolo_world.boxes import Detections
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.frames_in_memory import ArrayVideo

A, B = 60, 150  # at a right angle
REFERENCE = SubjectReference((picture((30, 10, 40, A)), picture((20, 10, 40, B))), ("Cup", "Hat"), "multiobject_1")


def video(*frames):
    return ArrayVideo(np.stack(frames), 8)


def identity(*frames, reference=REFERENCE):
    return score_clip(SubjectIdentity(*models(), num_frames=len(frames)), video(*frames), reference)


BOTH = picture((5, 5, 30, A), (50, 20, 30, B))
ALONE = picture((5, 5, 30, A))
NOBODY = picture()


class TestIdentity:
    def test_everybody_in_every_frame(self):
        outcome = identity(BOTH, BOTH)
        assert outcome.value == pytest.approx(1.0, abs=1e-5)
        assert [one["frames_found"] for one in outcome.references] == [2, 2]

    def test_every_frame_without_a_subject_costs(self):
        assert identity(BOTH, NOBODY, BOTH, NOBODY).value == pytest.approx(0.5, abs=1e-5)
        assert identity(ALONE, BOTH).value == pytest.approx(0.75, abs=1e-5)

    def test_one_subject_does_not_stand_for_two(self):
        twice = picture((5, 5, 30, A), (50, 20, 30, A))
        assert identity(twice).value == pytest.approx(0.5, abs=1e-5)

    def test_subjects_that_have_taken_on_each_others_looks_cost(self):
        """Each is turned by 40 degrees towards the other; the best assignment is still the right one."""
        mixed = identity(picture((5, 5, 30, A + 40), (50, 20, 30, B - 40)))
        assert mixed.value == pytest.approx(cosine(0, 40), abs=1e-5)
        merged = identity(picture((5, 5, 30, 105)))
        assert merged.value == pytest.approx(cosine(0, 45) / 2, abs=1e-5)

    def test_a_frame_that_is_sampled_twice_is_looked_at_once(self):
        metric = SubjectIdentity(*models(), num_frames=8)
        outcome = score_clip(metric, video(BOTH, NOBODY), REFERENCE)
        # the frames 0, 0, 0, 0, 0, 0, 0 and 1
        assert outcome.value == pytest.approx(7 / 8, abs=1e-5)
        # two frames; each reference is found in its own picture at once
        assert metric.reader.detector.num_seen == 2 + 2

    def test_nothing_is_found(self):
        outcome = identity(NOBODY)
        assert (outcome.value, outcome.reason) == (0.0, "no subject was found in any frame")

    def test_no_subject_among_the_references(self):
        outcome = identity(BOTH, reference=SubjectReference((), ()))
        assert outcome.status is Status.NOT_APPLICABLE

    def test_a_picture_that_is_missing(self, tmp_path):
        reference = SubjectReference((tmp_path / "no.png",), ("Cup",))
        outcome = identity(BOTH, reference=reference)
        assert outcome.status is Status.FAILED
        assert "no.png" in outcome.reason

    def test_answer_and_caveats(self):
        metric = SubjectIdentity(*models(), num_frames=1)
        answer = score_many(metric, [video(BOTH), video(ALONE)], [REFERENCE, REFERENCE])
        assert answer["subject_identity"] == pytest.approx(0.75, abs=1e-5)
        assert "the leaderboard has no such column" in answer["note"]
        assert answer["options"]["subject_embedder"] == {"kind": "levels"}
        assert answer["references"][1][1] == {
            "reference": 1, "label": "Hat", "similarity": 0.0, "frames_found": 0,
        }  # fmt: skip


def test_two_metrics_of_the_same_models_look_once_and_a_reader_goes_with_them():
    detector, encoder, embedder = models()
    first = SubjectIdentity(detector, encoder, embedder, num_frames=2)
    second = CopyPaste(detector, encoder, embedder, num_frames=2)
    assert first.reader is second.reader
    assert SubjectIdentity(*models()).reader is not first.reader
    del first, second
    gc.collect()
    seen = detector.num_seen
    SubjectIdentity(detector, encoder, embedder)
    assert detector.num_seen == seen


def test_a_subject_that_two_prompts_find_is_one():
    def found(*rows):
        return Detections(np.float32([row[:4] for row in rows]), np.float32([row[4] for row in rows]))

    boxes = distinct_boxes(
        [found((0, 0, 10, 10, 0.6)), found((0, 0, 10, 9, 0.9), (20, 0, 30, 10, 0.7), (5, 5, 5, 9, 0.99))]
    )
    # 90 of 100 px are shared with the better one; a box without a pixel is none
    assert boxes == [(0, 0, 10, 9), (20, 0, 30, 10)]
    crowd = found(*[(20 * i, 0, 20 * i + 10, 10, 0.5 + i / 100) for i in range(40)])
    assert len(distinct_boxes([crowd])) == MAX_BOXES


RNG = np.random.default_rng(5)


def textured(level, seed):
    """A subject of a level with a pattern of its own on a background of its own, 48 px."""
    rng = np.random.default_rng(seed)
    image = np.zeros((48, 48, 3), np.uint8)
    image[..., 1:] = np.kron(rng.integers(0, 256, (6, 6, 2)), np.ones((8, 8, 1)))
    image[12:36, 12:36, 0] = level
    return image


def placed(subject, left, top):
    frame = np.zeros((96, 144, 3), np.uint8)
    frame[..., 1:] = np.kron(RNG.integers(0, 256, (12, 18, 2)), np.ones((8, 8, 1)))
    frame[top : top + 48, left : left + 48] = subject
    return frame


GIVEN, VIEW, ANOTHER = textured(A, 1), textured(A, 2), textured(A, 3)
WITH_VIEWS = SubjectReference((GIVEN,), ("Cup",), "singleobj_1", views=((VIEW, ANOTHER),))


def copies(*frames, reference=WITH_VIEWS, **options):
    return score_clip(CopyPaste(*models(), num_frames=len(frames), **options), video(*frames), reference)


class TestCopyPaste:
    def test_a_pasted_picture_is_worse_than_the_subject_in_another_pose(self):
        pasted = copies(placed(GIVEN, 10, 20), placed(GIVEN, 60, 30))
        faithful = copies(placed(textured(A, 4), 10, 20), placed(textured(A, 5), 60, 30))
        assert pasted.value < 0.35
        assert faithful.value > 0.7
        assert pasted.references[0]["frames_compared"] == 2
        assert copies(placed(VIEW, 10, 20)).value == 1.0

    def test_half_of_the_frames_pasted(self):
        pasted, half = copies(placed(GIVEN, 10, 20)), copies(placed(GIVEN, 10, 20), placed(ANOTHER, 60, 30))
        assert pasted.value < half.value - 0.2

    def test_a_frame_without_the_subject_says_nothing(self):
        nobody = np.zeros((96, 144, 3), np.uint8)
        frame = placed(GIVEN, 10, 20)
        found = copies(frame, nobody)
        assert found.details["excesses"][0][1] is None
        assert found.value == copies(frame).value

    def test_without_views_there_is_no_value(self):
        outcome = copies(placed(GIVEN, 10, 20), reference=SubjectReference((GIVEN,), ("Cup",)))
        assert outcome.status is Status.NOT_APPLICABLE
        assert "reference_views" in outcome.reason

    def test_views_that_are_the_picture_itself(self):
        outcome = copies(placed(GIVEN, 10, 20), reference=SubjectReference((GIVEN,), ("Cup",), views=((GIVEN,),)))
        assert outcome.status is Status.NOT_APPLICABLE
        assert "the other views are the given pictures" in outcome.reason

    def test_a_subject_that_is_never_found(self):
        outcome = copies(np.zeros((96, 144, 3), np.uint8))
        assert outcome.status is Status.NOT_APPLICABLE
        assert "no subject with another view was found" in outcome.reason

    def test_views_of_a_folder_by_id_and_number(self, tmp_path):
        for number, view in ((1, VIEW), (3, ANOTHER)):
            folder = tmp_path / "views" / "singleobj_1" / str(number)
            folder.mkdir(parents=True)
            Image.fromarray(view).save(folder / "a.png")
        (tmp_path / "views" / "singleobj_1" / "1" / "notes.txt").write_text("not a picture")
        bare = SubjectReference((GIVEN,), ("Cup",), "singleobj_1")
        frame = placed(GIVEN, 10, 20)
        own = SubjectReference((GIVEN,), ("Cup",), "singleobj_1", views=((VIEW,),))
        by_hand = copies(frame, reference=own).value
        assert copies(frame, reference=bare, reference_views=str(tmp_path / "views")).value == by_hand
        assert copies(frame, reference=bare, reference_views={"singleobj_1": [[VIEW]]}).value == by_hand
        # the third reference of a sample, whose second one is a place
        third = SubjectReference((GIVEN,), ("Cup",), "singleobj_1", positions=(2,))
        assert ReferenceViews(tmp_path / "views").of(third)[0][0].parent.name == "3"
        other_id = SubjectReference((GIVEN,), ("Cup",), "singleobj_2")
        assert copies(frame, reference=other_id, reference_views=tmp_path / "views").value is None

    def test_other_views_are_another_setting(self, tmp_path):
        digests = {
            CopyPaste(*models(), reference_views=views).options["reference_views_sha256"]
            for views in (None, {"a": [[VIEW]]}, {"a": [[ANOTHER]]}, {"b": [[VIEW]]}, {"a": [[], [VIEW]]})
        }
        assert len(digests) == 5
        assert digest_of(WITH_VIEWS) != digest_of(SubjectReference((GIVEN,), ("Cup",), "singleobj_1", ((VIEW,),)))

    @pytest.mark.parametrize(
        ("views", "message"),
        [("no/such/folder", "folder that exists"), (3, "a folder, or a mapping"), (".", "holds no view")],
    )
    def test_views_that_are_none(self, views, message, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ArgumentError, match=message):
            CopyPaste(*models(), reference_views=views)

    def test_views_for_other_pictures_than_there_are(self):
        with pytest.raises(ArgumentError, match="got 2 lists for 1 pictures"):
            SubjectReference((GIVEN,), ("Cup",), views=((VIEW,), ()))
