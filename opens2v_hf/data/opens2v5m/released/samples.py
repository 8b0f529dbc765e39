"""The released layout of OpenS2V-5M, in both its forms, local or behind a URL.

    the folder form                                     the form on the Hub
    regular/<part>.json                                 Jsons/mask_and_bbox/<part>.json
    videos/<part>/<file>.mp4                            Videos/<part>/<part>.tar.split.NNN
    foreground/<part>/<sample id>.png                   Background/<part>/...
    cross-frames-pairs/cross_frames_pairs.json          Jsons/cross_video_pairs/cross_frames_pairs.json
    gpt-frames-pairs/<sample id>/*.png                  -

The pictures in "foreground" are, despite the name, the frames with their subjects painted out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.opens2v5m.released.byte_source import ByteSource, open_source, shown_url
from opens2v_hf.data.opens2v5m.released.json_borders import LIST_BORDERS, RECORD_BORDERS, Border
from opens2v_hf.data.opens2v5m.released.json_stream import Entry, Malformed, OnError, read_object
from opens2v_hf.data.opens2v5m.released.media_folder import Location, MediaFolder
from opens2v_hf.data.opens2v5m.released.records import parse_pairs, parse_record
from opens2v_hf.data.opens2v5m.released.rows import pair_row, regular_row
from opens2v_hf.errors import ArgumentError, SampleError, SourceError

Subset = Literal["all", "high-quality"]

_RECORD_FOLDERS = {"all": "mask_and_bbox", "high-quality": "mask_and_bbox_High-Quality"}
_PAIRS_FILE = "cross_frames_pairs.json"

Report = Callable[[Malformed], None]


@dataclass(frozen=True)
class JsonFile:
    """A released JSON object.

    Attributes:
        name: the part whose records it holds, or what else it is called without ".json".
        url: path or URL.
        size: in bytes.
    """

    name: str
    url: str
    size: int


@dataclass(frozen=True)
class ReleasedLayout:
    """The released files that were found; holds no open file and can be pickled.

    Attributes:
        location: the root.
        form: "folder" or "hub".
        parts: the records, a file a part, sorted by name.
        pairs: the files of cross-video pairs; empty without any.
        index_dir: a folder of indices of the split tars.
    """

    location: Location
    form: Literal["folder", "hub"]
    parts: tuple[JsonFile, ...]
    pairs: tuple[JsonFile, ...]
    index_dir: str | None = None
    _media: dict[str, MediaFolder] = field(default_factory=dict, init=False, repr=False, compare=False)

    def videos(self, part: str) -> MediaFolder:
        """The videos of a part."""
        folder = "videos" if self.form == "folder" else "Videos"
        return self._media_folder(self.location.join(folder, part), part)

    def backgrounds(self, part: str) -> MediaFolder:
        """The pictures of a part's frames with their subjects painted out."""
        folder = "foreground" if self.form == "folder" else "Background"
        return self._media_folder(self.location.join(folder, part), f"{part}.background")

    def _media_folder(self, location: Location, index_name: str) -> MediaFolder:
        """Read once in a process: its index may have hundreds of thousands of members."""
        if index_name not in self._media:
            self._media[index_name] = MediaFolder(location, index_name, self.index_dir)
        return self._media[index_name]

    def view_ids(self) -> list[str]:
        """The samples that have synthesised views, sorted."""
        return self.location.join("gpt-frames-pairs").folders() if self.form == "folder" else []

    def open(self, file: JsonFile) -> ByteSource:
        """The bytes of a released JSON file."""
        return open_source(file.url, storage_options=self.location.storage_options, size=file.size)


@checked
def read_layout(
    root: str,
    *,
    subset: Subset = "all",
    index_dir: str | None = None,
    storage_options: dict[str, Any] | None = None,
) -> ReleasedLayout:
    """Finds the released files in a folder or below a URL; reads no record.

    Args:
        root: a folder, or a URL that fsspec supports, e.g. "hf://datasets/BestWishYsh/OpenS2V-5M".
        subset: "high-quality" for the authors' smaller set of records, which only the form on the Hub has.
        index_dir: a folder of indices of the split tars, in addition to those next to their pieces.
        storage_options: for fsspec.

    Raises:
        SourceError: there are no released records.
        ArgumentError: the subset is unknown.
    """
    if subset not in _RECORD_FOLDERS:
        raise ArgumentError(f"subset must be one of {', '.join(_RECORD_FOLDERS)} (got {subset=})")
    location = Location(root, storage_options)
    regular = location.join("regular")
    if subset == "all" and (parts := _json_files(regular)):
        pairs = _json_files(location.join("cross-frames-pairs"), only=_PAIRS_FILE)
        return ReleasedLayout(location, "folder", parts, pairs, index_dir)
    records = location.join("Jsons", _RECORD_FOLDERS[subset])
    parts = _json_files(records)
    if not parts:
        raise SourceError(
            f"{shown_url(location.root)} holds no OpenS2V-5M: it has neither Parquet shards under data/ nor "
            f"regular/<part>.json nor Jsons/{_RECORD_FOLDERS[subset]}/<part>.json"
        )
    pairs = _json_files(location.join("Jsons", "cross_video_pairs"), only=_PAIRS_FILE)
    return ReleasedLayout(location, "hub", parts, pairs, index_dir)


