"""Files of samples in folders and in split tars."""

import unicodedata

import pytest
from helpers.opens2v5m import split_tar

from opens2v_hf.data.opens2v5m.released.byte_source import open_source
from opens2v_hf.data.opens2v5m.released.media_folder import Location, MediaFolder
from opens2v_hf.data.opens2v5m.released.split_tar import SplitTar, order_pieces
from opens2v_hf.data.opens2v5m.released.tar_index import build_index
from opens2v_hf.data.opens2v5m.shards.blobs import LazyVideo, read_blob
from opens2v_hf.errors import SourceError

NAMES = ["plain.mp4", "a::b.mp4", "x.tar::y.mp4", "Zoë.mp4", "sub/c.mp4", "empty.mp4"]


@pytest.fixture
def files(tmp_path):
    (folder := tmp_path / "files").mkdir()
    (folder / "sub").mkdir()
    for name in NAMES:
        (folder / name).write_bytes(b"" if name == "empty.mp4" else name.encode())
    return folder


def indexed(folder):
    paths = order_pieces(str(path) for path in folder.glob("part.tar.split.*"))
    build_index(SplitTar([open_source(path) for path in paths]), folder / "part.index.parquet")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("tar", [False, True])
def test_any_name_gives_its_file(files, tmp_path, form, tar) -> None:
    folder = files
    if tar:
        folder = tmp_path / "tar"
        split_tar({f"part/{name}": files / name for name in NAMES}, folder, "part", 700)
        indexed(folder)
    media = MediaFolder(Location(str(folder)), "part")
    for name in NAMES:
        blob = media.locate(unicodedata.normalize(form, name))
        assert read_blob(blob) == (files / name).read_bytes()
    assert read_blob(media.locate("./plain.mp4")) == read_blob(media.locate(".//plain.mp4")) == b"plain.mp4"
    assert read_blob(media.locate("sub//./c.mp4")) == b"sub/c.mp4"
    assert media.locate("none.mp4") is None
    assert media.locate("../files/plain.mp4") is None


def test_a_tar_without_an_index_is_named_for_any_file_name(files, tmp_path) -> None:
    split_tar({name: files / name for name in NAMES}, tmp_path / "tar", "part", 700)
    media = MediaFolder(Location(str(tmp_path / "tar")), "part")
    for name in NAMES:
        with pytest.raises(SourceError) as caught:
            LazyVideo(media.locate(name)).read_bytes()
        assert f"{name} is in the split tar {tmp_path}/tar/part.tar, which has no index" in str(caught.value)


def test_hidden_files_are_ignored(files, tmp_path) -> None:
    """macOS writes `._name` next to every `name`."""
    folder = tmp_path / "tar"
    for path in split_tar({name: files / name for name in NAMES}, folder, "part", 700):
        (folder / f"._{path.name}").write_bytes(b"resource fork")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".hidden").mkdir()
    location = Location(str(folder))
    assert all(not name.startswith(".") for name in [*location.files(), *location.pieces(), *location.folders()])
    indexed(folder)
    assert read_blob(MediaFolder(location, "part").locate("plain.mp4")) == b"plain.mp4"


def test_files_about_a_piece_are_ignored(files, tmp_path) -> None:
    folder = tmp_path / "tar"
    for path in split_tar({name: files / name for name in NAMES}, folder, "part", 700):
        for ending in (".sha256", ".aria2", ".part"):
            path.with_name(path.name + ending).write_bytes(b"x")
    pieces = MediaFolder(Location(folder), "part").tar().pieces
    assert [piece.url for piece in pieces] == sorted(str(path) for path in folder.glob("*.tar.split.[0-9][0-9][0-9]"))
    (folder / "part.tar.split.1").write_bytes(b"a piece again, under another name")
    with pytest.raises(SourceError, match="two files are piece 1"):
        MediaFolder(Location(folder), "part").tar()


def test_a_file_that_is_replaced_by_a_longer_one_is_an_error(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"first")
    assert read_blob({"path": str(path)}) == b"first"
    span = {"spans": [{"url": str(path), "offset": 1, "length": 3}]}
    assert read_blob(span) == b"irs"
    for blob in ({"path": str(path)}, span):
        path.write_bytes(path.read_bytes() + b" and more")
        with pytest.raises(SourceError, match=r"a\.mp4 changed while it was in use"):
            read_blob(blob)
        read_blob(blob)  # what is read from here on is the new file
    with pytest.raises(SourceError, match="it is not the file that was indexed"):
        read_blob({"spans": [{"url": str(path), "offset": 0, "length": 10**15}]})
