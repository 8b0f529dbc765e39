"""Arguments of a wrong type become errors in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError


class Point:
    """A class of ours."""


@checked
def called(
    *,
    count: int | None = None,
    ratio: float = 0.5,
    flag: bool = False,
    name: str = "",
    path: str | os.PathLike[str] | None = None,
    folder: Path | None = None,
    names: str | Sequence[str] | None = None,
    several: Sequence[Point] = (),
    stream: Iterable[int] = (),
    size: tuple[int, int] = (1, 2),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    mode: Literal["fast", "exact"] = "fast",
    report: Callable[[str], None] = print,
    anything: Any = None,
    unknown: Nowhere | None = None,  # type: ignore[name-defined]  # noqa: F821 - as under TYPE_CHECKING
    **more: int,
) -> dict[str, Any]:
    """Gives back what it was called with."""
    return {key: value for key, value in locals().items() if key != "more"} | more


FITTING: list[dict[str, Any]] = [
    {"count": 3},
    {"count": None},
    {"ratio": 1},
    {"flag": True},
    {"path": "a"},
    {"path": Path("a")},
    {"path": "caf\udce9.mp4"},  # the name of a file that is no UTF-8
    {"folder": Path("a")},
    {"names": "a,b"},
    {"names": ["a"]},
    {"names": {"a", "b"}},
    {"names": {"a": 1}.keys()},
    {"names": np.array(["a", "b"])},
    {"several": [Point()]},
    {"stream": {1: "a"}},
    {"size": [3, 4]},
    {"options": {"a": {"b": 3}}},
    {"mode": "exact"},
    {"report": len},
    {"anything": object()},
    {"unknown": 3},
    {"else_": 3},
]


@pytest.mark.parametrize("arguments", FITTING, ids=range(len(FITTING)))
def test_what_fits_is_passed_on_unchanged(arguments: dict[str, Any]) -> None:
    (name,) = arguments
    assert called(**arguments)[name] is arguments[name]


@pytest.mark.parametrize(
    ("arguments", "plain"),
    [
        ({"count": np.int64(3)}, 3),
        ({"ratio": np.float32(0.5)}, 0.5),
        ({"ratio": np.uint8(7)}, 7),
        ({"flag": np.array([1, 2]).max() > 1}, True),
        ({"name": torch.device("cuda", 1)}, "cuda:1"),
        ({"name": torch.bfloat16}, "bfloat16"),
        ({"size": torch.tensor([3, 4])}, [3, 4]),
        ({"size": (torch.tensor(3), torch.tensor(4))}, (3, 4)),
    ],
    ids=str,
)
def test_values_of_numpy_and_pytorch_become_plain(arguments: dict[str, Any], plain: Any) -> None:
    (name,) = arguments
    found = called(**arguments)[name]
    assert found == plain
    assert type(found) is type(plain)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"count": "3"}, "count must be a whole number or None (got '3')"),
    ({"count": np.bool_(True)}, "count must be a whole number or None (got True)"),
    ({"count": torch.device("cpu")}, "count must be a whole number or None (got device(type='cpu'))"),
    ({"count": True}, "count must be a whole number or None (got True)"),
    ({"count": 3.0}, "count must be a whole number or None (got 3.0)"),
    ({"ratio": "x"}, "ratio must be a number (got 'x')"),
    ({"ratio": True}, "ratio must be a number (got True)"),
    ({"flag": 1}, "flag must be True or False (got 1)"),
    ({"name": b"x"}, "name must be a text (got b'x')"),
    ({"path": "\ud800"}, "path has characters that no path has (got '\\ud800')"),
    ({"path": 3}, "path must be a path or None (got 3)"),
    ({"path": "a\0b"}, "path has characters that no path has (got 'a\\x00b')"),
    ({"folder": "a"}, "folder must be a pathlib.Path or None (got 'a')"),
    ({"names": [3]}, "names must be a text, a list (each a text) or None (got [3])"),
    ({"names": iter([3])}, "names must be a text, a list (each a text) or None (got (3,))"),
    ({"names": np.array("a")}, "names must be a text, a list (each a text) or None (got array('a'"),
    ({"several": [3]}, "several must be a list (each a Point) (got [3])"),
    ({"several": Point()}, "several must be a list (each a Point) (got "),
    ({"names": {"a": 1}}, "names must be a text, a list (each a text) or None (got {'a': 1})"),
    ({"stream": "12"}, "stream must be a list (each a whole number) (got '12')"),
    ({"size": (1, 2, 3)}, "size must be 2 items: a whole number, a whole number (got (1, 2, 3))"),
    (
        {"options": {"a": 3}},
        "options must be a mapping of a text to a mapping of a text to anything or None (got {'a': 3})",
    ),
    (
        {"options": {3: {}}},
        "options must be a mapping of a text to a mapping of a text to anything or None (got {3: {}})",
    ),
    ({"mode": "slow"}, "mode must be 'fast' or 'exact' (got 'slow')"),
    ({"mode": []}, "mode must be 'fast' or 'exact' (got [])"),
    ({"report": 3}, "report must be a function (got 3)"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_is_named_in_words(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        called(**arguments)


def test_of_an_iterator_nothing_is_lost() -> None:
    assert called(names=iter(["a", "b"]))["names"] == ("a", "b")
    numbers: Iterator[int] = iter([1, 2])
    assert called(stream=numbers)["stream"] is numbers
    assert list(numbers) == [1, 2]


def test_a_missing_or_unknown_argument_is_still_pythons_error() -> None:
    @checked
    def needs(name: str) -> str:
        return name

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        needs()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'nom'"):
        needs(nom="a")  # type: ignore[call-arg]
