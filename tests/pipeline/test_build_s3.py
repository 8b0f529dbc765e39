"""Builds from a bucket of S3: the bytes of a folder, and what goes wrong with a bucket."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from helpers.build_stages import files_of, usual, write_videos
from helpers.s3_server import S3Server

from opens2v_hf.cli import main
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.faults import SourceChangedError
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.records import SourceFile

NAMES = ("a.mp4", "b.mp4", "c d/é+%.mp4")
SMALL = BuildOptions(unit_files=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = write_videos(tmp_path_factory.mktemp("videos"), NAMES)
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("local")
    build_dataset(videos, folder, stages=usual(), options=SMALL)
    return files_of(folder)


@pytest.fixture
def bucket(videos, monkeypatch, tmp_path):
    """The videos under clips/ of the bucket "mine", which s3fs finds by the variables of all clients of S3."""
    s3fs = pytest.importorskip("s3fs")
    server = S3Server("mine")
    for path in (path for path in videos.rglob("*") if path.is_file()):
        server.objects[f"clips/{path.relative_to(videos).as_posix()}"] = path.read_bytes()
    server.objects["clips/.hidden.mp4"] = b"x"
    server.objects["clips.mp4"] = b"another prefix"
    with server.running():
        variables = {
            "AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hidden",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        }  # fmt: skip
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one of an earlier test has another endpoint
        yield server
        s3fs.S3FileSystem.clear_instance_cache()


def build(out: Path, **options):
    return build_dataset("s3://mine/clips/", out, stages=usual(), options=SMALL, **options)


def test_a_bucket_gives_the_bytes_of_a_folder(bucket, built, tmp_path):
    made = build(tmp_path / "out")
    assert made.is_complete
    assert made.num_others == 1
    assert files_of(tmp_path / "out") == built
    assert Counter(bucket.requests)["GET", "clips/a.mp4"] == 1
    before = len(bucket.requests)
    assert build(tmp_path / "out").is_complete
    assert {key for _, key in bucket.requests[before:]} <= {"list"}


def test_a_refused_object_is_an_error_of_that_file_and_tried_again_when_asked(bucket, built, tmp_path):
    bucket.refused.add("clips/b.mp4")
    made = build(tmp_path / "out")
    assert made.rows["regular"] == 4
    assert made.stages[0].rules == {"error": 1}
    assert made.errors[0].startswith("b (probe): b.mp4: cannot be fetched (Access Denied)")
    bucket.refused.clear()
    assert build(tmp_path / "out", retry_failed=True).is_complete
    assert files_of(tmp_path / "out") == built


def test_an_object_that_is_replaced_or_removed_while_it_is_read(bucket, built, tmp_path):
    """s3fs asks for the version that it knows of the listing; another process would get the new one."""
    old = dict(bucket.objects)

    def replace(key):
        if key == "clips/a.mp4":
            bucket.objects[key] = old["clips/b.mp4"]
        if key == "clips/b.mp4":
            bucket.objects.pop(key, None)

    bucket.before_get = replace
    made = build(tmp_path / "out")
    assert not made.is_complete
    assert made.changed == ("a.mp4",)
    assert made.unusable == {"b.mp4": "missing"}
    assert made.rows["regular"] == 2
    bucket.before_get = lambda key: None
    bucket.objects |= old
    assert build(tmp_path / "out", retry_failed=True).is_complete
    assert files_of(tmp_path / "out") == built

    with pytest.raises(SourceChangedError, match=r"a\.mp4: was changed after it was listed"):
        media.local_path(SourceFile("s3://mine/clips/a.mp4", "a.mp4", stamp='"of another version"'))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("s3://absent/clips", "cannot list s3://absent/clips: The specified bucket does not exist"),
        ("s3://mine/absent/", "s3://mine/absent: there is no file"),
        ("s3://", "s3://: names no bucket or folder"),
    ],
)
def test_places_without_videos(bucket, tmp_path, capsys, source, message):
    assert main(["build", source, str(tmp_path / "out"), "--stages", "probe"]) == 2
    assert message in capsys.readouterr().err


def test_missing_credentials_are_an_error_in_words(bucket, tmp_path, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert main(["build", "s3://mine/clips/", str(tmp_path / "out"), "--stages", "probe"]) == 2
    assert "cannot list s3://mine/clips: Unable to locate credentials; check the URL" in capsys.readouterr().err
