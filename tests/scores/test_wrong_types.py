"""The public formulas say in words which argument is of a wrong type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest
import torch

from opens2v_hf import scores
from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.copypaste import copypaste
from opens2v_hf.scores.gme import gme_lowest
from opens2v_hf.scores.motion_amplitude import motion_amplitude
from opens2v_hf.scores.motion_smoothness import motion_smoothness
from opens2v_hf.scores.scorecard import scorecard
from opens2v_hf.scores.subject_identity import subject_identity

FUNCTIONS = [
    *(each for name in scores.__all__ if inspect.isfunction(each := getattr(scores, name))),
    copypaste, gme_lowest, motion_amplitude, motion_smoothness, scorecard, subject_identity,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("wrong", [object(), [object()], {3: object()}], ids=["object", "list", "mapping"])
def test_each_argument_of_a_wrong_type_is_named(function: Callable[..., Any], wrong: Any) -> None:
    needed = [
        name for name, each in inspect.signature(function).parameters.items() if each.default is inspect.Parameter.empty
    ]
    with pytest.raises(ArgumentError, match=f"^{needed[0]} must be "):
        function(**dict.fromkeys(needed, wrong))


def test_every_function_has_annotations_that_can_be_read() -> None:
    # `checked` does not compare what it cannot evaluate
    for function in FUNCTIONS:
        assert typing.get_type_hints(function), function.__name__


def test_numbers_are_refused_where_texts_are_needed_and_the_other_way_round() -> None:
    with pytest.raises(ArgumentError, match=r"ratings must be a list \(each a number\) \(got '4.5'\)"):
        scores.aesthetics_score("4.5")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"reply must be a text \(got 4\)"):
        scores.read_score(4)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"num_frames must be a whole number \(got '8'\)"):
        scores.coverage([], num_frames="8", references=[0])  # type: ignore[arg-type]


def test_tensors_are_numbers() -> None:
    assert scores.gme_score(torch.tensor([0.25, 0.5, 0.75])) == 0.5  # type: ignore[arg-type]
    assert scores.gme_score([torch.tensor(0.25), torch.tensor(0.75)]) == 0.5  # type: ignore[list-item]
    assert scores.facesim_multi(torch.tensor([[[0.75]], [[0.25]]]), 1).value == 0.5  # type: ignore[arg-type]
