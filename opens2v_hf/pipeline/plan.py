"""Estimate the time and storage of a build: by published rates, each with its source, or measured on some videos."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import av

from opens2v_hf._util.files import visible_files
from opens2v_hf._util.progress import duration
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import ArgumentError, SourceError, VideoError
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.api import build_dataset, choose_stages
from opens2v_hf.pipeline.inputs import InputFile, list_input
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.records import SourceFile
from opens2v_hf.pipeline.stage import Stage
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.source import Source

_HEADERS = 200
"""Most files whose headers are read; the others are assumed to have as many seconds a byte."""
_FETCHED = 8
"""The same for remote storage, whose files are copied whole."""


@dataclass(frozen=True)
class Cost:
    """Estimated cost of one stage.

    Attributes:
        stage: its name.
        model: by name, as far as the stage has one.
        low: the least that it may take.
        high: the most.
        unit: of both, e.g. "GPU hours".
        source: of the rate.
    """

    stage: str
    model: str
    low: float | None
    high: float | None
    unit: str
    source: str


@dataclass(frozen=True)
class BuildPlanned:
    """Estimate of a build's time, storage and cost. `print` shows it as a table.

    Attributes:
        num_files: videos of the input.
        num_bytes: of these.
        hours: of video, by the headers of some.
        num_headers: files whose headers were read.
        unreadable: of these.
        clips: about how many there will be: those that remain where it was measured, else before any is dropped.
        gigabytes: about what they will take, in thousands of millions of bytes.
        costs: by stage.
        notes: a sentence each.
        is_measured: on some of the videos; published rates otherwise.
    """

    num_files: int
    num_bytes: int
    hours: float
    num_headers: int
    unreadable: int
    clips: float
    gigabytes: float
    costs: tuple[Cost, ...]
    notes: tuple[str, ...] = field(default=())
    is_measured: bool = False

    def __str__(self) -> str:
        """A table."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.num_files:,} videos, {self.num_bytes / 1e9:.3g} GB, about {self.hours:.3g} hours "
            f"(headers of {self.num_headers:,}, {self.unreadable} unreadable)"
        )
        which = "that remain" if self.is_measured else "before any is dropped"
        yield f"about {self.clips:,.0f} clips {which}, {self.gigabytes:.3g} GB of shards"
        for cost in self.costs:
            model = f" ({cost.model})" if cost.model else ""
            if cost.low is None or cost.high is None:
                yield f"{cost.stage}{model}: {cost.source}"
                continue
            amount = f"{cost.low:.3g}" if cost.low == cost.high else f"{cost.low:.3g} to {cost.high:.3g}"
            yield f"{cost.stage}{model}: {amount} {cost.unit}; {cost.source}"
        for unit in ("GPU hours", "CPU hours"):
            of_unit = [cost for cost in self.costs if cost.unit == unit and cost.low is not None]
            if of_unit:
                low, high = (sum(getattr(cost, name) for cost in of_unit) for name in ("low", "high"))
                yield f"together: {low:.3g} to {high:.3g} {unit}" if low != high else f"together: {low:.3g} {unit}"
        yield from (f"note: {note}" for note in self.notes)


def plan_build(
    source: str | os.PathLike[str],
    *,
    options: BuildOptions | None = None,
    stages: Sequence[str | Stage] | None = None,
    limit: int | None = None,
    probe: int | None = None,
    views_model: str | None = None,
) -> BuildPlanned:
    """Say what a build will take, without making anything.

    Args:
        source: as for `build`.
        options: likewise.
        stages: likewise.
        limit: likewise.
        probe: measure the stages on the first so many videos, in a temporary folder, instead of published rates; then
            hours are those of one process of this machine.
        views_model: that will make views.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SourceError: the input cannot be listed, holds no video, or none whose header can be read.
        OpenS2VError: with `probe`, any error of `build`.
    """
    options = options or BuildOptions()
    chosen = choose_stages(options, stages)
    listing = list_input(source)
    found = listing.files if limit is None else listing.files[:limit]
    if not found:
        root = shown_url(listing.root)
        raise SourceError(f"{root} holds no video; {listing.num_others} other files were found there")
    num_bytes = sum(file.num_bytes for file in found)
    seconds, read_bytes, num_headers, unreadable = _headers(found)
    if not seconds:
        raise SourceError(
            f"{shown_url(listing.root)}: none of the {num_headers} headers that were read is that of a video"
        )
    hours = seconds / 3600 * (num_bytes / read_bytes)
    constants = _constants()
    notes = []
    if probe is not None:
        if isinstance(probe, bool) or probe < 1:
            raise ArgumentError(f"probe must be a number of videos from 1 (got {probe!r})")
        clips, gigabytes, costs = _measured(source, options, stages, probe, hours)
        notes.append("hours are those of one process of this machine; loading the models is not counted")
    else:
        clips = hours * 3600 / constants["clip_seconds"]["value"]
        gigabytes = clips * constants["clip_megabytes"]["value"] / 1000
        costs = [_published(stage, hours, clips, constants, options) for stage in chosen]
        notes.append(f"length of a clip: {constants['clip_seconds']['source']}")
        notes.append(f"size of a clip: {constants['clip_megabytes']['source']}")
        notes.append("published rates of one model differ tenfold; --probe 20 measures them here")
    if views_model is not None:
        notes.append(_views(views_model, clips, constants))
    return BuildPlanned(
        len(found), num_bytes, hours, num_headers, unreadable, clips, gigabytes, tuple(costs), tuple(notes),
        is_measured=probe is not None,
    )  # fmt: skip


