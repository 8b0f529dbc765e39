import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.opens2v5m import folder_form, hub_form

from opens2v_hf.data.opens2v5m.released.media_folder import Location
from opens2v_hf.data.opens2v5m.released.samples import read_layout, regular_rows
from opens2v_hf.data.opens2v5m.shards import convert as module
from opens2v_hf.data.opens2v5m.shards import write as shards
from opens2v_hf.data.opens2v5m.shards.blobs import read_blob
from opens2v_hf.data.opens2v5m.shards.convert import build_indices, convert
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.opens2v5m.shards.verify import verify
from opens2v_hf.errors import ArgumentError, ResultError

SMALL_STEP = 6000


def tree(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def table(folder: Path, config: str = "regular") -> list[dict]:
    return [row for path in sorted((folder / "data" / config).glob("*")) for row in pq.read_table(path).to_pylist()]


def released_rows() -> list[dict]:
    layout = read_layout(str(folder_form()))
    return [row for part in layout.parts for row in regular_rows(layout, part)]


def test_embedded_rows_are_the_released_ones(tmp_path) -> None:
    plan = plan_conversion(read_layout(str(folder_form())), json_step=SMALL_STEP)
    assert sum(unit.config == "regular" for unit in plan.units) > 4
    done = convert(plan, tmp_path)
    expected = released_rows()
    rows = table(tmp_path)
    assert done.rows["regular"] == len(rows) == len(expected)
    for row, released in zip(rows, expected, strict=True):
        assert row.pop("video")["bytes"] == read_blob(released.pop("video"))
        assert row.pop("background")["bytes"] == read_blob(released.pop("background"))
        assert row == released
    assert len(table(tmp_path, "cross_pairs")) == done.rows["cross_pairs"] > 0
    assert len(table(tmp_path, "views")) == done.rows["views"] > 0
    assert (tmp_path / "rejected.jsonl").read_text() == ""
    assert not (tmp_path / ".conversion").exists()
    found = verify(tmp_path)
    assert found.problems == ()
    assert found.rows == done.rows
    assert found.masks == sum(s["mask"] is not None for row in expected for s in row["subjects"])


def test_any_number_of_processes_writes_the_same_bytes(tmp_path) -> None:
    plan = plan_conversion(read_layout(str(folder_form())), json_step=SMALL_STEP)
    convert(plan, tmp_path / "one", processes=1)
    convert(plan, tmp_path / "two", processes=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    before = tree(tmp_path / "one")
    assert convert(plan, tmp_path / "one").rows == verify(tmp_path / "one").rows
    assert tree(tmp_path / "one") == before


def test_references_point_into_the_split_tars(tmp_path) -> None:
    root = hub_form(tmp_path / "hub")
    plan = plan_conversion(read_layout(str(root)), videos="reference", url_base="hf://datasets/org/name")
    convert(plan, tmp_path / "out")
    rows = table(tmp_path / "out")
    for row, released in zip(rows, released_rows(), strict=True):
        spans = row["video"]["spans"]
        assert all(span["url"].startswith("hf://datasets/org/name/Videos/") for span in spans)
        joined = b"".join(
            (root / span["url"].removeprefix("hf://datasets/org/name/")).read_bytes()[span["offset"] :][
                : span["length"]
            ]
            for span in spans
        )
        assert joined == read_blob(released["video"])
    assert sorted(path.name for path in (tmp_path / "out" / "index").iterdir()) == [
        "dataset1.background.index.parquet",
        "dataset1.index.parquet",
        "dataset2.background.index.parquet",
        "dataset2.index.parquet",
    ]
    assert verify(tmp_path / "out").problems == ()


def test_a_killed_conversion_resumes_to_the_same_bytes(tmp_path) -> None:
    root = hub_form(tmp_path / "hub")
    plan = plan_conversion(read_layout(str(root)), json_step=2000)
    convert(plan, tmp_path / "whole")
    script = f"""
import sys, time
from pathlib import Path
from opens2v_hf.data.opens2v5m.shards import convert as module
from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
from opens2v_hf.data.opens2v5m.released.samples import read_layout
original = module.write_shard
left = int(sys.argv[1])
def until_killed(*arguments):
    global left
    if not left:
        time.sleep(600)
    left -= 1
    return original(*arguments)
module.write_shard = until_killed
module.convert(plan_conversion(read_layout({str(root)!r}), json_step=2000), Path({str(tmp_path / "killed")!r}))
"""
    notes = []
    for further in (2, 4):
        process = subprocess.Popen([sys.executable, "-c", script, str(further)], stderr=subprocess.DEVNULL)
        done = tmp_path / "killed" / ".conversion" / "done"
        deadline = time.monotonic() + 600
        while len(list(done.rglob("*.json"))) < sum(notes) + further and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        notes.append(len(list(done.rglob("*.json"))))
        assert not (tmp_path / "killed" / "conversion.json").exists()
    assert notes == [2, 6]
    assert len(plan.units) > 6
    # What a kill in the middle of a write leaves behind.
    (tmp_path / "killed" / "data" / "regular" / ".half.parquet.xyz.tmp").write_bytes(b"half")
    convert(plan, tmp_path / "killed")
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_rejected_records_are_listed(tmp_path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(folder_form(), root)
    path = root / "regular" / "dataset1.json"
    records = json.loads(path.read_text())
    ids = list(records)
    records[ids[0]]["metadata"]["path"] = "lost.mp4"
    text = json.dumps(records)
    text = text.replace(f'"{ids[1]}": {{"metadata": {{"cut"', f'"{ids[1]}": {{"metadata": {{cut')
    # The last record once more.
    text = text[:-1] + f', "{ids[-1]}": ' + json.dumps(records[ids[-1]]) + "}"
    path.write_text(text)
    done = convert(plan_conversion(read_layout(str(root))), tmp_path / "out")
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert done.rejected == len(rejected) == 3
    assert {entry["key"]: entry["reason"].split(":")[0].split(" is not in ")[0] for entry in rejected} == {
        ids[0]: "its video 'lost.mp4'",
        ids[1]: "it is no valid JSON",
        ids[-1]: "its id occurs twice in its part",
    }
    assert rejected[0]["byte_offset"] == text.index(f'"{ids[0]}"')
    assert [row["id"] for row in table(tmp_path / "out")] == [row["id"] for row in released_rows()][2:]


def test_verify_reports_every_kind_of_damage(tmp_path) -> None:
    convert(plan_conversion(read_layout(str(folder_form())), configs=("regular",)), tmp_path)
    first, second = sorted((tmp_path / "data" / "regular").iterdir())
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(bytes(content))
    second.rename(second.with_name("other.parquet"))
    (tmp_path / "data" / "regular" / "._other.parquet").write_bytes(b"hidden files are not looked at")
    problems = verify(tmp_path).problems
    assert f"data/regular/{first.name}: its checksum is not that of the manifest" in problems
    assert f"data/regular/{second.name}: the file is missing" in problems
    assert not any("._other" in problem for problem in problems)
    assert "data/regular/other.parquet: the manifest does not list this file" in problems
    with pytest.raises(ResultError, match="let the command that writes it end"):
        verify(tmp_path / "data")
    for manifest in ("[]", "{}", '{"shards": [{"path": "../x"}], "rows": {}}'):
        (tmp_path / "conversion.json").write_text(manifest)
        with pytest.raises(ResultError, match=r"conversion\.json cannot be read"):
            verify(tmp_path)


def test_verify_decodes_the_masks(tmp_path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(folder_form(), root)
    path = root / "regular" / "dataset2.json"
    records = json.loads(path.read_text())
    bad = next(iter(records))
    masks = next(iter(records[bad]["annotation"]["mask_annotation"].values()))
    masks["1"]["counts"] = "0" + masks["1"]["counts"]
    path.write_text(json.dumps(records))
    convert(plan_conversion(read_layout(str(root))), tmp_path / "out")
    (problem,) = verify(tmp_path / "out").problems
    assert f"{bad}: mask 1: " in problem


def test_shards_are_built_for_streaming(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 100_000)
    convert(plan_conversion(read_layout(str(folder_form())), configs=("regular",)), tmp_path)
    path = sorted((tmp_path / "data" / "regular").iterdir())[0]
    metadata = pq.ParquetFile(path).metadata
    assert metadata.num_row_groups > 1
    for group in range(metadata.num_row_groups):
        columns = [metadata.row_group(group).column(n) for n in range(metadata.num_columns)]
        compression = {column.path_in_schema: column.compression for column in columns}
        assert compression["video.bytes"] == compression["background.bytes"] == "UNCOMPRESSED"
        assert {c for path, c in compression.items() if not path.endswith("bytes")} == {"ZSTD"}
        statistics = {column.path_in_schema: column.statistics for column in columns}
        assert statistics["video.bytes"] is None
        assert statistics["aesthetic"].has_min_max


def test_a_folder_of_another_conversion_is_refused(tmp_path) -> None:
    layout = read_layout(str(folder_form()))
    convert(plan_conversion(layout, configs=("views",)), tmp_path)
    with pytest.raises(ResultError, match="other options"):
        convert(plan_conversion(layout, configs=("regular",)), tmp_path)
    os.remove(tmp_path / "conversion.json")
    with pytest.raises(ResultError, match="must be empty"):
        convert(plan_conversion(layout, configs=("views",)), tmp_path)


def test_damaged_notes_are_made_again_and_a_damaged_manifest_is_named(tmp_path, monkeypatch) -> None:
    plan = plan_conversion(read_layout(str(folder_form())), configs=("views", "cross_pairs"))
    convert(plan, tmp_path / "whole")
    out = tmp_path / "out"
    monkeypatch.setattr(module, "_finish", lambda plan, folder: None)  # as if it was killed before the end
    convert(plan, out)
    monkeypatch.undo()
    first, *_, last = sorted((out / ".conversion/done").rglob("*.json"))
    first.write_text('{"path": "data/views/other.parquet"}')
    last.write_text('{"path": ')
    convert(plan, out)
    assert tree(out) == tree(tmp_path / "whole")
    manifest = out / "conversion.json"
    content = json.loads(manifest.read_text())
    del content["rejected"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=r"conversion\.json is damaged \(rejected: Field required\)"):
        convert(plan, out)


def test_invalid_targets_are_refused(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "source")
    plan = plan_conversion(read_layout(str(tmp_path / "source")), configs=("views",))
    (tmp_path / "file").write_text("a file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("a thesis")
    for target, error, message in [
        (tmp_path / "file", ResultError, "is a file"),
        (tmp_path / "file" / "below", ResultError, "cannot write .*file"),
        (tmp_path / "other", ResultError, r"holds 'thesis\.tex'"),
        (tmp_path, ResultError, "must be empty"),
        (tmp_path / "source", ArgumentError, "must be outside of"),
        (tmp_path / "source" / "out", ArgumentError, "must be outside of"),
    ]:
        with pytest.raises(error, match=message):
            convert(plan, target)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.tex"]
    assert not (tmp_path / ".conversion").exists()
    assert not (tmp_path / "source" / "out").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("x")
    assert convert(plan, tmp_path / "empty").rows["views"] == len(plan.layout.view_ids())


def test_a_colon_in_a_relative_path_is_no_url(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    converted = convert(plan_conversion(read_layout(str(folder_form())), configs=("cross_pairs",)), Path("run:1/data"))
    assert verify(Path("run:1/data")).problems == ()
    assert converted.rows["cross_pairs"] > 0
    with pytest.raises(ArgumentError, match="local path, not hf://"):
        convert(plan_conversion(read_layout(str(folder_form()))), Path("hf://datasets/org/name"))


def test_a_second_conversion_into_the_folder_is_refused(tmp_path) -> None:
    plan = plan_conversion(read_layout(str(folder_form())), configs=("views",))
    script = """
import sys, time
from pathlib import Path
from opens2v_hf.data.opens2v5m.shards.convert import _only_conversion
with _only_conversion(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", script, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ResultError, match="another process converts to"):
            convert(plan, tmp_path / "out")
    finally:
        holder.kill()
        holder.wait()
    assert convert(plan, tmp_path / "out").rows["views"] == len(plan.layout.view_ids())
    assert not (tmp_path / "out" / ".conversion").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_is_an_error_and_the_command_resumes(tmp_path, processes) -> None:
    """A limit on the size of files stands for the disk: the shard that holds the videos does not fit."""
    command = [sys.executable, "-m", "opens2v_hf", "convert", folder_form(), tmp_path / "out", "--processes", processes]
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, -1)); "
    limited += "runpy.run_module('opens2v_hf', run_name='__main__', alter_sys=True)"
    command[1:3] = ["-c", limited]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 2
    assert re.search(r"opens2v convert: cannot write .*\.parquet: .*; .* and run it again\n", done.stderr)
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out" / "data").glob("*/*.parquet"))[5:]
    plan = plan_conversion(read_layout(str(folder_form())))
    convert(plan, tmp_path / "out")
    convert(plan, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_disk_that_turns_read_only(tmp_path, monkeypatch) -> None:
    def refuse(*arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    plan = plan_conversion(read_layout(str(folder_form())))
    with pytest.raises(ResultError, match="Read-only file system; choose another folder"):
        convert(plan, tmp_path / "out")
    with pytest.raises(ResultError, match="Read-only file system"):
        build_indices(plan_conversion(read_layout(str(hub_form(tmp_path / "hub")))), tmp_path / "index")


def test_a_folder_of_views_whose_name_is_no_text(tmp_path) -> None:
    shutil.copytree(folder_form(), tmp_path / "source")
    views = tmp_path / "source" / "gpt-frames-pairs"
    good = sorted(path.name for path in views.iterdir())
    shutil.copytree(views / good[0], views / "bad\udcff")
    done = convert(plan_conversion(read_layout(str(tmp_path / "source")), configs=("views",)), tmp_path / "out")
    assert sorted(row["id"] for row in table(tmp_path / "out", "views")) == good
    assert done.rejected == 1
    assert "no valid UTF-8" in (tmp_path / "out" / "rejected.jsonl").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"videos": "link"}, "videos must be"),
        ({"url_base": "hf://x"}, "url_base must"),
        ({"configs": ("all",)}, "no config 'all'"),
        ({"parts": ("dataset9",)}, "no part 'dataset9'; there are dataset1, dataset2"),
        ({"json_step": 0}, "step=0"),
    ],
)
def test_arguments(options, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        plan_conversion(read_layout(str(folder_form())), **options)


def test_no_password_of_a_url_is_written(tmp_path) -> None:
    layout = read_layout(str(folder_form()))
    remote = Location("https://me:secret@host/data")
    with pytest.raises(ArgumentError, match="password of https://host/data; give url_base"):
        plan_conversion(replace(layout, location=remote), videos="reference")
    plan = plan_conversion(layout, configs=("cross_pairs",))
    convert(replace(plan, layout=replace(layout, location=remote)), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "conversion.json").read_text())["source"] == "https://host/data"
