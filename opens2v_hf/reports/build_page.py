"""The page about a build: clips dropped by each stage and rule, scores, samples, time and cost."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import visible_files, whole_file
from opens2v_hf._util.json_file import read_json
from opens2v_hf._util.progress import duration
from opens2v_hf._version import __version__
from opens2v_hf.data.opens2v5m.shards.parquet_file import parquet_errors
from opens2v_hf.data.opens2v5m.shards.verify import BUILD_MANIFEST
from opens2v_hf.errors import ResultError
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX
from opens2v_hf.pipeline.pairs.make import NOTE as PAIRS_NOTE
from opens2v_hf.pipeline.prices import price_of
from opens2v_hf.pipeline.summary import Build, summarise, usage_text
from opens2v_hf.pipeline.units import read_note, read_plan
from opens2v_hf.pipeline.views.make import NOTE as VIEWS_NOTE
from opens2v_hf.reports.build_figures import Histogram, Threshold, histogram
from opens2v_hf.reports.build_samples import dropped_samples, kept_samples, pair_samples, view_samples
from opens2v_hf.reports.page import environment

NAME = "report.html"

_MOST_NAMED = 500
"""Names that are listed for each rule."""

_CLIP_ID = re.compile(r"_part\d+-\d+$")

_CLIP_SCORES = ("technical", "motion", "aesthetic", "foreground_aesthetic", "background_aesthetic", "duration_s")
_SUBJECT_SCORES = ("text_similarity", "aesthetic", "mask_score")
_CLIP_RULES = {
    ("quality", "low_technical"): "technical",
    ("quality", "low_motion"): "motion",
    ("quality", "high_motion"): "motion",
    ("quality", "low_aesthetic"): "aesthetic",
    ("filters", "min_duration_s"): "duration_s",
    ("filters", "max_duration_s"): "duration_s",
}
_SUBJECT_RULES = {
    ("filters", "min_text_similarity"): "text_similarity",
    ("filters", "min_aesthetic"): "aesthetic",
    ("segment", "min_score"): "mask_score",
}


@dataclass
class Step:
    """A stage of the waterfall."""

    name: str  # of the stage
    taken: int  # clips (files, for the first stages) that it was given
    kept: int  # clips that remained
    seconds: float  # it took, of all workers together
    paid: Sequence[str] = ()  # what it asked an endpoint for and what that cost, a line each; empty without an endpoint
    clips: Counter[str] = field(default_factory=Counter)  # rule -> clips that were dropped by it
    # rule -> subjects, tags and overlays that were dropped by it from a clip that remained
    parts: Counter[str] = field(default_factory=Counter)


@checked
def write_build_report(folder: str | os.PathLike[str], prices: str | os.PathLike[str] | None = None) -> Path:
    """Write `report.html` into a dataset's folder; one file, which loads nothing.

    Args:
        folder: of a dataset that was built, whole or as far as it is done.
        prices: a JSON file of prices of models behind endpoints, see `opens2v_hf.pipeline.prices.price_of`.

    Returns:
        Path of the page.

    Raises:
        ArgumentError: the file of prices has another form.
        ResultError: there is no such dataset, a note or the prices cannot be read, or the folder cannot be written.
        SourceError: a shard cannot be read.
    """
    root = Path(folder)
    plan = read_plan(root)
    if plan is None:
        raise ResultError(f"{root} holds no dataset of `opens2v build`; build one first")
    notes = [note for unit in plan.units if (note := read_note(root, unit)) is not None]
    manifest = read_json(root / BUILD_MANIFEST) if (root / BUILD_MANIFEST).is_file() else {}
    rows = {config: count for config, count in manifest.get("rows", {}).items() if config != "regular"}
    build = summarise(root, plan, {}, rows)
    facts = [(str(name), dict(of)) for name, of in manifest.get("made_by", {}).get("stages", [])]
    steps = _steps(build, notes, facts, prices)
    pairs, views = _note(root / PAIRS_NOTE), _note(root / VIEWS_NOTE)
    page = environment().get_template("build.html.j2").render(
        title=os.path.basename(os.path.realpath(root)),
        build=build,
        steps=steps,
        most=max([1, *(max(step.taken, step.kept) for step in steps)]),
        total_seconds=sum(step.seconds for step in steps),
        slowest=max([1e-9, *(step.seconds for step in steps)]),
        histograms=_histograms(root, notes, facts),
        kept=kept_samples(root),
        dropped=dropped_samples(notes, [step.name for step in steps]),
        dropped_names=_dropped_names(notes),
        most_named=_MOST_NAMED,
        pairs=pairs,
        pairs_paid=_paid(str(pairs["verifier"]), pairs["usage"], prices) if pairs and pairs["verifier"] else (),
        pair_samples=pair_samples(root) if pairs else [],
        views=views,
        view_samples=view_samples(root) if views else [],
        models=_models(facts),
        duration=duration,
        package_version=__version__,
    )  # fmt: skip
    target = root / NAME
    with whole_file(target) as temporary:
        temporary.write_text(page, "utf-8", "backslashreplace")
    return target


def _steps(
    build: Build,
    notes: Sequence[Mapping[str, Any]],
    facts: Sequence[tuple[str, Mapping[str, Any]]],
    prices: str | os.PathLike[str] | None,
) -> list[Step]:
    asked = {stage: name for stage, _, name, _ in _models(facts) if name.startswith(ENDPOINT_PREFIX)}
    steps = {
        of.name: Step(of.name, of.taken, of.kept, of.seconds, _paid(asked.get(of.name, ""), of.usage, prices))
        for of in build.stages
    }
    for note in notes:
        for entry in note["dropped"]:
            step = steps[entry["stage"]]
            (step.parts if entry["subject"] else step.clips)[entry["rule"]] += 1
    return list(steps.values())


def _dropped_names(notes: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Stage and rule to all that was dropped by it: files, clips, or subjects of clips."""
    found: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        for entry in note["dropped"]:
            is_file = _CLIP_ID.search(entry["clip_id"]) is None
            name = entry.get("file", entry["clip_id"]) if is_file else entry["clip_id"]
            found.setdefault((entry["stage"], entry["rule"]), []).append(
                f"{name}: {entry['subject']}" if entry["subject"] else name
            )
    return found


