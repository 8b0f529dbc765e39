"""Which of the candidates become pairs: the best first, within caps, and only those that a verifier accepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Accept = Callable[[Sequence[int]], Sequence[bool]]
"""Whether each of some candidates, by number, is a pair."""


@dataclass(frozen=True)
class Ranked:
    """Candidates with the best first.

    Attributes:
        first: int64 [P], the clip of one side, by number.
        second: int64 [P], the clip of the other.
        cluster: int64 [P], by number.
    """

    first: np.ndarray
    second: np.ndarray
    cluster: np.ndarray


def select(
    ranked: Ranked,
    *,
    per_clip: int,
    per_cluster: int,
    used: Counter[int],
    dropped: Counter[str],
    accept: Accept | None = None,
) -> list[int]:
    """Take candidates in their order as far as the caps allow.

    What the verifier refuses makes room for the next. It is asked in rounds of all that would be taken if it accepted
    all of them, which are never more than those it would be asked one at a time.

    Args:
        ranked: the candidates.
        per_clip: pairs that a clip may take part in.
        per_cluster: pairs of a cluster.
        used: pairs that each clip takes part in already; what is taken is added.
        dropped: counts what was left out, by rule.
        accept: asks the verifier; None to take all.

    Returns:
        Numbers of the candidates that are taken, ascending.
    """
    known: dict[int, bool] = {}
    while True:
        of_clip = used.copy()
        taken = _greedy(ranked, per_clip, per_cluster, of_clip, {number for number in known if not known[number]})
        unknown = [number for number in taken if number not in known] if accept is not None else []
        if accept is None or not unknown:
            refused = sum(not good for good in known.values())
            if accept is not None:
                dropped["verifier"] += refused
            dropped["beyond the cap"] += len(ranked.first) - len(taken) - refused
            used.update(of_clip - used)
            return taken
        known.update(zip(unknown, accept(unknown), strict=True))


def _greedy(ranked: Ranked, per_clip: int, per_cluster: int, of_clip: Counter[int], refused: set[int]) -> list[int]:
    of_cluster: Counter[int] = Counter()
    taken = []
    sides = zip(ranked.first.tolist(), ranked.second.tolist(), ranked.cluster.tolist(), strict=True)
    for number, (first, second, cluster) in enumerate(sides):
        if number in refused or of_cluster[cluster] >= per_cluster:
            continue
        if of_clip[first] >= per_clip or of_clip[second] >= per_clip:
            continue
        taken.append(number)
        of_cluster[cluster] += 1
        of_clip[first] += 1
        of_clip[second] += 1
    return taken