def regular_rows(
    layout: ReleasedLayout,
    part: JsonFile,
    *,
    start: int = 0,
    stop: int | None = None,
    on_error: OnError = "raise",
    report: Report | None = None,
    with_files: bool = True,
    need_videos: bool = False,
) -> Iterator[dict[str, Any]]:
    """Rows of `schema.REGULAR` for the records of a part, or of a byte range of its file.

    Args:
        layout: where the files are.
        part: one of `layout.parts`.
        start: with `stop`, the range, as for `json_stream.read_object`.
        stop: end of the range.
        on_error: "raise" at the first malformed record, or "skip" it.
        report: called with each record that is skipped.
        with_files: whether videos and backgrounds are searched; without, their columns are None.
        need_videos: whether a record without its video is malformed; otherwise opening the video is the error.

    Raises:
        SampleError: a record is malformed; the message names file, id and byte offset.
        SourceError: a file cannot be read.
    """
    videos, backgrounds = layout.videos(part.name), layout.backgrounds(part.name)

    def rows_of(entry: Entry) -> list[dict[str, Any]]:
        record = parse_record(entry.key, entry.value, part.name)
        if not with_files:
            return [regular_row(record, None, None)]
        video = videos.locate(record.path)
        if video is None and need_videos:
            raise SampleError(f"its video {record.path!r} is not in {shown_url(videos.location.root)}")
        video = video or {"path": f"{videos.location.root}/{record.path}"}
        return [regular_row(record, video, backgrounds.locate(f"{record.id}.png"))]

    yield from _rows(layout, part, RECORD_BORDERS, rows_of, start, stop, on_error, report)


def pair_rows(
    layout: ReleasedLayout,
    file: JsonFile,
    *,
    start: int = 0,
    stop: int | None = None,
    on_error: OnError = "raise",
    report: Report | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows of `schema.CROSS_PAIRS`; a malformed pair leaves out its whole cluster. See `regular_rows`."""

    def rows_of(entry: Entry) -> list[dict[str, Any]]:
        return [pair_row(pair) for pair in parse_pairs(entry.key, entry.value)]

    yield from _rows(layout, file, LIST_BORDERS, rows_of, start, stop, on_error, report)


def view_row(layout: ReleasedLayout, sample_id: str) -> dict[str, Any]:
    """A row of `schema.VIEWS`.

    Raises:
        SampleError: the main picture is missing, or the name of a picture is not `<i>_<tag>.png`.
    """
    if sample_id != sample_id.encode(errors="replace").decode():
        raise SampleError(f"the name of the folder {sample_id!r} is no valid UTF-8")
    folder = layout.location.join("gpt-frames-pairs", sample_id)
    names = [name for name in folder.files() if name.endswith(".png")]
    if "main_image.png" not in names:
        raise SampleError(f"{shown_url(folder.root)}: main_image.png is missing")
    views = []
    for name in names:
        number, found, tag = name.encode(errors="backslashreplace").decode().removesuffix(".png").partition("_")
        if name == "main_image.png":
            continue
        if not found or not number.isdecimal() or len(number) > 9:
            raise SampleError(f"{shown_url(folder.root)}/{name}: a view must be called <i>_<tag>.png")
        image = {"bytes": _read_whole(layout, f"{folder.root}/{name}"), "path": name}
        views.append({"index": int(number), "tag": tag.replace("_", " "), "image": image})
    main = {"bytes": _read_whole(layout, f"{folder.root}/main_image.png"), "path": "main_image.png"}
    return {"id": sample_id, "main_image": main, "views": sorted(views, key=lambda view: view["index"])}


def _rows(
    layout: ReleasedLayout,
    file: JsonFile,
    borders: tuple[Border, ...],
    rows_of: Callable[[Entry], list[dict[str, Any]]],
    start: int,
    stop: int | None,
    on_error: OnError,
    report: Report | None,
) -> Iterator[dict[str, Any]]:
    source = layout.open(file)
    for entry in read_object(source, start=start, stop=stop, on_error=on_error, report=report, borders=borders):
        try:
            rows = rows_of(entry)
        except SampleError as error:
            malformed = Malformed(file.url, entry.key, entry.byte_offset, str(error))
            if on_error == "raise":
                raise SampleError(f'{malformed}. Leave the record out with on_error="skip"') from error
            if report is not None:
                report(malformed)
        else:
            yield from rows


def _json_files(location: Location, only: str | None = None) -> tuple[JsonFile, ...]:
    options = location.storage_options
    found = []
    for name, size in location.files().items():
        if name.endswith(".json") and only in (None, name):
            url = f"{location.root}/{name}"
            known = open_source(url, storage_options=options).size if size is None else size
            found.append(JsonFile(name.removesuffix(".json"), url, known))
    return tuple(found)


def _read_whole(layout: ReleasedLayout, url: str) -> bytes:
    source = open_source(url, storage_options=layout.location.storage_options)
    return source.read(0, source.size)
