from html.parser import HTMLParser

import pytest
from helpers.leaderboard import hostile, measured

from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard import pages
from opens2v_hf.leaderboard.boards import Boards
from opens2v_hf.leaderboard.rows import HubScores
from opens2v_hf.leaderboard.source import Origin
from opens2v_hf.leaderboard.submissions.record import load_submissions
from opens2v_hf.leaderboard.submit import Checked
from opens2v_hf.leaderboard.table import score_table
from opens2v_hf.results.problem import Problem

OPEN = ("open-domain", "v1.1", "released")
OLD, NEW = "2026-01-01 00:00:00", "2026-02-01 00:00:00"


@pytest.fixture(scope="module")
def boards():
    published = load_submissions(hub_folder("dataset_scripts", "opens2v-results"))
    made = [
        measured("Alpha", 0.0, submitted_at=OLD, model_id="org/alpha"),
        measured("Alpha", 0.05, submitted_at=NEW, model_id="org/alpha"),
        measured("Beta", 0.05, seed=1),
        measured("Gamma", -0.2, seed=2),
        hostile(),
    ]
    hub = [HubScores("org/delta", "open-domain", 0.4, 7)]
    return Boards([*published, *made], hub, num_resamples=2000)


def key(boards, start):
    return next(key for key, name in boards.names().items() if name.startswith(start))


class Read(HTMLParser):
    """The tags, links, event handlers and words of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.handlers, self.words = set(), [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            if name in ("href", "src", "action", "xlink:href"):
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append(value)

    def handle_data(self, data):
        self.words = " ".join(f"{self.words} {data}".split())


def test_a_model_page(boards):
    page = Read(pages.model_page(boards, key(boards, "Alpha"), "v1.1", "released"))
    new, old = (one.total for one in boards.history(key(boards, "Alpha")))
    assert f"{100 * new:.2f}" in page.words
    assert "180 videos" in page.words
    assert f"{NEW} Open-Domain v1.1 released {100 * new:.2f} +{100 * (new - old):.2f}" in page.words
    assert f"{OLD} Open-Domain v1.1 released {100 * old:.2f}" in page.words
    assert "By category" in page.words
    assert "https://huggingface.co/org/alpha" in page.links
    assert "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct" in page.words  # what its numbers were made with
    assert "of 4 with per-video values" in page.words


def test_a_published_row_says_what_it_lacks(boards):
    page = Read(pages.model_page(boards, key(boards, "BindWeave"), "v1.1", "released"))
    assert "57.61" in page.words
    assert "no per-video values, so no intervals" in page.words
    assert "https://huggingface.co/spaces/BestWishYsh/OpenS2V-Eval" in page.links
    strict = Read(pages.model_page(boards, key(boards, "BindWeave"), "v1.1", "strict"))
    assert "This model has no result with these weights and this scoring" in strict.words


def test_a_row_from_a_model_repo_says_so(boards):
    page = Read(pages.model_page(boards, key(boards, "org/delta"), "v1.1", "released"))
    assert "proposed in pull request 7 and not merged" in page.words
    assert "not ranked" in page.words
    assert "No submission to the results dataset" in page.words


def test_two_models_side_by_side(boards):
    page = Read(pages.compare_page(boards, OPEN, key(boards, "Alpha"), key(boards, "Gamma")))
    alpha, gamma = (boards.board(OPEN).row(key(boards, name)).total.value for name in ("Alpha", "Gamma"))
    assert f"Alpha is {100 * (alpha - gamma):.2f} points above Gamma, and the difference is significant" in page.words
    assert page.words.count("significant") >= 1 + 8  # the verdict, and a word for each line
    assert "Holm" in page.words
    close = Read(pages.compare_page(boards, OPEN, key(boards, "Alpha"), key(boards, "Beta")))
    assert "not significant" in close.words
    unknown = Read(pages.compare_page(boards, OPEN, key(boards, "BindWeave"), key(boards, "VACE-14B")))
    assert "Holm" not in unknown.words
    assert "BindWeave is 0.06 points above VACE-14B. Its significance is unknown" in unknown.words


def test_what_cannot_be_compared(boards):
    alpha, stand_in = key(boards, "Alpha"), key(boards, "Stand-In")
    assert "Choose two models" in pages.compare_page(boards, OPEN, alpha, alpha)
    assert "Choose two models" in pages.compare_page(boards, OPEN, None, alpha)
    assert "Stand-In cannot be compared here" in pages.compare_page(boards, OPEN, alpha, stand_in)


def test_nothing_from_outside_acts_on_a_page(boards):
    evil = key(boards, "<img")
    table = score_table(boards.board(OPEN), boards.groups(OPEN))
    problem = Problem("x", "<b>where</b>", "<script>what</script>", "<i>remedy</i>")
    for page in (
        pages.model_page(boards, evil, "v1.1", "released"),
        pages.compare_page(boards, OPEN, evil, key(boards, "Alpha")),
        pages.compare_page(boards, OPEN, evil, key(boards, "Stand-In")),
        pages.board_note(boards, OPEN, table, view="scores"),
        pages.csv_link(table, "a.csv"),
        pages.preview_page(boards, Checked(hostile(), (problem,))),
        pages.header(boards, Origin(False, "<script>x</script>", "<b>", ("<i>p</i>",)), "org/<b>"),
    ):
        read = Read(page)
        assert read.tags.isdisjoint({"img", "script", "iframe", "b onclick", "object", "form"})
        assert read.handlers == []
        allowed = ("https://", "data:text/csv;base64,", "?model=", "#")
        assert [link for link in read.links if not link.startswith(allowed)] == []
    assert "<img src=x onerror=" in Read(pages.model_page(boards, evil, "v1.1", "released")).words


def test_the_note_below_a_table(boards):
    table = score_table(boards.board(OPEN), boards.groups(OPEN))
    note = Read(pages.board_note(boards, OPEN, table, view="scores")).words
    assert "16 of 16 models" in note
    assert "among the 4 with per-video values" in note
    assert "1 of 6 pairs do not differ significantly" in note
    human = ("human-domain", "v1.1", "released")
    without = pages.board_note(boards, human, score_table(boards.board(human), {}), view="scores")
    assert "No interval and no rank groups on this split" in Read(without).words
    strict = ("human-domain", "v1.1", "strict")
    left_out = pages.board_note(boards, strict, score_table(boards.board(strict), {}), view="scores")
    assert "20 not shown, without per-video values" in Read(left_out).words


def test_a_preview_shows_the_rank(boards):
    page = Read(pages.preview_page(boards, Checked(measured("New", 0.2, seed=4), ())))
    assert "rank 1 of 16" in page.words  # 11 published, 4 and this one
    assert "Nothing has been sent yet" in page.words
    refused = Read(pages.preview_page(boards, Checked(None, (Problem("c", "total", "is wrong", "mend it"),))))
    assert "Not acceptable yet: 1 problem total is wrong" in refused.words
    assert "Nothing has been sent yet" not in refused.words


def test_the_about_page_has_the_weights():
    words = Read(pages.about_page()).words
    assert "MotionAmplitude how much moves 2 % 3 % 12 % 15 %" in words
    assert "NexusScore rewards flicker" in words
