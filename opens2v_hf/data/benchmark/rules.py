"""Which metrics apply to a sample of OpenS2V-Eval: decided by its id, labels and paths.

As released (v1.1), but for `COMPANION_METRICS`, which the released code lacks.
"""

from __future__ import annotations

from collections.abc import Iterable

from opens2v_hf.data.benchmark.sample import Subject

GENERAL_METRICS = ("naturalscore", "gmescore", "aesthetics", "motion_amplitude", "motion_smoothness")
"""They need the video and the prompt alone and apply to every sample."""

COMPANION_METRICS = ("facesim_multi", "subject_identity", "copypaste")

METRICS = ("nexusscore", *GENERAL_METRICS, "facesim_cur", *COMPANION_METRICS)

PERSON_LABELS = frozenset({"Man", "Woman"})
FACESIM_CATEGORIES = frozenset({"singleface", "singlehuman", "faceobj", "humanobj"})
FACESIM_FOLDERS = ("/man/", "/woman/", "/crop_man/", "/crop_woman/")
SCENE_FOLDERS = ("/environment/", "/scene/")
"""Folders of references that show surroundings and no subject."""
SPLITS_WITHOUT_NEXUSSCORE = frozenset({"human-domain"})
"""Human-Domain's total and its published tables have no NexusScore."""


def nexus_label(sample_id: str, label: str) -> str | None:
    """The label by which NexusScore detects a reference, or None where it skips the reference.

    Args:
        sample_id: "face" anywhere in it wins over "human".
        label: of the reference, as the benchmark spells it.

    Examples:
        >>> nexus_label("singlehuman_1", "Man")
        'human'
        >>> nexus_label("faceobj_1", "Man") is None
        True
        >>> nexus_label("faceobj_1", "Cup")
        'Cup'
    """
    if label not in PERSON_LABELS:
        return label
    if "face" in sample_id:
        return None
    return "human" if "human" in sample_id else label


def facesim_reference(category: str, subjects: Iterable[Subject]) -> Subject | None:
    """The reference whose face FaceSim-Cur compares: the first one in a folder of men or women, None without one."""
    if category not in FACESIM_CATEGORIES:
        return None
    return next((s for s in subjects if _in_a_person_folder(s)), None)


def person_references(subjects: Iterable[Subject]) -> tuple[Subject, ...]:
    """The references that show a person, whose faces `facesim_multi` compares: by folder as above, or by label."""
    return tuple(s for s in subjects if _in_a_person_folder(s) or s.label in PERSON_LABELS)


def subject_references(subjects: Iterable[Subject]) -> tuple[Subject, ...]:
    """The references that show a subject, which `subject_identity` and `copypaste` compare: all but surroundings."""
    return tuple(s for s in subjects if not any(folder in s.path for folder in SCENE_FOLDERS))


def _in_a_person_folder(subject: Subject) -> bool:
    return any(folder in subject.path for folder in FACESIM_FOLDERS)


def applicable_metrics(
    sample_id: str, category: str, subjects: Iterable[Subject], split: str | None = None
) -> tuple[str, ...]:
    """Names of the metrics that apply to a sample, in the order of `METRICS`.

    Args:
        sample_id: of the sample.
        category: of the sample.
        subjects: its references.
        split: "open-domain", "human-domain" or "single-domain"; None for a prompt file of another name.
    """
    subjects = tuple(subjects)
    names = set(GENERAL_METRICS)
    if split not in SPLITS_WITHOUT_NEXUSSCORE and any(nexus_label(sample_id, s.label) is not None for s in subjects):
        names.add("nexusscore")
    if facesim_reference(category, subjects) is not None:
        names.add("facesim_cur")
    if person_references(subjects):
        names.add("facesim_multi")
    if subject_references(subjects):
        names |= {"subject_identity", "copypaste"}
    return tuple(name for name in METRICS if name in names)
