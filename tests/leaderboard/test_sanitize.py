import csv
import io

import pytest

from opens2v_hf.leaderboard.sanitize import plain, spreadsheet_text, web_link


def test_plain_text_is_one_line_of_characters_that_are_seen():
    assert plain("a\u202eb\u200bc\n\td\x00") == "abc d"
    assert plain("a \x00") == "a"
    assert plain("多主体 S2V") == "多主体 S2V"
    assert plain("x" * 81) == "x" * 79 + "…"


@pytest.mark.parametrize("link", ["https://github.com/ali-vilab/VACE", "http://example.org/a?b=c#d"])
def test_pages_on_the_web_are_links(link):
    assert web_link(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.org",
        "https://user@example.org", "http://localhost:7860", "http://127.0.0.1", "https://10.0.0.1/", "http://[::1]/",
        "https://example.org/\" onclick=\"x", "https://exa mple.org", "https://example.org\\@evil.org", "ftp://x.org",
        "https://intern", "\x01javascript:alert(1)", " https://example.org",
    ],
)  # fmt: skip
def test_web_link_rejects_other_addresses(link):
    assert web_link(link) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "\t=1+1", "\r\n=1+1", "\u202e=1", "|calc"])
def test_what_a_spreadsheet_would_run_is_text(text):
    safe = spreadsheet_text(text)
    assert safe.startswith("'")
    assert "\t" not in safe
    assert "\n" not in safe


@pytest.mark.parametrize(
    ("text", "safe"), [("VACE;=1+1", "VACE;'=1+1"), ("a; @SUM(A1);-1", "a; '@SUM(A1);'-1"), ("a; b-c", "a; b-c")]
)
def test_no_formula_begins_after_a_semicolon(text, safe):
    assert spreadsheet_text(text) == safe


def test_text_stays_as_it_is_in_a_csv_file():
    buffer = io.StringIO()
    csv.writer(buffer).writerow([spreadsheet_text('Kling1.6 "pro", new')])
    assert next(csv.reader(io.StringIO(buffer.getvalue()))) == ['Kling1.6 "pro", new']
