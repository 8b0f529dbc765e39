"""Rules of acceptance: each takes a submission and yields its problems.

Each holds by itself; `validate_submission` runs all of them and gives all problems at once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from opens2v_hf._util.repo_id import is_repo_id
from opens2v_hf.data.benchmark.ids import PROMPT_SHA256, applicable_ids, split_ids
from opens2v_hf.data.benchmark.rules import GENERAL_METRICS
from opens2v_hf.hub.links import link_problems
from opens2v_hf.leaderboard.submissions.record import GENERATION, Provenance, Submission
from opens2v_hf.leaderboard.submissions.untrusted_json import parse
from opens2v_hf.leaderboard.submissions.validation.names import name_problems
from opens2v_hf.leaderboard.submissions.validation.text import text_problems
from opens2v_hf.results.comparability import is_unavoidable
from opens2v_hf.results.editions import edition
from opens2v_hf.results.problem import Problem, SubmissionError, harmless, shown
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, STRICT, counted_value, total_of, weights

MODEL_LENGTH = 80
TEAM_LENGTH = 120
TEXT_LENGTH = 300
OPTION_LENGTH = 4000
MAX_ENTRIES = 200

_HUB_PLACE = re.compile(r"hf://datasets/\w[\w.-]*/\w[\w.-]*(?:@\w[\w.-]*)?(?:/\w[\w.-]*)*", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PACKAGE_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EARLIEST = datetime(2025, 5, 1, tzinfo=UTC)  # the benchmark's month

TOTAL_TOLERANCE = 0.0002
"""0.02 points: as far as published totals are from what their rounded columns give."""

COLUMN_TOLERANCE = 1e-6

RAW_RANGES: Mapping[str, tuple[float, float]] = {
    "nexusscore": (-1.0, 1.0),
    "naturalscore": (1.0, 5.0),
    "gmescore": (-1.0, 1.0),
    "aesthetics": (-10.0, 20.0),
    "motion_amplitude": (-1000.0, 1000.0),
    "motion_smoothness": (0.0, 1.0),
    "facesim_cur": (0.0, 1.0),
}
"""Range of a metric's value for one video: cosines, ratings, shares; generous bounds for LAION head and flow."""

RELEASED_SHARE = 0.5
"""Released scoring leaves out videos in which no subject or no face is found. A column that leaves out more than half
of the videos that it applies to is not representative: the best few videos alone would lead the benchmark."""

_FEW = 3


def names_and_links(one: Submission) -> Iterator[Problem]:
    """Displayed text and links."""
    yield from text_problems("model", one.model, longest=MODEL_LENGTH, shortest=1)
    yield from name_problems("model", one.model)
    yield from text_problems("team", one.team, longest=TEAM_LENGTH, shortest=1)
    yield from name_problems("team", one.team)
    yield from link_problems("link", one.link)
    if one.model_id and not is_repo_id(one.model_id):
        yield Problem("model_id", "model_id", f"{shown(one.model_id)} is not a repo id", "give org/name, or nothing")
    if not _USER.fullmatch(one.submitted_by):
        what = f"{shown(one.submitted_by)} is not the name of a user or organisation"
        yield Problem("user", "submitted_by", what, "give your name on the Hub")
    if not one.link and not one.model_id:
        yield Problem("no_page", "link", "is empty, and so is model_id", "give one of them")


def time_of_submission(one: Submission, *, now: datetime) -> Iterator[Problem]:
    """Time of the evaluation."""
    try:
        when = datetime.fromisoformat(one.submitted_at) if _TIME.fullmatch(one.submitted_at) else None
    except ValueError:
        when = None
    if when is None:
        remedy = "write UTC as YYYY-MM-DD hh:mm:ss"
        yield Problem("time", "submitted_at", f"{shown(one.submitted_at)} is not a time", remedy)
    elif not _EARLIEST <= when.replace(tzinfo=UTC) <= now + timedelta(days=1):
        remedy = "give the time of the submission in UTC"
        yield Problem("time", "submitted_at", f"{shown(one.submitted_at)} cannot be", remedy)


