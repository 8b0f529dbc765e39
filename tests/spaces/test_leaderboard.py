"""The leaderboard as a visitor meets it: one app that reads a Hub on loopback, one browser, every control."""

import csv
import json
import subprocess
import sys
import time
from urllib.request import ProxyHandler, build_opener

import pytest
from helpers.browser import ROOT, Page, app_on_loopback
from helpers.leaderboard import HOSTILE_NAME, hostile, measured, write_records
from helpers.loopback_hub.fixture import OFFLINE_SWITCHES, TESTS, LoopbackHub
from helpers.submissions import make_whole_result

pytest.importorskip("gradio")
pytestmark = pytest.mark.browser

MAX_AGE_S = 6
"""After which the app reads again."""

FILL = """
import sys
import yaml
from huggingface_hub import EvalResultEntry, HfApi, eval_result_entries_to_yaml

api = HfApi()
api.create_repo("org/opens2v-eval", repo_type="dataset")
api.create_repo("org/opens2v-results", repo_type="dataset")
for folder in sys.argv[1:]:
    api.upload_folder(repo_id="org/opens2v-results", repo_type="dataset", folder_path=folder, allow_patterns="data/**")
api.create_repo("org/own-repo")
entries = [EvalResultEntry(dataset_id="org/opens2v-eval", task_id="open_domain_total", value=50.5)]
content = yaml.safe_dump(eval_result_entries_to_yaml(entries)).encode()
api.upload_file(path_or_fileobj=content, path_in_repo=".eval_results/x.yaml", repo_id="org/own-repo", create_pr=True)
"""
SUBMISSIONS = [
    measured("Aurora-14B", 0.02, submitted_at="2026-01-01 12:00:00", team="Aurora Lab", model_id="aurora/s2v-14b"),
    measured("Aurora-14B", 0.08, submitted_at="2026-02-01 12:00:00", team="Aurora Lab", model_id="aurora/s2v-14b"),
    measured("Borealis", 0.05, seed=1, venue="Closed-Source"),
    measured("Drift", -0.12, seed=2),
    hostile(),
]
AURORA = SUBMISSIONS[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("leaderboard")


@pytest.fixture(scope="module")
def hub(folder, hub_server):
    """A Hub of its own, because the last test ends it."""
    command = [sys.executable, "-m", "helpers.loopback_hub", "--lfs"]
    server = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    loopback = LoopbackHub(server.stdout.readline().strip(), folder / "home", hub_server.bare, hub_server.imported)
    write_records(folder / "made", SUBMISSIONS)
    loopback.run(FILL, ROOT / "dataset_scripts" / "opens2v-results", folder / "made")
    yield server, loopback
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def page(hub, folder, driver):
    environment = {
        **hub[1].environment(),
        **dict.fromkeys(OFFLINE_SWITCHES, ""),
        "OPENS2V_RESULTS": "org/opens2v-results",
        "OPENS2V_BENCHMARK": "org/opens2v-eval",
        "OPENS2V_MAX_AGE_S": str(MAX_AGE_S),
    }
    with app_on_loopback(ROOT / "spaces" / "leaderboard" / "app.py", folder / "app.log", environment) as address:
        page = Page(driver, address)
        rows(page, "open-domain")
        yield page


def cells(page, split):
    """The shown table, row by row; scrolled out of it are the columns that are not there."""
    return page.driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(row => [...row.querySelectorAll('[role=gridcell]')]"
        ".map(cell => cell.textContent.trim()))",
        f"#table-{split} .virtual-row",
    )


def rows(page, split, condition=bool):
    """Wait until the shown table fulfils a condition."""
    return page.wait(lambda: found if (found := cells(page, split)) and condition(found) else None, f"{split} stays")


def names(page, split, expected=None):
    """The models of the shown table; waits until they are those that are expected."""
    found = rows(page, split, lambda table: expected is None or [row[1] for row in table] == expected)
    return [row[1] for row in found]


def html(page, element):
    return page.driver.execute_script(
        "const found = document.getElementById(arguments[0]); return found ? found.innerHTML : ''", element
    )


def text_of(page, element):
    return page.driver.execute_script(
        "const found = document.getElementById(arguments[0]); return found ? found.innerText : ''", element
    )


def wait_for(page, element, *words):
    """Wait until an element holds all these words."""

    def there():
        shown = " ".join(text_of(page, element).split())
        return shown if all(word in shown for word in words) else None

    return page.wait(there, f"{words} did not appear in {element}")


def press(page, css):
    """A click that does not care what lies above."""
    page.driver.execute_script("document.querySelector(arguments[0]).click()", css)


def test_it_opens_with_open_domain_live_from_the_hub(page, folder):
    table = rows(page, "open-domain")
    assert len(table) == 11 + 4 + 1
    assert table[0][:2] == ["1", "Aurora-14B"]
    assert table[0][2].startswith(f"{100 * AURORA.total:.2f} [")
    bind_weave = next(row for row in table if row[1] == "BindWeave")
    assert bind_weave[2:4] == ["57.61", "66.85"]
    assert bind_weave[-2:] == ["–", "closed"]  # no rank group without per-video values
    assert "org/own-repo" in [row[1] for row in table]
    assert any(row[1].startswith("<img src=x") for row in table)
    assert page.driver.title == "OpenS2V-Eval leaderboard"  # which the hostile row would change
    assert "live from the Hub" in wait_for(page, "head", "47 results", "5 with per-video values")
    wait_for(page, "note-open-domain", "16 of 16 models", "among the 4 with per-video values")
    assert page.screenshot(folder / "open.png").stat().st_size > 100_000
    assert page.foreign_requests() == []


def test_search_and_access(page):
    page.type_into("#search input", "vace, aurora")  # no Enter: it searches while one types
    names(page, "open-domain", ["Aurora-14B", "VACE-14B", "VACE-1.3B", "VACE-P1.3B"])
    wait_for(page, "note-open-domain", "4 of 16 models")
    page.type_into("#search input", " ")
    rows(page, "open-domain", lambda table: len(table) == 16)
    page.click("Closed")
    names(
        page, "open-domain", ["BindWeave", "Borealis", "Kling1.6(20250503)", "Vidu2.0(20250503)", "Pika2.1(20250503)"]
    )
    page.click("All")
    rows(page, "open-domain", lambda table: len(table) == 16)


def test_splits_weights_and_scoring(page):
    page.click("Human-Domain")
    human = [row[1] for row in rows(page, "human-domain", lambda table: len(table) == 20)]
    assert (human[0], human[-1]) == ("VACE-14B", "ID-Animator")
    wait_for(page, "note-human-domain", "No interval and no rank groups on this split")
    page.click("Single-Domain")
    assert names(page, "single-domain")[:2] == ["VACE-14B", "Phantom-14B"]
    page.click("Open-Domain")
    page.click("v1.0")
    # .20 Nexus + .24 Natural + .12 Gme + .20 Face + .12 Aesthetics + .12 Amplitude of BindWeave's published columns
    rows(page, "open-domain", lambda table: ["BindWeave", "51.42"] in [row[1:3] for row in table])
    page.click("v1.1")
    page.click("Strict")
    strict = rows(page, "open-domain", lambda table: len(table) == 4)
    assert strict[0][1] == "Aurora-14B"
    wait_for(page, "note-open-domain", "11 not shown, without per-video values")
    page.click("Released")
    rows(page, "open-domain", lambda table: len(table) == 16)


def switches(page):
    """The switches that are shown, each with its choices."""
    found = [one.text.split("\n") for one in page.find("#controls .b-switch") if one.is_displayed()]
    return {label: choices for label, *choices in found}


def test_a_switch_is_hidden_if_it_leads_to_no_rows(page):
    everything = {
        "Models": ["All", "Open", "Closed"],
        "View": ["Columns", "Categories"],
        "Weights": ["v1.1", "v1.0"],
        "Scoring": ["Released", "Strict"],
    }
    page.wait(lambda: True if switches(page) == everything else None, "a switch is missing")
    page.click("Strict")
    rows(page, "open-domain", lambda table: len(table) == 4)
    page.click("Human-Domain")  # has the published rows alone, without per-video values: no strict scoring of them
    published = {label: everything[label] for label in ("Models", "Weights")}
    page.wait(lambda: True if switches(page) == published else None, "a switch leads to nothing")
    assert len(rows(page, "human-domain")) == 20
    page.click("Open-Domain")
    page.wait(lambda: True if switches(page) == everything else None, "a switch is missing")
    rows(page, "open-domain", lambda table: len(table) == 16)


def test_a_window_of_1280_shows_every_column(page):
    page.resize(1280)
    hidden = page.driver.execute_script(
        "const view = document.querySelector('#table-open-domain .virtual-table-viewport');"
        "return view.scrollWidth - view.clientWidth"
    )
    assert hidden == 0
    headings = [one.get_attribute("title") for one in page.find("#table-open-domain [data-heading]")]
    assert [one.replace("\u200b", "") for one in headings] == [
        "#", "Model", "Total", "NaturalScore", "FaceSim", "NexusScore", "Aesthetics", "GmeScore", "MotionSmoothness",
        "MotionAmplitude", "Rank group", "Access",
    ]  # fmt: skip
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_categories(page):
    page.click("Categories")
    table = rows(page, "open-domain", lambda table: len(table) == 4)
    assert len(table[0]) == 3 + 7
    page.choose("Column by category", "FaceSim")
    faces = rows(page, "open-domain", lambda table: len(table[0]) == 3 + 3)
    values = [min(max(v["facesim_cur"], 0), 1) for i, v in AURORA.per_video.items() if i.startswith("singleface_")]
    aurora = next(row for row in faces if row[1] == "Aurora-14B")
    assert aurora[3] == f"{100 * sum(values) / 30:.2f}"
    page.click("Columns")
    rows(page, "open-domain", lambda table: len(table) == 16)


def test_columns_order_and_intervals(page):
    page.click("Columns, order, intervals")
    page.choose("Order by", "GmeScore")
    names(page, "open-domain")
    rows(page, "open-domain", lambda table: table[0][1] == "VACE-P1.3B")  # 71.38
    page.choose("Order by", "Total")
    rows(page, "open-domain", lambda table: table[0][1] == "Aurora-14B")
    page.click("Evaluated by")
    rows(page, "open-domain", lambda table: "Aurora Lab" in table[0])
    before = len(cells(page, "open-domain")[0])
    page.click("GmeScore")
    rows(page, "open-domain", lambda table: len(table[0]) == before - 1)
    page.click("GmeScore")
    page.click("Intervals of all scores")
    rows(page, "open-domain", lambda table: sum("[" in cell for cell in table[0]) == 8)
    page.click("Intervals of all scores")
    page.click("Human-Domain")  # its leaderboard has no NexusScore
    page.wait(lambda: "NexusScore" not in text_of(page, "columns") or None, "a column is offered that is not there")
    page.click("Open-Domain")
    page.wait(lambda: "NexusScore" in text_of(page, "columns") or None, "a column is not offered")
    rows(page, "open-domain", lambda table: len(table[0]) == before)
    page.click("Columns, order, intervals")


def test_the_headings_sort_and_filter(page):
    heading = "#table-open-domain [data-heading='1'] "
    press(page, heading + ".cell-menu-button")
    page.wait(lambda: page.find("[role=menuitem]") or None, "no menu")
    page.driver.execute_script(
        "[...document.querySelectorAll('[role=menuitem]')].find(e => e.innerText.trim() == 'Sort ascending').click()"
    )
    by_name = rows(page, "open-domain", lambda table: table[0][1] != "Aurora-14B")
    assert [row[1] for row in by_name if row[1][0].isupper()][:2] == ["Aurora-14B", "BindWeave"]
    press(page, heading + ".cell-menu-button")
    page.wait(lambda: page.find("[role=menuitem]") or None, "no menu")
    page.driver.execute_script(
        "[...document.querySelectorAll('[role=menuitem]')].find(e => e.innerText.trim() == 'Clear sort').click()"
    )
    rows(page, "open-domain", lambda table: table[0][1] == "Aurora-14B")


def test_the_csv_file(page, downloads):
    press(page, "#csv-open-domain a")
    file = downloads / "opens2v-eval-open-domain-v1.1-released.csv"
    page.wait(lambda: True if file.is_file() else None, "no file was downloaded")
    table = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert len(table) == 16
    assert table[0]["Model"] == "Aurora-14B"
    assert float(table[0]["Total low"]) < float(table[0]["Total"]) < float(table[0]["Total high"])
    assert [cell for row in table for cell in row.values() if cell.startswith(("=", "+", "-", "@"))] == []
    assert any(row["Evaluated by"].startswith("'=HYPERLINK") for row in table)


def test_a_click_on_a_name_opens_the_models_page(page, folder):
    for column in (2, 1):  # a number opens nothing, and the page answers the last of two clicks
        cell = page.driver.find_element("css selector", f"#table-open-domain [data-row='0'][data-col='{column}']")
        page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        cell.click()
    shown = wait_for(page, "model-page", "Aurora-14B", "180 videos", "By category")
    gain = 100 * (AURORA.total - SUBMISSIONS[0].total)
    assert f"2026-02-01 12:00:00 Open-Domain v1.1 released {100 * AURORA.total:.2f} +{gain:.2f}" in shown
    (link,) = [one for one in page.find("#model-page a") if one.text == "aurora/s2v-14b"]
    assert link.get_attribute("href") == "https://huggingface.co/aurora/s2v-14b"
    # the page of the scoring before, whose history has no plot, may still be there
    page.wait(
        lambda: True if len(page.find("#model-page svg")) == 1 + 7 else None,
        "not the plots of the history and of each column by category",
    )
    assert page.screenshot(folder / "model.png").stat().st_size > 100_000


def test_the_name_of_a_hostile_model_is_text(page):
    page.choose("Model", "<img src=x")
    wait_for(page, "model-page", HOSTILE_NAME[:60])
    found = page.driver.execute_script(
        "return [...document.querySelectorAll('#model-page img, #model-page script, #model-page [onerror], "
        '#model-page a[href^="javascript"]\')].length'
    )
    assert found == 0
    assert page.driver.title == "OpenS2V-Eval leaderboard"


def test_two_models_side_by_side(page, folder):
    page.click("Compare")
    page.choose("First model", "Drift")
    page.choose("Second model", "Borealis")
    wait_for(page, "compare-page", "Borealis is", "points above Drift, and the difference is significant")
    assert len(page.find("#compare-page svg")) == 1 + 7
    assert page.screenshot(folder / "compare.png").stat().st_size > 100_000
    page.choose("First model", "VACE-14B")
    page.choose("Split", "Human-Domain")
    wait_for(page, "compare-page", "Borealis cannot be compared here")
    page.choose("Second model", "Stand-In")
    wait_for(
        page, "compare-page", "65.78", "62.08", "VACE-14B is 3.70 points above Stand-In", "significance is unknown"
    )


def test_about_and_citation(page):
    page.click("About")
    wait_for(page, "about-page", "Where the numbers mislead", "NexusScore rewards flicker")
    assert "yuan2025opens2v" in text_of(page, "citation")


def test_submitting(page, hub, folder):
    page.click("Submit")
    evil = folder / "evil.json"
    evil.write_bytes(hostile().to_json())
    page.driver.find_element("css selector", "#file input[type=file]").send_keys(str(evil))
    page.wait(lambda: True if "evil.json" in html(page, "file") else None, "the file did not arrive")
    page.click("Check")
    wait_for(page, "preview", "Not acceptable yet", "markup")
    assert not page.find("#send")[0].is_enabled()
    assert page.driver.title == "OpenS2V-Eval leaderboard"

    page.click("Sign in with Hugging Face")
    page.wait(lambda: True if "Logout (org)" in page.text() else None, "not signed in")
    good = make_whole_result("human-domain", seed=7).save(folder / "human-domain.json")
    page.driver.find_element("css selector", "#file input[type=file]").send_keys(str(good))
    page.wait(lambda: True if "human-domain" in html(page, "file") else None, "the file did not arrive")
    for field, text in {"model": "Fresh-7B", "team": "Fresh Team", "link": "https://example.org/fresh"}.items():
        page.type_into(f"#submit-{field} :is(input, textarea)", text)
    page.click("Check")
    wait_for(page, "preview", "Fresh-7B", "of 21", "submitted by org", "Nothing has been sent yet")
    page.wait(lambda: True if page.find("#send")[0].is_enabled() else None, "it cannot be sent")
    assert page.screenshot(folder / "submit.png").stat().st_size > 50_000
    page.click("Send as a pull request")
    wait_for(page, "preview", "Sent: the pull request")
    (request,) = discussions(hub[1])
    assert request["title"] == "Add Fresh-7B (human-domain, released v1.1)"
    assert "mock-oauth-token" not in (folder / "app.log").read_text()


def discussions(hub):
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{hub.url}/api/datasets/org/opens2v-results/discussions", timeout=10) as answer:
        return json.load(answer)["discussions"]


def test_a_phone_in_the_dark(page, folder):
    page.resize(390)
    page.open("?__theme=dark&model=BindWeave")
    wait_for(page, "model-page", "BindWeave", "57.61")  # the page that the address names
    for tab in ("Models", "Compare", "Submit", "About", "Leaderboard"):
        page.click(tab)
        page.wait(page.is_laid_out, f"{tab} does not settle")
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390, f"{tab} is {width} px wide"
        assert page.low_contrast() == []
        assert page.driver.save_screenshot(str(folder / f"phone-{tab}.png"))
    rows(page, "open-domain")
    labels = page.find("#controls .b-switch > span")
    assert [label.text for label in labels if label.is_displayed()] == ["Models", "View", "Weights", "Scoring"]
    places = page.driver.execute_script(
        """
        return ["2", "3"].map(column => {
          const text = document.createRange();
          const cell = document.querySelector(`#table-open-domain [data-row="0"][data-col="${column}"] span`);
          text.setStart(cell.firstChild, 0); text.setEnd(cell.firstChild, 5);
          const heading = document.querySelector(`#table-open-domain [data-heading="${column}"]`);
          const box = cell.closest("[data-col]").getBoundingClientRect(), above = heading.getBoundingClientRect();
          return [text.getBoundingClientRect().right, box.left - above.left, box.right - above.right];
        });
        """
    )
    for ends, *off in places:  # the total and the heaviest column are there before anything is moved, below their names
        assert 0 < ends < 390 - 20
        assert max(map(abs, off)) <= 1
    left = page.driver.execute_script(
        "const view = document.querySelector('#table-open-domain .virtual-table-viewport'); view.scrollLeft = 400;"
        "return new Promise(done => setTimeout(() => done(document.querySelector("
        '\'#table-open-domain [data-row="0"][data-col="1"]\').getBoundingClientRect().left), 300))'
    )
    assert 0 <= left < 30  # the name stays while the numbers move
    assert contrast(page, "#table-open-domain [data-row='0'][data-col='1'] span") > 7
    assert contrast(page, "#note-open-domain p") > 4.5
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def contrast(page, css):
    """Of an element's ink with the ground below it, as the WCAG counts it."""
    colours = page.driver.execute_script(
        """
        const element = document.querySelector(arguments[0]);
        let ground = element;
        while (ground && /rgba\\(.*, 0\\)|transparent/.test(getComputedStyle(ground).backgroundColor))
            ground = ground.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
        """,
        css,
    )

    def luminance(colour):
        channels = [float(word) / 255 for word in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_an_unreachable_hub_is_named_and_the_last_results_stay(page, hub, folder):
    hub[0].terminate()
    hub[0].wait(10)

    def said():
        page.open()
        rows(page, "open-domain")
        return True if "Hub not reached" in text_of(page, "head") else time.sleep(MAX_AGE_S / 4)

    page.wait(said, "nothing is said of the Hub")
    assert "These are the results of 20" in wait_for(page, "head", "The Hub does not answer")
    assert len(cells(page, "open-domain")) == 16
    assert page.screenshot(folder / "away.png").stat().st_size > 100_000
