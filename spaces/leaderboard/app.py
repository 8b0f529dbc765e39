"""The leaderboard of OpenS2V-Eval: tables, models, comparisons, submissions."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from huggingface_hub import HfApi, get_token

from opens2v_hf.errors import HubError, OpenS2VError
from opens2v_hf.hub.apps import frame
from opens2v_hf.hub.client import hub_errors
from opens2v_hf.leaderboard import pages
from opens2v_hf.leaderboard.boards import BoardKey, Boards
from opens2v_hf.leaderboard.dataframe import datatypes, to_dataframe, widths
from opens2v_hf.leaderboard.rows import CLOSED, OPEN
from opens2v_hf.leaderboard.source import MAX_AGE_S, Source, repos_of_the_space
from opens2v_hf.leaderboard.submissions.record import SPLITS, VENUES, Submission
from opens2v_hf.leaderboard.submit import Details, check_upload, send
from opens2v_hf.leaderboard.table import (
    DETAILS,
    GROUP,
    MODEL,
    TITLES,
    TOTAL,
    RowFilter,
    Table,
    by_weight,
    category_table,
    score_table,
)
from opens2v_hf.scores.scorecard import SCORINGS, VERSIONS

STYLE = Path(__file__).with_name("style.css")
THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    radius_size="lg",
    font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
"""Fonts of the visitor's own machine, so that the page waits for no other server."""

PAGES = ("board", "models", "compare", "submit", "about")
_KEEP_ADDRESS = "<script>window.boardAddress = window.location.search;</script>"
_GIVE_ADDRESS = "() => [window.boardAddress]"
_NAME_THE_PAGE = """() => {
  if (!window.boardIsOpen) return;  // the first tab is chosen as the page is built, whatever the address says
  const address = new URL(window.location);
  address.searchParams.set("tab", "%s");
  if ("%s" != "models") address.searchParams.delete("model");
  window.history.replaceState(null, "", address);
}"""
"""So that the address leads to the same page, after signing in and from a link."""
_IS_OPEN = "() => { window.boardIsOpen = true; }"

KEEP_UPLOADS_S = (3600, 3600)
"""Seconds between deletions of uploads, and the age of deleted ones."""

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "always_last"}
"""Events of the page are not part of its API, and show no progress overlay. What is chosen, clicked or typed while an
answer is awaited is not dropped: the last of it is answered."""
IN_ORDER: dict[str, dict[str, Any]] = {
    part: {**PRIVATE, "concurrency_id": part, "concurrency_limit": 1}
    for part in ("switches", "tables", "model", "compare")
}
"""Several controls change each of these parts: answers come in the order of the choices, so that the last one stays."""

ALL, OPEN_ONLY, CLOSED_ONLY = "All", "Open", "Closed"
VENUE_OF = {ALL: "", OPEN_ONLY: OPEN, CLOSED_ONLY: CLOSED}
SCORES, CATEGORIES = "Columns", "Categories"
HIDDEN_FIRST = DETAILS[1:]
"""Columns that are hidden by default."""

CITATION = """@article{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and He, Xianyi and Deng, Yufan and Ye, Yang and Huang, Jinfa and Lin, Bin and Luo, Jiebo and Yuan, Li},
  journal={arXiv preprint arXiv:2505.20292},
  year={2025}
}"""  # noqa: E501
HOW_TO_SUBMIT = """
1. Score the videos: `opens2v score videos/ --split open-domain --out results/`
2. Sign in, and upload the result file `results/open-domain.json`. It is checked and previewed; nothing is sent yet.
3. Send it. It becomes a pull request to the results dataset in your name, and a row once it is merged.
"""


def choosable(split: str, version: str) -> list[str]:
    """Headings of the columns of a split that can be hidden and sorted by."""
    return [GROUP, *(TITLES[name] for name in by_weight(split, version)), *DETAILS]


def titled(names: list[str]) -> list[tuple[str, str]]:
    """Choices with a capital letter: Released for "released"; versions stay as they are."""
    return [(name if name in VERSIONS else name.capitalize(), name) for name in names]


