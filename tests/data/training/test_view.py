"""The training view as a whole, on the synthetic dataset in all its forms."""

import json
import logging
import os
import pickle
import shutil

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.opens2v5m import folder_form
from helpers.training import LAYOUTS, clips, fingerprint, name_of, records, samples_of, shard_form, stream
from PIL import Image
from torch.utils.data import DataLoader

from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.synthetic.dataset_layout import annotate, background_tag
from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.training import BadSample, SubjectRule, TrainingBatch, TrainingView, collate
from opens2v_hf.data.training.problems import BadBackground, BadBox, BadMask, BadVideo, NoSubject, Reason, TooShort
from opens2v_hf.data.training.row_stream import as_stream, builders_of
from opens2v_hf.errors import ArgumentError, SampleError, SourceError
from opens2v_hf.video.reader import VideoReader, open_video

NATIVE = (112, 168)  # of the synthetic scenes


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


def view_of(layout="embedded shards", **options) -> TrainingView:
    values = {"num_frames": 4, "stride": 2, "size": (32, 48), "subjects": SubjectRule(min_area=1e-6)}
    return TrainingView(stream(layout), **{**values, **options})


def file_frames(name: str, indices) -> np.ndarray:
    """Frames of a sample's file within its crop, by the record."""
    metadata = records()[name]["metadata"]
    x0, x1, y0, y1 = metadata["crop"]
    path = folder_form() / "videos" / name.partition("/")[0] / metadata["path"]
    with open_video(path) as video:
        return np.stack(list(video.iter_frames()))[list(indices), y0:y1, x0:x1]


