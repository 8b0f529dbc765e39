"""What a submission says of the videos that its run made."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from helpers.submissions import make_whole_result

from opens2v_hf.leaderboard import pages
from opens2v_hf.leaderboard.boards import Boards
from opens2v_hf.leaderboard.submissions.from_result import make_submission
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.results.generation import Generation

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def submission(generation):
    result = replace(make_whole_result(), generation=generation)
    return make_submission(
        result, model="Alpha", team="us", venue="Open-Source", submitted_by="org", model_id="org/alpha", now=NOW
    )


def generation(**changes):
    made = Generation(
        "diffusers", "org/vace", "c0ffee", "WanVACEPipeline", "bfloat16", {"diffusers": "0.42.1"}, True, (),
        {"steps": 50, "negative_prompt": "blurry, 模糊"}, 42, "fail", seeds=(42, 43),
    )  # fmt: skip
    return replace(made, **changes)


def said(one):
    return {entry.option: json.loads(entry.value) for entry in one.provenance.options if entry.metric == "generation"}


def problems(one):
    return [problem.code for problem in validate_submission(one, now=NOW)]


def test_who_made_the_videos_with_which_recipe_seed_and_commit():
    one = submission(generation())
    found = said(one)
    assert (found["name"], found["revision"], found["family"]) == ("org/vace", "c0ffee", "WanVACEPipeline")
    assert (found["seed"], found["seeds"]) == (42, [42, 43])
    assert (found["recipe.steps"], found["recipe.negative_prompt"]) == (50, "blurry, 模糊")
    assert found["versions"] == {"diffusers": "0.42.1"}
    assert problems(one) == []
    assert said(submission(None)) == {}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"kind": "python", "name": "/home/me/secret/mine.py:generate"}, "mine.py:generate"),
        ({"kind": "http", "name": "http://10.0.0.7:8000/generate"}, "endpoint"),
        ({"kind": "provider", "name": "hf:fal-ai/org/model"}, "hf:fal-ai/org/model"),
        ({"name": "/home/me/secret/vace + org/lora", "revision": "sha256:31f0 + 9c2e"}, "vace + org/lora"),
        ({"name": "secret/models/vace", "revision": "sha256:31f0"}, "vace"),
        ({"kind": "mine", "name": "/home/me/secret/vace"}, "vace"),
    ],
)
def test_folders_and_addresses_of_the_machine_are_not_published(changes, name):
    one = submission(generation(**changes))
    assert said(one)["name"] == name
    assert "secret" not in one.to_json().decode()
    assert "10.0.0.7" not in one.to_json().decode()


def test_videos_that_are_not_comparable_are_refused_by_the_check_of_submissions():
    assert problems(submission(generation(seed=43))) == ["not_comparable"]
    assert problems(submission(generation(references_changed={"collage": 3}))) == ["not_comparable"]


def test_the_model_s_page_shows_who_made_them():
    one = submission(generation())
    boards = Boards([one], num_resamples=100)
    (key,) = boards.names()
    page = pages.model_page(boards, key, "v1.1", "released")
    assert "org/vace" in page
    assert "seed 42" in page
    assert "c0ffee" in page
