"""Options of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.pairs.thresholds import Thresholds

Cluster = Literal["source", "visual"]
Index = Literal["auto", "numpy", "faiss"]

NEAR_DUPLICATE = 10
"""Frames whose perceptual hashes differ in at most so many of 64 bits show the same moment.

Measured on synthetic and real clips, mean and 5th to 95th percentile: compressed again 0.8 [0, 2], the next frame 3.8
[0, 10], five frames on 16, another scene 31 [22, 38].
"""


@dataclass(frozen=True, kw_only=True)
class PairOptions:
    """Options of `make_pairs`.

    Attributes:
        clusters: which clips are compared: those of one source video ("source"), all clips with visually similar
            subjects ("visual"), or both. Pairs by source come first.
        embedder: that made the vectors; by default what the dataset says. It decides the thresholds.
        source: thresholds among clips of one source video; by default those known for the embedder.
        visual: thresholds among all clips, likewise.
        near_duplicate: clips whose annotated frames differ in at most so many bits (of 64) of their perceptual hashes
            show one moment, and are no pair. A bound on the subjects' own similarity could not do this: the next frame
            and another scene give it alike.
        max_pairs_per_clip: of all pairs that a clip takes part in.
        max_pairs_per_cluster: of a source video, or of a visual cluster.
        max_cluster: subjects of a visual cluster.
        index: "numpy" compares all with all in blocks; "faiss" asks an index for the nearest neighbours, which may
            miss some; "auto" takes faiss for visual clusters of more than 100,000 subjects.
        neighbours: of each subject that the index returns.

    Raises:
        ArgumentError: a value cannot be used.
    """

    clusters: tuple[Cluster, ...] = ("source",)
    embedder: str | None = None
    source: Thresholds | None = None
    visual: Thresholds | None = None
    near_duplicate: int = NEAR_DUPLICATE
    max_pairs_per_clip: int = 16
    max_pairs_per_cluster: int = 512
    max_cluster: int = 64
    index: Index = "auto"
    neighbours: int = 64

    def __post_init__(self) -> None:
        known = get_args(Cluster)
        if not self.clusters or any(name not in known for name in self.clusters):
            raise ArgumentError(f"clusters must be some of {', '.join(known)} (got {self.clusters!r})")
        if self.index not in get_args(Index):
            raise ArgumentError(f"index must be one of {', '.join(get_args(Index))} (got {self.index!r})")
        least = {
            "near_duplicate": 0, "max_pairs_per_clip": 1, "max_pairs_per_cluster": 1, "max_cluster": 2, "neighbours": 1,
        }  # fmt: skip
        for name, low in least.items():
            value = getattr(self, name)
            if not is_whole(value, low):
                raise ArgumentError(f"{name} must be a whole number from {low} (got {value!r})")
        if self.near_duplicate > 64:
            raise ArgumentError(f"near_duplicate must be at most the 64 bits of a hash (got {self.near_duplicate})")