def _constants() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("opens2v_hf.pipeline").joinpath("plan_constants.json").read_text("utf-8"))
    return found


def _headers(found: Sequence[InputFile]) -> tuple[float, int, int, int]:
    """Seconds and bytes of the files with readable headers, the headers tried, and those that could not be read."""
    most = _FETCHED if "://" in found[0].path else _HEADERS
    tried = found[:: -(-len(found) // most)]
    seconds, num_bytes, unreadable = 0.0, 0, 0
    limits = Limits.from_environment()
    for file in tried:
        try:
            path = media.local_path(SourceFile(file.path, file.name))
            source = Source.of(path, file.name)
            with open_container(source, limits) as container:
                video_stream(container, source, limits)
                seconds += (container.duration or 0) / av.time_base
                num_bytes += file.num_bytes
        except VideoError:
            unreadable += 1
    media.forget()
    return seconds, num_bytes, len(tried), unreadable


def _published(stage: Stage, hours: float, clips: float, constants: dict[str, Any], options: BuildOptions) -> Cost:
    model = _model_of(stage)
    if model.startswith(ENDPOINT_PREFIX):
        tokens = constants["caption_tokens"]
        amounts = ", ".join(f"{clips * tokens[kind] / 1e6:,.3g} M {kind} tokens" for kind in ("input", "output"))
        return Cost(stage.name, model, None, None, "", f"about {amounts}; {tokens['source']}")
    for entry in constants["stages"]:
        if entry["stage"] == stage.name and options.scene_detector in entry.get("models", [options.scene_detector]):
            amount = hours if entry["per"] == "video_hour" else clips
            low, high = amount * entry["low"], amount * entry["high"]
            return Cost(stage.name, model, low, high, entry["unit"], entry["source"])
    return Cost(stage.name, model, None, None, "", "no published rate; --probe measures it")


def _model_of(stage: Stage) -> str:
    """The name of the first model that a stage's facts tell of."""
    for value in stage.facts().values():
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return str(value["name"])
    return ""


def _measured(
    source: str | os.PathLike[str],
    options: BuildOptions,
    stages: Sequence[str | Stage] | None,
    probe: int,
    hours: float,
) -> tuple[float, float, list[Cost]]:
    with tempfile.TemporaryDirectory(prefix="opens2v-plan-") as folder:
        made = build_dataset(source, os.path.join(folder, "probe"), options=options, stages=stages, limit=probe)
        if not made.video_seconds:
            raise SourceError(f"none of the {made.num_files} videos that were tried can be read")
        times = hours * 3600 / made.video_seconds
        shards = sum(path.stat().st_size for path in visible_files(made.folder / "data/regular", "*.parquet"))
    measured = f"measured on {made.num_files} videos ({duration(made.video_seconds)})"
    costs = []
    for stage in made.stages:
        amount = stage.seconds / 3600 * times
        if stage.taken:
            costs.append(Cost(stage.name, "", amount, amount, "CPU hours", measured))
        else:
            costs.append(Cost(stage.name, "", None, None, "", "no clip of the probe came so far; probe more videos"))
    return made.rows["regular"] * times, shards * times / 1e9, costs


def _views(model: str, clips: float, constants: dict[str, Any]) -> str:
    from opens2v_hf.pipeline.prices import price_of

    count = clips * constants["views_per_clip"]["value"]
    text = f"views: about {count:,.0f} pictures ({constants['views_per_clip']['source']})"
    price = price_of(model.removeprefix(ENDPOINT_PREFIX)) if model.startswith(ENDPOINT_PREFIX) else None
    if price is None:
        return f"{text}; no price of {model} is known"
    if not price.per_image:
        return f"{text}; {model} is billed by tokens; {price.source}, {price.date}"
    low, high = min(price.per_image.values()), max(price.per_image.values())
    return (
        f"{text}; {model}: {low * count:,.0f} to {high * count:,.0f} {price.currency} by quality; {price.source}, "
        f"{price.date}"
    )
