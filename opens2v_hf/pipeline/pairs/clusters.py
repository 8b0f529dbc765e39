"""Clusters of clips: of one source video, or with visually similar subjects."""

from __future__ import annotations

import numpy as np

from opens2v_hf.data.opens2v5m.released.records import cluster_of
from opens2v_hf.pipeline.pairs.search import Candidates
from opens2v_hf.pipeline.pairs.subjects import SubjectTable


def by_source(table: SubjectTable) -> tuple[np.ndarray, list[str]]:
    """The source video of each subject, by its clip's id (`cluster_of`, as released).

    Returns:
        int64 [S] into the names, and the names in order.
    """
    clips, of_row = np.unique(table.clip_ids, return_inverse=True)
    sources = [cluster_of(str(clip)) for clip in clips]
    names = sorted(set(sources))
    number = {name: index for index, name in enumerate(names)}
    return np.array([number[source] for source in sources], np.int64)[of_row], names


def by_look(found: Candidates, num_subjects: int, most: int) -> np.ndarray:
    """Clusters of visually similar subjects, each around its first subject, its leader.

    All members are alike to the leader. Connected components would chain through look-alikes until most of a large
    dataset is one cluster.

    Args:
        found: pairs of subjects that are alike.
        num_subjects: of the table.
        most: members of a cluster; those most alike to the leader are taken.

    Returns:
        int64 [S]: the row of the leader, of a subject without a cluster its own.
    """
    leader = np.full(num_subjects, -1, np.int64)
    one = np.concatenate([found.first, found.second])
    other = np.concatenate([found.second, found.first])
    image = np.concatenate([found.image, found.image])
    order = np.lexsort((other, -image, one))
    one, other = one[order], other[order]
    starts = np.searchsorted(one, np.arange(num_subjects + 1))
    for subject in range(num_subjects):
        if leader[subject] >= 0:
            continue
        leader[subject] = subject
        near = other[starts[subject] : starts[subject + 1]]
        free = near[leader[near] < 0][: most - 1]
        leader[free] = subject
    return leader
