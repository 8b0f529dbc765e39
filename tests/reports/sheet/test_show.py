"""The page about a sample of OpenS2V-5M: what it shows, from every form of the dataset."""

import base64
import functools
import io
import json
import re
import shutil
import tempfile
from dataclasses import replace
from html import unescape
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from helpers.opens2v5m import folder_form
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opens2v_hf.data.opens2v5m.released.samples import read_layout
from opens2v_hf.data.opens2v5m.shards.convert import convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.synthetic.dataset_plan import plan_dataset
from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.errors import ArgumentError, ImageError, SampleError
from opens2v_hf.reports.sheet.page import color_of, overlay, place_labels, render_fragment, render_page
from opens2v_hf.reports.sheet.show import DatasetLocation, fetch, write_sheet
from opens2v_hf.reports.sheet.shown import shown_clip

CLIPS = {
    f"{clip.part}/{clip.id}": clip
    for file in plan_dataset(clusters=2, clips_per_cluster=2, singles=1)
    for clip in file.clips
}
NAME, CLIP = next((name, clip) for name, clip in CLIPS.items() if clip.has_views)


def words_of(page: str) -> str:
    """The text of a page, its blanks joined."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(text).split())


def images_of(page: str) -> list[Image.Image]:
    sources = re.findall(r'(?:src|href)="data:image/webp;base64,([^"]*)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(source))) for source in sources]


@functools.cache
def shards(videos: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="shards-"))
    convert(plan_conversion(read_layout(str(folder_form())), videos=videos), folder)
    return folder


@pytest.fixture(params=["folder", "embed", "reference"])
def location(request) -> DatasetLocation:
    return DatasetLocation(str(folder_form() if request.param == "folder" else shards(request.param)))


def test_the_frames_are_those_of_the_clip_cropped(location):
    shown = fetch(location, NAME, num_frames=3, most_pairs=0)
    clip = shown.clip
    start, end = CLIP.face_cut
    assert [index for index, _ in clip.film] == [start, (start + end - 1) // 2 + (start + end - 1) % 2, end - 1]
    assert np.array_equal(clip.frame, clip.film[0][1])
    for index, frame in clip.film:
        drawn = render_frame(CLIP.scene, index - CLIP.cut[0]).image
        assert frame.shape == drawn.shape
        # as near as lossy compression leaves it; the frame before or after, or another crop, is farther off
        assert np.abs(frame.astype(int) - drawn).mean() < 6
    assert shown.clip.problems == ()


def test_subjects_are_cut_out_by_their_masks(location):
    record = json.loads((folder_form() / "regular" / f"{CLIP.part}.json").read_text())[CLIP.id]
    labels = [entry["class_name"] for entry in record["annotation"]["ann_frame_data"]["annotations"]]
    clip = fetch(location, NAME, num_frames=1, most_pairs=0).clip
    assert [subject.label for subject in clip.subjects] == labels
    drawn = render_frame(CLIP.scene, CLIP.scene_frame_index)
    first = clip.subjects[0]
    assert np.array_equal(first.mask, drawn.masks[0])
    assert int((first.picture[:, :, 3] == 255).sum()) == int(drawn.masks[0].sum())
    assert clip.background.shape == drawn.image.shape
    empty = [subject for subject in clip.subjects if not subject.mask.any()]
    assert len(empty) == int(CLIP.has_empty_mask)
    assert all(subject.picture is None for subject in empty)


def test_pairs_and_views_are_found_from_either_side(location):
    released = json.loads((folder_form() / "cross-frames-pairs" / "cross_frames_pairs.json").read_text())
    pairs = released[CLIP.cluster]
    for name in {pair["cur_id"] for pair in pairs} | {pair["aft_id"] for pair in pairs}:
        expected = {
            (own["id"], own["class_id"], other["id"], other["class_id"])
            for pair in pairs
            for own, other in (
                [{key: pair[f"{side}_{key}"] for key in ("id", "class_id")} for side in sides]
                for sides in (("cur", "aft"), ("aft", "cur"))
            )
            if own["id"] == name
        }
        shown = fetch(location, name, num_frames=1, most_pairs=100)
        found = {
            (f"{p.own.part}/{p.own.id}", str(p.own.subject_id), f"{p.other.part}/{p.other.id}", str(p.other.subject_id))
            for p in shown.pairs
        }
        assert found == expected
        assert all(side.picture is not None for pair in shown.pairs for side in (pair.own, pair.other))
    views = fetch(location, NAME, num_frames=1).views
    files = sorted((folder_form() / "gpt-frames-pairs" / CLIP.id).glob("[0-9]*.png"))
    assert [tag for tag, _ in views.views] == [file.stem.partition("_")[2].replace("_", " ") for file in files]
    assert np.array_equal(views.views[0][1], np.asarray(Image.open(files[0])))


def test_a_row_by_its_number_and_the_other_configs(location):
    assert (
        fetch(location, "1", num_frames=1, most_pairs=0).title
        == list(json.loads((folder_form() / "regular" / "dataset1.json").read_text()))[1]
    )
    assert fetch(location, CLIP.id, config="views").views.id == CLIP.id
    cluster = fetch(location, CLIP.cluster, config="cross_pairs", most_pairs=3)
    assert (cluster.clip, len(cluster.pairs)) == (None, 3)
    assert len(fetch(location, "0", config="cross_pairs").pairs) == 1
    assert len(fetch(location, NAME, config="cross_pairs", most_pairs=2).pairs) == 2


def test_what_does_not_exist_is_an_error(location):
    with pytest.raises(SampleError, match="has no sample 'nothing' of the config 'regular'; its first are"):
        fetch(location, "nothing")
    with pytest.raises(SampleError, match="has no row 999"):
        fetch(location, "999")
    with pytest.raises(SampleError, match="no pair of a sample or cluster 'nothing'"):
        fetch(location, "nothing", config="cross_pairs")
    with pytest.raises(ArgumentError, match="at least one frame"):
        fetch(location, "0", num_frames=0)
    with pytest.raises(ArgumentError, match="cannot be negative"):
        fetch(location, "0", most_pairs=-1)


def test_a_broken_video_leaves_the_rest_of_the_sheet(tmp_path):
    folder = shutil.copytree(folder_form(), tmp_path / "broken")
    (folder / "videos" / CLIP.part / CLIP.file).write_bytes(b"no video")
    shutil.rmtree(folder / "gpt-frames-pairs")
    shown = fetch(DatasetLocation(str(folder)), NAME)
    assert shown.clip.frame is None
    assert len(shown.clip.problems) == 1
    assert shown.clip.problems[0].startswith("No frames: ")
    assert shown.clip.subjects[0].mask.any()
    assert any(note.startswith("No views: ") for note in shown.notes)
    page = words_of(write_sheet(shown, tmp_path / "sheet.html").read_text())
    assert shown.clip.problems[0] in page
    assert "no picture" in page


def test_malformed_records_cost_no_other_sample(tmp_path):
    folder = shutil.copytree(folder_form(), tmp_path / "broken")
    path = folder / "regular" / "dataset1.json"
    records = json.loads(path.read_text())
    bad, *good = records
    records[bad]["metadata"]["fps"] = 10**400
    path.write_text(json.dumps(records))
    pairs = folder / "cross-frames-pairs" / "cross_frames_pairs.json"
    clusters = json.loads(pairs.read_text())
    next(iter(clusters.values()))[0]["aft_class_id"] = "9" * 5000
    pairs.write_text(json.dumps(clusters))
    shown = fetch(DatasetLocation(str(folder)), good[0], num_frames=1)
    assert shown.clip.problems == ()
    assert any("2 malformed records were left out, the first: " in note for note in shown.notes)
    assert fetch(DatasetLocation(str(folder)), "0", num_frames=1, most_pairs=0).title == good[0]
    with pytest.raises(SampleError, match=rf"record '{bad}' at byte .*metadata\.fps must be a number"):
        fetch(DatasetLocation(str(folder)), bad)
    with pytest.raises(SampleError, match="has no row 9999"):
        fetch(DatasetLocation(str(folder)), "9" * 5000)


@pytest.mark.parametrize("form", ["released", "shards"])
def test_a_broken_view_leaves_the_others(tmp_path, form):
    folder = shutil.copytree(folder_form(), tmp_path / "broken")
    views = folder / "gpt-frames-pairs" / CLIP.id
    first, *rest = sorted(path for path in views.iterdir() if path.name != "main_image.png")
    first.write_bytes(b"no picture")

    def location() -> DatasetLocation:
        if form == "released":
            return DatasetLocation(str(folder))
        convert(plan_conversion(read_layout(str(folder))), out := Path(tempfile.mkdtemp(dir=tmp_path)))
        return DatasetLocation(str(out))

    shown = fetch(location(), CLIP.id, config="views").views
    assert len(shown.views) == len(rest)
    (problem,) = shown.problems
    assert problem.startswith(f"The view '{first.stem.partition('_')[2].replace('_', ' ')}' of {CLIP.id} is no image")
    (views / "main_image.png").write_bytes(b"no picture either")
    with pytest.raises(ImageError, match=f"the frame of the views of {CLIP.id} is no image"):
        fetch(location(), CLIP.id, config="views")
    sheet = fetch(location(), NAME, num_frames=1)
    assert sheet.views is None
    assert any(note.startswith("No views: the frame of the views of") for note in sheet.notes)


def test_a_row_with_nothing_where_something_must_be():
    with pytest.raises(SampleError, match="the row of p/x cannot be used"):
        shown_clip({"part": "p", "id": "x", "clip": None})


def test_a_pair_that_names_another_subject_shows_no_wrong_picture(tmp_path):
    folder = shutil.copytree(folder_form(), tmp_path / "renamed")
    path = folder / "cross-frames-pairs" / "cross_frames_pairs.json"
    released = json.loads(path.read_text())
    for pair in released[CLIP.cluster]:
        pair["aft_class_name"] = "unicorn"
    path.write_text(json.dumps(released))
    pairs = fetch(DatasetLocation(str(folder)), NAME, num_frames=1).pairs
    assert pairs
    for pair in pairs:
        renamed = pair.other if pair.other.label == "unicorn" else pair.own
        assert renamed.picture is None
        assert renamed.missing.startswith(f"{renamed.subject_id} is ")


def test_the_page_has_all_facts_and_images(tmp_path):
    shown = fetch(DatasetLocation(str(folder_form())), NAME, num_frames=3)
    page = write_sheet(shown, tmp_path / "new" / "sheet.html").read_text()
    words = words_of(page)
    record = json.loads((folder_form() / "regular" / f"{CLIP.part}.json").read_text())[CLIP.id]
    start, end = CLIP.face_cut
    assert words.startswith(f"{CLIP.id} {CLIP.id} {CLIP.part}, frames {start} to {end - 1} of the file, ")
    assert f"{shown.clip.frame_size[1]} × {shown.clip.frame_size[0]} pixels after crop" in words
    assert record["metadata"]["face_cap_qwen"] in words
    for kind, tags in record["word_tags"].items():
        if tags:
            assert f"{ {'pre_define': 'always searched for'}.get(kind, kind) } {', '.join(tags)}" in words
    for name in ("technical", "motion", "aesthetic", "foreground aesthetic", "background aesthetic"):
        assert re.search(rf"{name} \d", words)
    assert f"frame {start}, annotated frame " in words
    assert f"frame {end - 1} " in words
    for subject in shown.clip.subjects:
        assert f"{subject.id} {subject.label} {'' if subject.mask.any() else 'empty mask '}text " in words
    assert "background subjects painted out" in words
    assert shown.pairs
    for pair in shown.pairs:
        sides = " | ".join(f"{side.subject_id} {side.label}" for side in (pair.own, pair.other))
        assert f"{sides} similarity: text " in words
        assert f"{pair.other.part}/{pair.other.id}" in words
    for tag, _ in shown.views.views:
        assert f"Synthesised views the frame {tag}" in words or f" {tag}" in words
    cut_out = [subject for subject in shown.clip.subjects if subject.picture is not None]
    images = images_of(page)
    # annotated frame, film, subjects, background, both sides of pairs, frame and views
    assert len(images) == 1 + 3 + len(cut_out) + 1 + 2 * len(shown.pairs) + 1 + len(shown.views.views)
    assert images[4].mode == "RGBA"
    annotated = np.asarray(images[0].convert("RGB")).astype(int)
    assert max(annotated.shape) == 960
    blue = np.array([0x25, 0x63, 0xEB])  # the outline of the first subject, as lossy compression leaves it
    assert (np.abs(annotated - blue).max(axis=2) < 48).sum() > 100
    with pytest.raises(ArgumentError, match=r"must end in \.html"):
        write_sheet(shown, tmp_path / "sheet.png")


def test_the_page_loads_nothing_and_escapes_what_it_is_given():
    shown = fetch(DatasetLocation(str(folder_form())), NAME, num_frames=1, most_pairs=0)
    hostile = "<script>alert(1)</script><img src=http://example.com/x onerror='a()'>"
    clip = replace(
        shown.clip,
        caption=hostile,
        tags={hostile: (hostile,)},
        subjects=tuple(replace(subject, label=hostile) for subject in shown.clip.subjects),
    )
    shown = replace(shown, title=hostile, clip=clip, notes=(hostile,))
    for page in (render_page(shown), render_fragment(shown)):
        assert "<script" not in page
        assert "<img src=http" not in page
        assert re.findall(r'(?:src|href)="(?!data:image/webp;base64,)', page) == []
        assert hostile in unescape(page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in render_page(shown)


def test_an_overlay_by_hand():
    frame = np.full((9, 9, 3), 100, np.uint8)
    large, small = np.zeros((2, 9, 9), bool)
    large[:] = True
    small[3:6, 3:6] = True
    blended = overlay(frame, [small, None, large], opacity=0.5)
    # the outline is two pixels wide, so that only the middle of the small mask shows its mixed colour
    assert color_of(0) == "#2563eb"
    assert blended[1, 4].tolist() == [4, 120, 87]  # outline of the large mask, #047857
    assert frame[0, 0].tolist() == [100, 100, 100]
    flat = overlay(frame, [large], opacity=0.25)
    assert flat[4, 4].tolist() == [round(75 + 37 / 4), round(75 + 99 / 4), round(75 + 235 / 4)]
    assert np.array_equal(overlay(frame, [None, np.zeros((9, 9), bool)]), frame)


BOX = st.tuples(st.floats(-5, 105), st.floats(-5, 105))


@given(st.lists(BOX, max_size=8), st.lists(st.floats(5, 40), min_size=8, max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_label_covers_another(corners, widths):
    height = 5.0
    sizes = [(width, height) for width in widths[: len(corners)]]
    placed = place_labels(corners, sizes, (100.0, 100.0))
    for (left, top), (width, _) in zip(placed, sizes, strict=True):
        assert 0 <= left <= 100 - width
        assert 0 <= top <= 100 - height
    for ((x, y), (w, h)), ((u, v), (s, t)) in combinations(zip(placed, sizes, strict=True), 2):
        assert x + w <= u + 1e-5 or u + s <= x + 1e-5 or y + h <= v + 1e-5 or v + t <= y + 1e-5


def test_a_label_is_above_its_box():
    assert place_labels([(10.0, 20.0)], [(30.0, 5.0)], (100.0, 100.0)) == [(10.0, 15.0)]
    assert place_labels([(90.0, 2.0)], [(30.0, 5.0)], (100.0, 100.0)) == [(70.0, 0.0)]
