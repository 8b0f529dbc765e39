import json
import math
from collections import Counter

import pytest
from helpers.eval_folder import RECORDS, record

from opens2v_hf.data.benchmark.prompts import PROMPT_FILES, parse_eval_prompts
from opens2v_hf.data.benchmark.sample import Subject
from opens2v_hf.errors import SampleError


def parse(records, **options):
    return parse_eval_prompts(json.dumps(records), source="prompts.json", **options)


def test_a_record_becomes_a_sample():
    [sample] = parse({"faceobj_2": RECORDS["faceobj_2"]})
    assert (sample.id, sample.category, sample.paper_category) == ("faceobj_2", "faceobj", "human-entity-to-video")
    assert (sample.prompt, sample.synthetic) == ("A man.", False)
    assert sample.subjects == (
        Subject("Man", "Images/humanobj/human/man/2.jpg"),
        Subject("Ball", "Images/humanobj/thing/ball/2.png"),
    )
    assert {"nexusscore", "facesim_cur", "gmescore"} <= set(sample.metrics)


@pytest.mark.parametrize(("flag", "synthetic"), [("True", True), ("Wrong", False), ("wrong", False)])
def test_the_synthesis_flag_is_a_boolean(flag, synthetic):
    assert parse({"singleobj_1": record(["a.png"], ["Cup"], flag)})[0].synthetic is synthetic


def test_hard_cases_have_a_category_of_their_own():
    paths = [f"Images/{i}.png" for i in range(5)]
    [sample] = parse({"Hard-Case_Dev_30": record(paths, ["Man", "Woman", "Cup", "Dog", "Park"], "True")})
    assert (sample.category, sample.paper_category, len(sample.subjects)) == ("hardcase", "hardcase", 5)
    assert "nexusscore" in sample.metrics
    assert "facesim_cur" not in sample.metrics


GOOD = record(["Images/a.png"], ["Cup"], "wrong")


@pytest.mark.parametrize(
    ("sample_id", "content", "said"),
    [
        ("singleobj_1", {**GOOD, "class_label": ["Cup", "Dog"]}, "1 and 2"),
        ("singleobj_1", {**GOOD, "class_label": "Cup"}, "'class_label' must be a list"),
        ("singleobj_1", {**GOOD, "class_label": [None]}, "'class_label' must be a list"),
        ("singleobj_1", {**GOOD, "img_paths": [], "class_label": []}, "'img_paths' is empty"),
        ("singleobj_1", {**GOOD, "prompt": "  "}, "'prompt'"),
        ("singleobj_1", {**GOOD, "prompt": 7}, "'prompt'"),
        ("singleobj_1", {**GOOD, "synthesis_flag": "true"}, "'true'"),
        ("singleobj_1", {**GOOD, "synthesis_flag": True}, "True"),
        ("singleobj_1", {**GOOD, "synthesis_flag": []}, "synthesis_flag"),
        ("singleobj_1", {"prompt": "p", "class_label": ["Cup"]}, "no 'img_paths', 'synthesis_flag'"),
        ("singleobj_1", {**GOOD, "prompt": "half \ud800"}, "prompt"),
        ("singleobj_1", {**GOOD, "class_label": ["half \ud800"]}, "class_label"),
        ("singleobj_1", {**GOOD, "img_paths": ["half \ud800.png"]}, "img_paths"),
        ("singleobj_1", {**GOOD, "prompt": math.nan}, "prompt"),
        ("singleobj_1", ["p"], "list"),
        ("doubleobj_1", GOOD, "an id is one of the prefixes"),
        ("singleobj_", GOOD, "an id is one of the prefixes"),
        ("singleobj_1/../x", GOOD, "an id is one of the prefixes"),
        ("singleobj_1\n", GOOD, "an id is one of the prefixes"),
    ],
)
def test_a_malformed_record_is_refused_by_file_and_id(sample_id, content, said):
    with pytest.raises(SampleError) as caught:
        parse({"singleface_1": GOOD, sample_id: content})
    assert f"prompts.json, sample {sample_id!r}" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.png", "Images/../../secret.png", "Images\\..\\x.png", "C:/x.png", "hf://a/b", "a\0b"],
)
def test_a_picture_path_cannot_leave_the_folder(path):
    with pytest.raises(SampleError, match="stay inside"):
        parse({"singleobj_1": record([path], ["Cup"], "wrong")})


