"""Split tars, with Python's tarfile as the writer and the oracle."""

import errno
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from helpers.range_server import RangeServer
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.data.opens2v5m.released import tar_index
from opens2v_hf.data.opens2v5m.released.byte_source import open_source
from opens2v_hf.data.opens2v5m.released.split_tar import SplitTar, order_pieces
from opens2v_hf.data.opens2v5m.released.tar_index import Skipped, build_index, load_index
from opens2v_hf.errors import SampleError, SourceError

LONG = "folder/" + "n" * 180 + ".mp4"


def members(count: int = 40) -> dict[str, bytes]:
    rng = random.Random(3)
    some = {f"total_part1/clip_{n:03d}.mp4": rng.randbytes(rng.randrange(0, 3000)) for n in range(count)}
    return {**some, LONG: b"long", "total_part1/ü.mp4": b"umlaut", "a.mp4": b""}


def make_tar(contents: dict[str, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def split(data: bytes, folder, size: int) -> SplitTar:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, begin in enumerate(range(0, len(data), size)):
        paths.append(folder / f"total_part1.tar.split.{number:03d}")
        paths[-1].write_bytes(data[begin : begin + size])
    return SplitTar([open_source(path) for path in order_pieces(map(str, paths))])


def read(tar: SplitTar, member: tar_index.Member) -> bytes:
    return tar.read(tar.offset_of(member.piece, member.offset), member.length)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, "global"])
@pytest.mark.parametrize("size", [700, 10_240, 10**7])
def test_every_member_is_read_across_borders(tmp_path, format, size) -> None:
    contents = members()
    if format == "global":
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "all"}) as tar:
            for name, content in contents.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        data = buffer.getvalue()
    else:
        data = make_tar(contents, format)
    tar = split(data, tmp_path / "pieces", size)
    build_index(tar, tmp_path / "index.parquet")
    index = load_index(tmp_path / "index.parquet")
    assert {member.name: read(tar, member) for member in index} == contents
    assert [name for name, _ in index.pieces] == [f"total_part1.tar.split.{n:03d}" for n in range(len(tar.pieces))]
    for member in index:
        spans = tar.spans(tar.offset_of(member.piece, member.offset), member.length)
        joined = b"".join(Path(span.url).read_bytes()[span.offset :][: span.length] for span in spans)
        assert joined == contents[member.name]
    assert index.skipped == ()


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 1500), max_size=6), piece=st.integers(100, 5000))
def test_any_sizes_and_borders(tmp_path_factory, sizes, piece) -> None:
    folder = tmp_path_factory.mktemp("tar")
    contents = {f"{n}.mp4": os.urandom(size) for n, size in enumerate(sizes)}
    tar = split(make_tar(contents), folder, piece)
    index = build_index(tar, folder / "index.parquet")
    assert {member.name: read(tar, member) for member in index} == contents


def test_data_is_not_read_to_build_the_index(tmp_path) -> None:
    data = make_tar({f"{n}.mp4": bytes(1_000_000) for n in range(8)})
    split(data, tmp_path, 3_000_000)
    with RangeServer(tmp_path).running() as server:
        pieces = [f"{server.url}/total_part1.tar.split.{n:03d}" for n in range(3)]
        tar = SplitTar([open_source(url) for url in pieces])
        index = build_index(tar, tmp_path / "index.parquet")
        assert len(index) == 8
        asked = [tuple(map(int, r[6:].split("-"))) for method, _, r in server.requests if method == "GET"]
        assert sum(end - begin + 1 for begin, end in asked) < 100_000
        server.requests.clear()
        # The third member lies across the border of the first two pieces.
        member = index.find("2.mp4")
        assert member.piece == 0
        assert read(tar, member) == bytes(1_000_000)
        got = [(path[-3:], r) for method, path, r in server.requests if method == "GET"]
        assert [name for name, _ in got] == ["000", "001"]
        assert got[1][1].startswith("bytes=0-")


