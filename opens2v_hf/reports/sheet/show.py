"""Find a sample of OpenS2V-5M with its pairs and views, and write the page about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import whole_file
from opens2v_hf.data.opens2v5m.builder import DEFAULT_REPO, OpenS2V5M
from opens2v_hf.data.opens2v5m.filters import Filters
from opens2v_hf.data.opens2v5m.released.json_stream import Malformed
from opens2v_hf.errors import ArgumentError, ImageError, SampleError, SourceError
from opens2v_hf.reports.sheet.page import render_page
from opens2v_hf.reports.sheet.shown import PairSide, Shown, ShownClip, ShownPair, ShownViews, shown_clip, shown_views

Config = Literal["regular", "cross_pairs", "views"]

NUM_FRAMES = 8
"""Frames of the clip that a sheet shows by default."""

MOST_PAIRS = 4
"""Pairs that a sheet shows by default."""


_SIDES = ("current", "other")
_MOST_CANDIDATES = 64
_MOST_DIGITS = 15


@dataclass(frozen=True)
class DatasetLocation:
    """The location of a dataset: arguments of the builder."""

    data_dir: str | None = None  # a folder or URL, in the released layout or with converted shards
    repo: str | None = None  # a dataset repo on the Hub instead; by default upstream's
    revision: str | None = None  # of the repo
    index_dir: str | None = None  # a folder of indices of the split tars
    token: str | None = None  # for the Hub; None for that of the login
    # malformed records that were skipped while rows were read
    left_out: list[Malformed] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        """For messages."""
        return self.data_dir or self.repo or DEFAULT_REPO

    def builder(
        self,
        config: Config,
        *,
        filters: Filters | None = None,
        columns: list[str] | None = None,
        preset: str | None = None,
    ) -> OpenS2V5M:
        """The builder of a config, which skips malformed records; filters, columns and preset are its own.

        Raises:
            SourceError: the dataset is missing, or has nothing of the config.
            ArgumentError: arguments do not fit together.
        """
        options = {"data_dir": self.data_dir, "repo": self.repo, "revision": self.revision, "index_dir": self.index_dir}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        given.update(config_name=config, token=self.token, filters=filters, columns=columns, preset=preset)
        builder = OpenS2V5M(on_error="skip", **given)
        builder.left_out = self.left_out
        return builder

    def rows(self, config: Config, **chosen: Any) -> Any:
        """The rows of a config as a stream, a `datasets.IterableDataset`; see `builder`."""
        return self.builder(config, **chosen).as_streaming_dataset(split="train")


def fetch(
    location: DatasetLocation,
    sample: str,
    *,
    config: Config = "regular",
    num_frames: int = NUM_FRAMES,
    most_pairs: int | None = None,
) -> Shown:
    """The content of a sheet about a sample.

    Args:
        location: of the dataset.
        sample: its id, or `<part>/<id>` where parts share ids, or the number of its row counted from 0.
        config: "regular" for the clip with its pairs and views; "cross_pairs" for the pairs of a sample, of a cluster
            or in a row alone; "views" for the synthesised views alone.
        num_frames: of the clip.
        most_pairs: that are shown. By default `MOST_PAIRS`, and none where the released layout would have to be read
            over a network for them.

    Raises:
        SampleError: the sample is missing, or its record is malformed.
        ImageError: its frame is broken, where views alone are shown.
        SourceError: the dataset cannot be read.
        ArgumentError: an argument cannot be used.
    """
    shown = _fetch(location, sample, config, num_frames, most_pairs)
    malformed = list(dict.fromkeys(location.left_out))
    if not malformed:
        return shown
    note = f"{len(malformed)} malformed records were left out, the first: {malformed[0]}"
    return replace(shown, notes=(*shown.notes, note))


def _fetch(location: DatasetLocation, sample: str, config: Config, num_frames: int, most_pairs: int | None) -> Shown:
    if config == "views":
        views = shown_views(_find(location, "views", sample))
        return Shown(views.id, views=views)
    if config == "cross_pairs":
        pairs, notes = _drawn(location, _pair_rows(location, sample), MOST_PAIRS if most_pairs is None else most_pairs)
        return Shown(f"Pairs of {sample}", pairs=pairs, notes=notes)
    if config != "regular":
        raise ArgumentError(f"config must be regular, cross_pairs or views (got {config=})")
    return complete(location, _find(location, "regular", sample), num_frames=num_frames, most_pairs=most_pairs)


def complete(
    location: DatasetLocation, row: Mapping[str, Any], *, num_frames: int = NUM_FRAMES, most_pairs: int | None = None
) -> Shown:
    """A row of the config "regular" with its pairs and views; see `fetch`."""
    if most_pairs is not None and most_pairs < 0:
        raise ArgumentError(f"the number of pairs cannot be negative (got {most_pairs=})")
    clip = shown_clip(row, num_frames=num_frames)
    notes: list[str] = []
    pairs: tuple[ShownPair, ...] = ()
    views = None
    if most_pairs is None and _is_slow(location):
        notes.append(
            f"Pairs and views were not searched for: {location.name} is in its released layout, which would have to be "
            "read whole. Convert it, or ask for pairs."
        )
    elif most_pairs != 0:
        try:
            ranked = _ranked(_pairs_of(location, clip.id, clip.part))
            pairs, problems = _drawn(location, ranked, MOST_PAIRS if most_pairs is None else most_pairs, clip)
            notes += problems
        except (SourceError, SampleError) as error:
            notes.append(f"No pairs: {error}.")
        try:
            views = _views_of(location, clip.id)
        except (SourceError, SampleError, ImageError) as error:
            notes.append(f"No views: {error}.")
    return Shown(clip.id, clip, pairs, views, tuple(notes))


def check_path(path: str | os.PathLike[str] | None) -> None:
    """Refuse a name that does not end in .html, before anything is read for it.

    Raises:
        ArgumentError: it does not.
    """
    if path is not None and Path(path).suffix.lower() != ".html":
        raise ArgumentError(
            f"the sheet is a web page: out must end in .html (got {os.fspath(path)!r}); "
            "a browser can print or capture it as a picture"
        )


@checked
def write_sheet(shown: Shown, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the page about a sample.

    Args:
        shown: what it shows.
        path: of the file; by default named after the sample, in the working folder.

    Raises:
        ArgumentError: the path does not end in .html.
        ResultError: the file cannot be written.
    """
    check_path(path)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", shown.title).strip("._")
    target = Path(f"{name}.html" if path is None else path)
    page = render_page(shown)
    with whole_file(target) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return target