def provenance(one: Submission, *, allow_published: bool) -> Iterator[Problem]:
    """Provenance that is missing, malformed, or says that the numbers are not the leaderboard's."""
    made = one.provenance
    lists: dict[str, Sequence[object]] = {
        "packages": made.packages,
        "models": made.model_entries,
        "options": made.options,
        "caveats": made.caveats,
    }
    if long := [name for name, entries in lists.items() if len(entries) > MAX_ENTRIES]:
        what = f"has {len(lists[long[0]])} entries"
        yield Problem("length", f"provenance.{long[0]}", what, f"give at most {MAX_ENTRIES}")
        return
    yield from _provenance_text(made)
    if made.kind == "published":
        if not allow_published:
            what = "published figures are taken over by the dataset's keepers alone"
            yield Problem("published", "provenance.kind", what, "score the model with `opens2v score`, and push that")
        elif not made.source:
            yield Problem("no_source", "provenance.source", "is empty", "give the page of the published table")
        return
    if not one.videos:
        what = "is empty, and nothing can be recomputed"
        yield Problem("no_per_video", "per_video", what, "push a result of `opens2v score`")
    for name in ("packages", "models"):
        if not lists[name]:
            yield Problem("no_provenance", f"provenance.{name}", "is empty", "push a result of `opens2v score`")
    if any(entry.embedded for entry in made.model_entries):
        what = "some numbers were made with the embedded models, which are comparable with nothing"
        yield Problem("embedded", "provenance.models", what, "score with the released models")
    if caveats := [entry.caveat for entry in made.caveats if not is_unavoidable(entry.metric, entry.caveat)]:
        what = f"the numbers are not the leaderboard's ({harmless(caveats[0][:TEXT_LENGTH])})"
        yield Problem("not_comparable", "provenance.caveats", what, "score with the released models and options")
    if made.benchmark.sha256 != PROMPT_SHA256[one.split]:
        what = f"{shown(made.benchmark.sha256)} is not that of the released prompts of {one.split}"
        yield Problem("other_prompts", "provenance.benchmark.sha256", what, "score on the released benchmark")


def edition_of_numbers(one: Submission) -> Iterator[Problem]:
    """Numbers that are not of the edition that they are submitted to, or of a record that is not the frozen one."""
    if one.provenance.kind == "published":
        if one.edition:
            yield Problem("edition", "edition", "is given for published figures", "leave it empty")
        return
    if one.edition != edition(one.version).sha256:
        what = f"{shown(one.edition)} is not the checksum of {one.version}"
        yield Problem("edition", "edition", what, "submit with this version of `opens2v push`")
    for text in one.edition_differences(one.version)[:_FEW]:
        what = f"the numbers are not of {one.version} ({harmless(text[:TEXT_LENGTH])})"
        yield Problem("other_edition", "version", what, "`opens2v editions` shows what each edition is made with")