def test_members_are_found_by_their_last_part_too(tmp_path) -> None:
    data = make_tar({"./x/a.mp4": b"1", "y/b.mp4": b"2", "x/b.mp4": b"3", "c.mp4": b"4"})
    index = build_index(split(data, tmp_path, 10**6), tmp_path / "index.parquet")
    assert index.find("a.mp4") == index.find("x/a.mp4") is not None
    assert index.find("c.mp4").name == "c.mp4"
    assert index.find("d.mp4") is None
    with pytest.raises(SampleError, match=r"'b\.mp4': x/b\.mp4, y/b\.mp4"):
        index.find("b.mp4")


def test_members_are_found_by_their_last_folders_too(tmp_path) -> None:
    data = make_tar(
        {"total_part1/sub/a.mp4": b"1", "total_part1/sub/deep/b.mp4": b"22", "total_part1/xsub/a.mp4": b"3"}
    )
    tar = split(data, tmp_path, 10**6)
    index = build_index(tar, tmp_path / "index.parquet")
    assert read(tar, index.find("sub/a.mp4")) == b"1"
    assert read(tar, index.find("sub/deep/b.mp4")) == read(tar, index.find("deep/b.mp4")) == b"22"
    assert index.find("ub/a.mp4") is None
    assert build_index(split(make_tar({}), tmp_path / "none", 10**6), tmp_path / "none.parquet").find("a") is None


def test_a_member_of_a_folder_of_its_own_is_found_at_once(tmp_path) -> None:
    folders = 3_000
    data = make_tar({f"{n:05d}/clip{n}.mp4": b"" for n in range(folders)})
    index = build_index(split(data, tmp_path, 10**7), tmp_path / "index.parquet")
    begin = time.perf_counter()
    assert all(index.find(f"clip{n}.mp4").name == f"{n:05d}/clip{n}.mp4" for n in range(0, folders, 10))
    assert all(index.find(f"no{n}.mp4") is None for n in range(300))
    assert time.perf_counter() - begin < 5  # a look into each folder took 40 s