def view_key(sample_id: str) -> str:
    """The common part of the ids of a clip and its views: the steps that cut them, not those that filtered them.

    >>> view_key("a_part2_step1-0-95_step2-0-95_step3_step4_step5")
    'a_part2_step1-0-95_step2-0-95'
    >>> view_key("a_part2_step1-0-95_step2-0-95_step4_step5_step6")
    'a_part2_step1-0-95_step2-0-95'
    """
    return re.sub(r"(_step\d+)+$", "", sample_id)


def _find(location: DatasetLocation, config: Config, sample: str) -> dict[str, Any]:
    if sample.isdecimal():
        number = int(sample) if len(sample) <= _MOST_DIGITS else None
        found = None if number is None else next(iter(_rows(location, config).skip(number)), None)
        if found is None:
            raise SampleError(f"{location.name} has no row {sample} of the config {config!r}")
        return found
    part, _, sample_id = sample.rpartition("/")
    conditions = [("id", "==", sample_id), *([("part", "==", part)] if part else [])]
    found = next(iter(_rows(location, config, filters=conditions)), None)
    if found is None:
        malformed = next((record for record in location.left_out if record.key == sample_id), None)
        if malformed is not None:
            raise SampleError(str(malformed))
        first = [row["id"] for row in islice(location.rows(config, columns=["id"]), 3)]
        raise SampleError(f"{location.name} has no sample {sample!r} of the config {config!r}; its first are {first}")
    return found


def _rows(location: DatasetLocation, config: Config, **chosen: Any) -> Any:
    """Rows whose images are not decoded yet, so that a broken one is an error of its own sample."""
    return location.rows(config, **chosen).decode(False) if config == "views" else location.rows(config, **chosen)


def _is_slow(location: DatasetLocation) -> bool:
    layout = location.builder("regular", columns=["id"]).layout
    return layout is not None and "://" in layout.location.root