def _provenance_text(made: Provenance) -> Iterator[Problem]:
    yield from _source("provenance.source", made.source)
    yield from _source("provenance.benchmark.source", made.benchmark.source)
    yield from text_problems("provenance.benchmark.prompt_file", made.benchmark.prompt_file, longest=TEXT_LENGTH)
    for index, package in enumerate(made.packages):
        if not _WORD.fullmatch(package.name) or not _PACKAGE_VERSION.fullmatch(package.version):
            what = f"{shown(package.name)} {shown(package.version)} is not a package with its version"
            yield Problem("package", f"provenance.packages[{index}]", what, "give e.g. torch 2.8.0")
    for index, model in enumerate(made.model_entries):
        where = f"provenance.models[{index}]"
        yield from _metric(f"{where}.metric", model.metric)
        for name in ("role", "name", "revision", "dtype", "device", "quantization", "engine"):
            yield from text_problems(f"{where}.{name}", getattr(model, name) or "", longest=TEXT_LENGTH)
    for index, entry in enumerate(made.options):
        where = f"provenance.options[{index}]"
        if entry.metric != GENERATION:
            yield from _metric(f"{where}.metric", entry.metric)
        if not _WORD.fullmatch(entry.option):
            yield Problem("option", f"{where}.option", f"{shown(entry.option)} is not an option", "give its name")
        yield from text_problems(f"{where}.value", entry.value, longest=OPTION_LENGTH, shortest=1, markup=False)
        if not _is_json(entry.value):
            yield Problem("option", f"{where}.value", f"{shown(entry.value)} is not JSON", "write the value as JSON")
    for index, caveat in enumerate(made.caveats):
        where = f"provenance.caveats[{index}]"
        if caveat.metric != GENERATION:
            yield from _metric(f"{where}.metric", caveat.metric)
        yield from text_problems(f"{where}.caveat", caveat.caveat, longest=OPTION_LENGTH, markup=False)
    yield from _doubles("packages", ((entry.name,) for entry in made.packages))
    yield from _doubles("models", ((entry.metric, entry.role) for entry in made.model_entries))
    yield from _doubles("options", ((entry.metric, entry.option) for entry in made.options))


def _source(where: str, source: str) -> Iterator[Problem]:
    """A page, a repo of the Hub, or a name."""
    if source.startswith("hf://"):
        if len(source) > TEXT_LENGTH or not _HUB_PLACE.fullmatch(source):
            remedy = "give hf://datasets/org/name@commit"
            yield Problem("hub_place", where, f"{shown(source)} is not a dataset repo", remedy)
    elif "://" in source:
        yield from link_problems(where, source)
    else:
        yield from text_problems(where, source, longest=TEXT_LENGTH)


def _metric(where: str, metric: str) -> Iterator[Problem]:
    if metric not in COLUMNS:
        yield Problem("metric", where, f"{shown(metric)} is not a column", f"use one of: {', '.join(COLUMNS)}")


def _doubles(name: str, keys: Iterable[tuple[str, ...]]) -> Iterator[Problem]:
    for key, count in Counter(keys).items():
        if count > 1:
            what = f"{shown(' '.join(key))} is there {count} times"
            yield Problem("duplicate_entry", f"provenance.{name}", what, "give it once")


def _is_json(text: str) -> bool:
    try:
        parse(text.encode())
    except SubmissionError:
        return False
    return True


def columns_and_total(one: Submission) -> Iterator[Problem]:
    """Columns that are missing, too many or out of range, and a total that does not follow from them."""
    known = weights("v1.1", one.split)
    missing = [name for name in weights(one.version, one.split) if name not in one.columns]
    wrong = {n: v for n, v in one.columns.items() if n in known and not (math.isfinite(v) and 0.0 <= v <= 1.0)}
    for name in missing:
        yield Problem("column_missing", f"columns.{name}", "has no value", "score the split with all metrics")
    for name in (name for name in one.columns if name not in known):
        yield Problem("column_unknown", f"columns.{name}", f"{one.split} has no such column", "leave it null")
    for name, value in wrong.items():
        what, remedy = f"{shown(value)} is outside 0..1", "give the normalised value, not percent or raw"
        yield Problem("out_of_range", f"columns.{name}", what, remedy)
    if not (math.isfinite(one.total) and 0.0 <= one.total <= 1.0):
        yield Problem("out_of_range", "total", f"{shown(one.total)} is outside 0..1", "give it in 0..1")
    elif not missing and not wrong:
        expected = total_of(one.columns, one.split, one.version)
        if abs(expected - one.total) > TOTAL_TOLERANCE:
            what = f"is {one.total:.4f}, and the columns give {expected:.4f}"
            yield Problem("total_mismatch", "total", what, "give the weighted sum of the columns")
    for name, count in one.num_videos.items():
        most = len(applicable_ids(name, one.split))
        if not 0 <= count <= most:
            what = f"{shown(count)} is outside 0..{most}"
            yield Problem("out_of_range", f"num_videos.{name}", what, "count the videos that the column rests on")


