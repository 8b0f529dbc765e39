import copy
import json
import math

import pytest
from helpers.opens2v5m import folder_form
from pycocotools import mask as oracle

from opens2v_hf.data.opens2v5m.released.records import cluster_of, parse_pairs, parse_record
from opens2v_hf.data.opens2v5m.released.rows import pair_row, regular_row
from opens2v_hf.data.opens2v5m.shards.schema import CROSS_PAIRS, REGULAR, to_table
from opens2v_hf.errors import SampleError


def released() -> tuple[str, dict]:
    records = json.loads((folder_form() / "regular" / "dataset1.json").read_text())
    return next(iter(records.items()))


def test_a_synthetic_record() -> None:
    sample_id, value = released()
    record = parse_record(sample_id, value, "dataset1")
    metadata, frame = value["metadata"], value["annotation"]["ann_frame_data"]
    assert (record.id, record.part, record.path) == (sample_id, "dataset1", metadata["path"])
    assert list(record.clip) == metadata["face_cut"]
    assert list(record.crop) == metadata["crop"]
    assert record.caption == metadata["face_cap_qwen"]
    assert record.older_caption is None
    assert record.frame_size == (frame["img_height"], frame["img_width"])
    assert (record.aesthetic, record.technical) == (metadata["aesthetic"], metadata["tech"])
    assert record.duration_s == (metadata["face_cut"][1] - metadata["face_cut"][0]) / metadata["fps"]
    masks = value["annotation"]["mask_annotation"][str(frame["ann_frame_idx"])]
    assert [s.label for s in record.subjects] == [a["class_name"] for a in frame["annotations"]]
    for number, subject in enumerate(record.subjects, 1):
        assert subject.id == number
        assert subject.mask.counts == masks[str(number)]["counts"]
        assert subject.mask_score == masks[str(number)]["score"][0]


def test_the_real_record(shared_data) -> None:
    path = shared_data / "opens2v-5m-demo" / "regular" / "dataset1.json"
    ((sample_id, value),) = json.loads(path.read_text()).items()
    record = parse_record(sample_id, value, "dataset1")
    assert record.clip == (0, 95)
    assert record.crop == (0, 1280, 0, 720)
    assert record.aesthetic == 5.070407867431641
    assert record.tags["object"] == ("blue top", "necklace", "glasses", "white lace top")
    assert len(record.subjects) == 16
    third = record.subjects[3]
    assert (third.id, third.label, third.mask_score, third.aesthetic) == (4, "glasses", 0.90625, 3.6108899116516113)
    assert third.box_xyxy[0] == 1007.1784057617188
    table = to_table([regular_row(record, {"path": "x"}, None)], REGULAR)
    (row,) = table.to_pylist()
    assert row["cluster_id"] == "gm1252760410-365677148"
    assert (row["short_side_px"], row["duration_s"]) == (720, pytest.approx(95 / 29.97, rel=1e-6))
    for subject in row["subjects"]:
        released_mask = value["annotation"]["mask_annotation"]["0"][str(subject["id"])]
        assert (oracle.decode(subject["mask"]) == oracle.decode(released_mask)).all()


def test_the_real_pairs(shared_data) -> None:
    path = shared_data / "opens2v-5m-demo" / "cross-frames-pairs" / "cross_frames_pairs.json"
    ((cluster, pairs),) = json.loads(path.read_text()).items()
    rows = to_table(map(pair_row, parse_pairs(cluster, pairs)), CROSS_PAIRS).to_pylist()
    assert len(rows) == 104
    assert (rows[3]["current_part"], rows[3]["other_part"]) == ("dataset1_cluster", "dataset1")
    assert (rows[3]["current_subject_id"], rows[3]["other_subject_id"]) == (2, 15)
    assert (rows[3]["text_similarity"], rows[3]["image_similarity"]) == (0.66455078125, 0.99853515625)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


