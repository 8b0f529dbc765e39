"""Summary of a build, added up from the notes of its units."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opens2v_hf._util.progress import duration
from opens2v_hf._util.text import count_of
from opens2v_hf.pipeline.faults import CHANGED, ERROR
from opens2v_hf.pipeline.output import drops_by_stage
from opens2v_hf.pipeline.rows import as_text
from opens2v_hf.pipeline.units import BuildPlan, read_note

_MOST_NAMED = 5
_MOST_LISTED = 1000
_OF_FILES = ("input", "probe")
"""Stages that drop whole files."""


@dataclass
class StageTotal:
    """Counts and time of one stage in all units.

    Attributes:
        name: of the stage.
        taken: clips (files, for the first stages) that it was given.
        kept: clips that remained.
        seconds: it took, of all workers together.
        rules: rule -> clips, subjects and tags that fell by it.
        usage: what it asked an endpoint for: "calls", "input_tokens", "output_tokens".
    """

    name: str
    taken: int = 0
    kept: int = 0
    seconds: float = 0.0
    rules: Counter[str] = field(default_factory=Counter)
    usage: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Build:
    """A dataset, whole or as far as it is finished.

    Attributes:
        folder: of the dataset.
        rows: config -> rows.
        num_files: of the input, without duplicates.
        num_done: units that are done.
        num_units: of the dataset.
        video_seconds: of the files that could be read.
        clip_seconds: of the clips.
        stages: in their order; drops before the first and after the last stage are under "input" and "output".
        failed: unit -> why it is not done; the same command tries it again.
        duplicates: name of a file that was left out -> name of the one that holds the same.
        missing: files that were removed since an earlier run; clips made of them before stay.
        changed: files that were changed while they were read; the same command reads them again.
        unusable: files that could not be used -> the rule, at most 1,000 of them.
        errors: clips and files that something went wrong with, a line each, at most 1,000.
        num_unusable: all files that could not be used.
        num_errors: all clips and files that something went wrong with.
        num_others: files of the input that are no videos.
        notes: of pairs and views, a sentence each.
    """

    folder: Path
    rows: Mapping[str, int]
    num_files: int
    num_done: int
    num_units: int
    video_seconds: float
    clip_seconds: float
    stages: tuple[StageTotal, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    num_unusable: int = 0
    num_errors: int = 0
    num_others: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every unit is done and no file was changed meanwhile."""
        return self.num_done == self.num_units and not self.failed and not self.changed

    def __str__(self) -> str:
        """A table of the stages, then notes."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        width = max([len(stage.name) for stage in self.stages] + [5])
        yield f"{'stage':<{width}}  {'given':>8}  {'kept':>8}  {'time':>10}  left out"
        for stage in self.stages:
            rules = ", ".join(f"{count} {rule}" for rule, count in sorted(stage.rules.items()))
            row = f"{stage.name:<{width}}  {stage.taken:>8}  {stage.kept:>8}  {duration(stage.seconds):>10}  {rules}"
            yield row.rstrip()
        length = f" ({duration(self.video_seconds)})" if self.video_seconds else ""  # not known of shards
        yield (
            f"{count_of(self.rows.get('regular', 0), 'clip')} ({duration(self.clip_seconds)}) of "
            f"{count_of(self.num_files, 'file')}{length} in {self.folder}"
        )
        last = next((stage for stage in reversed(self.stages) if stage.taken), None)
        if last is not None and not last.kept:
            which = ", ".join(f"{rule} {count}" for rule, count in last.rules.most_common(3))
            yield f"note: no clip remains: {last.name} left out the last ones ({which}); --report shows them"
        for config, count in self.rows.items():
            if config != "regular":
                yield f"{config}: {count} rows"
        for stage in self.stages:
            if stage.usage:
                yield f"note: {stage.name} asked an endpoint: {usage_text(stage.usage)}"
        if self.num_others:
            yield f"note: {count_of(self.num_others, 'file')} without the ending of a video left out"
        yield from (f"note: {note}" for note in self.notes)
        yield from _named("held what another file holds", [_pair(*pair) for pair in sorted(self.duplicates.items())])
        yield from _named("were removed since an earlier run", self.missing)
        unusable = [f"{name} ({rule})" for name, rule in self.unusable.items()]
        yield from _named("could not be used", unusable, self.num_unusable)
        yield from _named("were changed while they were read; run the same command again", self.changed)
        yield from _named("were left out by an error; --retry-failed tries them again", self.errors, self.num_errors)
        yield from _named("are not done; run the same command again", [f"{a}: {b}" for a, b in self.failed.items()])


def summarise(folder: Path, plan: BuildPlan, failed: Mapping[str, str], rows: Mapping[str, int]) -> Build:
    """Add up the notes of the units of a plan.

    Args:
        folder: of the dataset.
        plan: of the dataset.
        failed: see `Build`.
        rows: config -> rows, of configs other than "regular".
    """
    totals: dict[str, StageTotal] = {}
    count = done = num_unusable = num_errors = 0
    video_seconds = clip_seconds = 0.0
    changed: dict[str, None] = {}
    unusable: dict[str, str] = {}
    errors: list[str] = []
    for unit in plan.units:
        note = read_note(folder, unit)
        if note is None:
            continue
        done += 1
        count += note["rows"]
        clip_seconds += note["clip_seconds"]
        video_seconds += sum(file["seconds"] or 0.0 for file in note["files"])
        _add(totals, note)
        for entry in note["dropped"]:
            if entry["rule"] == CHANGED:
                changed[entry.get("file", entry["clip_id"])] = None
            elif entry["rule"] == ERROR:
                num_errors += 1
                if len(errors) < _MOST_LISTED:
                    errors.append(f"{entry['clip_id']} ({entry['stage']}): {entry['reason']}")
            elif entry["stage"] in _OF_FILES:
                num_unusable += 1
                if len(unusable) < _MOST_LISTED:
                    unusable[entry.get("file", entry["clip_id"])] = entry["rule"]
    return Build(
        folder,
        {"regular": count, **rows},
        plan.num_files,
        done,
        len(plan.units),
        video_seconds,
        clip_seconds,
        tuple(_ordered(totals)),
        failed,
        {as_text(name): as_text(first) for name, first in (plan.duplicates or {}).items()},
        tuple(map(as_text, plan.missing)),
        tuple(changed),
        unusable,
        tuple(errors),
        num_unusable,
        num_errors,
        plan.num_others,
    )


def usage_text(usage: Mapping[str, int]) -> str:
    """The requests and tokens of an endpoint, for people.

    Example:
        >>> usage_text({"calls": 2, "input_tokens": 1500, "output_tokens": 80})
        '2 calls, 1,500 input and 80 output tokens'
    """
    calls, sent, made = (usage.get(name, 0) for name in ("calls", "input_tokens", "output_tokens"))
    tokens = f"{sent:,} input and {made:,} output tokens" if sent or made else "no reply reports its tokens"
    return f"{calls:,} call{'' if calls == 1 else 's'}, {tokens}"


def _add(totals: dict[str, StageTotal], note: Mapping[str, Any]) -> None:
    for step in note["stages"]:
        total = totals.setdefault(step["name"], StageTotal(step["name"]))
        total.taken += step["taken"]
        total.kept += step["kept"]
        total.seconds += step["seconds"]
        total.usage.update(step["usage"])
    for stage, rules in drops_by_stage(note).items():
        totals.setdefault(stage, StageTotal(stage)).rules.update(rules)


def _ordered(totals: Mapping[str, StageTotal]) -> list[StageTotal]:
    """In the order of the stages, with "input" first and "output" last."""
    order = {"input": 0, "output": 2}
    return sorted(totals.values(), key=lambda total: order.get(total.name, 1))


def _pair(name: str, first: str) -> str:
    """Two names, with their letters apart where they would look alike."""
    alike = unicodedata.normalize("NFKC", name) == unicodedata.normalize("NFKC", first)
    return f"{name!a} = {first!a}" if alike else f"{name} = {first}"


def _named(what: str, names: Sequence[str], count: int | None = None) -> Iterator[str]:
    """A note of the first names; `count` is that of all where `names` are not all."""
    if not names:
        return
    count = len(names) if count is None else count
    shown = "; ".join(names[:_MOST_NAMED])
    more = f"; and {count - _MOST_NAMED} more" if count > _MOST_NAMED else ""
    yield f"note: {count} {what}: {shown}{more}"