def videos(one: Submission) -> Iterator[Problem]:
    """Ids and raw values that cannot be, and columns and counts that do not follow from them."""
    if not one.videos:
        if one.num_videos:
            what = "is given without per-video values"
            yield Problem("count_mismatch", "num_videos", what, "leave it null")
        return
    problems = [*_ids(one)] or [*_raw_values(one)]
    yield from problems
    if any(problem.code != "values_missing" for problem in problems):
        return
    for name, column in one.scorecard(one.version, one.scoring, num_resamples=0).columns.items():
        given = one.columns.get(name)
        if given is None:
            continue
        if column.normalised is None or not abs(column.normalised - given) <= COLUMN_TOLERANCE:
            derived = "no value" if column.normalised is None else f"{column.normalised:.6f}"
            what = f"is {given:.6f}, and the per-video values give {derived}"
            yield Problem("column_mismatch", f"columns.{name}", what, "give the mean of the per-video values")
        elif one.num_videos.get(name) != column.num_videos:
            what = f"is {shown(one.num_videos.get(name))}, and the per-video values give {column.num_videos}"
            yield Problem("count_mismatch", f"num_videos.{name}", what, "count the videos that the column rests on")


def _ids(one: Submission) -> Iterator[Problem]:
    expected = set(split_ids(one.split))
    counts = Counter(entry.id for entry in one.videos)
    for code, ids, what, remedy in (
        ("ids_missing", expected - set(counts), "lack samples of the split", "score all of them"),
        ("ids_unknown", set(counts) - expected, "name samples that the split does not have", "remove them"),
        ("ids_duplicate", {i for i, n in counts.items() if n > 1}, "name samples twice", "give each once"),
    ):
        if ids:
            first = ", ".join(shown(sample_id) for sample_id in sorted(ids)[:_FEW])
            yield Problem(code, "per_video", f"{what}: {first}, {len(ids)} in all", remedy)


def _raw_values(one: Submission) -> Iterator[Problem]:
    for name, (low, high) in RAW_RANGES.items():
        applies = applicable_ids(name, one.split)
        values = {i: given[name] for i, given in one.per_video.items() if name in given}
        wrong = [i for i, value in values.items() if not (math.isfinite(value) and low <= value <= high)]
        stray = [i for i in values if i not in applies]
        if wrong:
            what = f"{shown(values[wrong[0]])} is outside {low:g}..{high:g}, {len(wrong)} such values"
            yield Problem("out_of_range", f"per_video[{wrong[0]}].{name}", what, "give the metric's raw value")
        if stray:
            what = f"has a value where {name} does not apply, {len(stray)} such values"
            yield Problem("not_applicable", f"per_video[{stray[0]}].{name}", what, "leave it null")
    if one.scoring != STRICT:
        for name, (num_without, num_applicable) in released_gaps(one).items():
            what = f"{num_without} of {num_applicable} videos have no value that counts"
            yield Problem("values_missing", f"per_video.{name}", what, "score them, or submit strict scoring")


def released_gaps(submission: Submission) -> dict[str, tuple[int, int]]:
    """Columns whose released mean would leave out videos that it may not leave out.

    A metric that applies to every sample needs a value for all of them; NexusScore and FaceSim count for at least
    `RELEASED_SHARE` of theirs.

    Returns:
        Column to how many videos do not count in it, and to how many it applies.
    """
    gaps = {}
    for name in weights("v1.1", submission.split):
        ids = applicable_ids(name, submission.split)
        needed = len(ids) if name in GENERAL_METRICS else RELEASED_SHARE * len(ids)
        values = [submission.per_video.get(i, {}).get(name) for i in ids]
        counted = sum(value is not None and counted_value(name, value, RELEASED) is not None for value in values)
        if counted < needed:
            gaps[name] = len(ids) - counted, len(ids)
    return gaps
