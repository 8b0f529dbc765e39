import pytest

from opens2v_hf.data.benchmark.rules import (
    GENERAL_METRICS,
    METRICS,
    applicable_metrics,
    facesim_reference,
    nexus_label,
    person_references,
    subject_references,
)
from opens2v_hf.data.benchmark.sample import Subject


@pytest.mark.parametrize(
    ("sample_id", "label", "expected"),
    [
        ("singleface_1", "Woman", None),
        ("multiface_1", "Park", "Park"),
        ("faceobj_1", "Man", None),
        ("faceobj_1", "Ball", "Ball"),
        ("humanobj_1", "Man", "human"),
        ("multihuman_1", "Woman", "human"),
        ("multihuman_1", "School", "School"),
        ("multiobject_1", "Person", "Person"),
        ("multiobject_1", "Man", "Man"),
        ("human_face_1", "Man", None),
        ("Hard-Case_Dev_1", "Woman", "Woman"),
    ],
)
def test_nexus_label_follows_the_released_rules(sample_id, label, expected):
    assert nexus_label(sample_id, label) == expected


def test_facesim_takes_the_first_person_and_only_in_its_categories():
    subjects = [
        Subject("Ball", "Images/humanobj/thing/ball/1.png"),
        Subject("Man", "Images/humanobj/human/man/celebrity/1.png"),
        Subject("Woman", "Images/humanobj/human/woman/1.png"),
    ]
    assert facesim_reference("faceobj", subjects) == subjects[1]
    assert facesim_reference("multihuman", subjects) is None
    assert facesim_reference("humanobj", subjects[:1]) is None
    assert facesim_reference("singleface", [Subject("Man", "Images/singleface/crop_man/1.png")]) is not None


SUBJECTS = ("subject_identity", "copypaste")


def test_surroundings_are_no_subjects():
    park = Subject("Park", "Images/humanobj/environment/park/1.jpg")
    scene = Subject("Room", "Images/multiface/scene/2.jpg")
    cup = Subject("Cup", "Images/humanobj/thing/cup/1.jpg")
    assert subject_references([park, cup, scene]) == (cup,)
    assert set(applicable_metrics("humanobj_1", "humanobj", [park])).isdisjoint(SUBJECTS)


def test_a_sample_without_any_reference_left_keeps_the_general_metrics():
    subjects = [
        Subject("Man", "Images/multiface/crop_man/1.png"),
        Subject("Woman", "Images/multiface/crop_woman/1.png"),
    ]
    found = applicable_metrics("multiface_1", "multiface", subjects, "open-domain")
    assert found == (*GENERAL_METRICS, "facesim_multi", *SUBJECTS)


def test_people_are_known_by_folder_or_label():
    subjects = [
        Subject("Man", "Images/multihuman/man/1.png"),
        Subject("Office", "Images/multihuman/scene/1.png"),
        Subject("Woman", "elsewhere/1.png"),
        Subject("Person", "Images/multiobject/person/1.png"),
        Subject("Doctor", "Images/multiface/crop_woman/2.png"),
    ]
    assert person_references(subjects) == (subjects[0], subjects[2], subjects[4])


def test_facesim_does_not_apply_without_a_person():
    subjects = [Subject("Cup", "Images/singleobject/cup/1.png")]
    assert applicable_metrics("singleobj_1", "singleobj", subjects) == ("nexusscore", *GENERAL_METRICS, *SUBJECTS)


def test_human_domain_has_no_nexusscore():
    subjects = [Subject("Man", "Images/singlehuman/crop_man/1.png")]
    assert applicable_metrics("singlehuman_1", "singlehuman", subjects, "single-domain") == METRICS
    assert applicable_metrics("singlehuman_1", "singlehuman", subjects, "human-domain") == METRICS[1:]
