"""The written benchmark against the released one's form, and its videos against their scenes."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.trees import tree_digests
from PIL import Image

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic.eval_layout import eval_ids, eval_scene, write_eval, write_generated
from opens2v_hf.data.synthetic.render import environment_picture, reference_picture, render_frame, render_video
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED
from opens2v_hf.data.synthetic.simulated import flickering_frames
from opens2v_hf.errors import ArgumentError


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_eval(tmp_path_factory.mktemp("eval"))


def read(folder: Path, split: str) -> dict:
    return json.loads((folder / f"{split}_Eval.json").read_text(encoding="utf-8"))


def prefix(sample_id: str) -> str:
    return sample_id.rsplit("_", 1)[0]


def person_folder(path: str) -> str | None:
    found = re.search(r"/(crop_)?(wo)?man/", path)
    return found and found.group().strip("/")


def test_splits(written):
    everything, human, single = (read(written, split) for split in ("Open-Domain", "Human-Domain", "Single-Domain"))
    assert {prefix(sample_id) for sample_id in everything} == set(PREFIXES)
    assert len(everything) == 3 * len(PREFIXES)
    assert set(human) == {i for i in everything if prefix(i) in ("singleface", "singlehuman")}
    assert set(single) == {i for i in everything if prefix(i) in ("singleface", "singlehuman", "singleobj")}
    assert all(single[sample_id] == everything[sample_id] for sample_id in single)
    assert all(human[i]["prompt"] == everything[i]["prompt"] for i in human)
    for sample_id, record in human.items():
        same = record["img_paths"] == everything[sample_id]["img_paths"]
        assert same == sample_id.startswith("singleface")


def test_records_have_the_released_form(written, shared_data):
    for split in ("Open-Domain", "Human-Domain", "Single-Domain"):
        released = read(shared_data / "opens2v-eval", split)
        keys = {tuple(record) for record in released.values()}
        assert {tuple(record) for record in read(written, split).values()} == keys
        for sample_id, record in read(written, split).items():
            kin = [other for other_id, other in released.items() if prefix(other_id) == prefix(sample_id)]
            assert record["synthesis_flag"] in {other["synthesis_flag"] for other in kin}
            assert len(record["img_paths"]) in {len(other["img_paths"]) for other in kin}
            assert all(isinstance(label, str) for label in record["class_label"])
            roots = {"/".join(path.split("/")[:2]) for other in kin for path in other["img_paths"]}
            assert {"/".join(path.split("/")[:2]) for path in record["img_paths"]} <= roots
            for path, label in zip(record["img_paths"], record["class_label"], strict=True):
                if label in ("Man", "Woman"):
                    people = {person_folder(p) for other in kin for p in other["img_paths"]} - {None}
                    assert person_folder(path).startswith("crop_") in {p.startswith("crop_") for p in people}
                    assert person_folder(path).endswith(label.lower())
                else:
                    assert person_folder(path) is None


def test_one_to_three_references(written):
    counts = {len(record["img_paths"]) for record in read(written, "Open-Domain").values()}
    assert counts == {1, 2, 3}


def test_pictures_show_the_subjects_of_the_scene(written):
    for sample_id, record in read(written, "Open-Domain").items():
        scene = eval_scene(sample_id)
        wanted = [*scene.sprites, *([scene.background] if scene.environment else [])]
        assert len(record["img_paths"]) == len(wanted)
        flat = record["synthesis_flag"] == "True"
        for index, (path, subject) in enumerate(zip(record["img_paths"], wanted, strict=True)):
            with Image.open(written / path) as picture:
                shown = np.asarray(picture.convert("RGB"), dtype=float)
            if subject is scene.background:
                drawn = environment_picture(subject, 168, 112)
            else:
                crop = "face" if "crop_" in path else "whole"
                background = "white" if flat else "textured"
                drawn = reference_picture(subject, 112, background, crop=crop, seed=scene.seed + index)
            assert np.abs(shown - np.asarray(drawn, dtype=float)).mean() < 6  # nothing but JPEG's loss


def test_human_domain_crops_the_face_of_the_same_person(written):
    for sample_id, record in read(written, "Human-Domain").items():
        (path,) = record["img_paths"]
        assert re.fullmatch(rf"Images/{prefix(sample_id)}/crop_(wo)?man/\d+\.png", path)
        with Image.open(written / path) as picture:
            shown = np.asarray(picture)
        scene = eval_scene(sample_id)
        drawn = reference_picture(scene.sprites[0], 112, "textured", crop="face", seed=scene.seed)
        np.testing.assert_array_equal(shown, np.asarray(drawn))


def test_every_named_picture_is_there_and_no_other(written):
    named = {
        p for split in ("Open-Domain", "Human-Domain") for r in read(written, split).values() for p in r["img_paths"]
    }
    present = {path.relative_to(written).as_posix() for path in (written / "Images").rglob("*") if path.is_file()}
    assert present == named


def test_same_seed_same_bytes(written, tmp_path):
    assert tree_digests(write_eval(tmp_path / "again")) == tree_digests(written)
    assert tree_digests(write_eval(tmp_path / "other", seed=1)) != tree_digests(written)


def test_reports_every_file(tmp_path):
    seen = []
    folder = write_eval(tmp_path / "eval", per_category=1, on_file=seen.append)
    assert sorted(seen) == sorted(path for path in folder.rglob("*") if path.is_file())


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("sample_id", ["singleobj_1", "multiface_3", "humanobj_2"])
def test_generated_videos_are_their_scenes(sample_id, tmp_path):
    (path,) = write_generated(tmp_path, "perfect", ids=[sample_id])
    assert path == tmp_path / f"{sample_id}.mp4"
    frames, scene = decoded(path), eval_scene(sample_id)
    assert frames.shape == (16, scene.height, scene.width, 3)
    assert np.abs(frames.astype(float) - render_video(scene)).mean() < 6  # nothing but the codec's loss


def test_a_fault_survives_the_codec(tmp_path):
    (path,) = write_generated(tmp_path, "flicker", ids=["singleobj_1"])
    clean = render_video(eval_scene("singleobj_1")).astype(float)
    loss = np.abs(decoded(path) - clean).mean(axis=(1, 2, 3))
    gone = sorted(flickering_frames(16))
    shown = sorted(set(range(16)) - set(gone))
    assert loss[gone].min() > loss[shown].max() + 2


def test_generated_videos_have_the_same_bytes_again(tmp_path):
    names = []
    for attempt in ("first", "second"):
        written = write_generated(tmp_path / attempt, "corrupted_frames", per_category=1, num_frames=6)
        names.append([path.name for path in written])
    assert names[0] == [f"{sample_id}.mp4" for sample_id in eval_ids(1)]
    assert tree_digests(tmp_path / "first") == tree_digests(tmp_path / "second")


def test_scene_seeds_never_meet_each_other_or_training():
    seeds = [eval_scene(sample_id, seed).seed for seed in (0, 1, 99) for sample_id in eval_ids(12)]
    seeds += [eval_scene(f"{name}_999", 99).seed for name in PREFIXES]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < FIRST_TRAINING_SEED


def test_something_moves_in_every_scene():
    for sample_id in eval_ids(12):
        scene = eval_scene(sample_id)
        first, last = render_frame(scene, 0).image, render_frame(scene, scene.num_frames - 1).image
        assert (first != last).any(), sample_id


@pytest.mark.parametrize("sample_id", ["singleobj", "singleobj_0", "singleobj_x", "cat_1", "_1", "singleobj_1000"])
def test_unknown_ids(sample_id):
    with pytest.raises(ArgumentError, match="no id of the synthetic sample"):
        eval_scene(sample_id)


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(ArgumentError, match="seed is 0 to 99"):
        write_eval(tmp_path, seed=100)
    with pytest.raises(ArgumentError, match="per_category=0"):
        write_eval(tmp_path, per_category=0)
    with pytest.raises(ArgumentError, match="simulated models"):
        write_generated(tmp_path, "nobody")
