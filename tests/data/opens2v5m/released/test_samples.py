import json
import shutil

import numpy as np
import pytest
from helpers.opens2v5m import folder_form, hub_form
from PIL import Image

from opens2v_hf.data.opens2v5m.released.samples import pair_rows, read_layout, regular_rows, view_row
from opens2v_hf.data.opens2v5m.shards.blobs import LazyImage, LazyVideo, SubjectMask, read_blob
from opens2v_hf.data.opens2v5m.shards.convert import build_indices
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.errors import ArgumentError, ImageError, SampleError, SourceError
from opens2v_hf.masks.rle import decode
from opens2v_hf.video.reader import open_video


def rows_of(layout, **options) -> list[dict]:
    return [row for part in layout.parts for row in regular_rows(layout, part, **options)]


def test_the_folder_form() -> None:
    layout = read_layout(str(folder_form()))
    assert (layout.form, [part.name for part in layout.parts]) == ("folder", ["dataset1", "dataset2"])
    rows = rows_of(layout)
    records = {}
    for part in layout.parts:
        records |= json.loads((folder_form() / "regular" / f"{part.name}.json").read_text())
    assert [row["id"] for row in rows] == list(records)
    for row in rows:
        file = folder_form() / "videos" / row["part"] / records[row["id"]]["metadata"]["path"]
        assert read_blob(row["video"]) == file.read_bytes()
        picture = folder_form() / "foreground" / row["part"] / f"{row['id']}.png"
        assert (np.asarray(LazyImage(row["background"]).load()) == np.asarray(Image.open(picture))).all()


def test_pairs_and_views() -> None:
    layout = read_layout(str(folder_form()))
    released = json.loads((folder_form() / "cross-frames-pairs" / "cross_frames_pairs.json").read_text())
    rows = list(pair_rows(layout, layout.pairs[0]))
    assert len(rows) == sum(map(len, released.values()))
    assert {row["cluster_id"] for row in rows} == set(released)
    for sample_id in layout.view_ids():
        row = view_row(layout, sample_id)
        folder = folder_form() / "gpt-frames-pairs" / sample_id
        assert row["main_image"]["bytes"] == (folder / "main_image.png").read_bytes()
        names = {
            f"{view['index']}_{view['tag'].replace(' ', '_')}.png": view["image"]["bytes"] for view in row["views"]
        }
        assert names == {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "main_image.png"}


def test_the_hub_form_needs_an_index_for_videos_alone(tmp_path) -> None:
    layout = read_layout(str(hub_form(tmp_path / "hub")))
    assert layout.form == "hub"
    rows = rows_of(layout)
    expected = rows_of(read_layout(str(folder_form())))
    files = ("video", "background")
    assert [{k: v for k, v in row.items() if k not in files} for row in rows] == [
        {k: v for k, v in row.items() if k not in files} for row in expected
    ]
    video = LazyVideo(rows[0]["video"])
    with pytest.raises(SourceError) as caught:
        video.frames([0])
    message = str(caught.value)
    assert f'"opens2v convert {tmp_path / "hub"} FOLDER --index-only"' in message
    assert 'index_dir="FOLDER"' in message

    build_indices(plan_conversion(layout), tmp_path / "index")
    indexed = rows_of(read_layout(str(tmp_path / "hub"), index_dir=str(tmp_path / "index")))
    for row, plain in zip(indexed, expected, strict=True):
        assert read_blob(row["video"]) == read_blob(plain["video"])
        assert read_blob(row["background"]) == read_blob(plain["background"])
    assert any(len(row["video"]["spans"]) > 1 for row in indexed)

    # An index next to the pieces is found without index_dir.
    for part in layout.parts:
        shutil.copy(tmp_path / "index" / f"{part.name}.index.parquet", tmp_path / "hub" / "Videos" / part.name)
    found = rows_of(read_layout(str(tmp_path / "hub")))
    assert [row["video"] for row in found] == [row["video"] for row in indexed]

    # An index of other pieces is refused.
    piece = tmp_path / "hub" / "Videos" / "dataset1" / "dataset1.tar.split.000"
    piece.write_bytes(piece.read_bytes()[:-1])
    with pytest.raises(SourceError, match="not the index of the pieces"):
        rows_of(read_layout(str(tmp_path / "hub")))


def test_a_missing_video_matters_where_it_is_needed(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "videos")
    layout = read_layout(str(tmp_path / "copy"))
    row = rows_of(layout)[0]
    with pytest.raises(SourceError, match=r"cannot read .*mp4: there is no such file"):
        LazyVideo(row["video"]).read_bytes()
    with pytest.raises(SampleError, match=r"record '.*' at byte \d+: its video '.*mp4' is not in "):
        rows_of(layout, need_videos=True)
    assert rows_of(layout, with_files=False)[0]["video"] is None


def test_a_malformed_record_is_reported_with_its_offset(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "copy")
    path = tmp_path / "copy" / "regular" / "dataset1.json"
    records = json.loads(path.read_text())
    bad = list(records)[1]
    records[bad]["metadata"]["fps"] = "fast"
    path.write_text(json.dumps(records))
    layout = read_layout(str(tmp_path / "copy"))
    reports = []
    rows = list(regular_rows(layout, layout.parts[0], on_error="skip", report=reports.append))
    assert [row["id"] for row in rows] == [key for key in records if key != bad]
    assert [(r.key, r.reason) for r in reports] == [(bad, "metadata.fps must be a number, got 'fast'")]
    assert path.read_bytes()[reports[0].byte_offset :].startswith(f'"{bad}"'.encode())
    with pytest.raises(SampleError, match=r"metadata\.fps must be a number"):
        rows_of(layout)


def test_locations_without_the_dataset(tmp_path) -> None:
    with pytest.raises(SourceError, match="holds no OpenS2V-5M"):
        read_layout(str(tmp_path))
    with pytest.raises(SourceError, match="holds no OpenS2V-5M"):
        read_layout(str(tmp_path / "nowhere"))
    with pytest.raises(ArgumentError, match="subset"):
        read_layout(str(folder_form()), subset="best")


def test_lazy_videos_give_the_frames_of_the_file() -> None:
    layout = read_layout(str(folder_form()))
    row = rows_of(layout)[0]
    video = LazyVideo(row["video"])
    with open_video(row["video"]["path"]) as reader:
        expected = reader.read(range(reader.num_frames))
    assert len(video) == video.num_frames == len(expected)
    assert (video[3] == expected[3]).all()
    assert (video[-1] == expected[-1]).all()
    assert (video[2:8:3] == expected[2:8:3]).all()
    assert (video.frames([4, 1, 4]) == expected[[4, 1, 4]]).all()
    with pytest.raises(IndexError):
        video[len(expected)]


def test_lazy_masks_and_pictures() -> None:
    row = rows_of(read_layout(str(folder_form())))[0]
    stored = row["subjects"][0]["mask"]
    mask = SubjectMask(stored)
    expected = decode(mask.rle)
    assert (np.asarray(mask) == expected).all()
    assert mask.area == expected.sum()
    rows, columns = np.nonzero(expected)
    assert mask.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert mask.to_dict() == stored
    with pytest.raises(ImageError, match=r"x\.png is no image"):
        LazyImage({"path": "x.png", "bytes": b"no"}).load()