BROKEN = {
    "metadata is missing": lambda r: r.pop("metadata"),
    "metadata.path is missing": lambda r: r["metadata"].pop("path"),
    "metadata.path must name a file within its part": lambda r: r["metadata"].update(path="x/../../y.mp4"),
    "metadata.face_cap_qwen must be text": lambda r: r["metadata"].update(face_cap_qwen=3),
    "metadata.face_cut must be [start, end)": lambda r: r["metadata"].update(face_cut=[9, 9]),
    "metadata.cut must be 2 whole numbers": lambda r: r["metadata"].update(cut=[0, 9.5]),
    "metadata.crop must be 4 numbers": lambda r: r["metadata"].update(crop=[0, 1, 2]),
    "metadata.crop must be [x0, x1, y0, y1]": lambda r: r["metadata"].update(crop=[9, 1, 0, 5]),
    "metadata.fps must be above 0": lambda r: r["metadata"].update(fps=0),
    "metadata.aesthetic must be a number": lambda r: r["metadata"].update(aesthetic="high"),
    "metadata.num_frames must be a whole number of at least 1": lambda r: r["metadata"].update(num_frames=0),
    "word_tags.object must be a list of texts": lambda r: r["word_tags"].update(object=[1]),
    "boxes of format 'xywh' are unknown": lambda r: r["annotation"]["ann_frame_data"].update(box_format="xywh"),
    "annotations[0].bbox must be 4 numbers": lambda r: r["annotation"]["ann_frame_data"]["annotations"][0].update(
        bbox=[0, 0, math.nan, 1]
    ),
    "is not the class of annotation 1": lambda r: r["annotation"]["mask_map"]["1"].update(class_name="other"),
    "the frame is": lambda r: next(iter(r["annotation"]["mask_annotation"].values()))["1"].update(size=[5, 5]),
    "must be ASCII": lambda r: next(iter(r["annotation"]["mask_annotation"].values()))["1"].update(counts="ü"),
    "a mask must be a dict": lambda r: next(iter(r["annotation"]["mask_annotation"].values()))["1"].pop("size"),
    "a mask's runs must be a list of whole numbers": lambda r: next(iter(r["annotation"]["mask_annotation"].values()))[
        "1"
    ].update(counts=[[1, 2], [3]]),
    "metadata.fps must be a number": lambda r: r["metadata"].update(fps=10**400),
    "metadata.num_frames must be a number": lambda r: r["metadata"].update(num_frames=10**400),
    "metadata.cut must be 2 numbers": lambda r: r["metadata"].update(cut=[0, 10**400]),
    "metadata.motion must be a number": lambda r: r["metadata"].update(motion=math.inf),
    "metadata.tech must be a number": lambda r: r["metadata"].update(tech=nested(5_000)),
    "metadata.path must name a file": lambda r: r["metadata"].update(path="a\0.mp4"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_field_is_named(message: str) -> None:
    sample_id, value = copy.deepcopy(released())
    BROKEN[message](value)
    with pytest.raises(SampleError) as caught:
        parse_record(sample_id, value, "dataset1")
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_record_that_is_no_object(value) -> None:
    with pytest.raises(SampleError, match="the record must be a JSON object"):
        parse_record("id", value, "part")


def test_scores_that_are_not_there_are_none() -> None:
    sample_id, value = copy.deepcopy(released())
    value["metadata"].pop("tech")
    value["metadata"]["motion"] = math.nan
    value["metadata"].update(cap="older", face_cap_qwen="newer")
    frame = value["annotation"]["ann_frame_data"]
    value["annotation"]["mask_annotation"][str(frame["ann_frame_idx"])].pop("1")
    record = parse_record(sample_id, value, "p")
    assert (record.technical, record.motion) == (None, None)
    assert (record.caption, record.older_caption) == ("newer", "older")
    assert record.subjects[0].mask is None
    assert record.subjects[1].mask is not None
    value["metadata"].pop("face_cap_qwen")
    value["metadata"].pop("face_cut")
    record = parse_record(sample_id, value, "p")
    assert (record.caption, record.clip) == ("older", tuple(value["metadata"]["cut"]))


def test_clusters() -> None:
    assert cluster_of("gm1252760410-365677148_part2_step1-0-95") == "gm1252760410-365677148"
    assert cluster_of("x_part1_segment2_part3") == "x_part1"
    assert cluster_of("alone") == "alone"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cur_id": "no-part"}, "pair 0.cur_id must be '<part>/<sample id>'"),
        ({"aft_class_id": "-1"}, "pair 0.aft_class_id must be a mask id"),
        ({"aft_class_id": "9" * 5_000}, "pair 0.aft_class_id must be a mask id"),
        ({"aft_class_id": str(2**31)}, "pair 0.aft_class_id must be a mask id"),
        ({"cur_frame_idx": 10**400}, "pair 0.cur_frame_idx must be a number"),
        ({"image_similarity": None}, "pair 0.image_similarity is missing"),
    ],
)
def test_broken_pairs(change: dict, message: str) -> None:
    pairs = json.loads((folder_form() / "cross-frames-pairs" / "cross_frames_pairs.json").read_text())
    cluster, (first, *_) = next(iter(pairs.items()))
    with pytest.raises(SampleError) as caught:
        list(parse_pairs(cluster, [{**first, **change}]))
    assert message in str(caught.value)
    with pytest.raises(SampleError, match="must be a list"):
        list(parse_pairs(cluster, {}))
