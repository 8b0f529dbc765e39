"""Pairs across parts, and the faults of the released loader (v1.1) that must not come back."""

import contextlib
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.opens2v5m import folder_form
from helpers.training import LAYOUTS, clips, name_of, shard_form, stream

from opens2v_hf.data.synthetic.dataset_layout import annotate
from opens2v_hf.data.training.choose_subjects import SubjectRule
from opens2v_hf.data.training.pair_index import PairIndex, PairRule
from opens2v_hf.data.training.problems import BadPartner, Reason
from opens2v_hf.data.training.row_store import key_of
from opens2v_hf.data.training.view import TrainingView
from opens2v_hf.errors import ArgumentError, ResultError, SourceError
from opens2v_hf.video.reader import open_video

ALL = SubjectRule("white", max_count=9, max_iou=1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


def released_pairs() -> list[dict]:
    path = folder_form() / "cross-frames-pairs" / "cross_frames_pairs.json"
    return [pair for pairs in json.loads(path.read_text()).values() for pair in pairs]


def sides(pair: dict) -> list[tuple]:
    """The pair seen from either side: sample, subject, other sample, other subject."""
    current = (pair["cur_id"], int(pair["cur_class_id"]))
    other = (pair["aft_id"], int(pair["aft_class_id"]))
    return [(*current, *other), (*other, *current)]


def allowed() -> set[tuple]:
    return {side for pair in released_pairs() for side in sides(pair)}


def drawn(view: TrainingView, epochs: int = 3) -> set[tuple]:
    found = set()
    for epoch in range(epochs):
        view.set_epoch(epoch)
        found |= {
            (name_of(sample), picture.subject_id, picture.source, picture.source_subject_id)
            for sample in view
            for picture in sample.subjects
        }
    return found


def view_of(layout, **options) -> TrainingView:
    values = {"num_frames": 1, "size": (16, 24), "subjects": ALL, "pairs": True, "background": False}
    return TrainingView(stream(layout), **{**values, **options})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pair_is_drawn_as_a_whole(layout) -> None:
    found = drawn(view_of(layout))
    assert found <= allowed()
    assert len(found) > 20
    # Every sample that a pair names has pictures, whether it is the current or the other one.
    assert {entry[0] for entry in found} == {entry[0] for entry in allowed()}


def test_independent_draws_would_give_wrong_pairs() -> None:
    """The released loader's fault would show in the test above."""
    pairs = [pair for pair in released_pairs() if pair["cur_id"] == released_pairs()[-1]["cur_id"]]
    rng = random.Random(0)
    found = set()
    for _ in range(20):
        sample, subject = rng.choice(pairs), rng.choice(pairs)
        found.add((sample["cur_id"], int(sample["cur_class_id"]), sample["aft_id"], int(subject["aft_class_id"])))
    assert not found <= allowed()


def test_partners_are_found_in_other_parts() -> None:
    """The released loader looks in the sample's own part, and ends with a KeyError where the other lies elsewhere."""
    in_other_parts = {
        side[0] for side in allowed() if side[0].partition("/")[0] != side[2].partition("/")[0]
    }  # fmt: skip
    in_its_own = {side[0] for side in allowed() if side[0].partition("/")[0] == side[2].partition("/")[0]}
    only_elsewhere = in_other_parts - in_its_own
    assert only_elsewhere
    found = [entry for entry in drawn(view_of("embedded shards"), epochs=1) if entry[0] in only_elsewhere]
    assert {entry[0] for entry in found} == only_elsewhere
    assert all(entry[0].partition("/")[0] != entry[2].partition("/")[0] for entry in found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_show_the_same_subject_in_the_other_clip(layout) -> None:
    annotations = {name: annotate(clip) for name, clip in clips().items()}
    seen = 0
    for sample in view_of(layout):
        for picture in sample.subjects:
            here = annotations[name_of(sample)][picture.subject_id - 1]
            there = annotations[picture.source][picture.source_subject_id - 1]
            assert here.actor == there.actor is not None
            clip = clips()[picture.source]
            path = folder_form() / "videos" / clip.part / clip.file
            frame = open_video(path).read([clip.face_cut[0]])[0]
            x0, x1, y0, y1 = clip.crop
            cut_out = np.where(there.mask[:, :, None], frame[y0:y1, x0:x1], 255)
            rows, columns = (np.flatnonzero(there.mask.any(axis=axis)) for axis in (1, 0))
            cut_out = cut_out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert np.array_equal(picture.image.permute(1, 2, 0).numpy(), cut_out)
            assert picture.source_frame == clip.face_cut[0]
            seen += 1
    assert seen > 5


def test_samples_without_a_pair_are_left_out_and_counted() -> None:
    view = view_of("folder")
    names = [name_of(sample) for sample in view]
    paired = {side[0] for side in allowed()}
    assert set(names) == paired
    assert (view.counts.samples, view.counts.without_pair) == (len(paired), len(clips()) - len(paired))
    assert view.counts.without_pair > 0


def test_pairs_are_filtered_by_similarity(tmp_path) -> None:
    bound = sorted(pair["image_similarity"] for pair in released_pairs())[len(released_pairs()) // 2]
    index = PairIndex.build(str(shard_form()), rule=PairRule(min_image_similarity=bound), folder=tmp_path / "index")
    found = drawn(view_of("embedded shards", pairs=index))
    expected = {side for pair in released_pairs() if pair["image_similarity"] >= bound for side in sides(pair)}
    assert found
    assert found <= expected
    assert {entry[0] for entry in found} == {side[0] for side in expected}


def test_an_index_serves_a_dataset_that_is_not_streamed(tmp_path) -> None:
    import datasets

    rows = datasets.load_dataset("opens2v-5m", data_dir=str(shard_form()), split="train", cache_dir=str(tmp_path))
    options = {"num_frames": 1, "size": (16, 24), "subjects": ALL, "background": False}
    with pytest.raises(ArgumentError, match=r"give pairs=PairIndex\.build"):
        TrainingView(rows, pairs=True, **options)
    view = TrainingView(rows, pairs=PairIndex.build(str(shard_form())), **options)
    assert drawn(view, 1) == drawn(view_of("embedded shards"), 1)


def test_the_index_is_built_once_and_follows_the_files(tmp_path, monkeypatch) -> None:
    shutil.copytree(shard_form(), tmp_path / "copy")
    first = PairIndex.build(str(tmp_path / "copy"))
    with monkeypatch.context() as context:
        context.setattr("opens2v_hf.data.training.pair_index.write_locations", None)  # not called again
        assert PairIndex.build(str(tmp_path / "copy")).folder == first.folder
    sorted((tmp_path / "copy" / "data" / "regular").iterdir())[0].unlink()
    second = PairIndex.build(str(tmp_path / "copy"))
    assert second.folder != first.folder
    assert first.folder.is_dir()
    # An index of other files never gives wrong rows.
    moved = PairIndex.build(str(tmp_path / "copy"), folder=first.folder)
    gone = set(clips()) - {f"{row['part']}/{row['id']}" for row in stream(tmp_path / "copy", columns=["part", "id"])}
    assert gone
    for name in clips():
        with contextlib.suppress(SourceError):
            row = moved.store.read(key_of(*name.split("/")))
            assert f"{row['part']}/{row['id']}" == name
    with pytest.raises(SourceError, match="is of other files than those there now"):
        [moved.store.read(key_of(*name.split("/"))) for name in gone]


@pytest.mark.parametrize("layout", ["folder", "embedded shards"])
def test_every_row_is_found_by_its_id(layout) -> None:
    index = PairIndex.build(str(LAYOUTS[layout]()))
    for name, clip in clips().items():
        row = index.store.read(key_of(*name.split("/")))
        assert (row["part"], row["id"]) == (clip.part, clip.id)
        assert tuple(row["crop"].values()) == clip.crop
    assert index.store.read(key_of("dataset1", "nobody")) is None


def without_one_sample(tmp_path: Path) -> tuple[Path, str]:
    """A copy of the dataset that lacks a sample which pairs name."""
    folder = tmp_path / "copy"
    shutil.copytree(folder_form(), folder)
    missing = next(side[0] for side in sorted(allowed()) if side[0].startswith("dataset2/synthetic00000"))
    part, _, sample_id = missing.partition("/")
    path = folder / "regular" / f"{part}.json"
    content = json.loads(path.read_text())
    del content[sample_id]
    path.write_text(json.dumps(content))
    return folder, missing


def test_a_missing_partner_is_fatal_or_skipped(tmp_path) -> None:
    folder, missing = without_one_sample(tmp_path)
    with pytest.raises(
        BadPartner, match=r"^dataset\d/synthetic00000\S+: the other clip of its pair is not in the data"
    ):
        drawn(view_of(folder), epochs=20)
    view = view_of(folder, on_error="skip")
    found = drawn(view)
    assert found
    assert all(missing not in entry for entry in found)
    assert view.counts.dropped_subjects[Reason.PARTNER] == view.counts.skipped[Reason.NO_SUBJECT] > 0


def test_a_broken_partner_is_fatal_or_skipped(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    clip = next(clip for clip in clips().values() if clip.part == "dataset2" and "00000" in clip.id)
    (tmp_path / "copy" / "videos" / clip.part / clip.file).write_bytes(b"no video")
    rows = stream(tmp_path / "copy").filter(lambda row: row["part"] == "dataset1")
    view = TrainingView(rows, num_frames=1, size=(16, 24), pairs=True)
    with pytest.raises(BadPartner, match=f"the other clip, {clip.part}/{clip.id}: its video cannot be read"):
        drawn(view, epochs=20)


def test_pairs_need_pictures() -> None:
    with pytest.raises(ArgumentError, match="give subjects= too"):
        view_of("folder", subjects=None)


def test_a_damaged_index_says_what_to_do(tmp_path) -> None:
    index = PairIndex.build(str(folder_form()), folder=tmp_path / "index")
    (tmp_path / "index" / "pairs.npy").write_bytes(b"\x93NUMPY cut")
    with pytest.raises(SourceError, match=r"pairs\.npy .*: remove .*index, and the index is built again"):
        PairIndex(index.store, index.folder, index.rule).partners("dataset1", "x")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(ResultError, match="cannot write"):
        PairIndex.build(str(folder_form()), folder=tmp_path / "file" / "index")