def file_planes(name: str, indices) -> list[np.ndarray]:
    """Luma and both planes of chroma of a sample's frames within its crop, as they are stored."""
    metadata = records()[name]["metadata"]
    x0, x1, y0, y1 = metadata["crop"]
    with av.open(str(folder_form() / "videos" / name.partition("/")[0] / metadata["path"])) as container:
        frames = [frame.to_ndarray() for frame in container.decode(video=0)]  # one plane above the other
    height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
    chosen = np.stack([frames[index] for index in indices]).astype(float)
    luma, chroma = chosen[:, :height], chosen[:, height:].reshape(len(chosen), 2, height // 2, width // 2)
    inner = (slice(None), slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2))
    return [luma[:, y0:y1, x0:x1], chroma[:, 0][inner], chroma[:, 1][inner]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clips_are_the_frames_within_clip_and_crop(layout) -> None:
    samples = list(view_of(layout, num_frames=5, stride=3, size=NATIVE))
    assert [name_of(sample) for sample in samples] == list(records())
    for sample in samples:
        metadata = records()[name_of(sample)]["metadata"]
        assert np.diff(sample.frame_indices).tolist() == [3] * 4
        assert metadata["face_cut"][0] <= sample.frame_indices[0]
        assert sample.frame_indices[-1] < metadata["face_cut"][1]
        assert sample.caption == metadata["face_cap_qwen"]
        assert (sample.clip.shape, str(sample.clip.dtype)) == ((5, 3, *NATIVE), "torch.uint8")
        frames = sample.clip.permute(0, 2, 3, 1).numpy()
        assert np.array_equal(frames, file_frames(name_of(sample), sample.frame_indices))
        # And these show the scene that was filmed, at that moment.
        clip = clips()[name_of(sample)]
        scene = [render_frame(clip.scene, index - clip.cut[0]).image for index in sample.frame_indices]
        assert np.abs(frames.astype(int) - np.stack(scene).astype(int)).mean() < 6


def test_clips_are_resized() -> None:
    # Halved in both directions, by area: luma and chroma are means of four, and four pixels share a value of chroma.
    for sample in view_of(num_frames=2, size=(56, 84)):
        luma, blue, red = (
            plane.reshape(2, plane.shape[1] // 2, 2, plane.shape[2] // 2, 2).mean(axis=(2, 4))
            for plane in file_planes(name_of(sample), sample.frame_indices)
        )
        blue, red = (plane.repeat(2, axis=1).repeat(2, axis=2) - 128 for plane in (blue, red))
        luma = 1.164 * (luma - 16)  # BT.601, limited range
        rgb = np.stack([luma + 1.596 * red, luma - 0.392 * blue - 0.813 * red, luma + 2.017 * blue], axis=3)
        assert np.abs(sample.clip.permute(0, 2, 3, 1).numpy() - rgb.clip(0, 255)).max() <= 4
    # A square keeps the middle: columns 28 to 139 of 168.
    for sample in view_of(num_frames=1, size=(112, 112)):
        whole = file_frames(name_of(sample), sample.frame_indices)
        assert np.array_equal(sample.clip.permute(0, 2, 3, 1).numpy(), whole[:, :, 28:140])


def test_backgrounds_are_cut_as_the_clips_are() -> None:
    for sample in view_of(num_frames=1, size=(112, 112)):
        picture = np.asarray(Image.open(folder_form() / "foreground" / sample.part / f"{sample.id}.png"))
        assert np.array_equal(sample.background.permute(1, 2, 0).numpy(), picture[:, 28:140])
    assert all(sample.background is None for sample in view_of(num_frames=1, background=False))


def expected_picture(name: str, number: int, form: str) -> np.ndarray:
    annotation = annotate(clips()[name])[number - 1]
    frame = file_frames(name, [clips()[name].face_cut[0]])[0]
    rows, columns = (np.flatnonzero(annotation.mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    if form == "box":
        return frame[box]
    picture = np.where(annotation.mask[:, :, None], frame, 255 if form == "white" else 0)[box]
    return np.dstack([picture, annotation.mask[box] * np.uint8(255)]) if form == "transparent" else picture


@pytest.mark.parametrize("form", ["white", "black", "transparent", "box"])
def test_pictures_of_subjects(form) -> None:
    rule = SubjectRule(form, max_count=9, order="id", max_iou=1.0, min_area=1e-6)
    for sample in view_of("folder", num_frames=1, subjects=rule):
        name = name_of(sample)
        found = annotate(clips()[name])
        ground = background_tag(clips()[name].scene)
        expected = [n for n, a in enumerate(found, 1) if a.mask.any() and a.class_name != ground]
        assert [picture.subject_id for picture in sample.subjects] == expected
        for picture in sample.subjects:
            assert picture.label == found[picture.subject_id - 1].class_name
            assert (picture.source, picture.source_subject_id) == (name, picture.subject_id)
            shown = picture.image.permute(1, 2, 0).numpy()
            assert np.array_equal(shown, expected_picture(name, picture.subject_id, form))


def test_how_many_pictures_and_how_large() -> None:
    person = next(name for name in records() if "synthetic00002" in name)
    both = {}
    for overlap in (0.8, 1.0):
        rule = SubjectRule(max_count=2, order="id", max_iou=overlap, size=(40, 30))
        both[overlap] = {
            name_of(sample): sample.subjects for sample in view_of(num_frames=1, subjects=rule, on_error="skip")
        }
        assert all(tuple(p.image.shape) == (3, 40, 30) for some in both[overlap].values() for p in some)
        assert max(len(some) for some in both[overlap].values()) == 2
    # The person is found as such and under the caption's words, with the same mask; the head is a part of both.
    assert [picture.subject_id for picture in both[0.8][person]] == [1, 3]
    assert [picture.subject_id for picture in both[1.0][person]] == [1, 2]
    assert all(sample.subjects == () for sample in view_of(num_frames=1, subjects=None))


def test_every_form_of_the_dataset_gives_the_same_samples() -> None:
    found = [[fingerprint(sample) for sample in view_of(layout)] for layout in LAYOUTS]
    assert found[0] == found[1] == found[2]


def test_frames_are_decoded_once_and_only_those_needed(monkeypatch) -> None:
    asked: list[list[int]] = []
    whole = VideoReader.iter_decoded

    def counted(self, indices=None):
        asked.append(list(indices))
        return whole(self, indices)

    monkeypatch.setattr(VideoReader, "iter_decoded", counted)
    for sample in view_of(num_frames=3, stride=2):
        first = clips()[name_of(sample)].face_cut[0]
        assert asked.pop() == sorted({first, *sample.frame_indices})
        assert not asked
    for sample in view_of(num_frames=3, stride=2, subjects=None):
        assert asked.pop() == list(sample.frame_indices)
        assert not asked


# Sharing and order


def test_nodes_share_the_samples() -> None:
    alone = {name_of(sample): fingerprint(sample) for sample in view_of()}
    for world_size in (2, 3):
        views = [view_of(rank=rank, world_size=world_size) for rank in range(world_size)]
        found = [(name_of(sample), fingerprint(sample)) for view in views for sample in view]
        assert sorted(found) == sorted(alone.items())


@pytest.mark.parametrize(
    ("method", "workers", "options"),
    [("fork", 2, {}), ("fork", 3, {"layout": "folder", "shuffle": 2}), ("spawn", 1, {"shuffle": 2, "pairs": True})],
)
def test_workers_share_the_samples(method, workers, options) -> None:
    alone = sorted(fingerprint(sample) for sample in view_of(**options))
    view = view_of(**options)
    if options.get("layout") == "folder":
        assert view._rows.dataset.num_shards < workers
    loader = DataLoader(
        view, batch_size=2, num_workers=workers, multiprocessing_context=method, collate_fn=samples_of
    )  # fmt: skip
    found = [sample for batch in loader for sample in batch]
    assert sorted(fingerprint(sample) for sample in found) == alone
    assert view.counts.samples == len(alone)


def test_batches_of_workers_on_nodes() -> None:
    names = []
    for rank in range(2):
        loader = DataLoader(view_of(rank=rank, world_size=2), batch_size=2, num_workers=1, collate_fn=collate)
        for batch in loader:
            assert isinstance(batch, TrainingBatch)
            assert batch.clips.shape == (len(batch.ids), 4, 3, 32, 48)
            assert [len(column) for column in (batch.captions, batch.subjects, batch.backgrounds)] == [
                len(batch.ids)
            ] * 3
            names += [f"{part}/{sample_id}" for part, sample_id in zip(batch.parts, batch.ids, strict=True)]
    assert sorted(names) == sorted(records())


def test_seed_and_epoch_decide_the_samples() -> None:
    def epoch_of(view: TrainingView, epoch: int) -> list[str]:
        view.set_epoch(epoch)
        return [fingerprint(sample) for sample in view]

    view, other = view_of(shuffle=4), view_of(shuffle=4, seed=1)
    orders = [epoch_of(view, 0), epoch_of(view, 1), epoch_of(view, 0), epoch_of(other, 0)]
    assert orders[0] == orders[2]
    assert len({tuple(order) for order in orders}) == 3
    starts = {name: set() for name in records()}
    short = view_of(num_frames=1, subjects=None, background=False)
    for epoch in range(6):
        short.set_epoch(epoch)
        for sample in short:
            starts[name_of(sample)].add(sample.frame_indices[0])
    assert all(len(found) > 1 for found in starts.values())


def test_persistent_workers_see_the_epoch() -> None:
    view, alone = view_of(), view_of()
    loader = DataLoader(view, batch_size=None, num_workers=1, persistent_workers=True)
    for epoch in range(3):
        view.set_epoch(epoch)
        alone.set_epoch(epoch)
        assert [fingerprint(sample) for sample in loader] == [fingerprint(sample) for sample in alone]


# Resuming


@pytest.mark.parametrize("options", [{}, {"shuffle": 3, "seed": 7}, {"layout": "folder", "rank": 1, "world_size": 2}])
def test_a_view_resumes_at_the_very_next_sample(options) -> None:
    whole = view_of(**options)
    whole.set_epoch(2)
    expected = [fingerprint(sample) for sample in whole]
    assert len(expected) > 2
    for count in range(len(expected) + 1):
        first = view_of(**options)
        first.set_epoch(2)
        samples = iter(first)
        seen = [fingerprint(next(samples)) for _ in range(count)]
        state = json.loads(json.dumps(first.state_dict()))
        second = view_of(**options)
        second.load_state_dict(state)
        assert second.state_dict() == state
        assert second.epoch == 2
        assert seen + [fingerprint(sample) for sample in second] == expected
    second.set_epoch(2)  # again, from its first sample
    assert [fingerprint(sample) for sample in second] == expected


def test_a_resumed_view_continues_with_the_next_epoch() -> None:
    first = view_of(shuffle=2)
    samples = iter(first)
    next(samples)
    second = view_of(shuffle=2)
    second.load_state_dict(first.state_dict())
    second.set_epoch(1)
    first.set_epoch(1)
    assert [fingerprint(sample) for sample in second] == [fingerprint(sample) for sample in first]


def test_a_view_with_workers_resumes_at_the_very_next_sample() -> None:
    def loader(view: TrainingView) -> DataLoader:
        return DataLoader(view, batch_size=1, num_workers=2, collate_fn=collate)

    expected = [batch.ids[0] for batch in loader(view_of(shuffle=2))]
    assert len(set(expected)) == len(records())
    for count in (1, 2, 3):
        first = view_of(shuffle=2)
        batches = iter(loader(first))
        seen = []
        for _ in range(count):
            batch = next(batches)
            first.consumed(batch)
            seen += batch.ids
        del batches
        second = view_of(shuffle=2)
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        rest = []
        for batch in loader(second):
            second.consumed(batch)
            rest += batch.ids
        assert sorted(seen + rest) == sorted(expected)
        assert rest[:2] == expected[count : count + 2]


def test_states_of_other_views_are_refused() -> None:
    view = view_of(shuffle=2)
    next(iter(view))
    state = view.state_dict()
    with pytest.raises(ArgumentError, match="a view with seed=0, not 1"):
        view_of(shuffle=2, seed=1).load_state_dict(state)
    with pytest.raises(ArgumentError, match="a view with shuffle=2, not 0"):
        view_of().load_state_dict(state)
    for broken in (None, {}, {**state, "settings": {}}):
        with pytest.raises(ArgumentError, match=r"what state_dict|of a view with"):
            view_of(shuffle=2).load_state_dict(broken)
    other = view_of(shuffle=2)
    other.load_state_dict(state)
    with pytest.raises(ArgumentError, match=r"of 1 reading processes .* \(got 2\)"):
        list(DataLoader(other, batch_size=None, num_workers=2))


# Bad samples


def broken_copy(tmp_path, change) -> str:
    """A copy of the dataset whose first record of dataset1 is changed."""
    folder = tmp_path / "copy"
    shutil.copytree(folder_form(), folder)
    path = folder / "regular" / "dataset1.json"
    content = json.loads(path.read_text())
    change(folder, next(iter(content.values())))
    path.write_text(json.dumps(content))
    return str(folder)


def cut_video(folder, record) -> None:
    path = folder / "videos" / "dataset1" / record["metadata"]["path"]
    path.write_bytes(path.read_bytes()[:3000])


def no_video(folder, record) -> None:
    record["metadata"]["path"] = "nowhere.mp4"


def long_clip(folder, record) -> None:
    record["metadata"]["face_cut"] = [50, 5000]


def wide_crop(folder, record) -> None:
    record["metadata"]["crop"] = [0, 169, 0, 112]


def short_clip(folder, record) -> None:
    record["metadata"]["face_cut"] = [8, 14]


def no_masks(folder, record) -> None:
    record["annotation"]["mask_annotation"] = {}


def empty_mask(folder, record) -> None:
    # One run of 112 * 168 = 18816 = 0 + 32 * (12 + 32 * 18) pixels of background: the groups 0, 12, 18 and, for the
    # sign, 0.
    for mask in record["annotation"]["mask_annotation"]["8"].values():
        mask["counts"] = "P\\b0"


def other_size(folder, record) -> None:
    record["metadata"]["crop"] = [0, 160, 0, 112]


def box_outside(folder, record) -> None:
    record["annotation"]["ann_frame_data"]["annotations"][0]["bbox"] = [500, 500, 600, 600]


def broken_background(folder, record) -> None:
    sorted((folder / "foreground" / "dataset1").iterdir())[1].write_bytes(b"no picture")


FAULTS = {
    cut_video: (BadVideo, "its video cannot be read"),
    no_video: (BadVideo, "its video cannot be read"),
    long_clip: (BadVideo, "its video of 58 frames"),
    wide_crop: (BadVideo, "its crop must be within its video of 168 x"),
    short_clip: (TooShort, r"at least 7 frames for num_frames=4 and stride=2 \(got 6\)"),
    no_masks: (BadMask, r"the mask of subject 1 \(yellow striped heart\) is empty"),
    empty_mask: (BadMask, r"the mask of subject 1 \(yellow striped heart\) is empty"),
    other_size: (BadMask, "does not fit an image"),
    broken_background: (BadBackground, "its background cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_sample_is_fatal_or_skipped(fault, tmp_path, caplog) -> None:
    kind, message = FAULTS[fault]
    layout = broken_copy(tmp_path, fault)
    first = next(iter(records()))
    rule = SubjectRule(
        order="id",
        labels=sorted(
            {s["class_name"] for r in records().values() for s in r["annotation"]["ann_frame_data"]["annotations"]}
            - {"person"}
        ),
    )
    with pytest.raises(kind, match=rf"^{first}: .*{message}"):
        list(view_of(layout, subjects=rule))
    view = view_of(layout, subjects=rule, on_error="skip")
    with caplog.at_level(logging.WARNING):
        names = [name_of(sample) for sample in view]
    dropped = kind is BadMask
    shared_file = list(records())[1]
    expected = list(records())[2 if fault is cut_video else 1 :]
    assert names == expected
    reason = Reason.NO_SUBJECT if dropped else kind.reason
    assert view.counts.skipped == {reason: len(records()) - len(expected)}
    assert bool(view.counts.dropped_subjects) == dropped
    assert f"left out: {first}: " in caplog.text
    assert (f"left out: {shared_file}: " in caplog.text) == (fault is cut_video)


def test_a_subject_with_an_empty_mask_costs_no_more_than_itself(caplog) -> None:
    """The released loader unpacks None there and ends."""
    empty = [name for name, clip in clips().items() if clip.has_empty_mask]
    assert empty
    rule = SubjectRule(max_count=9, max_iou=1.0)
    with pytest.raises(BadMask, match=rf"^({'|'.join(empty)}): the mask of subject \d \(person\) is empty"):
        list(view_of(subjects=rule))
    view = view_of(subjects=rule, on_error="skip")
    assert [name_of(sample) for sample in view] == list(records())
    assert view.counts.dropped_subjects == {Reason.MASK: len(empty)}
    assert all(f"{name}: left out a subject" in caplog.text for name in empty)
    # Left out by a rule it is nothing wrong, and its box can be shown.
    view = view_of(subjects=SubjectRule(max_count=9, max_iou=1.0, min_area=1e-6))
    assert len(list(view)) == len(records())
    boxed = {
        name_of(sample): sample.subjects
        for sample in view_of(subjects=SubjectRule("box", labels=["person"], min_count=0))
    }
    assert all([picture.label for picture in boxed[name]] == ["person"] for name in empty)


def test_a_box_outside_the_frame(tmp_path) -> None:
    layout = broken_copy(tmp_path, box_outside)
    with pytest.raises(BadBox, match="the box of subject 1 cannot be cut out"):
        list(view_of(layout, subjects=SubjectRule("box", order="id")))


def test_too_few_subjects(tmp_path) -> None:
    rule = SubjectRule(labels=["person"], min_area=1e-6)
    with pytest.raises(NoSubject, match=r"min_count=1 of its subjects must be usable \(got 0\)"):
        list(view_of(subjects=rule))


def test_errors_come_out_of_workers(tmp_path) -> None:
    layout = broken_copy(tmp_path, cut_video)
    with pytest.raises(BadVideo, match="its video cannot be read"):
        list(DataLoader(view_of(layout), batch_size=None, num_workers=1))
    view = view_of(layout, on_error="skip")
    assert len(list(DataLoader(view, batch_size=None, num_workers=2))) == len(records()) - 2
    assert view.counts.skipped == {Reason.VIDEO: 2}
    assert isinstance(pickle.loads(pickle.dumps(BadVideo("x"))), BadSample)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_malformed_record_is_skipped_and_counted(workers, tmp_path) -> None:
    """Also where the dataset itself has on_error="raise"."""
    layout = broken_copy(tmp_path, lambda folder, record: record["metadata"].update(fps=10**400))
    view = view_of(layout, on_error="skip")
    names = [name_of(sample) for sample in DataLoader(view, batch_size=None, num_workers=workers)]
    assert sorted(names) == sorted(list(records())[1:])
    assert view.counts.skipped == {Reason.ROW: 1}
    with pytest.raises(SampleError, match=r"metadata\.fps must be a number"):
        list(view_of(layout))


def test_a_shard_that_is_cut_off_within_a_read_costs_its_own_rows(tmp_path, monkeypatch) -> None:
    shutil.copytree(shard_form(), tmp_path / "copy")
    view = view_of(str(tmp_path / "copy"), on_error="skip")
    [builder] = builders_of(as_stream(view._rows.dataset))
    [cut, *_] = sorted((tmp_path / "copy/data/regular").iterdir())
    read, mapped = pq.ParquetFile.read_row_group, []

    def read_while_cut(parquet, group, **options):
        mapped.append(builder.mapped)
        if len(mapped) == 1 and not builder.mapped:  # it would end this process
            os.truncate(cut, 1000)
        return read(parquet, group, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_while_cut)
    names = [name_of(sample) for sample in view]
    assert mapped
    assert not any(mapped)
    assert builder.mapped, "rows alone are read faster"
    assert view.counts.skipped == {Reason.SHARD: 1}
    assert 0 < len(names) < len(list(view_of()))


def test_a_damaged_shard_costs_its_own_rows(tmp_path) -> None:
    layout = read_layout(str(folder_form()))
    done = convert(plan_conversion(layout, json_step=12_000), tmp_path / "shards")
    paths = sorted((done.folder / "data" / "regular").iterdir())
    lost = pq.read_table(paths[1], columns=["part", "id"]).to_pylist()
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    view = view_of(str(done.folder), on_error="skip")
    assert [name_of(sample) for sample in view] == [
        name for name in records() if name not in {f"{row['part']}/{row['id']}" for row in lost}
    ]
    assert view.counts.skipped == {Reason.SHARD: 1}
    with pytest.raises(SourceError, match=paths[1].name):
        list(view_of(str(done.folder)))


def test_rows_with_missing_values(tmp_path) -> None:
    done = convert(plan_conversion(read_layout(str(folder_form()))), tmp_path / "shards")
    path = sorted((done.folder / "data" / "regular").iterdir())[0]
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["crop"] = None
    rows[1]["tags"] = None
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    view = view_of(str(done.folder), on_error="skip")
    assert [name_of(sample) for sample in view] == list(records())[2:]
    assert view.counts.skipped == {Reason.ROW: 2}
    with pytest.raises(BadSample, match=rf"{rows[0]['id']}: its row cannot be used"):
        list(view_of(str(done.folder)))


def test_a_source_that_gives_nothing_is_an_error(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "videos")
    view = view_of(str(tmp_path / "copy"), on_error="skip", most_skipped=3)
    with pytest.raises(SourceError, match=r"3 samples in a row were bad.*: dataset1/"):
        list(view)


# Arguments


def test_arguments_that_do_not_fit() -> None:
    for options, message in (
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip'"),
        ({"rank": 2, "world_size": 2}, "rank goes from 0"),
        ({"shuffle": -1}, "at least 0"),
        ({"num_frames": 0}, "at least 1"),
        ({"subjects": "grey"}, "subjects must be a SubjectRule, 'white'"),
        ({"subjects": True}, "subjects must be"),
        ({"size": 480}, "size must be"),
        ({"size": (480.0, 832)}, "size must be"),
        ({"num_frames": 2.5}, "num_frames must be a whole number"),
        ({"seed": "7"}, "seed must be a whole number"),
    ):
        with pytest.raises(ArgumentError, match=message):
            view_of(**options)
    with pytest.raises(ArgumentError, match="needs the column 'caption'"):
        TrainingView(stream(columns=["id", "part", "video"]), num_frames=1, size=(8, 8))
    with pytest.raises(ArgumentError, match="formatted or not decoded"):
        list(TrainingView(stream().decode(False), num_frames=1, size=(8, 8)))
    with pytest.raises(ArgumentError, match="at least 0"):
        view_of().set_epoch(-1)


def test_the_released_sample(shared_data) -> None:
    layout = shared_data / "opens2v-5m-demo"
    view = TrainingView(stream(layout), num_frames=9, stride=4, size=(180, 320), pairs=True, on_error="skip")
    samples = list(view)
    assert samples
    for sample in samples:
        assert sample.clip.shape == (9, 3, 180, 320)
        assert all(picture.source != name_of(sample) for picture in sample.subjects)