def test_an_id_that_occurs_twice_is_refused():
    one = json.dumps(GOOD)
    with pytest.raises(SampleError, match=r"prompts\.json.*'singleobj_1' occurs twice"):
        parse_eval_prompts(f'{{"singleobj_1": {one}, "singleobj_1": {one}}}', source="prompts.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xfa", b"[" * 100_000, b"nonsense"])
def test_invalid_json_is_refused(content):
    with pytest.raises(SampleError, match=r"prompts\.json is no JSON file"):
        parse_eval_prompts(content, source="prompts.json")


@pytest.mark.parametrize("content", ["[]", "{}", "3", "null"])
def test_json_of_another_kind_is_refused(content):
    with pytest.raises(SampleError, match="is no prompt file"):
        parse_eval_prompts(content, source="x")


# What follows are the published numbers of the benchmark, checked on its real prompt files.


@pytest.fixture(scope="module")
def released(shared_data):
    return {
        split: parse_eval_prompts((shared_data / "opens2v-eval" / name).read_bytes(), source=name, split=split)
        for split, name in PROMPT_FILES.items()
    }


def test_released_categories(released):
    counts = Counter(sample.category for sample in released["open-domain"])
    assert counts == {
        "singleface": 30, "singlehuman": 30, "singleobj": 30, "multiobject": 30,
        "multiface": 15, "multihuman": 15, "faceobj": 15, "humanobj": 15,
    }  # fmt: skip
    assert len({sample.paper_category for sample in released["open-domain"]}) == 7
    assert Counter(s.category for s in released["human-domain"]) == {"singleface": 30, "singlehuman": 30}
    assert Counter(s.category for s in released["single-domain"]) == {
        "singleface": 30, "singlehuman": 30, "singleobj": 30,
    }  # fmt: skip


def test_released_references_and_flags(released):
    open_domain = released["open-domain"]
    assert Counter(len(sample.subjects) for sample in open_domain) == {1: 90, 2: 40, 3: 50}
    synthetic = [sample for sample in open_domain if sample.synthetic]
    assert len(synthetic) == 60
    assert all(sample.id.startswith("multi") for sample in synthetic)


def test_released_metrics(released):
    def count(split, metric):
        return Counter(sample.category for sample in released[split] if metric in sample.metrics)

    nexus = count("open-domain", "nexusscore")
    assert nexus.total() == 141
    assert "singleface" not in nexus
    assert nexus["multiface"] == 15 - 9
    assert count("human-domain", "nexusscore").total() == 0
    assert count("open-domain", "facesim_cur") == {"singleface": 30, "singlehuman": 30, "faceobj": 15, "humanobj": 15}
    assert count("human-domain", "facesim_cur").total() == 60
    people = {"singleface": 30, "singlehuman": 30, "multiface": 15, "multihuman": 15, "faceobj": 15, "humanobj": 15}
    assert count("open-domain", "facesim_multi") == people
    assert count("open-domain", "gmescore").total() == 180


def test_released_splits_overlap_as_published(released):
    open_domain = {sample.id: sample for sample in released["open-domain"]}
    assert all(
        (open_domain[s.id].prompt, open_domain[s.id].subjects) == (s.prompt, s.subjects)
        for s in released["single-domain"]
    )
    other_pictures = [s for s in released["human-domain"] if open_domain[s.id].subjects != s.subjects]
    assert len(other_pictures) == 30
