"""Hostile submissions: every one is refused for what it tries, none ends as a traceback, none changes anything."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from helpers.hostile_submissions import EXISTING, SPLIT, hostile_submissions, seeded_submissions
from helpers.submissions import make_submission
from helpers.trees import tree_digests

from opens2v_hf.errors import ResultError
from opens2v_hf.leaderboard.submissions.checking import validate_file, validate_folder
from opens2v_hf.leaderboard.submissions.record import Submission, load_submissions
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SEEDS = (0, 1)


def check(content, **options):
    options = {"existing": EXISTING, "authors": ["mallory"], "now": NOW, **options}
    return validate_submission(content, **options)


@pytest.fixture(scope="module")
def generated():
    return [*hostile_submissions(SEEDS[0]), *(one for seed in SEEDS[1:] for one in seeded_submissions(seed))]


def test_there_are_many_kinds(generated):
    assert len({one.kind for one in generated}) >= 300
    assert len({one.content for one in generated}) >= 500
    assert len({one.code for one in generated}) >= 40


def test_what_they_were_made_from_is_acceptable():
    for seed in SEEDS:
        assert check(make_submission(SPLIT, seed, model=f"Rocket {seed}", submitted_by="mallory")) == []
    for index, one in enumerate(EXISTING):
        others = EXISTING[:index] + EXISTING[index + 1 :]
        assert check(one, existing=others, authors=[one.submitted_by], path=one.path) == []


@pytest.fixture(scope="module")
def refused(generated):
    """Each with its problems."""
    return [(one, check(one.content, path=one.path)) for one in generated]


def test_every_one_is_refused_for_what_it_tries(refused):
    codes = [(one.kind, one.code, [problem.code for problem in problems]) for one, problems in refused]
    assert [entry for entry in codes if entry[1] not in entry[2]] == []


def test_a_refusal_is_harmless_itself(refused):
    for one, problems in refused:
        for problem in problems:
            text = str(problem)
            assert text.isprintable(), (one.kind, text)
            assert "<" not in text
            assert len(text) < 1000, one.kind
            assert problem.remedy
            json.dumps(problem.to_dict()).encode()


def test_reading_them_is_an_error_that_names_the_file_or_a_record(generated, tmp_path):
    outcomes = Counter()
    for number, one in enumerate(generated):
        path = tmp_path / str(number) / "data" / "hostile.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(one.content)
        messages = []
        loaded = load_submissions(path.parents[1], on_error=messages.append)
        assert len(loaded) + len(messages) == 1
        assert all(isinstance(entry, Submission) for entry in loaded)
        assert all("data/hostile.json" in sentence for sentence in messages)
        outcomes[bool(messages)] += 1
    assert min(outcomes.values()) >= 100
    with pytest.raises(ResultError, match=r"data/hostile\.json .*\[not_json\]"):
        write_and_load(tmp_path / "raised", b"{")


def write_and_load(folder, content):
    path = folder / "data" / "hostile.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return load_submissions(folder)


def test_a_folder_of_them_is_checked_and_left_as_it_is(generated, tmp_path):
    good = make_submission(SPLIT, 7, submitted_by="org")
    for one in (*EXISTING, good):
        path = tmp_path / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.to_json())
    for number, one in enumerate(generated[::9]):
        (tmp_path / "data" / f"hostile-{number}.json").write_bytes(one.content)
    before = tree_digests(tmp_path)
    checked = validate_folder(tmp_path)
    assert tree_digests(tmp_path) == before
    accepted = {name for name, problems in checked.items() if not problems}
    assert accepted == {one.path for one in (*EXISTING, good)}
    assert len(checked) == len(before)


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    (problem,) = validate_file(path)
    assert problem.code == "too_large"
    assert "100,000,000 bytes" in problem.what
    (problem,) = validate_file(tmp_path / "none.json")
    assert problem.code == "not_a_file"
    (problem,) = validate_file(tmp_path)
    assert problem.code == "not_a_file"


def test_numbers_that_cannot_be_written_are_refused_as_records_too():
    for value in (float("nan"), float("inf")):
        (problem,) = check(make_submission(SPLIT, 1, total=value))
        assert problem.code == "not_finite"


def test_no_path_leaves_its_folder(generated):
    for one in generated:
        try:
            submission = Submission.from_dict(json.loads(one.content))
        except (ResultError, ValueError, RecursionError):
            continue
        try:
            parts = submission.path.split("/")
        except ValueError:  # no finite number, or no text that can be written
            continue
        assert len(parts) == 4
        assert parts[0] == "data"
        assert all(part.replace("-", "").isalnum() and part.isascii() for part in parts[1:3])
        assert parts[3].replace("-", "").removesuffix(".json").isalnum()
        assert max(map(len, parts)) <= 90