def _pairs_of(location: DatasetLocation, sample_id: str, part: str | None) -> Iterator[dict[str, Any]]:
    """The pairs of a sample, the sample's own side made the current one."""
    either = [[("current_id", "==", sample_id)], [("other_id", "==", sample_id)]]
    for row in location.rows("cross_pairs", filters=either):
        if row["current_id"] == sample_id and part in (None, row["current_part"]):
            yield row
        elif row["other_id"] == sample_id and part in (None, row["other_part"]):
            yield _turned(row)


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    sides = {"current": "other", "other": "current"}

    def name(column: str) -> str:
        side, _, rest = column.partition("_")
        return f"{sides[side]}_{rest}" if side in sides else column

    return {name(column): value for column, value in row.items()}


def _ranked(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By similarity; those first that show another subject or another clip than the ones before."""
    fresh: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    seen = set()
    for row in sorted(rows, key=lambda row: -row["image_similarity"]):
        key = (row["current_subject_id"], row["other_part"], row["other_id"])
        (rest if key in seen else fresh).append(row)
        seen.add(key)
    return [*fresh, *rest]


def _pair_rows(location: DatasetLocation, sample: str) -> list[dict[str, Any]]:
    if sample.isdecimal():
        return [_find(location, "cross_pairs", sample)]
    part, _, sample_id = sample.rpartition("/")
    rows = _ranked(_pairs_of(location, sample_id, part or None))
    rows = rows or _ranked(location.rows("cross_pairs", filters=[("cluster_id", "==", sample)]))
    if not rows:
        raise SampleError(f"{location.name} has no pair of a sample or cluster {sample!r}")
    return rows


def _drawn(
    location: DatasetLocation, ranked: Sequence[Mapping[str, Any]], count: int, known: ShownClip | None = None
) -> tuple[tuple[ShownPair, ...], tuple[str, ...]]:
    """The first pairs with both subjects cut out, those first whose subjects are what the pair calls them.

    Args:
        location: where their clips are looked up, in one pass.
        ranked: rows of the config "cross_pairs".
        count: of the pairs that are drawn.
        known: a clip that need not be looked up.
    """
    candidates = ranked[:_MOST_CANDIDATES]
    keys = {(row[f"{side}_part"], row[f"{side}_id"]) for row in candidates for side in _SIDES}
    clips: dict[tuple[str, str], ShownClip] = {} if known is None else {(known.part, known.id): known}
    found = _look_up(location, keys - set(clips))

    def label_of(row: Mapping[str, Any], side: str) -> str | None:
        key, number = (row[f"{side}_part"], row[f"{side}_id"]), row[f"{side}_subject_id"]
        if key in clips:
            return next((subject.label for subject in clips[key].subjects if subject.id == number), None)
        return next((s["label"] for s in found.get(key, {}).get("subjects", ()) if s["id"] == number), None)

    def side_of(row: Mapping[str, Any], side: str) -> PairSide:
        key, number = (row[f"{side}_part"], row[f"{side}_id"]), row[f"{side}_subject_id"]
        if key in found and key not in clips:
            clips[key] = shown_clip({**found[key], "background": None}, num_frames=1)
        label, actual = row[f"{side}_label"], label_of(row, side)
        if key not in clips:
            return PairSide(*key, label, number, None, "not in the dataset")
        if actual != label:
            return PairSide(*key, label, number, None, f"{number} is {actual!r} there")
        subject = clips[key].subject(number)
        return PairSide(*key, label, number, subject.picture if subject is not None else None, "no picture")

    chosen = sorted(candidates, key=lambda row: any(label_of(row, side) != row[f"{side}_label"] for side in _SIDES))
    pairs = tuple(
        ShownPair(side_of(row, "current"), side_of(row, "other"), row["text_similarity"], row["image_similarity"])
        for row in chosen[:count]
    )
    problems = {problem for clip in clips.values() if clip is not known for problem in clip.problems}
    return pairs, tuple(sorted(problems))


def _look_up(location: DatasetLocation, keys: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    if keys:
        for row in location.rows("regular", filters=[("id", "in", sorted({sample_id for _, sample_id in keys}))]):
            if (row["part"], row["id"]) in keys:
                found[row["part"], row["id"]] = row
            if len(found) == len(keys):
                break
    return found


def _views_of(location: DatasetLocation, sample_id: str) -> ShownViews | None:
    key = view_key(sample_id)
    around = [("id", ">=", key), ("id", "<", key + "\U0010ffff")]
    row = next((row for row in _rows(location, "views", filters=around) if view_key(row["id"]) == key), None)
    return None if row is None else shown_views(row)