class Leaderboard:
    """The actions of the page's controls.

    Args:
        source: of the boards.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def boards(self) -> Boards:
        """The boards to display."""
        return self.source.current()[0]

    def open_page(self, address: str | None) -> tuple[Any, ...]:
        """Head, models to choose from, the page of the address, and which splits have rows.

        Args:
            address: the query of the page's address, with its question mark.
        """
        boards, origin = self.source.current()
        head = pages.header(boards, origin, self.source.repos.results)
        choices = [(name, key) for key, name in boards.names().items()]
        asked = dict(parse_qsl((address or "").removeprefix("?")))
        model, tab = asked.get("model", ""), asked.get("tab")
        known = next((key for key, name in boards.names().items() if model and model in (key, name)), None)
        best = [row.key for row in boards.board((SPLITS[0], VERSIONS[0], SCORINGS[0])).rows[:2]]
        first, second = (*best, None, None)[:2]
        return (
            head,
            gr.Dropdown(choices=choices, value=known or first),
            gr.Dropdown(choices=choices, value=first),
            gr.Dropdown(choices=choices, value=second),
            gr.Tabs(selected="models" if known else tab if tab in PAGES else PAGES[0]),
            *(gr.Tab(visible=split == SPLITS[0] or bool(boards.offers(split).versions)) for split in SPLITS),
        )

    def tables(
        self, words: str, access: str, view: str, version: str, scoring: str, metric: str, sort_by: str,
        shown: list[str], with_intervals: bool,
    ) -> list[Any]:  # fmt: skip
        """Table, note and CSV file of every split."""
        boards, answer = self.boards, []
        row_filter = RowFilter(words, VENUE_OF[access], sort_by)
        for split in SPLITS:
            which = (split, version, scoring)
            table = self._table(boards, which, view, metric, row_filter, shown)
            answer += [
                gr.Dataframe(
                    to_dataframe(table, with_intervals=with_intervals),
                    datatype=datatypes(table),  # type: ignore[arg-type]
                    column_widths=widths(table, with_intervals=with_intervals),  # type: ignore[arg-type]
                ),
                pages.board_note(boards, which, table, view="scores" if view == SCORES else "categories"),
                pages.csv_link(table, f"opens2v-eval-{split}-{version}-{scoring}.csv"),
            ]
        return answer

    def toggles(
        self, split: str, access: str, view: str, version: str, scoring: str, metric: str, sort_by: str,
        shown: list[str], offered: list[str],
    ) -> list[Any]:  # fmt: skip
        """The switches above a split's table with the choices that lead to rows; a switch without a choice is hidden.

        Choices stay if the split has them, also those made since it was opened: such a switch gets no value.
        `offered` are the columns of the previous split; columns that only this one has are shown.
        """
        offers = self.boards.offers(split)
        views = [SCORES, CATEGORIES] if offers.categories else [SCORES]
        accesses = [ALL, OPEN_ONLY, CLOSED_ONLY] if {OPEN, CLOSED} <= offers.venues else [ALL]
        answer = [
            gr.Radio(titled(choices), visible=len(choices) > 1, **_value(chosen, choices, choices[0]))
            for choices, chosen in (
                (accesses, access),
                (views, view),
                (list(offers.versions) or [version], version),
                (list(offers.scorings) or [scoring], scoring),
            )
        ]
        metrics = by_weight(split, version)
        names = choosable(split, version)
        by_category = view == CATEGORIES and offers.categories
        return [
            *answer,
            gr.Dropdown(
                [(TITLES[name], name) for name in metrics],
                visible=by_category,
                **_value(metric, metrics, metrics[0]),
            ),
            gr.Checkbox(visible=offers.categories),
            gr.Dropdown([TOTAL, MODEL, *names], **_value(sort_by, [TOTAL, MODEL, *names], TOTAL)),
            gr.CheckboxGroup(names, value=[name for name in names if name in shown or name not in offered]),
            names,
        ]

    def _table(
        self, boards: Boards, which: BoardKey, view: str, metric: str, row_filter: RowFilter, shown: list[str]
    ) -> Table:
        board = boards.board(which)
        if view == CATEGORIES:
            names = by_weight(board.split, board.version)
            return category_table(board, metric if metric in names else names[0], row_filter)
        return score_table(board, boards.groups(which), row_filter, shown)

    def model(self, key: str | None, version: str, scoring: str) -> str:
        """The page of a model."""
        return pages.model_page(self.boards, key, version, scoring)

    def compare(self, first: str | None, second: str | None, split: str, version: str, scoring: str) -> str:
        """Two models side by side."""
        return pages.compare_page(self.boards, (split, version, scoring), first, second)

    def chosen(self, event: gr.SelectData) -> tuple[Any, Any]:
        """Open the page of the model whose name was clicked."""
        column = event.index[1] if isinstance(event.index, list | tuple) else None
        key = next((key for key, name in self.boards.names().items() if name == event.value), None)
        if column != 1 or key is None:
            return gr.skip(), gr.skip()
        return gr.Tabs(selected="models"), gr.Dropdown(value=key)

    def check(
        self, file: str | None, model: str, model_id: str, link: str, team: str, venue: str, scoring: str,
        submitted_by: str, profile: gr.OAuthProfile | None,
    ) -> tuple[str, Submission | None, Any]:  # fmt: skip
        """Read an upload, and preview its submission."""
        if not file:
            return pages.message_page("Choose the result file first."), None, gr.Button(interactive=False)
        sender = submitted_by or (profile.username if profile else "")
        details = Details(model, team, venue, sender, model_id, link, scoring)
        checked = check_upload(Path(file), details, self.boards.submissions)
        ready = checked.acceptable and self.source.current()[1].live
        page = pages.preview_page(self.boards, checked)
        return page, checked.submission if checked.acceptable else None, gr.Button(interactive=ready)

    def submit(self, submission: Submission | None, token: gr.OAuthToken | None) -> tuple[str, Any]:
        """Send the checked submission, as the visitor."""
        again, done = gr.Button(interactive=True), gr.Button(interactive=False)
        if submission is None or self.source.repos.results is None:
            return pages.message_page("There is nothing to send: check a file first."), done
        if token is None:
            return pages.message_page("Sign in first: it is sent in your name."), again
        try:
            return pages.sent_page(send(submission, self.source.repos.results, token.token)), done
        except HubError as error:
            return pages.message_page(f"It was not sent: {error}"), again
        except OpenS2VError as error:
            return pages.message_page(f"It was not sent: {error}"), done


def build(source: Source, *, sign_in: bool) -> gr.Blocks:
    """The interface.

    Args:
        source: of the boards.
        sign_in: whether visitors can sign in: on a Space, or on a machine with a token.
    """
    board = Leaderboard(source)
    with gr.Blocks(
        title="OpenS2V-Eval leaderboard", analytics_enabled=False, fill_width=True, delete_cache=KEEP_UPLOADS_S
    ) as demo:
        address = gr.Textbox(visible=False)
        head = gr.HTML(elem_id="head", apply_default_css=False)
        with gr.Tabs(elem_id="pages", overflow_behavior="wrap") as tabs:
            with gr.Tab("Leaderboard", id="board") as tab_board:
                controls, outputs, splits = _board_tab(board)
                version, scoring = controls[3], controls[4]
            with gr.Tab("Models", id="models") as tab_models:
                with gr.Row(elem_classes="b-choice"):
                    model = gr.Dropdown(label="Model", elem_id="model")
                model_page = gr.HTML(elem_id="model-page", apply_default_css=False)
            with gr.Tab("Compare", id="compare") as tab_compare:
                with gr.Row(elem_classes="b-choice"):
                    first = gr.Dropdown(label="First model", elem_id="first", min_width=150)
                    second = gr.Dropdown(label="Second model", elem_id="second", min_width=150)
                    split = gr.Dropdown(
                        [(pages.SPLIT_TITLES[name], name) for name in SPLITS],
                        label="Split",
                        elem_id="split",
                        min_width=150,
                    )
                compare_page = gr.HTML(elem_id="compare-page", apply_default_css=False)
            with gr.Tab("Submit", id="submit") as tab_submit:
                _submit_tab(board, sign_in=sign_in)
            with gr.Tab("About", id="about") as tab_about:
                gr.HTML(pages.about_page(), elem_id="about-page", apply_default_css=False)
                gr.Code(CITATION, label="Citation", language=None, interactive=False, elem_id="citation")

        for name, tab in zip(PAGES, (tab_board, tab_models, tab_compare, tab_submit, tab_about), strict=True):
            tab.select(None, None, None, js=_NAME_THE_PAGE % (name, name))
        for control in controls:
            control.input(board.tables, controls, outputs, **IN_ORDER["tables"])
        for table in outputs[::3]:
            table.select(board.chosen, None, [tabs, model], **PRIVATE)
        for control in (model, version, scoring):
            control.change(board.model, [model, version, scoring], model_page, **IN_ORDER["model"])
        sides = [first, second, split, version, scoring]
        for control in sides:
            control.change(board.compare, sides, compare_page, **IN_ORDER["compare"])
        opened = demo.load(
            board.open_page, address, [head, model, first, second, tabs, *splits], js=_GIVE_ADDRESS, **PRIVATE
        )
        opened.then(None, None, None, js=_IS_OPEN)
        demo.load(board.tables, controls, outputs, **IN_ORDER["tables"])
    return demo


def _value(chosen: str, choices: list[str], first: str) -> dict[str, Any]:
    """A value for a control whose choice is not among the new ones; none otherwise, which leaves it as it is by now."""
    return {} if chosen in choices else {"value": first}


def _board_tab(board: Leaderboard) -> tuple[list[Any], list[Any], list[gr.Tab]]:
    """The controls in the order of `Leaderboard.tables`' arguments, its outputs, and the tabs of the splits."""
    with gr.Row(elem_id="controls"):
        words = gr.Textbox(
            placeholder="Search: vace, phantom", max_lines=1, show_label=False, container=False, elem_id="search",
            min_width=240, scale=3,
        )  # fmt: skip
        access = gr.Radio(
            [ALL, OPEN_ONLY, CLOSED_ONLY],
            value=ALL,
            label="Models",
            elem_id="access",
            elem_classes="b-switch",
            min_width=190,
        )
        view = gr.Radio(
            [SCORES, CATEGORIES], value=SCORES, label="View", elem_id="view", elem_classes="b-switch", min_width=190
        )
        version = gr.Radio(
            list(VERSIONS),
            value=VERSIONS[0],
            label="Weights",
            elem_id="version",
            elem_classes="b-switch",
            min_width=130,
        )
        scoring = gr.Radio(
            titled(list(SCORINGS)),
            value=SCORINGS[0],
            label="Scoring",
            elem_id="scoring",
            elem_classes="b-switch",
            min_width=170,
        )
        names = [(TITLES[name], name) for name in by_weight(SPLITS[0], VERSIONS[0])]
        metric = gr.Dropdown(
            names, value=names[0][1], label="Column by category", show_label=False, visible=False, elem_id="metric"
        )
    with gr.Accordion("Columns, order, intervals", open=False, elem_id="more"):
        columns = choosable(SPLITS[0], VERSIONS[0])
        shown = gr.CheckboxGroup(
            columns,
            value=[name for name in columns if name not in HIDDEN_FIRST],
            label="Columns",
            elem_id="columns",
        )
        offered = gr.State(columns)
        with gr.Row():
            sort_by = gr.Dropdown(
                [TOTAL, MODEL, *columns], value=TOTAL, label="Order by", elem_id="order", min_width=150
            )
            intervals = gr.Checkbox(False, label="Intervals of all scores", elem_id="intervals", min_width=150)
    outputs, tabs = [], {}
    with gr.Tabs(elem_id="splits", overflow_behavior="wrap"):
        for split in SPLITS:
            with gr.Tab(pages.SPLIT_TITLES[split], id=split) as tabs[split]:
                table = gr.Dataframe(
                    interactive=False, pinned_columns=2, max_height=1200, show_label=False, buttons=[],
                    elem_id=f"table-{split}", elem_classes="b-table",
                )  # fmt: skip
                note = gr.HTML(elem_id=f"note-{split}", apply_default_css=False)
                outputs += [table, note, gr.HTML(elem_id=f"csv-{split}", apply_default_css=False)]
    view.input(lambda chosen: gr.Dropdown(visible=chosen == CATEGORIES), view, metric, **PRIVATE)
    controls = [words, access, view, version, scoring, metric, sort_by, shown, intervals]
    toggles = [access, view, version, scoring, metric]
    of_columns = [sort_by, shown, offered]
    for split, tab in tabs.items():
        chosen = tab.select(
            partial(board.toggles, split),
            [*toggles, *of_columns],
            [*toggles, intervals, *of_columns],
            **IN_ORDER["switches"],
        )
        chosen.then(board.tables, controls, outputs, **IN_ORDER["tables"])
    return controls, outputs, list(tabs.values())


