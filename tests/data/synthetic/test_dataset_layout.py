"""The written dataset against the released records' form, and its facts against the drawing."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.trees import tree_digests
from PIL import Image
from pycocotools import mask as oracle

from opens2v_hf.data.synthetic.dataset_layout import write_dataset
from opens2v_hf.data.synthetic.dataset_plan import BORDER_LEVEL, plan_dataset
from opens2v_hf.data.synthetic.eval_layout import eval_ids, eval_scene
from opens2v_hf.data.synthetic.render import render_background, render_frame
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED
from opens2v_hf.errors import ArgumentError

CLIPS = {clip.id: clip for file in plan_dataset() for clip in file.clips}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="module")
def records(written) -> dict[str, tuple[str, dict]]:
    """Sample id -> its part and its record, as any reader of JSON finds them."""
    return {
        sample_id: (path.stem, record)
        for path in sorted((written / "regular").glob("*.json"))
        for sample_id, record in json.loads(path.read_text(encoding="utf-8")).items()
    }


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def form(value):
    """The keys and kinds of a JSON value; numbered keys and the elements of a list count as one."""
    if isinstance(value, dict):
        if value and all(key.isdecimal() for key in value):
            return {"<number>": form(next(iter(value.values())))}
        return {key: form(child) for key, child in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else ["anything"]
    return type(value).__name__


def fits(ours, theirs) -> bool:
    """Whether two forms agree, empty lists left out of account."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(fits(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return "anything" in (ours[0], theirs[0]) or fits(ours[0], theirs[0])
    return ours == theirs


def test_records_have_the_released_form(records, shared_data):
    released = next(iter(read(shared_data / "opens2v-5m-demo/regular/dataset1.json").values()))
    for sample_id, (_, record) in records.items():
        assert fits(form(record), form(released)), sample_id


def test_pairs_have_the_released_form(written, shared_data):
    ours, theirs = written / "cross-frames-pairs", shared_data / "opens2v-5m-demo/cross-frames-pairs"
    (released,) = read(theirs / "cross_frames_pairs.json").values()
    for pairs in read(ours / "cross_frames_pairs.json").values():
        assert fits(form(pairs), form(released))
    assert all(fits(form(names), ["str"]) for names in read(ours / "cluster_videos.json").values())


def test_folders_are_the_released_ones(written, shared_data):
    released = {path.name for path in (shared_data / "opens2v-5m-demo").iterdir()}
    assert {path.name for path in written.iterdir()} == released


def test_every_planned_clip_is_written(records):
    assert {sample_id: part for sample_id, (part, _) in records.items()} == {c.id: c.part for c in CLIPS.values()}
    assert len({part for part, _ in records.values()}) == 2


def test_masks_are_the_visible_parts(records):
    for sample_id, (_, record) in records.items():
        scene, metadata, annotation = CLIPS[sample_id].scene, record["metadata"], record["annotation"]
        rendered = render_frame(scene, metadata["face_cut"][0] - metadata["cut"][0])
        ((frame_index, masks),) = annotation["mask_annotation"].items()
        assert int(frame_index) == annotation["ann_frame_data"]["ann_frame_idx"] == metadata["face_cut"][0]
        decoded_masks = [oracle.decode(mask).astype(bool) for mask in masks.values()]
        for visible in rendered.masks:
            assert any((mask == visible).all() for mask in decoded_masks) or not visible.any()
        assert any((mask == ~rendered.masks.any(axis=0)).all() for mask in decoded_masks)


def test_annotations_masks_and_names_go_together(records):
    for _, record in records.values():
        data, (masks,) = record["annotation"]["ann_frame_data"], record["annotation"]["mask_annotation"].values()
        names = [found["class_name"] for found in data["annotations"]]
        assert [entry["class_name"] for entry in record["annotation"]["mask_map"].values()] == names
        assert list(masks) == list(record["annotation"]["mask_map"]) == [str(n) for n in range(1, len(names) + 1)]
        for found, mask in zip(data["annotations"], masks.values(), strict=True):
            assert mask["size"] == [data["img_height"], data["img_width"]]
            if oracle.area(mask):
                left, top, width, height = oracle.toBbox(mask)
                assert found["bbox"] == [left, top, left + width, top + height]


