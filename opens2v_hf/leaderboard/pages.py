"""Pages and notes as HTML: filled-in templates that escape everything they are given."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from opens2v_hf.leaderboard.boards import BoardKey, Boards
from opens2v_hf.leaderboard.plots import category_bars, history_lines, radar
from opens2v_hf.leaderboard.ranks import undecided
from opens2v_hf.leaderboard.rows import Cell, Row, make_board
from opens2v_hf.leaderboard.sanitize import plain, web_link
from opens2v_hf.leaderboard.source import Origin
from opens2v_hf.leaderboard.submissions.record import GENERATION, SPLITS, Submission
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.leaderboard.submit import Checked
from opens2v_hf.leaderboard.table import TITLES, Table, percent, to_csv
from opens2v_hf.scores.paired import Difference, compare_values
from opens2v_hf.scores.scorecard import NUM_RESAMPLES, weights

HUB = "https://huggingface.co"
SPLIT_TITLES = {"open-domain": "Open-Domain", "human-domain": "Human-Domain", "single-domain": "Single-Domain"}


def header(boards: Boards, origin: Origin, results: str | None) -> str:
    """The head of the page: numbers of models and results, and their source.

    Args:
        boards: that are shown.
        origin: of the boards.
        results: id of the results dataset on the Hub, if there is one.
    """
    return _fill(
        "header",
        num_models=len(boards.names()),
        num_results=len(boards.submissions),
        num_videos=sum(bool(one.per_video) for one in boards.submissions),
        origin=origin,
        results=f"{HUB}/datasets/{results}" if results else None,
    )


def board_note(boards: Boards, which: BoardKey, table: Table, *, view: str) -> str:
    """The note below a table: number of models, excluded ones and why, significance.

    Args:
        boards: that are shown.
        which: of them.
        table: that is shown.
        view: "scores" or "categories".
    """
    board, groups = boards.board(which), boards.groups(which)
    with_videos = sum(row.has_videos for row in board.rows)
    return _fill(
        "note",
        shown=len(table.frame),
        all=len(board.rows),
        left_out=board.left_out,
        view=view,
        version=board.version,
        scoring=board.scoring,
        with_videos=with_videos,
        num_resamples=f"{NUM_RESAMPLES:,}",
        undecided=undecided(list(groups.values())),
        pairs=with_videos * (with_videos - 1) // 2,
    )


def csv_link(table: Table, file_name: str) -> str:
    """The table as a CSV file in a link, so that no file is stored on the server."""
    content = base64.b64encode(to_csv(table)).decode()
    return str(
        Markup('<a class="b-download" download="{}" href="data:text/csv;base64,{}">Download CSV</a>').format(
            file_name, content
        )
    )


def model_page(boards: Boards, key: str | None, version: str, scoring: str) -> str:
    """All about a model: its rows on every split, its history, what its numbers were made with."""
    names = boards.names()
    if key not in names:
        return message_page("Choose a model, here or by a click on its name in a table.")
    rows = boards.rows(key, version, scoring)
    history = boards.history(key)
    cards = []
    for split, row in rows.items():
        which = (split, version, scoring)
        of = sum(other.rank is not None for other in boards.board(which).rows)
        source = web_link(row.submission.provenance.source) if row.submission else None
        cards.append((SPLIT_TITLES[split], row, of, boards.groups(which).get(key), source))
    detailed = next((row for row in rows.values() if row.has_videos), None)
    return _fill(
        "model",
        name=names[key],
        about=_about(boards, key),
        rows=cards,
        titles=TITLES,
        categories=_category_plots([detailed]) if detailed else [],
        plot=_history_plot(history, version, scoring),
        history=[_history_entry(one, history) for one in history],
        made_with=_made_with(history),
    )


def compare_page(boards: Boards, which: BoardKey, first: str | None, second: str | None) -> str:
    """Two models side by side on one board: every column, which differences are significant, plots."""
    board = boards.board(which)
    rows = [board.row(key) if key else None for key in (first, second)]
    if not first or not second or first == second:
        return message_page("Choose two models.")
    one, other = rows
    if one is None or other is None:
        missing = [boards.names().get(key, key) for key, row in zip((first, second), rows, strict=True) if row is None]
        message = f"{' and '.join(missing)} cannot be compared here: no result on this split with this scoring."
        return message_page(message)
    found: Mapping[str, Difference] = {}
    if one.submission is not None and other.submission is not None and one.has_videos and other.has_videos:
        compared = compare_values(
            one.submission.raw_values,
            other.submission.raw_values,
            split=board.split,
            version=board.version,
            scoring=board.scoring,
        )
        found = {**compared.columns, **({"total": compared.total} if compared.total else {})}
    total = _Line("Total", one.total, other.total, found.get("total"))
    lines = [
        total,
        *(_Line(TITLES[name], one.columns[name], other.columns[name], found.get(name)) for name in one.columns),
    ]
    return _fill(
        "compare",
        first=one,
        second=other,
        lines=lines,
        verdict=_verdict(one, other, total),
        tested=bool(found),
        radar=Markup(radar([one, other])),  # noqa: S704 - made by matplotlib, which escapes names
        categories=_category_plots([one, other]) if found else [],
    )


def preview_page(boards: Boards, checked: Checked) -> str:
    """The preview of an upload: its problems, its numbers, and its rank."""
    one = checked.submission
    if one is None:
        return _fill("preview", problems=checked.problems, submission=None)
    which = (one.split, one.version, one.scoring)
    key = confusable_key(one.model)
    others = [other for other in boards.submissions if other.split == one.split and confusable_key(other.model) != key]
    board = make_board([*others, one], boards.hub, split=one.split, version=one.version, scoring=one.scoring)
    row = board.row(key)
    if row is None:
        return _fill("preview", problems=checked.problems, submission=None)
    return _fill(
        "preview",
        problems=checked.problems,
        submission=one,
        name=row.name,
        row=row,
        titles=TITLES,
        split=SPLIT_TITLES[which[0]],
        rank=row.rank,
        of=sum(other.rank is not None for other in board.rows),
    )


def sent_page(url: str) -> str:
    """That a submission was sent, with a link to its pull request."""
    return _fill("sent", link=url if url.startswith(("https://", "http://")) else None)


def message_page(message: str) -> str:
    """One sentence."""
    return _fill("message", message=message)


def about_page() -> str:
    """What is measured, where the numbers mislead, how to submit."""
    weighings = [(version, split) for version in ("v1.1", "v1.0") for split in ("open-domain", "human-domain")]
    columns = [
        {
            "title": TITLES[name],
            "about": about,
            "weights": [weights(version, split).get(name) for version, split in weighings],
        }
        for name, about in _ABOUT_COLUMNS.items()
    ]
    words = [(version, "Human" if split == "human-domain" else "Open, Single") for version, split in weighings]
    return _fill("about", weighings=words, columns=columns, num_resamples=f"{NUM_RESAMPLES:,}")


_ABOUT_COLUMNS = {
    "nexusscore": "whether the subjects look like their pictures, where a detector finds them",
    "naturalscore": "how real the video looks to a judge: physics, common sense, artefacts",
    "gmescore": "how well the frames fit the prompt, as an embedding model sees both",
    "facesim_cur": "whether the face is that of the reference",
    "aesthetics": "how beautiful the frames are to a model of people's ratings",
    "motion_amplitude": "how much moves",
    "motion_smoothness": "how few frames jump in quality",
}


@dataclass(frozen=True)
class _Line:
    """A number of two models; `test` is over the prompts that both have, None without per-video values of both."""

    title: str
    first: Cell
    second: Cell
    test: Difference | None

    @property
    def difference(self) -> float | None:
        if self.test is not None:
            return self.test.difference
        values = self.first.value, self.second.value
        return None if values[0] is None or values[1] is None else values[0] - values[1]


@dataclass(frozen=True)
class _About:
    venue: str
    team: str
    model_id: str
    link: str | None
    repo: str | None


@dataclass(frozen=True)
class _Entry:
    date: str
    split: str
    version: str
    scoring: str
    total: float
    change: float | None
    kind: str
    submitted_by: str


def _about(boards: Boards, key: str) -> _About:
    history = boards.history(key)
    if history:
        newest = history[0]
        venue: str
        venue, team, model_id, link = newest.venue, newest.team, newest.model_id, web_link(newest.link)
    else:
        row = next(iter(boards.rows(key, "v1.1", "released").values()))
        venue, team, model_id, link = row.venue, row.team, row.model_id, None
    repo = web_link(f"{HUB}/{model_id}") if model_id else None
    return _About(venue, plain(team), plain(model_id), link, repo)


def _history_entry(one: Submission, history: list[Submission]) -> _Entry:
    """A line of the history; the change is against the submission before of the same split, weights and scoring."""
    like = [o for o in history if (o.split, o.version, o.scoring) == (one.split, one.version, one.scoring)]
    before = next((o for o in like if o.submitted_at < one.submitted_at), None)
    return _Entry(
        date=plain(one.submitted_at),
        split=SPLIT_TITLES[one.split],
        version=plain(one.version),
        scoring=plain(one.scoring),
        total=one.total,
        change=None if before is None else one.total - before.total,
        kind=plain(one.provenance.kind),
        submitted_by=plain(one.submitted_by),
    )


def _history_plot(history: list[Submission], version: str, scoring: str) -> Markup | None:
    """Totals over time, where a split has more than one."""
    totals = {}
    for split in SPLITS:
        points = [
            (plain(one.submitted_at[:10]), one.total)
            for one in reversed(history)
            if (one.split, one.version, one.scoring) == (split, version, scoring)
        ]
        if len(points) > 1:
            totals[SPLIT_TITLES[split]] = points
    return Markup(history_lines(totals)) if totals else None  # noqa: S704 - made by matplotlib


def _category_plots(rows: list[Row]) -> list[Markup]:
    columns = [name for name in rows[0].columns if all(row.by_category.get(name) for row in rows)]
    return [Markup(category_bars(rows, name)) for name in columns]  # noqa: S704 - made by matplotlib


def _made_with(history: list[Submission]) -> list[dict[str, str]]:
    if not history:
        return []
    models = history[0].provenance.models
    videos = {
        entry.option: _text_of_json(entry.value)
        for entry in history[0].provenance.options
        if entry.metric == GENERATION and entry.option in ("kind", "name", "revision", "seed")
    }
    made = {
        "metric": "Videos",
        "role": plain(f"seed {videos.get('seed', 'unknown')}"),
        "name": plain(videos.get("name") or videos.get("kind", "")),
        "revision": plain(videos.get("revision") or "–"),
    }
    return ([made] if videos else []) + [
        {
            "metric": TITLES.get(metric, plain(metric)),
            "role": plain(info.role),
            "name": plain(info.name),
            "revision": plain(info.revision or "–"),
        }
        for metric, infos in models.items()
        for info in infos
    ]


def _text_of_json(value: str) -> str:
    """A JSON value as text; empty for null and for malformed JSON."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    return "" if found is None else str(found)


def _verdict(first: Row, second: Row, total: _Line) -> str:
    if total.difference is None:
        return "One of the two lacks a column and has no total, so totals cannot be compared."
    higher, lower = (first, second) if total.difference >= 0 else (second, first)
    ahead = f"{higher.name} is {100 * abs(total.difference):.2f} points above {lower.name}"
    if total.test is None:
        return f"{ahead}. Its significance is unknown, because per-video values of both are needed."
    if total.test.real:
        return f"{ahead}, and the difference is significant."
    return f"{ahead}, which is not significant: other prompts may reverse it."


def _fill(template: str, /, **values: Any) -> str:
    return _environment().get_template(f"{template}.html.j2").render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("opens2v_hf.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment
