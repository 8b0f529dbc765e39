"""From subjects to candidates: which two may be one thing in two contexts.

All comparisons are of blocks, so that memory does not grow with the number of pairs; what comes out depends neither on
the blocks' size nor on the order of the units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opens2v_hf.errors import MissingDependencyError
from opens2v_hf.pipeline.pairs.subjects import SubjectTable
from opens2v_hf.pipeline.pairs.thresholds import Thresholds

BLOCK = 1024
"""Subjects of a block; the similarities of two blocks take 4 MB."""

_SLACK = 2e-3  # products of single precision choose what is then computed in double
_ROWS_AT_A_TIME = 4096
_MOST_HELD = 1 << 20  # candidates, before those beyond the best of each subject are let go


@dataclass(frozen=True)
class Rules:
    """Thresholds for a pair of subjects.

    Attributes:
        thresholds: of their similarities.
        near_duplicate: the annotated frames' hashes must differ in more bits than these.
        keep: candidates of each subject, those with the most distant context first.
        apart: int64 [S]: rows with the same number are not compared, e.g. because another search does that.
    """

    thresholds: Thresholds
    near_duplicate: int
    keep: int
    apart: np.ndarray | None = None


@dataclass(frozen=True)
class Candidates:
    """Pairs of rows of a table; `first` comes before `second`.

    Attributes:
        first: int64 [P].
        second: int64 [P].
        image: float64 [P], similarity of the cut-outs; those of half-precision vectors may pass 1 by a thousandth.
        text: float64 [P], of the labels.
        context: int64 [P], bits in which the hashes of the annotated frames differ.
    """

    first: np.ndarray
    second: np.ndarray
    image: np.ndarray
    text: np.ndarray
    context: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, which: np.ndarray) -> Candidates:
        """Some of them, by number or by a bool array."""
        return Candidates(*(getattr(self, name)[which] for name in _FIELDS))

    @classmethod
    def joined(cls, parts: list[Candidates]) -> Candidates:
        """All of several."""
        if not parts:
            return cls(*(np.empty(0, np.float64 if name in ("image", "text") else np.int64) for name in _FIELDS))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))

    def ranked(self) -> Candidates:
        """With the most distant context first, then the most similar, then by row: an order without ties."""
        return self.take(np.lexsort((self.second, self.first, -self.image, -self.context)))


_FIELDS = ("first", "second", "image", "text", "context")


def search(
    table: SubjectTable, groups: np.ndarray, rules: Rules, dropped: Counter[str], *, block: int = BLOCK
) -> Candidates:
    """Compare every subject with every other one of its group.

    Args:
        table: sorted by clip.
        groups: int64 [S], the group of each subject, the same for all of a clip.
        rules: what must hold.
        dropped: counts, by rule, the pairs of subjects of different clips that do not fulfil it; a pair counts for the
            first rule that it fails.
        block: subjects of a block.

    Returns:
        For two clips and a subject of one at most one pair, that with the most alike subject of the other, from both
        sides. Of each subject at least the best `rules.keep` are there.
    """
    clips = table.clip_numbers
    held: list[Candidates] = []
    count = 0
    for rows in _members(groups):
        blocks = list(_blocks(rows, clips, block))
        for number, one in enumerate(blocks):
            for other in blocks[number:]:
                found = _compare(table, clips, one, other, rules, dropped)
                held.append(found)
                count += len(found)
                if count > _MOST_HELD:
                    held = [_best_of_each(Candidates.joined(held), rules.keep, dropped)]
                    count = len(held[0])
    return _best_of_each(Candidates.joined(held), rules.keep, dropped)


def search_by_index(
    table: SubjectTable, groups: np.ndarray, rules: Rules, dropped: Counter[str], neighbours: int
) -> Candidates:
    """As `search`, among the nearest neighbours that an index of faiss finds; it may miss some.

    Args:
        table: sorted by clip.
        groups: as `search`.
        rules: likewise.
        dropped: counts only what the best match and `keep` leave out: the index shows no more.
        neighbours: of each subject.

    Raises:
        MissingDependencyError: faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            "an index needs faiss: pip install 'opens2v-hf[faiss]'; index=\"numpy\" does without, and takes longer"
        ) from error
    clips = table.clip_numbers
    count, width = table.image.shape
    cells = max(1, min(int(4 * count**0.5), count // 39))  # k-means asks for 39 vectors a cell
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    step = max(1, count // (256 * cells))
    index.train(np.ascontiguousarray(table.image[::step], dtype=np.float32))
    for start in range(0, count, _MOST_HELD // 8):
        index.add(table.image[start : start + _MOST_HELD // 8].astype(np.float32))
    index.nprobe = min(cells, 32)
    held: list[Candidates] = []
    for start in range(0, count, _ROWS_AT_A_TIME):
        queries = np.arange(start, min(start + _ROWS_AT_A_TIME, count))
        _, found = index.search(table.image[queries].astype(np.float32), min(neighbours + 1, count))
        one, other = np.repeat(queries, found.shape[1]), found.ravel()
        valid = (other >= 0) & (one != other)
        one, other = one[valid], other[valid]
        pairs = np.unique(np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1), axis=0)
        inside = groups[pairs[:, 0]] == groups[pairs[:, 1]]
        if rules.apart is not None:
            inside &= rules.apart[pairs[:, 0]] != rules.apart[pairs[:, 1]]
        held.append(_checked(table, clips, pairs[inside, 0], pairs[inside, 1], rules, Counter()))
    whole = Candidates.joined(held)
    _, once = np.unique(whole.first * count + whole.second, return_index=True)  # both sides may have found it
    return _best_of_each(_mutual(whole.take(once), clips, dropped), rules.keep, dropped)


def _members(groups: np.ndarray) -> Iterator[np.ndarray]:
    order = np.argsort(groups, kind="stable")
    borders = np.flatnonzero(np.diff(groups[order])) + 1
    for rows in np.split(order, borders):
        if len(rows) > 1:
            yield rows


def _blocks(rows: np.ndarray, clips: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows of some whole clips each: the best match of a subject within a clip is found in one block."""
    borders = [0, *(np.flatnonzero(np.diff(clips[rows])) + 1).tolist(), len(rows)]
    start = 0
    for border, following in zip(borders[1:], [*borders[2:], None], strict=True):
        if following is None or following - start > size:
            yield rows[start:border]
            start = border


def _compare(
    table: SubjectTable,
    clips: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    rules: Rules,
    dropped: Counter[str],
) -> Candidates:
    alike = table.image[one].astype(np.float32) @ table.image[other].astype(np.float32).T
    pairs = clips[one][:, None] < clips[other][None, :]  # within one block this takes each pair once
    if rules.apart is not None:
        pairs &= rules.apart[one][:, None] != rules.apart[other][None, :]
    hits = np.nonzero(pairs & (alike > rules.thresholds.image - _SLACK))
    first, second = one[hits[0]], other[hits[1]]
    dropped["image similarity"] += int(pairs.sum()) - len(first)
    return _mutual(_checked(table, clips, first, second, rules, dropped), clips, dropped)


def _checked(
    table: SubjectTable,
    clips: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rules: Rules,
    dropped: Counter[str],
) -> Candidates:
    """Candidates that meet all rules except that of the best match."""
    other_clip = clips[first] != clips[second]  # the index finds those of one clip too
    first, second = first[other_clip], second[other_clip]
    image = _similarities(table.image, first, second)
    text = _similarities(table.text, first, second)
    context = np.bitwise_count(table.frame_phash[first] ^ table.frame_phash[second]).astype(np.int64)
    overlap = (
        (table.files[first] == table.files[second])
        & (table.starts[first] < table.ends[second])
        & (table.starts[second] < table.ends[first])
    )
    found = Candidates(first, second, image, text, context)
    good = np.ones(len(first), bool)
    for rule, holds in (
        ("image similarity", image > rules.thresholds.image),
        ("text similarity", text >= rules.thresholds.text),
        ("overlapping clips", ~overlap),
        ("same moment", context > rules.near_duplicate),
    ):
        dropped[rule] += int((good & ~holds).sum())
        good &= holds
    return found.take(good)


def _similarities(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 [P], each from its two rows alone, so that blocks do not matter; four decimals are all they have."""
    result = np.empty(len(first))
    for start in range(0, len(first), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        result[part] = (vectors[first[part]].astype(np.float64) * vectors[second[part]]).sum(axis=1)
    return result.round(4)


def _mutual(found: Candidates, clips: np.ndarray, dropped: Counter[str]) -> Candidates:
    """Mutual best matches: each subject is the most similar one in the other's clip."""
    good = np.ones(len(found), bool)
    for subject, elsewhere in ((found.first, found.second), (found.second, found.first)):
        order = np.lexsort((elsewhere, -found.text, -found.image, clips[elsewhere], subject))
        subjects, others = subject[order], clips[elsewhere][order]
        is_best = np.ones(len(order), bool)
        is_best[1:] = (subjects[1:] != subjects[:-1]) | (others[1:] != others[:-1])
        good[order] &= is_best
    dropped["a better match in that clip"] += int((~good).sum())
    return found.take(good)


def _best_of_each(found: Candidates, keep: int, dropped: Counter[str]) -> Candidates:
    """The candidates, ranked, that are among the first `keep` of `first` or among the first `keep` of `second`.

    What is let go can never come back among them, so it does not matter when this is done.
    """
    ranked = found.ranked()
    good = np.zeros(len(ranked), bool)
    for subject in (ranked.first, ranked.second):
        order = np.argsort(subject, kind="stable")
        starts = np.flatnonzero(np.diff(subject[order], prepend=-1))
        rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        good[order] |= rank < keep
    dropped["beyond the cap"] += int((~good).sum())
    return ranked.take(good)
