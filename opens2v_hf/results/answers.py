"""Answers of people who compare two videos: the pairs to rate, the file of answers, and the table of ratings."""

from __future__ import annotations

import csv
import json
import logging
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

from opens2v_hf._util.files import append_lines, whole_file
from opens2v_hf._util.text import is_line
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.ratings import KEYS

Choice = Literal["left", "tie", "right", "skip"]
"""Which video is better; "skip" for a pair that cannot be compared, whose videos then have no rating."""

BEST = 5
"""Ratings are whole numbers from 1 to this."""

_WINS: Mapping[str, float] = {"left": 1.0, "tie": 0.5, "right": 0.0}
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """Two videos of one sample, as they are shown.

    Attributes:
        item: id of the sample.
        left: name of the model whose video is on the left.
        right: name of the other one.
    """

    item: str
    left: str
    right: str

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """The same whichever video is on the left."""
        return self.item, frozenset((self.left, self.right))


@dataclass(frozen=True)
class Answer(Pair):
    """A rater's answer to a pair.

    Attributes:
        rater: name of the rater.
        choice: the better one.
        rating_left: 1 (bad) to 5 (good); None where the pair was skipped.
        rating_right: likewise.
        question: in the words of the page.
        seed: of the order and of the sides.
        answered_at: ISO 8601, UTC.

    Raises:
        ArgumentError: a value is not one of these.
    """

    rater: str
    choice: Choice
    rating_left: int | None
    rating_right: int | None
    question: str
    seed: int
    answered_at: str

    def __post_init__(self) -> None:
        for name in ("item", "left", "right", "rater", "question", "answered_at"):
            if not isinstance(value := getattr(self, name), str) or not value:
                raise ArgumentError(f"{name} must be a text (got {value!r:.80})")
        if self.choice not in get_args(Choice):
            raise ArgumentError(f"choice must be one of {', '.join(get_args(Choice))} (got {self.choice!r:.80})")
        for name in ("rating_left", "rating_right"):
            value = getattr(self, name)
            if (value is not None) if self.choice == "skip" else (type(value) is not int or not 1 <= value <= BEST):
                raise ArgumentError(f"{name} must be a whole number from 1 to {BEST} (got {value!r:.80})")


def pairs_to_rate(
    videos: Mapping[str, Collection[str]], items: Sequence[str], *, rater: str, seed: int = 0
) -> list[Pair]:
    """All pairs of models for each item, in an order and with sides that differ between raters.

    Each pair draws its position and its sides independently, so another model or sample does not change the others.

    Args:
        videos: name of a model to the items of which it has a video.
        items: that may be rated.
        rater: name of the rater.
        seed: of the order and of the sides.

    Raises:
        ArgumentError: there are fewer than two models, the rater's name cannot be used, or no item has two videos.
    """
    if len(videos) < 2:
        raise ArgumentError(f"a comparison needs the videos of at least two models (got {len(videos)})")
    if not rater.strip() or not is_line(rater) or rater in KEYS:
        raise ArgumentError(f"rater must be a name on one line, other than {' and '.join(KEYS)} (got {rater!r:.80})")
    placed = []
    for item in items:
        for models in combinations(sorted(name for name, having in videos.items() if item in having), 2):
            draw = random.Random(json.dumps([seed, rater, item, *models]))
            left, right = models if draw.random() < 0.5 else models[::-1]
            placed.append((draw.random(), Pair(item, left, right)))
    if not placed:
        raise ArgumentError("no sample has the videos of two models; the folders must hold videos of the same ids")
    return [pair for _, pair in sorted(placed, key=lambda one: one[0])]


def read_answers(path: Path) -> list[Answer]:
    """The answers in a file, in the order in which they were given; none where there is no such file.

    An answer that was not written whole, because the process was killed, is left out with a warning.

    Raises:
        ResultError: the file cannot be read, or holds something else.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultError(f"cannot read {path}: {error.strerror}") from error
    answers = []
    names = [field.name for field in fields(Answer)]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            answers.append(Answer(**{name: content[name] for name in names}))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, json.JSONDecodeError) and line[:7] == b'{"item"'[: len(line)]:
                _LOGGER.warning("%s: line %d was not written whole; its pair will be shown again", path, number)
                continue
            raise ResultError(
                f"{path}, line {number} is no answer of `opens2v rate` ({str(error)[:200]}); correct it, or choose "
                "another file"
            ) from error
    return answers


def append_answer(path: Path, answer: Answer) -> None:
    """Add an answer to a file; when this returns, it is on the disk.

    Raises:
        ResultError: it cannot be written.
    """
    append_lines(path, [json.dumps(asdict(answer)).encode()])


def last_answers(answers: Iterable[Answer]) -> list[Answer]:
    """The last answer of each rater to each pair; it replaces earlier ones."""
    last: dict[Any, Answer] = {}
    for answer in answers:
        last[answer.rater, answer.key] = answer
    return list(last.values())


def write_table(path: Path, answers: Iterable[Answer]) -> None:
    """Write the tidy table that `load_ratings` reads: item, model, rater, dimension, rating.

    The dimension `rating` is the 1 to 5 of a video; `choice` is 1 where it was the better one, 0.5 for a tie, else 0.
    Of a video that was in several pairs, each is the mean over them. Skipped pairs are left out.

    Raises:
        ResultError: it cannot be written.
    """
    cells: dict[tuple[str, str, str, str], list[float]] = {}
    for answer in last_answers(answers):
        if answer.rating_left is None or answer.rating_right is None:
            continue
        wins = _WINS[answer.choice]
        for model, rating, win in (
            (answer.left, answer.rating_left, wins),
            (answer.right, answer.rating_right, 1 - wins),
        ):
            cells.setdefault((answer.item, model, answer.rater, "rating"), []).append(rating)
            cells.setdefault((answer.item, model, answer.rater, "choice"), []).append(win)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*KEYS, "rater", "dimension", "rating"])
        table.writerows((*key, f"{sum(values) / len(values):g}") for key, values in cells.items())
