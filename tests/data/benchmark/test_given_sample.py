from pathlib import Path

import pytest

from opens2v_hf.data.benchmark.given_sample import given_samples
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES, parse_eval_prompts
from opens2v_hf.data.benchmark.rules import facesim_reference, person_references
from opens2v_hf.errors import ArgumentError

GENERAL = {"naturalscore", "gmescore", "aesthetics", "motion_amplitude", "motion_smoothness"}


def given(record, split="open-domain", metrics=()):
    (sample,) = given_samples([record], split=split, metrics=metrics)
    return sample


@pytest.mark.parametrize("split", PROMPT_FILES)
@pytest.mark.parametrize("as_paths", [True, False])
def test_the_rules_give_what_they_give_for_the_benchmark_itself(shared_data, split, as_paths):
    """Whether the pictures are handed in as files in their folders, or as bytes that say nothing but their label."""
    content = (shared_data / "opens2v-eval" / PROMPT_FILES[split]).read_bytes()
    for sample in parse_eval_prompts(content, source=split, split=split):
        images = [Path("/data") / s.path if as_paths else s.path.encode() for s in sample.subjects]
        record = {
            "id": sample.id, "prompt": sample.prompt, "images": images, "labels": [s.label for s in sample.subjects],
        }  # fmt: skip
        found = given(record, split)
        assert (found.of_benchmark, found.given_id) == (True, sample.id)
        assert set(found.sample.metrics) == set(sample.metrics)
        assert (found.sample.category, found.sample.paper_category) == (sample.category, sample.paper_category)
        wanted = facesim_reference(sample.category, sample.subjects)
        picked = facesim_reference(found.sample.category, found.sample.subjects)
        assert (wanted is None) == (picked is None)
        if wanted is not None and picked is not None:
            assert found.picture_path(picked) == images[sample.subjects.index(wanted)]
        people = [found.picture_path(subject) for subject in person_references(found.sample.subjects)]
        assert people == [images[sample.subjects.index(subject)] for subject in person_references(sample.subjects)]


@pytest.mark.parametrize(
    ("labels", "category", "metrics"),
    [
        ([], "singleobj", set()),
        (["Cup"], "singleobj", {"nexusscore"}),
        (["Cup", "Dog"], "multiobject", {"nexusscore"}),
        (["Man"], "singlehuman", {"nexusscore", "facesim_cur", "facesim_multi"}),
        (["Cup", "Woman"], "humanobj", {"nexusscore", "facesim_cur", "facesim_multi"}),
        (["Man", "Woman"], "multihuman", {"nexusscore", "facesim_multi"}),
    ],
)
def test_without_an_id_the_labels_decide(labels, category, metrics):
    found = given({"images": [b"picture"] * len(labels), "labels": labels})
    assert found.sample.category == category
    assert set(found.sample.metrics) == GENERAL | metrics | ({"subject_identity", "copypaste"} if labels else set())
    assert (found.given_id, found.of_benchmark) == (None, False)


def test_an_id_of_another_form_does_not_decide_the_category():
    found = given({"id": "my video", "images": [b"picture"], "labels": ["Cup"]})
    assert (found.given_id, found.of_benchmark, found.sample.id) == ("my video", False, "my video")
    assert found.sample.category == "singleobj"


def test_no_word_of_a_missing_id_is_read_as_a_rule():
    sample = given({"images": [b"picture"], "labels": ["Man"]}).sample
    assert "face" not in sample.id
    assert "human" not in sample.id


def test_a_prompt_alone_is_a_reference():
    assert given("A cup.", metrics=["gmescore"]).sample.prompt == "A cup."


@pytest.mark.parametrize(
    ("record", "metrics", "message"),
    [
        (3, [], r"references\[0\] is a dict"),
        ({"images": [b"x"], "labels": []}, [], "1 pictures, 0 labels"),
        ({"images": [b"x"], "labels": [" "]}, [], "picture 0 has no label"),
        ({"prompt": " "}, ["gmescore"], r"references\[0\] has none"),
        ({"id": "singleobj_1", "prompt": "x"}, ["nexusscore", "gmescore"], r"\(singleobj_1\) has no pictures"),
        ({"id": "singleface_1"}, ["facesim_cur"], "which facesim_cur needs"),
    ],
)
def test_missing_prompts_and_pictures_are_errors(record, metrics, message):
    with pytest.raises(ArgumentError, match=message):
        given(record, metrics=metrics)