def test_a_person_is_found_by_words_as_person_and_by_head(records):
    people = [record for _, record in records.values() if record["word_tags"]["subject"]]
    assert people
    for record in people:
        names = [entry["class_name"] for entry in record["annotation"]["mask_map"].values()]
        assert {record["word_tags"]["subject"][0], "person", "human head"} <= set(names)
        (masks,) = record["annotation"]["mask_annotation"].values()
        person, head = (oracle.decode(masks[str(names.index(name) + 1)]) for name in ("person", "human head"))
        assert 0 < (head & person).sum() == head.sum() < person.sum()


def test_some_masks_are_empty_and_most_records_have_several(records):
    areas = [
        [
            int(oracle.area(mask))
            for masks in record["annotation"]["mask_annotation"].values()
            for mask in masks.values()
        ]
        for _, record in records.values()
    ]
    assert sum(0 in row for row in areas) == sum(clip.has_empty_mask for clip in CLIPS.values()) > 0
    assert all(len(row) >= 2 for row in areas)


def test_tags_are_parts_of_the_caption(records):
    for _, record in records.values():
        for kind in ("background", "subject", "object"):
            assert all(tag in record["metadata"]["face_cap_qwen"] for tag in record["word_tags"][kind])
        named = {entry["class_name"] for entry in record["annotation"]["mask_map"].values()}
        assert named <= {tag for tags in record["word_tags"].values() for tag in tags}


def test_cuts_and_crops_are_true_parts(records, written):
    cropped = trimmed = 0
    for sample_id, (part, record) in records.items():
        metadata, scene = record["metadata"], CLIPS[sample_id].scene
        frames = decoded(written / "videos" / part / metadata["path"])
        assert frames.shape[1:3] == (metadata["resolution"]["height"], metadata["resolution"]["width"])
        (start, end), (first, last) = metadata["cut"], metadata["face_cut"]
        assert 0 < start <= first < last <= end < len(frames)
        assert metadata["num_frames"] == end - start == scene.num_frames
        x0, x1, y0, y1 = metadata["crop"]
        data = record["annotation"]["ann_frame_data"]
        assert (x1 - x0, y1 - y0) == (data["img_width"], data["img_height"]) == (scene.width, scene.height)
        for index in (start, first, end - 1):
            clean = render_frame(scene, index - start).image.astype(float)
            assert np.abs(frames[index, y0:y1, x0:x1] - clean).mean() < 6  # nothing but the codec's loss
        outside = np.ones(frames.shape[1:3], dtype=bool)
        outside[y0:y1, x0:x1] = False
        if outside.any():
            assert np.abs(frames[first][outside].astype(float) - BORDER_LEVEL).mean() < 6
        # The frame before the file's first clip and the one after its last belong to another shot.
        if start == min(CLIPS[i].cut[0] for i, (p, r) in records.items() if r["metadata"]["path"] == metadata["path"]):
            assert np.abs(frames[start].astype(float) - frames[start - 1]).mean() > 10
        cropped += bool(outside.any())
        trimmed += (first, last) != (start, end)
    assert 0 < cropped < len(records)
    assert 0 < trimmed < len(records)


def test_some_samples_share_a_file(records):
    files = [(part, record["metadata"]["path"]) for part, record in records.values()]
    assert len(set(files)) < len(files)


def test_painted_out_backgrounds(records, written):
    for sample_id, (part, _) in records.items():
        with Image.open(written / "foreground" / part / f"{sample_id}.png") as picture:
            background = np.asarray(picture)
        clip = CLIPS[sample_id]
        np.testing.assert_array_equal(background, render_background(clip.scene))
        rendered = render_frame(clip.scene, clip.scene_frame_index)
        differs = (background != rendered.image).any(axis=2)
        assert differs[rendered.masks.any(axis=0)].mean() > 0.9
        assert differs[~rendered.masks.any(axis=0)].mean() < 0.05  # the soft edges


def test_clusters_follow_from_the_ids(records, written):
    clusters = read(written / "cross-frames-pairs/cluster_videos.json")
    grouped: dict[str, list[str]] = {}
    for sample_id, (part, _) in records.items():
        cluster = re.split("_segment" if "_segment" in sample_id else "_part", sample_id)[0]
        grouped.setdefault(cluster, []).append(f"{part}/{sample_id}")
    assert {cluster: sorted(names) for cluster, names in clusters.items()} == {
        cluster: sorted(names) for cluster, names in grouped.items() if len(names) > 1
    }
    assert len(clusters) == 3
    assert len(grouped) == 5
    assert any("_segment" in sample_id for sample_id in records)


