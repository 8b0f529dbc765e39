"""Detect, segment, deduplicate, background: with models that know the scenes, everything is exact."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from helpers.clips import count_decodes, psnr, rules

from opens2v_hf.data.images import read_image
from opens2v_hf.data.opens2v5m.shards.schema import MASK
from opens2v_hf.data.synthetic.render import mask_box, render_background, render_frame
from opens2v_hf.data.synthetic.scenes import phrase
from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks.rle import RLE, decode, encode
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.segmenter.base import Segmentation
from opens2v_hf.models.text_detector.base import Detection, Detections
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stages.background import Background, grown
from opens2v_hf.pipeline.stages.deduplicate import Deduplicate
from opens2v_hf.pipeline.stages.detect import Detect
from opens2v_hf.pipeline.stages.segment import Segment


class Boxes:
    """A detector with given boxes."""

    info = ModelInfo("text_detector", "boxes")

    def __init__(self, *found: Detection, num_unmapped: int = 0, not_searched: tuple[int, ...] = ()) -> None:
        self.answer = Detections(found, num_unmapped, not_searched)
        self.options = {}

    def detect(self, image, phrases):
        return self.answer


class Masks:
    """A segmenter with given masks."""

    info = ModelInfo("segmenter", "masks")

    def __init__(self, *masks: np.ndarray) -> None:
        self.masks = masks

    def segment(self, image, boxes):
        return Segmentation(np.stack(self.masks), np.full(len(self.masks), 0.5, np.float32))


def frame_mask(clip: ClipRecord, top: int, bottom: int, left: int = 0, right: int | None = None) -> np.ndarray:
    mask = np.zeros(clip.frame_size, bool)
    mask[top:bottom, left:right] = True
    return mask


def with_masks(clip: ClipRecord, *masks: np.ndarray, labels: tuple[str, ...] = (), scores=()) -> ClipRecord:
    subjects = tuple(
        Subject(i + 1, (labels or "abcdefgh")[i], (0, 0, 9, 9), (scores or [0.5] * 9)[i], encode(mask))
        for i, mask in enumerate(masks)
    )
    return replace(clip, subjects=subjects)


def test_masks_are_exact_from_the_oracle_to_the_row_of_a_shard_and_back(world) -> None:
    oracle = world.oracle
    clips = world.tagged()

    detected = Detect(detector=oracle)(clips)
    segmented = Segment(segmenter=oracle, max_part=1.0)(detected.kept)

    assert not segmented.dropped
    assert [clip.id for clip in segmented.kept] == [clip.id for clip in clips]
    for clip, planned in zip(segmented.kept, world.planned, strict=True):
        rendered = render_frame(planned.scene, 0)
        truth = {phrase(s): mask for s, mask in zip(planned.scene.sprites, rendered.masks, strict=True) if mask.any()}
        assert set(truth) <= {subject.label for subject in clip.subjects}
        assert [subject.id for subject in clip.subjects] == list(range(1, len(clip.subjects) + 1))
        for subject in clip.subjects:
            mask = truth.get(subject.label, ~rendered.masks.any(axis=0))
            row = pa.array([subject.mask.to_dict()], MASK).to_pylist()[0]
            np.testing.assert_array_equal(decode(RLE.from_dict(row)), mask)
            np.testing.assert_array_equal(subject.box_xyxy, mask_box(mask))
            assert subject.mask_score == pytest.approx(0.95)


def test_tags_without_a_box_are_dropped_alone(world) -> None:
    clip = replace(world.tagged()[0], tags={"subject": ("unicorn", "ghost"), "object": ("star",)})
    detector = Boxes(Detection(2, (1.0, 2.0, 30.0, 40.0), 0.7), num_unmapped=3, not_searched=(1,))

    output = Detect(detector=detector)([clip])

    (found,) = output.kept
    assert found.frame_index == 0
    assert found.subjects == (Subject(1, "star", (1.0, 2.0, 30.0, 40.0), 0.7),)
    assert [(drop.rule, drop.subject) for drop in output.dropped] == [
        ("not_found", "unicorn"),
        ("not_searched", "ghost"),
    ]
    assert found.provenance["detect"]["num_unmapped"] == 3


def test_boxes_are_dropped_by_score_size_and_number(world) -> None:
    height, width = world.records[0].frame_size
    clip = replace(world.records[0], tags={"subject": ("star",)})
    boxes = [
        Detection(0, (0.0, 0.0, 40.0, 40.0), 0.9),
        Detection(0, (0.0, 0.0, float(width), float(height)), 0.8),
        Detection(0, (50.0, 0.0, 90.0, 40.0), 0.7),
        Detection(0, (50.0, 50.0, 53.0, 53.0), 0.6),
        Detection(0, (100.0, 50.0, 140.0, 90.0), 0.5),
    ]

    output = Detect(detector=Boxes(*boxes), min_part=0.01, max_part=0.9, min_score=0.55)([clip])
    assert [subject.detection_score for subject in output.kept[0].subjects] == [0.9, 0.7]
    assert rules(output.dropped) == ["too_large", "too_small", "low_score"]

    assert rules(Detect(detector=Boxes(*boxes), max_boxes=2)([clip]).dropped) == ["too_many"] * 3


def test_a_clip_in_which_nothing_is_found_is_dropped(world) -> None:
    output = Detect(detector=Boxes())([world.tagged()[0], world.records[0]])

    assert not output.kept
    assert rules(output.dropped)[-2:] == ["nothing_found", "no_tags"]


def test_the_middle_frame_can_be_annotated(world) -> None:
    clip = replace(world.records[0], tags={"subject": ("star",)})

    class Sees(Boxes):
        def detect(self, image, phrases):
            self.seen = image
            return self.answer

    detector = Sees(Detection(0, (0.0, 0.0, 40.0, 40.0), 0.9))
    (found,) = Detect(detector=detector, frame="middle")([clip]).kept

    assert found.frame_index == int(0.5 * (clip.num_frames - 1))
    assert psnr(detector.seen, render_frame(world.planned[0].scene, found.frame_index).image) > 30


def test_empty_and_whole_masks_are_dropped(world) -> None:
    clip = world.records[0]
    whole = np.ones(clip.frame_size, bool)
    part = frame_mask(clip, 10, 30)
    clip = replace(clip, subjects=tuple(Subject(i, "abc"[i - 1], (0, 0, 9, 9), 0.5) for i in (1, 2, 3)))

    output = Segment(segmenter=Masks(~whole, whole, part))([clip])

    (found,) = output.kept
    assert [(subject.id, subject.label) for subject in found.subjects] == [(1, "c")]
    np.testing.assert_array_equal(decode(found.subjects[0].mask), part)
    assert [(drop.rule, drop.subject) for drop in output.dropped] == [("empty_mask", "a"), ("whole_frame", "b")]

    output = Segment(segmenter=Masks(~whole, whole, part), min_score=0.6)([clip])
    assert rules(output.dropped) == ["empty_mask", "whole_frame", "low_mask_score", "no_mask"]
    assert rules(Segment(segmenter=Masks(part))([world.records[0]]).dropped) == ["no_boxes"]


def test_of_two_masks_that_overlap_the_larger_stays(world) -> None:
    clip = world.records[0]
    masks = [frame_mask(clip, 0, 40), frame_mask(clip, 0, 44), frame_mask(clip, 0, 20), frame_mask(clip, 50, 60)]

    output = Deduplicate()([with_masks(clip, *masks)])

    # 40 of 44 rows are 0.91, 20 of 44 are 0.45
    (found,) = output.kept
    assert [(subject.id, subject.label) for subject in found.subjects] == [(1, "b"), (2, "c"), (3, "d")]
    ((drop),) = output.dropped
    assert (drop.rule, drop.subject) == ("duplicate", "a")
    assert drop.reason == "its mask has an IoU of 0.91 with that of 'b', at most 0.8"


def test_of_equal_masks_the_word_of_the_caption_stays_then_the_better_box(world) -> None:
    clip = replace(world.records[0], tags={"subject": ("woman", "lady"), "pre_define": ("person",)})
    mask = frame_mask(clip, 0, 40)
    clip = with_masks(clip, mask, mask, mask, labels=("person", "lady", "woman"), scores=(0.9, 0.4, 0.6))

    (found,) = Deduplicate()([clip]).kept

    assert [subject.label for subject in found.subjects] == ["woman"]


def test_a_mask_of_another_size_than_the_frame_is_an_error_of_its_clip(world) -> None:
    clip = with_masks(world.records[0], np.ones((5, 5), bool))

    for stage in (Deduplicate(), Background()):
        output = stage([clip])
        assert rules(output.dropped) == ["error"]
        assert "(height, width)" in output.dropped[0].reason


def test_subjects_are_painted_out_and_all_else_stays(world) -> None:
    oracle = world.oracle
    clips = Segment(segmenter=oracle, max_part=1.0)(Detect(detector=oracle)(world.tagged()).kept).kept

    output = Background()(clips)

    assert not output.dropped
    for clip, planned in zip(output.kept, world.planned, strict=True):
        painted = np.asarray(read_image(clip.background_png)).astype(float)
        frame = render_frame(planned.scene, 0)
        hole = frame.masks.any(axis=0)
        truth = render_background(planned.scene).astype(float)
        error = np.abs(painted - truth)[hole].mean()
        left_in = np.abs(frame.image - truth)[hole].mean()
        assert error < 0.6 * left_in, (error, left_in)
        rim = grown(hole, 7)
        assert psnr(painted[~rim], truth[~rim]) > 28, "as it was, but for compression"
        assert clip.provenance["background"]["inpainter"]["name"] == "opencv"


def test_an_inpainter_of_another_kind_can_be_given(world) -> None:
    clip = with_masks(world.records[0], frame_mask(world.records[0], 20, 60, 30, 90))

    class Green:
        facts = {"name": "green"}  # noqa: RUF012

        def paint_out(self, image, hole):
            painted = image.copy()
            painted[hole] = (0, 255, 0)
            return painted

    (found,) = Background(inpainter=Green(), dilation=0)([clip]).kept
    painted = np.asarray(read_image(found.background_png))

    assert (painted[20:60, 30:90] == (0, 255, 0)).all()
    assert not (painted[10, 30:90] == (0, 255, 0)).all()
    assert found.provenance["background"]["inpainter"] == {"name": "green"}


def test_a_mask_grows_with_the_picture() -> None:
    point = np.zeros((960, 960), bool)
    point[480, 480] = True

    assert grown(point, 7)[480, 480 - 14 : 480 + 15].all()
    assert grown(point, 7).sum(axis=1)[480] == 29
    assert grown(point, 0) is point


def test_stages_on_the_annotated_frame_decode_a_clip_once(world, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = world.oracle
    passes = count_decodes(monkeypatch)

    clips = world.tagged()
    for stage in (Detect(detector=oracle), Segment(segmenter=oracle), Deduplicate(), Background()):
        clips = stage(clips).kept

    assert len(clips) == len(world.records) == len(passes)


@pytest.mark.parametrize(
    ("stage", "arguments"),
    [
        (Detect, {"frame": "last"}),
        (Detect, {"max_boxes": 0}),
        (Detect, {"min_part": 0.9, "max_part": 0.5}),
        (Segment, {"max_part": 0}),
        (Deduplicate, {"max_iou": 1.5}),
        (Background, {"dilation": -1}),
    ],
)
def test_arguments_out_of_range(stage, arguments: dict) -> None:
    with pytest.raises(ArgumentError, match="got"):
        stage(**arguments)
