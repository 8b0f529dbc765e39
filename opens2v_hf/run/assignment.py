"""Which process scores which videos: the same work for each, worked out before anything is decoded."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence

from opens2v_hf.errors import VideoError
from opens2v_hf.video.probe import probe
from opens2v_hf.video.sampling import SamplingRule

# A frame that a model looks at costs some tens of times what it costs to decode one; models scale small frames up
# and large ones down, so that their work grows with a frame's pixels within bounds only (here the embedder's).
_MODEL_TO_DECODING = 16
_MODEL_PIXELS = (256 * 28 * 28, 1280 * 28 * 28)


def assign(costs: Sequence[float], num_processes: int) -> list[list[int]]:
    """Deal items out so that the processes have the same to do, as far as that can be.

    The costliest item first, each to the process that has least to do so far (longest processing time first): the
    process with most to do has at most 4/3 of what the best of all assignments would give it. The same costs give the
    same assignment everywhere.

    Args:
        costs: of the items, each from 0; of equally burdened processes the one with fewer items is served first.
        num_processes: from 1.

    Returns:
        For each process the indices of its items, ascending; empty where there are fewer items than processes.

    Example:
        >>> assign([4.0, 3.0, 3.0, 2.0, 2.0], 2)
        [[0, 3, 4], [1, 2]]
    """
    found: list[list[int]] = [[] for _ in range(num_processes)]
    waiting = [(0.0, 0, process) for process in range(num_processes)]
    for index in sorted(range(len(costs)), key=lambda index: (-costs[index], index)):
        load, count, process = heapq.heappop(waiting)
        found[process].append(index)
        heapq.heappush(waiting, (load + costs[index], count + 1, process))
    return [sorted(indices) for indices in found]


def video_cost(video: str | os.PathLike[str] | bytes, rules: Sequence[SamplingRule]) -> float:
    """About how much work a video is, in decoded pixels; from its header alone.

    Args:
        video: a local path, or the bytes of a file.
        rules: the frames that models look at, a rule for each metric.

    Returns:
        0 for what cannot be opened: scoring finds that out, and why, at once.
    """
    try:
        header = probe(video)
    except VideoError:
        return 0.0
    pixels = header.width * header.height
    looked_at = sum(len(set(rule.indices(header.num_frames))) for rule in rules)
    low, high = _MODEL_PIXELS
    return float(header.num_frames * pixels + _MODEL_TO_DECODING * looked_at * min(max(pixels, low), high))
