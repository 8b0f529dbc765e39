"""Whether the fields of a submission that are not numbers are what they should be."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opens2v_hf.data.eval_ids import PROMPT_SHA256
from opens2v_hf.hub.results.record import FORMAT, KINDS, VENUES, is_unavoidable
from opens2v_hf.hub.results.validation.links import link_problems
from opens2v_hf.hub.results.validation.names import name_problems
from opens2v_hf.hub.results.validation.problem import Problem, harmless, shown
from opens2v_hf.hub.results.validation.text import text_problems
from opens2v_hf.scores.scorecard import COLUMNS, SCORINGS, SPLITS, VERSIONS

CHOICES: Mapping[str, tuple[str, ...]] = {
    "format": (FORMAT,),
    "venue": VENUES,
    "split": SPLITS,
    "version": VERSIONS,
    "scoring": SCORINGS,
}
MODEL_LENGTH = 80
TEAM_LENGTH = 120
TEXT_LENGTH = 300
OPTION_LENGTH = 4000
MAX_ENTRIES = 200

_REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HUB_PLACE = re.compile(r"hf://datasets/\w[\w.-]*/\w[\w.-]*(?:@\w[\w.-]*)?(?:/\w[\w.-]*)*", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PACKAGE_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EARLIEST = datetime(2025, 5, 1, tzinfo=UTC)  # the benchmark's month


def choice_problems(record: Mapping[str, Any]) -> Iterator[Problem]:
    """Fields whose value is not one of those that there are."""
    places = [(name, record[name], known) for name, known in CHOICES.items()]
    for where, value, known in [*places, ("provenance.kind", record["provenance"]["kind"], KINDS)]:
        if value not in known:
            yield Problem("unknown_value", where, f"{shown(value)} is unknown", f"use one of: {', '.join(known)}")


def text_field_problems(record: Mapping[str, Any], now: datetime | None = None) -> Iterator[Problem]:
    """Names, links and times."""
    yield from text_problems("model", record["model"], longest=MODEL_LENGTH, shortest=1)
    yield from name_problems("model", record["model"])
    yield from text_problems("team", record["team"], longest=TEAM_LENGTH, shortest=1)
    yield from name_problems("team", record["team"])
    yield from link_problems("link", record["link"])
    if record["model_id"] and not _REPO_ID.fullmatch(record["model_id"]):
        yield Problem("model_id", "model_id", f"{shown(record['model_id'])} is no repo id", "give org/name, or nothing")
    if not _USER.fullmatch(record["submitted_by"]):
        what = f"{shown(record['submitted_by'])} is no name of a user or organisation"
        yield Problem("user", "submitted_by", what, "give your name on the Hub")
    if not record["link"] and not record["model_id"]:
        yield Problem("no_page", "link", "is empty, and there is no model_id", "give one of them")
    yield from _time_problems(record["submitted_at"], now or datetime.now(UTC))


def provenance_problems(record: Mapping[str, Any], *, allow_published: bool) -> Iterator[Problem]:
    """Provenance that is missing, malformed, or says that the numbers are not the leaderboard's."""
    made = record["provenance"]
    for name in ("packages", "models", "options", "caveats"):
        if len(made[name]) > MAX_ENTRIES:
            what = f"has {len(made[name])} entries"
            yield Problem("length", f"provenance.{name}", what, f"give at most {MAX_ENTRIES}")
            return
    yield from _provenance_text_problems(made)
    if made["kind"] == "published":
        if not allow_published:
            what = "published figures are taken over by the dataset's keepers alone"
            yield Problem("published", "provenance.kind", what, "score the model with `opens2v score`, and push that")
        elif not made["source"]:
            yield Problem("no_source", "provenance.source", "is empty", "give the page of the published table")
        return
    if not record["per_video"]:
        what = "is empty, and nothing can be recomputed"
        yield Problem("no_per_video", "per_video", what, "push a result of `opens2v score`")
    for name in ("packages", "models"):
        if not made[name]:
            yield Problem("no_provenance", f"provenance.{name}", "is empty", "push a result of `opens2v score`")
    if any(entry["embedded"] for entry in made["models"]):
        what = "some numbers were made with the embedded models, which are comparable with nothing"
        yield Problem("embedded", "provenance.models", what, "score with the released models")
    caveats = [entry["caveat"] for entry in made["caveats"] if not is_unavoidable(entry["metric"], entry["caveat"])]
    if caveats:
        first = harmless(caveats[0][:TEXT_LENGTH])
        what = f"the numbers are not the leaderboard's ({first})"
        yield Problem("not_comparable", "provenance.caveats", what, "score with the released models and options")
    expected = PROMPT_SHA256.get(record["split"])
    if expected is not None and made["benchmark"]["sha256"] != expected:
        what = f"{shown(made['benchmark']['sha256'])} is not that of the released prompts of {record['split']}"
        yield Problem("other_prompts", "provenance.benchmark.sha256", what, "score on the released benchmark")


