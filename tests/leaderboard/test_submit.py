import json

import pytest
from helpers.leaderboard import HOSTILE_LINK, HOSTILE_NAME, measured
from helpers.submissions import make_submission, make_whole_result, replace

from opens2v_hf.leaderboard.boards import Boards
from opens2v_hf.leaderboard.pages import message_page, preview_page
from opens2v_hf.leaderboard.submit import MAX_RESULT_BYTES, Details, check_upload

DETAILS = Details("My Model", "My Team", "Open-Source", "somebody", "somebody/my-model", "https://example.org/my-model")


def result_file(folder, **changes):
    return make_whole_result("human-domain", **changes).save(folder / "human-domain.json")


def codes(checked):
    return [problem.code for problem in checked.problems]


def test_a_result_becomes_a_submission(tmp_path):
    checked = check_upload(result_file(tmp_path), DETAILS, [])
    assert checked.problems == ()
    assert checked.acceptable
    assert checked.submission.model == "My Model"
    assert checked.submission.submitted_by == "somebody"
    expected = make_submission("human-domain")  # the same raw values, computed by the tests' own implementation
    assert checked.submission.total == pytest.approx(expected.total)


def test_the_details_are_ignored_for_a_record(tmp_path):
    one = make_submission()
    file = tmp_path / "record.json"
    file.write_bytes(one.to_json())
    assert check_upload(file, DETAILS, []).submission == one
    file.write_bytes(replace(one, total=0.99).to_json())
    assert codes(check_upload(file, DETAILS, [])) == ["total_mismatch"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": HOSTILE_NAME}, "length"),
        ({"model": "<script>"}, "markup"),
        ({"link": HOSTILE_LINK}, "link_characters"),
        ({"link": "http://localhost/"}, "link_host"),
        ({"team": "=1+1"}, "formula"),
        ({"submitted_by": ""}, "user"),
        ({"model": "Vасе 14b"}, "look_alike"),
        ({"model": "VACE-14B"}, "not_the_owner"),
    ],
)
def test_the_details_of_the_model_are_checked(tmp_path, changes, code):
    there = [measured("VACE-14B", 0.0, submitted_by="alibaba")]
    checked = check_upload(result_file(tmp_path), replace(DETAILS, **changes), there)
    assert code in codes(checked)
    assert not checked.acceptable


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (b'{"format": "something else"}', "opens2v score"),
        (b"[1, 2]", "opens2v score"),
    ],
)
def test_malformed_files_are_refused(tmp_path, content, word):
    file = tmp_path / "upload.json"
    file.write_bytes(content)
    checked = check_upload(file, DETAILS, [])
    assert checked.submission is None
    (problem,) = checked.problems
    assert word in problem.what
    assert str(tmp_path) not in str(problem)


def test_a_large_file_is_not_read(tmp_path):
    file = tmp_path / "large.json"
    with file.open("wb") as large:
        large.truncate(MAX_RESULT_BYTES + 1)
    assert codes(check_upload(file, DETAILS, [])) == ["too_large"]


def test_eight_numbers_are_not_enough(tmp_path):
    file = tmp_path / "released.json"
    file.write_text(json.dumps({"total_score": 0.5, "gme_score": 0.5}))
    assert codes(check_upload(file, DETAILS, [])) == ["released_form"]


def test_results_that_are_not_comparable(tmp_path):
    checked = check_upload(result_file(tmp_path, embedded=True), DETAILS, [])
    assert codes(checked) == ["embedded"]
    assert "--" not in str(checked.problems)  # a visitor who uploads a file has no command line,
    assert "=True" not in str(checked.problems)  # and no Python
    checked = check_upload(result_file(tmp_path, missing=3), DETAILS, [])
    assert codes(checked) == ["partial"] * 6  # no video for three, and so no value in the five columns for all


def test_a_copy_is_shown_and_can_be_sent(tmp_path):
    theirs = measured("VACE-14B", 0.0, submitted_by="alibaba")
    file = tmp_path / "record.json"
    file.write_bytes(measured("Rocket", -0.01).to_json())  # every value a little lower
    checked = check_upload(file, DETAILS, [theirs])
    assert checked.acceptable
    assert [(problem.code, problem.notice) for problem in checked.problems] == [("looks_copied", True)]
    page = preview_page(Boards([theirs]), checked)
    assert "looks like a copy of" in page
    assert "Not acceptable" not in page


def test_every_reason_has_a_line_of_its_own(tmp_path):
    checked = check_upload(result_file(tmp_path, embedded=True, missing=3), DETAILS, [])
    page = preview_page(Boards([]), checked)
    assert page.count("<li>") == len(checked.problems) == 7
    assert message_page("It was not sent:\n  one\n  two").count('<p class="b-message">') == 3
