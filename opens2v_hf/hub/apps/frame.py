"""Shared by all Spaces of the project: theme, limits of the server, errors and tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

MAX_UPLOAD = "100mb"
DELETE_CACHE_S = (3600, 3600)
"""Seconds between deletions of visitors' files, and the age of deleted files."""
MAX_WAITING = 32
"""Length of the queue; further requests are refused."""
MAX_SESSIONS = 200
"""Visitors with a state; that of the oldest is dropped for a new one."""

STYLE = Path(__file__).with_name("style.css")
_MARKUP = frozenset("\\`*_{}[]()<>#!|$~&")


def theme() -> gr.themes.Base:
    """Colours with a contrast of 4.5 or more, and fonts of the visitor's machine, so that no font is downloaded."""
    return gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_visited="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited_dark="*primary_300",
    )


def on_a_space() -> bool:
    """Whether this is a Space, whose visitors must not choose folders of its machine as models."""
    return bool(os.environ.get("SPACE_ID"))


def launch(demo: gr.Blocks, **options: Any) -> Any:
    """Serve a page with limits on uploads, the queue and sessions; one request is computed at a time.

    Args:
        demo: the page.
        **options: of `gr.Blocks.launch`; they override those set here.
    """
    demo.queue(max_size=MAX_WAITING, default_concurrency_limit=1)
    chosen: dict[str, Any] = {
        "theme": theme(),
        "css_paths": [STYLE],
        "max_file_size": MAX_UPLOAD,
        "state_session_capacity": MAX_SESSIONS,
    }
    return demo.launch(**(chosen | options))


def plain(text: str) -> str:
    """Text of a visitor (labels, file names) on one line, escaped for Markdown."""
    return "".join(f"\\{sign}" if sign in _MARKUP else sign for sign in " ".join(text.split()))


def refusal(message: str) -> str:
    """An error as a Markdown block, which stays on the page until the next request."""
    return f"> **No score.** {plain(message)}"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as HTML; on a narrow screen each row becomes a list, in which every value has its heading.

    Args:
        headings: of the columns.
        rows: their values; None and "" are shown as a dash.
    """
    head = Markup("").join(Markup("<th>{}</th>").format(heading) for heading in headings)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<td data-heading="{}">{}</td>').format(heading, "–" if value in (None, "") else value)
                for heading, value in zip(headings, row, strict=True)
            )
        )
        for row in rows
    )
    return str(Markup('<table class="values"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(head, body))