@pytest.mark.parametrize(("there", "asked"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_are_the_same_however_their_letters_are_composed(tmp_path, there, asked) -> None:
    name = "Zoë café/né.mp4"
    data = make_tar({"x/" + unicodedata.normalize(there, name): b"1", "other.mp4": b"2"})
    tar = split(data, tmp_path, 10**6)
    index = build_index(tar, tmp_path / "index.parquet")
    assert read(tar, index.find(unicodedata.normalize(asked, name))) == b"1"
    assert read(tar, index.find(unicodedata.normalize(asked, "né.mp4"))) == b"1"


def gnu_tar(folder: Path, *options: str) -> bytes:
    if shutil.which("tar") is None:
        pytest.skip("needs GNU tar")
    done = subprocess.run(["tar", "-cf", "-", *options], cwd=folder, capture_output=True, check=True)
    return done.stdout


@pytest.mark.parametrize("format", ["gnu", "pax", "oldgnu"])
def test_tars_of_gnu_tar(tmp_path, format) -> None:
    """Long names, a hard link, a symbolic link, folders, and a sparse file as the last member."""
    (folder := tmp_path / "files" / ("d" * 120) / ("e" * 120)).mkdir(parents=True)
    (folder / "a::b.mp4").write_bytes(b"abc" * 999)
    (folder / "hard.mp4").hardlink_to(folder / "a::b.mp4")
    (folder / "soft.mp4").symlink_to("/etc/passwd")
    with (tmp_path / "files" / "z.mp4").open("wb") as file:
        file.truncate(10 << 20)
        file.seek(5 << 20)
        file.write(b"data")
    data = gnu_tar(tmp_path / "files", f"--format={format}", "--sparse", "--sort=name", ".")
    assert len(data) < 1 << 20
    tar = split(data, tmp_path / "pieces", 1000)
    index = build_index(tar, tmp_path / "index.parquet")
    with tarfile.open(fileobj=io.BytesIO(data)) as oracle:
        kept = {m.name.removeprefix("./"): m for m in oracle if m.isreg() and not m.issparse()}
        assert [member.name for member in index] == sorted(kept)
        for member in index:
            assert read(tar, member) == oracle.extractfile(kept[member.name]).read()
    assert sorted(skipped.reason for skipped in index.skipped) == [
        "it is a link",
        "it is a link",
        "it is a sparse file",
    ]
    sparse_cut = data[: data.rindex(b"data")]
    with pytest.raises(SourceError, match=r"ends within|no end"):
        build_index(split(sparse_cut, tmp_path / "cut", 10**6), tmp_path / "cut.parquet")


@pytest.mark.parametrize("gap", [0, 512, 100_000])
def test_members_behind_the_end_mark_are_not_lost_in_silence(tmp_path, gap) -> None:
    data = make_tar({"a.mp4": b"1"}) + bytes(gap) + make_tar({"b.mp4": b"2"})
    with pytest.raises(SourceError, match="there are members behind the end of the tar at byte 1024"):
        build_index(split(data, tmp_path, 10**6), tmp_path / "index.parquet")
    padded = make_tar({"a.mp4": b"1"}) + bytes(500_000)
    assert len(build_index(split(padded, tmp_path / "padded", 10**6), tmp_path / "padded.parquet")) == 1


def test_the_last_of_equal_names_counts(tmp_path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for content in (b"old", b"newer"):
            info = tarfile.TarInfo("a.mp4")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    tar = split(buffer.getvalue(), tmp_path, 10**6)
    assert read(tar, build_index(tar, tmp_path / "index.parquet").find("a.mp4")) == b"newer"


def test_members_that_are_no_regular_files_are_left_out_and_listed(tmp_path) -> None:
    buffer = io.BytesIO()
    kinds = {
        "link": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "pipe": tarfile.FIFOTYPE,
        "folder": tarfile.DIRTYPE,
        "../out.mp4": tarfile.REGTYPE,
        "/etc/out.mp4": tarfile.REGTYPE,
        "x/../../out.mp4": tarfile.REGTYPE,
        "bad\udcff.mp4": tarfile.REGTYPE,
        "good.mp4": tarfile.REGTYPE,
    }
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "good.mp4"
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    tar = split(buffer.getvalue(), tmp_path, 1000)
    build_index(tar, tmp_path / "index.parquet")
    index = load_index(tmp_path / "index.parquet")
    assert [member.name for member in index] == ["good.mp4"]
    assert read(tar, index.find("good.mp4")) == b"abc"
    assert index.skipped == (
        Skipped("link", "it is a link"),
        Skipped("hard", "it is a link"),
        Skipped("pipe", "it is no regular file"),
        Skipped("../out.mp4", "its name leads out of the folder"),
        Skipped("/etc/out.mp4", "its name leads out of the folder"),
        Skipped("x/../../out.mp4", "its name leads out of the folder"),
        Skipped("bad\\udcff.mp4", "its name is no valid UTF-8"),
    )


def test_a_truncated_tar_is_an_error(tmp_path) -> None:
    contents = {"a.mp4": b"a" * 2000, "b.mp4": b"b" * 3000}
    data = make_tar(contents)
    end = 512 + 2048 + 512 + 3072
    for length, message in {
        end - 100: r"ends within 'b\.mp4', 28 bytes too early",
        end: "the tar has no end",
        512 + 1000: r"ends within 'a\.mp4', 1000 bytes too early",
        512 + 2048 + 100: "the tar has no end|unexpected end",
    }.items():
        tar = split(data[:length], tmp_path / str(length), 10**6)
        with pytest.raises(SourceError, match=message):
            build_index(tar, tmp_path / "index.parquet")
        assert not (tmp_path / "index.parquet").exists()


def test_names_do_not_depend_on_the_locale(tmp_path, monkeypatch) -> None:
    tar = split(make_tar({"été.mp4": b"x"}), tmp_path, 10**6)
    monkeypatch.setattr(tarfile.TarFile, "encoding", "latin-1")
    assert [member.name for member in build_index(tar, tmp_path / "index.parquet")] == ["été.mp4"]


def test_a_damaged_tar_is_an_error(tmp_path, monkeypatch) -> None:
    data = bytearray(make_tar({f"{n}.mp4": b"x" * 600 for n in range(4)}))
    data[2 * 1536 + 5] ^= 0xFF
    with pytest.raises(SourceError, match="byte 3072 begins neither a member nor the end"):
        build_index(split(bytes(data), tmp_path / "a", 10**6), tmp_path / "index.parquet")
    padded = make_tar({"a.mp4": b"x"}) + bytes(2 << 20)  # as with `tar --blocking-factor 8192`
    assert len(build_index(split(padded, tmp_path / "padded", 10**7), tmp_path / "padded.parquet")) == 1
    monkeypatch.setattr(tar_index, "MAX_TRAILING_BYTES", 1 << 20)
    two = make_tar({"a.mp4": b"x"}) + bytes(2 << 20)
    with pytest.raises(SourceError, match="of different tars"):
        build_index(split(two, tmp_path / "b", 10**6), tmp_path / "index.parquet")
    with pytest.raises(SourceError, match="damaged"):
        build_index(split(os.urandom(5000), tmp_path / "c", 10**6), tmp_path / "index.parquet")


def test_hostile_sizes_are_errors_without_memory(tmp_path) -> None:
    huge = tarfile.TarInfo("huge.mp4")
    huge.size = 1 << 60
    header = huge.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(SourceError, match=r"ends within 'huge\.mp4'"):
        build_index(split(header + bytes(1024), tmp_path / "a", 10**6), tmp_path / "index.parquet")
    long_name = tarfile.TarInfo("x")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    data = long_name.tobuf(tarfile.GNU_FORMAT) + bytes(65 << 20)
    with pytest.raises(SourceError, match="a header of 67108864 bytes"):
        build_index(split(data, tmp_path / "b", 10**9), tmp_path / "index.parquet")
    negative = tarfile.TarInfo("n.mp4")
    negative.size = -4096
    data = negative.tobuf(tarfile.GNU_FORMAT) + make_tar({"a": b"b"})
    with pytest.raises(SourceError, match="damaged"):
        build_index(split(data, tmp_path / "c", 10**6), tmp_path / "index.parquet")
    chain = tarfile.TarInfo("x")
    chain.type, chain.size = tarfile.GNUTYPE_LONGNAME, 1
    data = (chain.tobuf(tarfile.GNU_FORMAT) + b"a" + bytes(511)) * 3000
    with pytest.raises(SourceError, match="damaged"):
        build_index(split(data, tmp_path / "d", 10**7), tmp_path / "index.parquet")


def test_pieces_are_ordered_by_number_and_a_missing_one_is_an_error() -> None:
    names = [f"d/p.tar.split.{n:03d}" for n in range(12)]
    assert order_pieces(reversed(names)) == names
    assert order_pieces([f"p.tar.split.{n}" for n in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)])[-1] == "p.tar.split.10"
    with pytest.raises(SourceError, match=r"d/p\.tar: piece 004 is missing: 11 pieces from 000 to 011"):
        order_pieces([name for name in names if not name.endswith("004")])
    with pytest.raises(SourceError, match="piece 000 is missing"):
        order_pieces(names[2:])
    with pytest.raises(SourceError, match="different tars"):
        order_pieces(["a.tar.split.000", "b.tar.split.001"])
    with pytest.raises(SourceError, match="no piece"):
        order_pieces(["a.tar.split.000", "a.zip"])
    with pytest.raises(SourceError, match="no pieces"):
        order_pieces([])
    assert order_pieces(["whole.tar"]) == ["whole.tar"]


def test_a_killed_pass_resumes_to_the_same_bytes(tmp_path, monkeypatch) -> None:
    contents = {f"c/{n:04d}.mp4": bytes([n % 256]) * (n % 700) for n in range(300)}
    tar = split(make_tar(contents, tarfile.PAX_FORMAT), tmp_path / "pieces", 9999)
    monkeypatch.setattr(tar_index, "FRAGMENT_MEMBERS", 16)
    build_index(tar, tmp_path / "whole.parquet")
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        from opens2v_hf.data.opens2v5m.released import tar_index
        from opens2v_hf.data.opens2v5m.released.byte_source import open_source
        from opens2v_hf.data.opens2v5m.released.split_tar import SplitTar
        tar_index.FRAGMENT_MEMBERS = 16
        tar = SplitTar([open_source(path) for path in {[piece.url for piece in tar.pieces]!r}])
        def progress(offset):
            print(offset, flush=True)
            if offset > int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
        tar_index.build_index(tar, tar_index.Path({str(tmp_path / "killed.parquet")!r}), progress=progress)
        """
    )
    begins = []
    for stop in (tar.size // 3, 2 * tar.size // 3):
        done = subprocess.run([sys.executable, "-c", script, str(stop)], capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        begins.append(int(done.stdout.split()[0]))
        assert not (tmp_path / "killed.parquet").exists()
    assert begins[0] < begins[1]
    seen = []
    build_index(tar, tmp_path / "killed.parquet", progress=seen.append)
    assert seen[0] > tar.size // 2
    assert (tmp_path / "killed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert pq.read_table(tmp_path / "killed.parquet").num_rows == 300
    assert not (tmp_path / "killed.parquet.partial").exists()


def test_checkpoints_of_other_pieces_are_discarded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tar_index, "FRAGMENT_MEMBERS", 2)
    old = split(make_tar({f"{n}.mp4": b"x" * 600 for n in range(9)})[:8000], tmp_path / "old", 10**6)
    with pytest.raises(SourceError):
        build_index(old, tmp_path / "index.parquet")
    assert list((tmp_path / "index.parquet.partial").iterdir())
    new = split(make_tar({"n.mp4": b"new"}), tmp_path / "new", 10**6)
    assert [member.name for member in build_index(new, tmp_path / "index.parquet")] == ["n.mp4"]


@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(path.read_bytes()[:10] + bytes(200) + path.read_bytes()[210:]),
        lambda path: pq.write_table(pq.read_table(path).replace_schema_metadata(None), path),
    ],
    ids=["missing", "empty", "cut", "overwritten", "without note"],
)
def test_checkpoints_that_are_missing_or_damaged_lose_no_member(tmp_path, monkeypatch, harm) -> None:
    monkeypatch.setattr(tar_index, "FRAGMENT_MEMBERS", 2)
    data = make_tar({f"{n}.mp4": b"x" * 600 for n in range(9)})
    with pytest.raises(SourceError):  # its end is not downloaded yet
        build_index(split(data[: 7 * 1536].ljust(len(data), b"x"), tmp_path, 10**6), tmp_path / "index.parquet")
    partial = tmp_path / "index.parquet.partial"
    assert len(list(partial.iterdir())) == 3
    harm(partial / "00000001.parquet")
    seen = []
    index = build_index(split(data, tmp_path, 10**6), tmp_path / "index.parquet", progress=seen.append)
    assert len(index) == 9
    assert seen[0] == 3 * 1536  # behind the checkpoint before it, of two members


def test_a_disk_that_fails_costs_no_checkpoint(tmp_path, monkeypatch) -> None:
    def fail(*given: object, **options: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(tar_index, "FRAGMENT_MEMBERS", 2)
    data = make_tar({f"{n}.mp4": b"x" * 600 for n in range(9)})
    with pytest.raises(SourceError):
        build_index(split(data[:8000], tmp_path, 10**6), tmp_path / "index.parquet")
    before = sorted((tmp_path / "index.parquet.partial").iterdir())
    monkeypatch.setattr(tar_index.pq, "read_table", fail)
    with pytest.raises(SourceError, match=r"00000000\.parquet: Input/output error"):
        build_index(split(data, tmp_path, 10**6), tmp_path / "index.parquet")
    assert before
    assert sorted((tmp_path / "index.parquet.partial").iterdir()) == before


def test_a_file_that_is_no_index(tmp_path) -> None:
    (tmp_path / "index.parquet").write_bytes(b"not parquet")
    with pytest.raises(SourceError, match="no index of a split tar"):
        load_index(tmp_path / "index.parquet")