def test_pairs_show_the_same_subject(records, written):
    folder = written / "cross-frames-pairs"
    pairs = read(folder / "cross_frames_pairs.json")
    assert set(pairs) == set(read(folder / "cluster_videos.json"))
    across = 0
    for cluster, listed in pairs.items():
        assert listed
        assert read(folder / "final_output" / f"{cluster}.json") == listed
        for pair in listed:
            visible = []
            for side in ("cur", "aft"):
                part, sample_id = pair[f"{side}_id"].split("/")
                assert records[sample_id][0] == part
                annotation = records[sample_id][1]["annotation"]
                number = pair[f"{side}_class_id"]
                assert annotation["mask_map"][number]["class_name"] == pair[f"{side}_class_name"]
                mask = annotation["mask_annotation"][str(pair[f"{side}_frame_idx"])][number]
                clip = CLIPS[sample_id]
                masks = render_frame(clip.scene, clip.scene_frame_index).masks
                shares = [(oracle.decode(mask).astype(bool) & m).sum() / max(oracle.area(mask), 1) for m in masks]
                visible.append(clip.scene.sprites[int(np.argmax(shares))])
                assert max(shares) == 1.0
            assert visible[0] == visible[1]
            assert pair["text_similarity"] >= 0.6
            assert 0.6 < pair["image_similarity"] <= 1
            across += pair["cur_id"].split("/")[0] != pair["aft_id"].split("/")[0]
    assert across > 0


def test_views(records, written):
    folders = {path.name for path in (written / "gpt-frames-pairs").iterdir()}
    assert folders == {clip.id for clip in CLIPS.values() if clip.has_views}
    assert folders < set(records)
    for name in folders:
        files = {path.name for path in (written / "gpt-frames-pairs" / name).iterdir()}
        _, record = records[name]
        tags = {tag.replace(" ", "_") for tags in record["word_tags"].values() for tag in tags}
        views = sorted(files - {"main_image.png"})
        assert "main_image.png" in files
        assert 1 <= len(views) <= 4
        assert [view.split("_", 1)[0] for view in views] == [str(n) for n in range(len(views))]
        assert {Path(view).stem.split("_", 1)[1] for view in views} <= tags
        with Image.open(written / "gpt-frames-pairs" / name / "main_image.png") as picture:
            clip = CLIPS[name]
            np.testing.assert_array_equal(np.asarray(picture), render_frame(clip.scene, clip.scene_frame_index).image)


def test_same_arguments_same_bytes(written, tmp_path):
    seen = []
    again = write_dataset(tmp_path / "again", on_file=seen.append)
    assert tree_digests(again) == tree_digests(written)
    assert sorted(seen) == sorted(path for path in again.rglob("*") if path.is_file())


def test_other_parts_and_numbers(tmp_path):
    folder = write_dataset(tmp_path, clusters=1, clips_per_cluster=3, singles=0, parts=("a", "b", "c"), seed=5)
    assert [path.stem for path in sorted((folder / "regular").iterdir())] == ["a", "b", "c"]
    assert [len(read(folder / f"regular/{part}.json")) for part in "abc"] == [2, 1, 1]


def test_scene_seeds_meet_neither_each_other_nor_the_benchmark_nor_training():
    files = [file for seed in (0, 99) for file in plan_dataset(clusters=50, clips_per_cluster=19, singles=0, seed=seed)]
    clips = [clip for file in files for clip in file.clips]
    seeds = [clip.scene.seed for clip in clips] + [file.other_shot.seed for file in files]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < FIRST_TRAINING_SEED
    # All scenes of the benchmark would take ten seconds: some of each prefix, the first and last among them.
    benchmark = [name for name in eval_ids(999) if int(name.rpartition("_")[2]) % 37 in (0, 1)]
    assert not set(seeds) & {eval_scene(sample_id, seed).seed for sample_id in benchmark for seed in (0, 99)}
    assert len({clip.id for clip in clips}) == len(clips)


@pytest.mark.parametrize(
    "arguments",
    [
        {"clusters": 0, "singles": 0},
        {"clusters": -1},
        {"clusters": 51},
        {"clips_per_cluster": 1},
        {"clips_per_cluster": 20},
        {"parts": ()},
        {"parts": ("a", "a")},
        {"parts": ("../a",)},
        {"parts": ("",)},
        {"seed": -1},
    ],
)
def test_arguments_out_of_range(arguments, tmp_path):
    with pytest.raises(ArgumentError):
        write_dataset(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
