"""Names on pages: long ones are cut, whole to who points at them, and nothing in them is markup."""

from __future__ import annotations

from markupsafe import Markup

from opens2v_hf.reports.page import name_in_a_table, with_short_names


def test_long_names_in_a_sentence_are_cut_once_each() -> None:
    # one name is a part of the other
    short, long = "a" * 70, "a" * 70 + "<b>"
    assert with_short_names(f"{long} is ahead of {short} & m", short, long, "m") == Markup(
        f'<span title="{"a" * 70}&lt;b&gt;">{"a" * 59}…</span> is ahead of <span title="{short}">{"a" * 59}…</span>'
        " &amp; m"
    )
    assert with_short_names("<i>", "<i>") == Markup("&lt;i&gt;")


def test_a_name_in_a_table_shows_no_folders_and_is_escaped() -> None:
    assert name_in_a_table('/home/me/a-"b') == Markup('<span class="name" title="a-&#34;b">a-<wbr>&#34;b</span>')