def _paid(model: str, usage: Mapping[str, int], prices: str | os.PathLike[str] | None) -> Sequence[str]:
    """Requests and tokens of an endpoint, and their cost by the table of prices."""
    if not usage.get("calls"):
        return ()
    name = model.removeprefix(ENDPOINT_PREFIX)
    price = price_of(name, None if prices is None else Path(prices))
    reported = usage["input_tokens"] or usage["output_tokens"]
    cost = price.of_tokens(usage) if price is not None and reported else None
    if price is None or cost is None:
        return (usage_text(usage), f"no price is known for {name}" if reported else "its cost is not known")
    return (f"{cost:.3f} {price.currency}", usage_text(usage), f"{price.source} ({price.date})")


def _histograms(
    root: Path, notes: Sequence[Mapping[str, Any]], facts: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[Histogram]:
    kept = _kept_scores(root)
    dropped: dict[str, list[float]] = {}
    for note in notes:
        for entry in note["dropped"]:
            if not entry["subject"]:  # else its clip is in the dataset
                for name, value in entry.get("scores", {}).items():
                    dropped.setdefault(f"clip: {name}", []).append(value)
    bounds = _thresholds(facts)
    titles = [f"clip: {name}" for name in _CLIP_SCORES] + [f"subject: {name}" for name in _SUBJECT_SCORES]
    found = (
        histogram(title.replace("_", " "), kept.get(title, []), dropped.get(title, []), bounds.get(title, []))
        for title in titles
    )
    return [one for one in found if one is not None]


def _kept_scores(root: Path) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for path in visible_files(root / "data/regular", "*.parquet"):
        with parquet_errors(str(path)):
            table = pq.read_table(path.absolute(), columns=[*_CLIP_SCORES, "subjects"])
        for name in _CLIP_SCORES:
            values.setdefault(f"clip: {name}", []).extend(table[name].drop_null().to_pylist())
        for chunk in table["subjects"].chunks:
            subjects = chunk.flatten()
            for name in _SUBJECT_SCORES:
                values.setdefault(f"subject: {name}", []).extend(subjects.field(name).drop_null().to_pylist())
    return values


def _thresholds(facts: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Threshold]]:
    """Title of a score to the bounds that the stages had."""
    found: dict[str, list[Threshold]] = {}
    for stage, of in facts:
        given = {**of, **(of.get("bounds") or {}), **(of.get("rules") or {})}
        for kind, rules in (("clip", _CLIP_RULES), ("subject", _SUBJECT_RULES)):
            for (where, rule), score in rules.items():
                value = given.get(rule)
                if where == stage and isinstance(value, int | float) and value:
                    found.setdefault(f"{kind}: {score}", []).append(Threshold(float(value), rule))
    return found


def _models(facts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str, str, str]]:
    """Stage, role, name and revision of each model."""
    return [
        (stage, role, str(model["name"]), str(model.get("revision") or "")[:19])
        for stage, of in facts
        for role, model in of.items()
        if isinstance(model, Mapping) and isinstance(model.get("name"), str)
    ]


def _note(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        note: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"cannot read {path} ({error}); make the pairs or views again") from error
    return note