def _submit_tab(board: Leaderboard, *, sign_in: bool) -> None:
    gr.Markdown(HOW_TO_SUBMIT, elem_classes="b-page")
    if sign_in:
        gr.LoginButton(elem_id="sign-in", size="md")
    else:
        gr.HTML(
            pages.message_page("Signing in works on the Hub, and on a machine with a token of the Hub."),
            apply_default_css=False,
        )
    with gr.Row():
        with gr.Column(min_width=300):
            file = gr.File(label="Result file", file_types=[".json"], elem_id="file", height=130)
            with gr.Row():
                name = gr.Textbox(label="Model", elem_id="submit-model", max_length=80, min_width=140)
                team = gr.Textbox(label="Evaluated by", elem_id="submit-team", max_length=120, min_width=140)
            with gr.Row():
                model_id = gr.Textbox(
                    label="Repo on the Hub", placeholder="org/name", elem_id="submit-id", min_width=140
                )
                link = gr.Textbox(label="Project page", placeholder="https://", elem_id="submit-link", min_width=140)
            with gr.Row():
                venue = gr.Radio(
                    list(VENUES), value=VENUES[0], label="Weights of the model", elem_id="submit-venue", min_width=140
                )
                scoring = gr.Radio(
                    list(SCORINGS), value=SCORINGS[0], label="Scoring", elem_id="submit-scoring", min_width=140
                )
            sender = gr.Textbox(
                label="Submit as", info="You, or an organisation of yours; you if left empty", elem_id="submit-as"
            )
            with gr.Row():
                check = gr.Button("Check", variant="secondary", elem_id="check")
                sending = gr.Button("Send as a pull request", variant="primary", interactive=False, elem_id="send")
        with gr.Column(min_width=300):
            preview = gr.HTML(
                pages.message_page("Your upload is checked and previewed here."),
                elem_id="preview",
                apply_default_css=False,
            )
    checked = gr.State()
    fields = [file, name, model_id, link, team, venue, scoring, sender]
    check.click(board.check, fields, [preview, checked, sending], api_visibility="private")
    sending.click(board.submit, checked, [preview, sending], api_visibility="private")


def can_sign_in() -> bool:
    """Whether gradio can sign a user in: on a Space with OAuth, or the user whose token is on this machine."""
    if os.environ.get("SPACE_ID"):
        return bool(os.environ.get("OAUTH_CLIENT_ID"))
    if get_token() is None:
        return False
    api = HfApi()
    try:
        with hub_errors(api):
            return api.whoami().get("type") == "user"
    except HubError:
        return False


if __name__ == "__main__":
    age = float(os.environ.get("OPENS2V_MAX_AGE_S") or MAX_AGE_S)
    board = build(Source(repos_of_the_space(), max_age_s=age), sign_in=can_sign_in())
    frame.launch(
        board,
        theme=THEME,
        css_paths=STYLE,
        head=_KEEP_ADDRESS,
        max_file_size="64mb",
        footer_links=["gradio", "settings"],
    )