def _provenance_text_problems(made: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _place_problems("provenance.source", made["source"])
    yield from _place_problems("provenance.benchmark.source", made["benchmark"]["source"])
    yield from text_problems("provenance.benchmark.prompt_file", made["benchmark"]["prompt_file"], longest=TEXT_LENGTH)
    for index, entry in enumerate(made["packages"]):
        if not _WORD.fullmatch(entry["name"]) or not _PACKAGE_VERSION.fullmatch(entry["version"]):
            what = f"{shown(entry['name'])} {shown(entry['version'])} is no package with its version"
            yield Problem("package", f"provenance.packages[{index}]", what, "give e.g. torch 2.8.0")
    for index, entry in enumerate(made["models"]):
        where = f"provenance.models[{index}]"
        yield from _metric_problems(f"{where}.metric", entry["metric"])
        for name in ("role", "name", "revision", "dtype", "device", "quantization"):
            yield from text_problems(f"{where}.{name}", entry[name] or "", longest=TEXT_LENGTH)
    for index, entry in enumerate(made["options"]):
        where = f"provenance.options[{index}]"
        yield from _metric_problems(f"{where}.metric", entry["metric"])
        if not _WORD.fullmatch(entry["option"]):
            yield Problem("option", f"{where}.option", f"{shown(entry['option'])} is no option", "give its name")
        yield from text_problems(f"{where}.value", entry["value"], longest=OPTION_LENGTH, shortest=1, markup=False)
        if not _is_json(entry["value"]):
            yield Problem("option", f"{where}.value", f"{shown(entry['value'])} is no JSON", "write the value as JSON")
    for index, entry in enumerate(made["caveats"]):
        where = f"provenance.caveats[{index}]"
        yield from _metric_problems(f"{where}.metric", entry["metric"])
        yield from text_problems(f"{where}.caveat", entry["caveat"], longest=OPTION_LENGTH, markup=False)
    yield from _doubles("packages", ((entry["name"],) for entry in made["packages"]))
    yield from _doubles("models", ((entry["metric"], entry["role"]) for entry in made["models"]))
    yield from _doubles("options", ((entry["metric"], entry["option"]) for entry in made["options"]))


def _place_problems(where: str, place: str) -> Iterator[Problem]:
    """A page, a repo of the Hub, or a name."""
    if place.startswith("hf://"):
        if len(place) > TEXT_LENGTH or not _HUB_PLACE.fullmatch(place):
            yield Problem(
                "hub_place", where, f"{shown(place)} is no dataset repo", "give hf://datasets/org/name@commit"
            )
    elif "://" in place:
        yield from link_problems(where, place)
    else:
        yield from text_problems(where, place, longest=TEXT_LENGTH)


def _metric_problems(where: str, metric: str) -> Iterator[Problem]:
    if metric not in COLUMNS:
        yield Problem("metric", where, f"{shown(metric)} is no column", f"use one of: {', '.join(COLUMNS)}")


def _doubles(name: str, keys: Iterator[tuple[str, ...]]) -> Iterator[Problem]:
    for key, count in Counter(keys).items():
        if count > 1:
            what = f"{shown(' '.join(key))} is there {count} times"
            yield Problem("duplicate_entry", f"provenance.{name}", what, "give it once")


def _time_problems(text: str, now: datetime) -> Iterator[Problem]:
    when = None
    if _TIME.fullmatch(text):
        try:
            when = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            when = None
    if when is None:
        remedy = "write UTC as YYYY-MM-DD hh:mm:ss"
        yield Problem("time", "submitted_at", f"{shown(text)} is no time", remedy)
    elif not _EARLIEST <= when <= now + timedelta(days=1):
        yield Problem("time", "submitted_at", f"{shown(text)} cannot be", "give the time of the submission in UTC")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
