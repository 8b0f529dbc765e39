"""The index of a split tar: which bytes of which piece hold each member.

One pass over the headers builds it and skips the content of the members. A pass that was killed resumes.
The index is a Parquet file that names the pieces by their file names, so that it can be moved, also to a Hub repo.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opens2v_hf._util.files import remove_files, whole_file
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.data.opens2v5m.released.split_tar import SplitTar, SplitTarFile
from opens2v_hf.errors import OpenS2VError, SampleError, SourceError

FRAGMENT_MEMBERS = 1024
"""Members between two checkpoints of a pass."""

MAX_TRAILING_BYTES = 64 << 20
"""tar pads its end to 10 KB, or to the record size it was given; what is longer than this belongs to another tar."""

_TAIL_BYTES = 1 << 20
"""Of the padding, read at once."""

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
    ]
)

_METADATA_KEY = b"opens2v_tar_index"


@dataclass(frozen=True)
class Member:
    """A file in a split tar.

    Attributes:
        name: as in the tar, without a leading "./".
        piece: number of the piece, from 0, that holds its first byte.
        offset: of its first byte in that piece.
        length: in bytes; the pieces that follow may hold its end.
    """

    name: str
    piece: int
    offset: int
    length: int


@dataclass(frozen=True)
class Skipped:
    """A member that the index leaves out.

    Attributes:
        name: as in the tar.
        reason: why it is left out.
    """

    name: str
    reason: str


class TarIndex:
    """An index in memory; a member is found in some microseconds, however many there are.

    Attributes:
        pieces: (file name, size in bytes) of each piece.
        skipped: what the tar holds and the index does not.
    """

    def __init__(self, table: pa.Table, pieces: tuple[tuple[str, int], ...], skipped: tuple[Skipped, ...]) -> None:
        self._names = table["name"].combine_chunks()
        self._table = table
        self.pieces = pieces
        self.skipped = skipped
        last_parts = pc.utf8_normalize(pc.replace_substring_regex(self._names, "(?s)^.*/", ""), "NFC")
        rows = pa.table({"last_part": last_parts, "row": pa.array(range(len(table)), pa.int64())})
        self._by_last_part = rows.sort_by([("last_part", "ascending"), ("row", "ascending")]).combine_chunks()

    def __len__(self) -> int:
        return self._table.num_rows

    def __iter__(self) -> Iterator[Member]:
        for row in self._table.to_pylist():
            yield Member(**row)

    def find(self, name: str) -> Member | None:
        """The member of that name, or the only one whose name ends in "/" and that name; None if there is none.

        Names that differ only in how Unicode composes their letters (NFC, NFD) are the same.

        Raises:
            SampleError: several folders of the tar hold a member of that name.
        """
        name = "/".join(part for part in name.split("/") if part not in ("", "."))  # as members are named
        # Of several members of one name the last counts, as when a tar is extracted.
        index = bisect_right(range(len(self._names)), name, key=lambda row: self._names[row].as_py()) - 1
        if index >= 0 and self._names[index].as_py() == name:
            return self._member(index)
        target = unicodedata.normalize("NFC", name)
        found: dict[str, int] = {}
        for row in self._rows_of_last_part(target.rpartition("/")[2]):
            normalized = unicodedata.normalize("NFC", self._names[row].as_py())
            if normalized == target or normalized.endswith(f"/{target}"):
                found[normalized] = row
        if target in found:
            return self._member(found[target])
        if len(found) > 1:
            raise SampleError(f"several members of the tar are named {name!r}: {', '.join(found)}")
        return self._member(*found.values()) if found else None

    def _rows_of_last_part(self, last_part: str) -> Iterator[int]:
        column = self._by_last_part["last_part"].chunk(0) if len(self) else ()
        first = bisect_left(range(len(column)), last_part, key=lambda index: column[index].as_py())
        for index in range(first, len(column)):
            if column[index].as_py() != last_part:
                return
            yield self._by_last_part["row"][index].as_py()

    def _member(self, row: int) -> Member:
        return Member(**{column: self._table[column][row].as_py() for column in SCHEMA.names})


def load_index(file: Path | BinaryIO, *, name: str | None = None) -> TarIndex:
    """Reads an index.

    Args:
        file: a path or an open file.
        name: for messages, where `file` does not say it.

    Raises:
        SourceError: it is no index of this package.
    """
    try:
        # pyarrow takes "a:b/c" for a URL
        table = pq.read_table(file.absolute() if isinstance(file, Path) else file).combine_chunks()
        metadata = json.loads((table.schema.metadata or {})[_METADATA_KEY])
        table = table.select(SCHEMA.names).cast(SCHEMA)
        pieces = tuple((piece, size) for piece, size in metadata["pieces"])
        return TarIndex(table, pieces, tuple(Skipped(**skipped) for skipped in metadata["skipped"]))
    except Exception as error:  # Arrow raises more than its own exceptions for a damaged file
        raise SourceError(f"{name or file} is no index of a split tar: build it again ({error})") from error


def build_index(tar: SplitTar, path: Path, *, progress: Callable[[int], object] | None = None) -> TarIndex:
    """Reads all headers of a split tar once and writes its index.

    A folder next to `path` holds checkpoints until it is done: a build that was killed resumes from them and gives the
    same bytes as one that was not. Folders are left out; links, devices, sparse files and names that lead out of the
    folder are left out and listed in `TarIndex.skipped`.

    Args:
        tar: the pieces.
        path: of the index, a Parquet file.
        progress: called with the offset in the tar reached so far.

    Raises:
        SourceError: the tar is damaged or ends too early, or a piece cannot be read.
    """
    notes = _Notes(path.with_name(path.name + ".partial"), tar)
    for fragment in _read_members(tar, notes.offset, notes.pax_headers, progress):
        notes.add(fragment)
    pieces = tuple((PurePosixPath(piece.url.replace("\\", "/")).name, piece.size) for piece in tar.pieces)
    table, skipped = notes.collect()
    # Equal names keep the order of the tar.
    order = pc.sort_indices(
        table.append_column("row", pa.array(range(len(table)))), [("name", "ascending"), ("row", "ascending")]
    )
    metadata = {"pieces": pieces, "skipped": [{"name": s.name, "reason": s.reason} for s in skipped]}
    table = table.take(order).replace_schema_metadata({_METADATA_KEY: json.dumps(metadata).encode()})
    with whole_file(path) as temporary:
        pq.write_table(table, temporary.absolute(), compression="zstd", row_group_size=1 << 16)
    notes.remove()
    return TarIndex(table, pieces, tuple(skipped))


@dataclass(frozen=True)
class _Fragment:
    members: list[Member]
    skipped: list[Skipped]
    next_offset: int
    pax_headers: dict[str, str]


class _Notes:
    """The checkpoints of a pass: a folder of small Parquet files, each written whole."""

    def __init__(self, folder: Path, tar: SplitTar) -> None:
        self._folder = folder
        self._fingerprint = [piece.size for piece in tar.pieces]
        self.offset = 0
        self.pax_headers: dict[str, str] = {}
        self._count = 0
        paths = sorted(folder.glob("[0-9]*.parquet"))
        for path in paths:
            note = _note_of(path)
            # of other pieces, damaged, or behind one that is missing, whose members would be lost
            if path.stem != f"{self._count:08d}" or note is None or note["pieces"] != self._fingerprint:
                break
            self.offset, self.pax_headers = note["next_offset"], note["pax_headers"]
            self._count += 1
        remove_files(paths[self._count :])
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, fragment: _Fragment) -> None:
        note = {
            "pieces": self._fingerprint,
            "next_offset": fragment.next_offset,
            "pax_headers": fragment.pax_headers,
            "skipped": [{"name": s.name, "reason": s.reason} for s in fragment.skipped],
        }
        rows = [{"name": m.name, "piece": m.piece, "offset": m.offset, "length": m.length} for m in fragment.members]
        table = pa.Table.from_pylist(rows, schema=SCHEMA).replace_schema_metadata(
            {_METADATA_KEY: json.dumps(note).encode()}
        )
        with whole_file(self._folder / f"{self._count:08d}.parquet") as temporary:
            pq.write_table(table, temporary.absolute(), write_page_checksum=True)
        self._count += 1

    def collect(self) -> tuple[pa.Table, list[Skipped]]:
        tables, skipped = [SCHEMA.empty_table()], []
        for path in sorted(self._folder.glob("[0-9]*.parquet")):
            table = pq.read_table(path.absolute())
            skipped += [Skipped(**entry) for entry in json.loads(table.schema.metadata[_METADATA_KEY])["skipped"]]
            tables.append(table.replace_schema_metadata(None).cast(SCHEMA))
        return pa.concat_tables(tables).combine_chunks(), skipped

    def remove(self) -> None:
        shutil.rmtree(self._folder)


def _note_of(path: Path) -> dict[str, Any] | None:
    """The note of a checkpoint that can be read to its end."""
    try:
        table = pq.read_table(path.absolute(), page_checksum_verification=True)
        note = json.loads(table.schema.metadata[_METADATA_KEY])
        return {name: note[name] for name in ("pieces", "next_offset", "pax_headers", "skipped")}
    except Exception as error:  # Arrow raises more than its own exceptions for a damaged file
        if isinstance(error, OSError) and error.errno is not None:  # the disk failed; the checkpoint may be whole
            raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
        return None


def _read_members(
    tar: SplitTar, offset: int, pax_headers: dict[str, str], progress: Callable[[int], object] | None
) -> Iterator[_Fragment]:
    where = shown_url(tar.pieces[0].url) if tar.pieces else "an empty tar"
    file = SplitTarFile(tar)
    file.seek(offset)
    members: list[Member] = []
    skipped: list[Skipped] = []
    archive: tarfile.TarFile | None = None
    reached = offset
    while True:
        try:
            if archive is None:
                archive = tarfile.TarFile(fileobj=file, mode="r", pax_headers=dict(pax_headers), encoding="utf-8")
            info = archive.next()
        except OpenS2VError:
            raise
        except Exception as error:  # tarfile raises more than its own errors for hostile headers
            raise SourceError(f"{where}: the tar is damaged behind byte {reached}: {error}") from error
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every member otherwise
        if info is None:
            _check_end(tar, archive.offset, where)
            yield _Fragment(members, skipped, archive.offset, dict(archive.pax_headers))
            return
        if info.size < 0 or archive.offset <= reached:
            raise SourceError(f"{where}: the tar is damaged at byte {reached}: {info.name!r} has a negative size")
        # The size of a sparse file is that of the whole file, of which the tar holds a part.
        end = archive.offset if info.issparse() else info.offset_data + info.size
        if info.isreg() and end > tar.size:
            missing = end - tar.size
            raise SourceError(
                f"{where}: the tar ends within {info.name!r}, {missing} bytes too early: its last piece is missing or "
                "was not downloaded whole"
            )
        reached = archive.offset
        _sort_in(tar, info, members, skipped)
        if progress is not None:
            progress(reached)
        if len(members) + len(skipped) >= FRAGMENT_MEMBERS:
            yield _Fragment(members, skipped, reached, dict(archive.pax_headers))
            members, skipped = [], []


def _sort_in(tar: SplitTar, info: tarfile.TarInfo, members: list[Member], skipped: list[Skipped]) -> None:
    if info.isdir():
        return
    parts = [part for part in info.name.split("/") if part not in ("", ".")]
    printable = info.name.encode("utf-8", "backslashreplace").decode()
    reason = ""
    if info.issym() or info.islnk():
        reason = "it is a link"
    elif not info.isreg():
        reason = "it is no regular file"
    elif info.issparse():
        reason = "it is a sparse file"
    elif info.name.startswith("/") or ".." in parts or not parts:
        reason = "its name leads out of the folder"
    elif printable != info.name or "\0" in info.name:
        reason = "its name is no valid UTF-8"
    if reason:
        skipped.append(Skipped(printable, reason))
    else:
        members.append(Member("/".join(parts), *tar.locate(info.offset_data), info.size))


def _check_end(tar: SplitTar, offset: int, where: str) -> None:
    block = tar.read(offset, tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise SourceError(
            f"{where}: the tar has no end: its last piece is missing or was not downloaded whole ({tar.size} bytes)"
        )
    if block.strip(b"\0"):
        raise SourceError(f"{where}: the tar is damaged: byte {offset} begins neither a member nor the end")
    for position in range(offset, min(tar.size, offset + MAX_TRAILING_BYTES), _TAIL_BYTES):
        if tar.read(position, _TAIL_BYTES).strip(b"\0"):
            raise SourceError(
                f"{where}: there are members behind the end of the tar at byte {offset}, as where several tars were "
                "joined; extract them (`cat PIECES | tar --extract --ignore-zeros`) and read the folder"
            )
    if tar.size - offset > MAX_TRAILING_BYTES:
        raise SourceError(
            f"{where}: the tar ends at byte {offset}, but its pieces hold {tar.size} bytes: they are of different tars"
        )
