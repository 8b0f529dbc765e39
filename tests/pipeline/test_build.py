"""Builds in one process with small stages: their output, and bad input."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from helpers.build_stages import FPS, Cut, Describe, Log, Trip, files_of, usual, write_videos
from helpers.videos import encode, number_of, numbered_frames, sound_only

import opens2v_hf  # noqa: F401 - lets `datasets` know the bare names
from opens2v_hf.data.opens2v5m.shards.blobs import LazyVideo
from opens2v_hf.data.opens2v5m.shards.schema import REGULAR
from opens2v_hf.data.opens2v5m.shards.verify import verify
from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError, ResultError, SourceError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.stage import StageOutput
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.units import read_note, read_plan
from opens2v_hf.reports.build_page import write_build_report


class Recaption(Log):
    """Counts the frames that it can read."""

    name = "recaption"

    def __init__(self):
        super().__init__("", name="recaption")

    def __call__(self, clips):
        counted = [(clip, len(list(media.stream(clip)))) for clip in clips]
        return StageOutput([clip.made_by(self.name, {}, caption=f"{count} frames") for clip, count in counted])


NAMES = ("b.mp4", "a/été 一.mp4", "a.mp4", "c.mp4")
SMALL = BuildOptions(unit_files=2)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = write_videos(tmp_path_factory.mktemp("videos"), NAMES)
    (folder / ".hidden.mp4").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "dataset"
    build_dataset(videos, folder, stages=usual(), options=SMALL)
    return folder


def test_rows_of_the_built_dataset(built):
    rows = list(load_dataset("opens2v-5m", data_dir=str(built), split="train", streaming=True))
    sources = [(row["source"]["file"], row["source"]["start"], row["source"]["end"]) for row in rows]
    assert sources == [(name, start, start + 6) for name in sorted(NAMES) for start in (0, 6)]
    assert len({row["id"] for row in rows}) == 8
    first, second = rows[0], rows[1]
    assert (first["source"]["file"], first["caption"]) == ("a.mp4", "stripes of a.mp4")
    # the second video of NAMES but one: its frames carry 200, 201, ...
    assert [number_of(frame) for frame in second["video"].frames(range(6))] == list(range(206, 212))
    assert second["clip"] == second["cut"] == {"start": 0, "end": 6}
    assert second["source"]["start_s"] == pytest.approx(0.5)
    assert second["fps"] == FPS
    assert second["duration_s"] == pytest.approx(0.5)
    assert [subject["mask"].area for subject in second["subjects"]] == [48 * 64, 48 * 64]
    assert json.loads(second["provenance"])["cut"] == {"frames": 6}
    assert second["licence"] is None
    assert second["frame_phash"] > 2**63
    assert second["detection_scores"] == [0.75, 0.75]


def test_the_shards_are_one_a_unit_and_checked_by_verify(built):
    shards = sorted(path.name for path in (built / "data/regular").iterdir())
    assert shards == ["clips-00000.parquet", "clips-00001.parquet"]
    found = verify(built)
    assert (found.shards, found.rows, found.masks, found.problems) == (2, {"regular": 8}, 16, ())
    (built / "data/regular/extra.parquet").write_bytes(b"x")
    assert "the manifest does not list this file" in verify(built).problems[0]
    (built / "data/regular/extra.parquet").unlink()


def test_vectors_are_stored_for_each_subject(built):
    with np.load(built / "vectors/clips-00000.npz") as arrays:
        assert arrays["image"].dtype == arrays["text"].dtype == np.float16
        assert arrays["image"].shape == (8, 4)
        assert arrays["subject_ids"].tolist() == [1, 2] * 4
        assert arrays["files"].tolist() == ["a.mp4"] * 4 + ["a/été 一.mp4"] * 4
        assert arrays["starts"].tolist() == [0, 0, 6, 6] * 2
        # the mean of text vectors by hand: [2, 3, 4, 5] / sqrt(54) for the second side
        assert arrays["text"][1] == pytest.approx(np.array([2, 3, 4, 5]) / np.sqrt(54), abs=1e-3)


def test_a_clip_that_is_its_whole_file_is_stored_as_the_file_is(videos, tmp_path):
    build_dataset(videos, tmp_path / "out", stages=[Probe(), Describe()], limit=1)
    row = pq.read_table(tmp_path / "out/data/regular/clips-00000.parquet").to_pylist()[0]
    assert row["video"] == {"bytes": (videos / "a.mp4").read_bytes(), "path": f"{row['id']}.mp4"}


def test_a_second_call_processes_no_unit_again(videos, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        build = build_dataset(videos, tmp_path / "out", stages=usual(Log(str(log))), options=SMALL)
    assert len(log.read_text().splitlines()) == 8
    assert build.is_complete
    assert [(stage.name, stage.taken, stage.kept) for stage in build.stages] == [
        ("probe", 4, 4), ("cut", 4, 8), ("describe", 8, 8), ("log", 8, 8),
    ]  # fmt: skip
    assert "8 clips (4 s) of 4 files (4 s)" in str(build)
    assert "1 file without the ending of a video" in str(build)


def test_files_of_remote_storage_give_the_same_bytes(videos, built, tmp_path):
    root = f"memory://{tmp_path.name}/clips"
    for path in (path for path in videos.rglob("*") if path.is_file()):
        with fsspec.open(f"{root}/{path.relative_to(videos).as_posix()}", "wb") as target:
            target.write(path.read_bytes())
    build = build_dataset(f"{root}/", tmp_path / "out", stages=usual(), options=SMALL)
    assert build.is_complete
    assert build.num_others == 1
    assert files_of(tmp_path / "out") == files_of(built)
    with pytest.raises(SourceError, match="there is no file"):
        build_dataset(f"{root}/absent", tmp_path / "none", stages=usual())


def test_storage_whose_package_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it was not installed
    with pytest.raises(MissingDependencyError, match=r"s3://bucket needs another package: pip install s3fs$"):
        build_dataset("s3://bucket/", tmp_path / "out", stages=usual())


def test_a_damaged_note_is_a_unit_that_is_not_done(videos, built, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(built, out)
    for number, text in enumerate(('{"key": "x"}', "[")):
        (out / f".build/clips-{number:05d}.json").write_text(text)
    assert build_dataset(videos, out, stages=usual(), options=SMALL).is_complete
    assert files_of(out) == files_of(built)


def test_a_note_that_the_system_cannot_read_is_an_error_and_no_unit_to_pay_for_again(built, monkeypatch):
    unit = read_plan(built).units[0]

    def unreadable(path, *_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_text", unreadable)
    with pytest.raises(ResultError, match="Input/output error"):
        read_note(built, unit)


def test_an_error_with_one_clip_drops_that_clip_alone(videos, tmp_path):
    build = build_dataset(videos, tmp_path / "out", stages=usual(Trip("b.mp4")))
    assert build.rows["regular"] == 6
    assert build.stages[-1].rules == {"error": 2}
    assert "2 were left out by an error" in str(build)
    assert "ValueError: no luck with b.mp4" in str(build)
    # what went wrong is tried again when it is asked for, and then nothing is missing
    stages = usual(Trip("nothing"))
    assert build_dataset(videos, tmp_path / "out", stages=stages).rows["regular"] == 6
    assert build_dataset(videos, tmp_path / "out", stages=stages, retry_failed=True).rows["regular"] == 8


def test_an_error_of_all_clips_ends_the_run(videos, tmp_path):
    class NoModel(Describe):
        def load(self):
            raise ModelError("org/model: there are no weights; name another")

    with pytest.raises(ModelError, match="no weights"):
        build_dataset(videos, tmp_path / "out", stages=[Probe(), NoModel()])

    class Exits(Describe):
        def load(self):
            sys.exit(3)

    with pytest.raises(ModelError, match=r"the stage describe cannot be loaded .*called sys\.exit\(3\)"):
        build_dataset(videos, tmp_path / "exits", stages=[Probe(), Exits()])


def test_files_that_come_and_change_later(videos, tmp_path):
    folder, out, log = tmp_path / "in", tmp_path / "out", tmp_path / "log"
    shutil.copytree(videos, folder)

    def build():
        log.write_text("")
        result = build_dataset(folder, out, stages=usual(Log(str(log))), options=SMALL)
        return result, sorted({line.partition("_part")[0] for line in log.read_text().splitlines()})

    build()
    before = files_of(out)
    write_videos(folder, ["0.mp4"], frames=6)
    result, done = build()
    assert done == ["0"]
    assert {name: files_of(out)[name] for name in before} == before
    assert result.rows["regular"] == 9
    write_videos(folder, ["c.mp4"], frames=6)  # of the unit of b and c
    result, done = build()
    assert done == ["b", "c"]
    assert result.rows["regular"] == 8
    (folder / "c.mp4").unlink()  # its clips are there
    result, done = build()
    assert done == []
    assert result.missing == ("c.mp4",)
    assert result.rows["regular"] == 8


def test_a_file_that_changes_while_it_is_read(videos, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(videos, folder)

    class Touch(Log):
        def __call__(self, clips):
            if clips[0].source.name == "b.mp4":
                os.utime(folder / "b.mp4", ns=(1, 1))
            return super().__call__(clips)

    stages = usual(Touch(str(tmp_path / "log")))
    build = build_dataset(folder, tmp_path / "out", stages=stages)
    assert build.rows["regular"] == 6
    assert not build.is_complete
    assert build.changed == ("b.mp4",)
    build = build_dataset(folder, tmp_path / "out", stages=stages)
    assert build.is_complete
    assert build.rows["regular"] == 8


def test_the_same_video_under_two_names_is_taken_once_and_named(videos, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(videos, folder)
    shutil.copy(folder / "b.mp4", folder / "z.mp4")
    build = build_dataset(folder, tmp_path / "out", stages=usual())
    assert build.duplicates == {"z.mp4": "b.mp4"}
    assert build.rows["regular"] == 8
    assert "1 held what another file holds: z.mp4 = b.mp4" in str(build)


def test_one_name_in_two_unicode_forms_is_two_files(videos, tmp_path):
    composed, decomposed = "\u00fc.mp4", "u\u0308.mp4"
    folder = tmp_path / "in"
    folder.mkdir()
    for name, of in ((composed, "a.mp4"), (decomposed, "b.mp4"), ("x.mp4", "c.mp4")):
        shutil.copy(videos / of, folder / name)
    build = build_dataset(folder, tmp_path / "two", stages=usual())
    assert build.rows["regular"] == 6
    rows = pq.read_table(tmp_path / "two/data/regular").to_pylist()
    assert {row["source"]["file"] for row in rows} == {composed, decomposed, "x.mp4"}
    assert len({row["id"] for row in rows}) == 6
    shutil.copy(folder / composed, folder / decomposed)
    build = build_dataset(folder, tmp_path / "same", stages=usual())
    # the names look alike, so their letters are shown
    assert r"1 held what another file holds: '\xfc.mp4' = 'u\u0308.mp4'" in str(build)


def test_bad_files_are_dropped_alone(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "corrupt.mp4").write_bytes(b"\0" * 4000)
    (folder / "empty.mp4").write_bytes(b"")
    sound_only(folder / "sound.mp4")
    encode(folder / "variable.mp4", numbered_frames(8), milliseconds=[0, 10, 50, 60, 200, 300, 310, 400])
    encode(folder / "vertical.mkv", numbered_frames(7, width=96, height=160), fps=FPS)
    encode(folder / "odd.mp4", numbered_frames(8, width=97, height=65), fps=FPS, pix_fmt="yuv444p")
    (folder / "dead link.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(folder / "pipe.mp4")
    os.write(os.open(os.fsencode(folder) + b"/\xff.mp4", os.O_CREAT | os.O_WRONLY), b"no video")
    shutil.copy(folder / "corrupt.mp4", os.fsencode(folder) + b"/twice\xff.mp4")
    build = build_dataset(folder, tmp_path / "out", stages=usual())
    assert build.duplicates == {"twice\\udcff.mp4": "corrupt.mp4"}
    assert "twice\\udcff.mp4" in write_build_report(tmp_path / "out").read_text("utf-8")
    rows = pq.read_table(tmp_path / "out/data/regular").to_pylist()
    assert [row["source"]["file"] for row in rows] == ["odd.mp4", "variable.mp4", "vertical.mkv"]
    assert build.stages[0].rules == {"empty": 1, "missing": 1, "no_video": 1, "unreadable": 2}
    assert build.stages[1].rules == {"too_short": 3}
    assert build.unusable == {
        "corrupt.mp4": "unreadable", "dead link.mp4": "missing", "empty.mp4": "empty", "sound.mp4": "no_video",
        "\\udcff.mp4": "unreadable",
    }  # fmt: skip
    assert "5 could not be used: corrupt.mp4 (unreadable); dead link.mp4 (missing); " in str(build)
    odd, variable, vertical = rows
    assert (odd["file_width"], odd["file_height"], odd["frame_width"], odd["frame_height"]) == (98, 66, 97, 65)
    assert odd["crop"] == {"x0": 0, "x1": 97, "y0": 0, "y1": 65}
    for row in rows:
        frames = LazyVideo(row["video"]).frames(range(6))
        assert [number_of(frame[: row["frame_height"], : row["frame_width"]]) for frame in frames] == list(range(6))
    assert (vertical["frame_width"], vertical["frame_height"]) == (96, 160)
    assert variable["num_frames"] == 6
    assert verify(tmp_path / "out").problems == ()


def test_a_full_disk_ends_the_run_and_the_next_resumes(videos, built, tmp_path, monkeypatch):
    out = tmp_path / "out"
    original, left = os.replace, [4]  # the recipe, the plan, then vectors or a shard

    def full(source, target):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ResultError, match="No space left on device; free some space"):
        build_dataset(videos, out, stages=usual(), options=SMALL)
    monkeypatch.undo()
    build_dataset(videos, out, stages=usual(), options=SMALL)
    assert files_of(out) == files_of(built)


def test_a_stage_applied_again_changes_only_its_columns(built, tmp_path):
    out, copied = tmp_path / "out", tmp_path / "copied"
    shutil.copytree(built, copied)
    for part in ("data/regular/._clips-00000.parquet", "vectors/._clips-00000.npz"):  # as macOS leaves them
        (copied / part).write_bytes(b"\0\5\x16\7")
    build_dataset(None, out, from_dataset=copied, stages=[Recaption()])
    old = pq.read_table(built / "data/regular").to_pylist()
    new = pq.read_table(out / "data/regular").to_pylist()
    changed = ("caption", "provenance")
    assert [{k: v for k, v in row.items() if k not in changed} for row in new] == [
        {k: v for k, v in row.items() if k not in changed} for row in old
    ]
    assert new[1]["caption"] == "6 frames"
    provenance = json.loads(new[1]["provenance"])
    assert list(provenance) == ["cut", "describe", "probe", "recaption"]
    assert provenance["recaption"] == {}
    assert (out / "vectors/clips-00000.npz").read_bytes() == (built / "vectors/clips-00000.npz").read_bytes()
    assert not (out / ".build/videos").exists() or not list((out / ".build/videos").iterdir())
    assert verify(out).problems == ()


def test_shards_of_another_schema_are_named(built, tmp_path):
    table = pq.read_table(built / "data/regular/clips-00000.parquet")

    def replaced(name, values, kind=None):
        column = pa.array(values, kind or table.schema.field(name).type)
        return table.set_column(table.column_names.index(name), name, column)

    count = table.num_rows
    damaged = {
        "column 'cut' must be of type struct": replaced("cut", ["x"] * count, pa.string()),
        "a.parquet, row 0: is no row of OpenS2V-5M (TypeError": replaced("cut", [None] * count),
        "its id is null": replaced("id", [None] * count),
        "must have bytes or a path": replaced("video", [None] * count),
        "has no column 'caption'": table.drop_columns(["caption"]),
    }
    for number, (message, changed) in enumerate(damaged.items()):
        source = tmp_path / f"in{number}"
        (source / "data/regular").mkdir(parents=True)
        pq.write_table(changed, source / "data/regular/a.parquet")
        shutil.copy(built / "data/regular/clips-00001.parquet", source / "data/regular/b.parquet")
        build = build_dataset(None, tmp_path / f"out{number}", from_dataset=source, stages=[Log(str(tmp_path / "log"))])
        assert message in build.failed["clips-00000"]
        assert build.rows["regular"] == count, "of the other shard"


def test_a_stage_that_needs_the_files_is_refused_on_clips(built, tmp_path):
    with pytest.raises(ArgumentError, match="'probe' needs the files"):
        build_dataset(None, tmp_path / "out", from_dataset=built, stages=["probe"])


def test_other_options_are_refused_and_named(videos, tmp_path):
    build_dataset(videos, tmp_path / "out", stages=[Probe(), Cut(6), Describe()])
    with pytest.raises(ResultError, match=r"cut\.frames was 6, now 4"):
        build_dataset(videos, tmp_path / "out", stages=[Probe(), Cut(4), Describe()])
    stages = [Probe(), Cut(4), Describe()]
    assert build_dataset(videos, tmp_path / "out", stages=stages, overwrite=True).rows["regular"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "nowhere"}, "there is no such folder"),
        ({"source": "empty"}, "holds no video"),
        ({"limit": 0}, "limit must be"),
        ({"stages": [Probe(), Probe()]}, "two stages are named 'probe'"),
        ({"stages": ["nothing"]}, "the stages are"),
        ({"stages": []}, "no stage was chosen"),
        ({"out": "inside"}, "choose a folder outside"),
        ({"source": None}, "give either"),
    ],
)
def test_wrong_arguments(videos, tmp_path, arguments, message):
    if arguments.get("out") == "inside":
        arguments = {"out": videos / "out"}
    if arguments.get("source") == "empty":
        arguments = {"source": tmp_path / "empty"}
        arguments["source"].mkdir()
    call = {"source": videos, "out": tmp_path / "out", "stages": usual(), **arguments}
    with pytest.raises((ArgumentError, SourceError), match=message):
        build_dataset(**call)
    assert not (tmp_path / "out").exists()


def test_thousands_of_empty_files_are_counted_and_a_few_named(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1003):
        (folder / f"{number:04d}.mp4").touch()
    build = build_dataset(folder, tmp_path / "out", stages=[Probe()], options=BuildOptions(unit_files=1003))
    assert build.stages[0].rules == {"empty": 1003}
    assert len(build.unusable) == 1000
    assert "1003 could not be used: 0000.mp4 (empty); " in str(build)
    assert "(empty); and 998 more" in str(build)
    assert "1,003 files could not be used" in write_build_report(tmp_path / "out").read_text()


@pytest.mark.parametrize("recipe", ["{", "[1]", '{"stages": 3}', '{"stages": [["probe", 3]]}'])
def test_a_damaged_recipe_is_no_recipe(built, videos, tmp_path, recipe):
    shutil.copytree(built / ".build", tmp_path / ".build")
    (tmp_path / ".build/recipe.json").write_text(recipe)
    with pytest.raises(ResultError, match=r"begun with other options \(\.build/recipe\.json, .* is damaged\)"):
        build_dataset(videos, tmp_path, stages=usual(), options=SMALL)


def test_a_link_to_itself_is_an_error_in_words(videos, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SourceError, match="there is no such folder"):
        build_dataset(tmp_path / "loop", tmp_path / "out", stages=usual())
    with pytest.raises(ResultError, match="Too many levels of symbolic links"):
        build_dataset(videos, tmp_path / "loop", stages=usual())


def test_a_folder_with_other_files_is_refused(videos, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ResultError, match=r"holds 'mine\.txt'"):
        build_dataset(videos, tmp_path, stages=usual())


def test_a_message_about_options_shows_no_key():
    model = {"name": "vllm:http://host/gme", "api_key": "secret"}
    for options in (
        {"models": {"embedder": model, "judge": "x"}},
        {"api_key": "secret"},
        {"models": {"embedder": [model]}},
    ):
        with pytest.raises(ArgumentError) as caught:
            BuildOptions.of(options)
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"
    with pytest.raises(ArgumentError, match=r"crf: .*\(got 99\)"):
        BuildOptions.of({"crf": 99})


def test_all_wrong_options_are_named_at_once(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("crf: 90\nunit_files: 0\nfoo: 1\n")
    with pytest.raises(ArgumentError, match=r"unit_files.*crf.*foo"):
        BuildOptions.read(path)


def test_released_and_built_shards_are_read_together(built, tmp_path):
    """What the released ones lack is null; without a built one first, the columns are the released ones."""
    place = tmp_path / "data/regular"
    place.mkdir(parents=True)
    released = pq.read_table(built / "data/regular/clips-00000.parquet").drop_columns(
        ["source", "provenance", "frame_phash", "clip_phash", "detection_scores", "licence"]
    )
    pq.write_table(released, place / "clips-00009.parquet")
    names = load_dataset("opens2v-5m", data_dir=str(tmp_path), split="train", streaming=True).column_names
    assert names == list(REGULAR.names)
    shutil.copy(built / "data/regular/clips-00001.parquet", place)
    rows = list(load_dataset("opens2v-5m", data_dir=str(tmp_path), split="train", streaming=True))
    assert [row["source"] is None for row in rows] == [False] * 4 + [True] * 4
    assert [row["frame_phash"] is None for row in rows] == [False] * 4 + [True] * 4
