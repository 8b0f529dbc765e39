"""The prompt, pictures, labels and id that a user gives for a video, as a sample of the benchmark."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opens2v_hf.data.benchmark.rules import FACESIM_FOLDERS, PERSON_LABELS, applicable_metrics
from opens2v_hf.data.benchmark.sample import PAPER_CATEGORIES, EvalSample, Subject, category_of
from opens2v_hf.errors import ArgumentError


@dataclass(frozen=True)
class GivenSample:
    """A sample that was not read from the benchmark but handed in.

    Attributes:
        sample: as the rules of the benchmark take it. Without an id its category follows from its labels.
        given_id: the id that was handed in; None without one.
        pictures: path of each subject to the picture that was handed in for it.
    """

    sample: EvalSample
    given_id: str | None
    pictures: Mapping[str, Any]

    @property
    def of_benchmark(self) -> bool:
        """Whether the id has the form of the benchmark's ids."""
        return self.given_id is not None and category_of(self.given_id) is not None

    def picture_path(self, subject: Subject) -> Any:
        """The picture of a subject, see `load_picture`; a split of the benchmark gives a file here."""
        return self.pictures[subject.path]


def given_samples(records: Sequence[Any], *, split: str, metrics: Collection[str] = ()) -> list[GivenSample]:
    """Check the references that `compute()` gets, one for each video.

    Args:
        records: dicts, each with any of "prompt", "images" with "labels", and "id"; or a prompt alone.
        split: whose rules decide which metrics apply.
        metrics: that the samples are for.

    Raises:
        ArgumentError: a record is none of these, pictures and labels differ in number, or it lacks what one of
            `metrics` needs.
    """
    found = [_given(record, index, split) for index, record in enumerate(records)]
    for index, sample in enumerate(found):
        _check_needs(sample, f"references[{index}]", metrics)
    return found


def _check_needs(sample: GivenSample, where: str, metrics: Collection[str]) -> None:
    if "gmescore" in metrics and not sample.sample.prompt.strip():
        raise ArgumentError(
            f"gmescore compares a video with its prompt, and {where} has none; give it, or leave gmescore out of "
            "`metrics`"
        )
    of_pictures = [name for name in metrics if name.startswith(("nexusscore", "facesim"))]
    if of_pictures and sample.of_benchmark and not sample.pictures:
        raise ArgumentError(
            f"{where} ({sample.given_id}) has no pictures, which {', '.join(of_pictures)} needs; give its images and "
            "labels, or leave the metric out of `metrics`"
        )


def _given(record: Any, index: int, split: str) -> GivenSample:
    where = f"references[{index}]"
    if isinstance(record, str):
        record = {"prompt": record}
    if not isinstance(record, Mapping):
        raise ArgumentError(
            f"{where} is a dict with 'prompt', 'images', 'labels' and 'id', or a prompt (got {type(record).__name__})"
        )
    images, labels = (list(record.get(key) or ()) for key in ("images", "labels"))
    if len(images) != len(labels):
        raise ArgumentError(f"{where}: each picture has one label (got {len(images)} pictures, {len(labels)} labels)")
    for position, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip():
            raise ArgumentError(f"{where}: picture {position} has no label (got {label!r})")
    subjects = tuple(
        Subject(label, _path(image, label, position))
        for position, (image, label) in enumerate(zip(images, labels, strict=True))
    )
    given_id = record.get("id")
    sample_id = given_id or f"video {index}"  # holds none of the words that the rules on labels search in ids
    category = _category(sample_id, labels)
    sample = EvalSample(
        id=sample_id,
        category=category,
        paper_category=PAPER_CATEGORIES.get(category, category),
        prompt=record.get("prompt") or "",
        synthetic=False,
        subjects=subjects,
        metrics=applicable_metrics(sample_id, category, subjects, split),
    )
    pictures = {subject.path: image for subject, image in zip(subjects, images, strict=True)}
    return GivenSample(sample, given_id or None, pictures)


def _path(image: Any, label: str, position: int) -> str:
    """A path whose folder tells the benchmark's rules whether a picture is of a person.

    The label decides for a picture of another folder or without a path; in the benchmark the two agree.
    """
    path = image.get("path") if isinstance(image, Mapping) else image
    text = os.fspath(path).replace(os.sep, "/") if isinstance(path, str | os.PathLike) else ""
    known = next((folder for folder in FACESIM_FOLDERS if folder in text), None)
    if known is None and label in PERSON_LABELS:
        known = f"/{label.lower()}/"
    return f"Images{known or '/'}{position}"


def _category(sample_id: str, labels: Sequence[str]) -> str:
    category = category_of(sample_id)
    if category is not None:
        return category
    people = sum(label in PERSON_LABELS for label in labels)
    if people == 0:
        return "singleobj" if len(labels) < 2 else "multiobject"
    if people < len(labels):
        return "humanobj"
    return "singlehuman" if people == 1 else "multihuman"
