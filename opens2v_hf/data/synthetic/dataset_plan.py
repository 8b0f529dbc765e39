"""Which clips the synthetic OpenS2V-5M has, and what is in each of its video files.

A video file is cut together as those that the dataset was made from: some frames of another shot before and after the
clips, and on most files a plain border around the picture. `cut` and `face_cut` therefore are true parts of a file and
`crop` is a true part of a frame. The first file of a cluster holds two clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic.eval_layout import SEEDS_PER_SAMPLE, check_seed
from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import Scene, draw_scene
from opens2v_hf.errors import ArgumentError

PARTS = ("dataset1", "dataset2")
"""Parts of the dataset by default."""

CLIP_FRAMES = 24
"""Frames of a clip: 3 s at 8 frames per second."""

OTHER_SHOT_FRAMES = 5
"""Frames of another shot at either end of a file."""

BORDER_LEVEL = 16
"""Grey level of the border around the picture."""

_FIRST_SEED = 8000  # within a sample's block of seeds; the lower ones are the benchmark's
_SEEDS_PER_SOURCE = 40
_MAX_SOURCES = (SEEDS_PER_SAMPLE - _FIRST_SEED) // _SEEDS_PER_SOURCE
_MAX_CLIPS = _SEEDS_PER_SOURCE // 2 - 1
_BORDERS = ((0, 0, 10, 10), (16, 16, 0, 0), (0, 0, 0, 0), (8, 24, 6, 12))  # left, right, top, bottom, in pixels
_TRIMS = ((3, 1), (0, 0), (1, 4))  # frames of the cut that the clip to use leaves out, at its start and end


@dataclass(frozen=True)
class DatasetClip:
    """A sample of the dataset.

    Attributes:
        id: the sample id; up to "_segment", else up to "_part", it is the cluster's.
        part: of the dataset.
        file: name of its video file within the part.
        scene: what it shows.
        cut: [start, end) of the whole scene in the file, in frames.
        face_cut: [start, end) of the part to use, within `cut`; its first frame is the annotated one.
        crop: [x0, x1, y0, y1) of the scene in the file's frames, in pixels.
        file_size: (height, width) of the file's frames in pixels.
        has_empty_mask: whether an annotation without a single pixel of mask goes with it.
        has_views: whether there are synthesised views of its subjects.
    """

    id: str
    part: str
    file: str
    scene: Scene
    cut: tuple[int, int]
    face_cut: tuple[int, int]
    crop: tuple[int, int, int, int]
    file_size: tuple[int, int]
    has_empty_mask: bool
    has_views: bool

    @property
    def cluster(self) -> str:
        """The id of its cluster."""
        head, separator, _ = self.id.partition("_segment")
        return head if separator else self.id.partition("_part")[0]

    @property
    def scene_frame_index(self) -> int:
        """Index of the annotated frame within the scene."""
        return self.face_cut[0] - self.cut[0]


@dataclass(frozen=True)
class DatasetFile:
    """A video file: a shot that belongs to no clip, one or two clips, and another such shot.

    Attributes:
        part: of the dataset.
        name: within the part.
        clips: what it holds, in order.
        other_shot: what its first and last frames show.
    """

    part: str
    name: str
    clips: tuple[DatasetClip, ...]
    other_shot: Scene

    @property
    def fps(self) -> int:
        """Frames per second."""
        return self.other_shot.fps

    def frames(self) -> Iterator[np.ndarray]:
        """Its frames before compression, uint8 [H, W, 3] RGB."""
        ends = [(self.other_shot, range(OTHER_SHOT_FRAMES))]
        shots = [*ends, *((clip.scene, range(clip.scene.num_frames)) for clip in self.clips), *ends]
        x0, _, y0, _ = self.clips[0].crop
        for scene, indices in shots:
            for index in indices:
                frame = np.full((*self.clips[0].file_size, 3), BORDER_LEVEL, dtype=np.uint8)
                frame[y0 : y0 + scene.height, x0 : x0 + scene.width] = render_frame(scene, index).image
                yield frame


def plan_dataset(
    *, clusters: int = 3, clips_per_cluster: int = 3, singles: int = 2, parts: Sequence[str] = PARTS, seed: int = 0
) -> tuple[DatasetFile, ...]:
    """The files of a synthetic dataset; the same arguments always give the same.

    Args:
        clusters: groups of files that show the same subjects.
        clips_per_cluster: video files of a cluster, at least 2, spread over the parts; the first holds two clips.
        singles: further files, whose subjects appear nowhere else.
        parts: names of the parts.
        seed: of the sample, 0 to 99.

    Raises:
        ArgumentError: a number or seed out of range, or names of parts that cannot be folders.
    """
    check_seed(seed)
    if clusters < 0 or singles < 0 or not 1 <= clusters + singles <= _MAX_SOURCES:
        raise ArgumentError(f"a dataset has 1 to {_MAX_SOURCES} clusters and singles (got {clusters=}, {singles=})")
    if not 2 <= clips_per_cluster <= _MAX_CLIPS:
        raise ArgumentError(f"a cluster has 2 to {_MAX_CLIPS} files (got {clips_per_cluster=})")
    if not parts or len(set(parts)) != len(parts) or any(not part or "/" in part or part[0] == "." for part in parts):
        raise ArgumentError(f"parts are different names of folders (got {parts=})")
    files = []
    for source in range(clusters + singles):
        for number in range(clips_per_cluster if source < clusters else 1):
            part = parts[(source + number) % len(parts)]
            shared = source < clusters and number == 0
            files.append(_plan_file(seed, source, number, part, num_clips=2 if shared else 1))
    return tuple(files)


def _plan_file(seed: int, source: int, number: int, part: str, *, num_clips: int) -> DatasetFile:
    first_seed = seed * SEEDS_PER_SAMPLE + _FIRST_SEED + source * _SEEDS_PER_SOURCE
    category = PREFIXES[(3 * source + 2) % len(PREFIXES)]
    original = draw_scene(first_seed, category, num_frames=CLIP_FRAMES)
    # Half of the sources were split into segments first, which shows in their names.
    stem = f"synthetic{seed:02d}{source:03d}"
    stem += f"_segment{number + 1}_part1" if source % 2 else f"_part{number + 1}"
    left, right, top, bottom = _BORDERS[(source + number) % len(_BORDERS)]
    clips = []
    start = OTHER_SHOT_FRAMES
    for place in range(num_clips):
        # Every clip shows the source's subjects in front of another background and on other ways.
        scene = original
        if number + place:
            scene_seed = first_seed + (number or _MAX_CLIPS)
            scene = draw_scene(scene_seed, category, sprites=original.sprites, num_frames=CLIP_FRAMES)
        begin, end = _TRIMS[(source + number + place) % len(_TRIMS)]
        cut = (start, start + CLIP_FRAMES)
        face_cut = (cut[0] + begin, cut[1] - end)
        clips.append(
            DatasetClip(
                id=f"{stem}_step1-{cut[0]}-{cut[1]}_step2-{face_cut[0]}-{face_cut[1]}_step3_step4_step5",
                part=part,
                file=f"{stem}.mp4",
                scene=replace(scene, environment=False),
                cut=cut,
                face_cut=face_cut,
                crop=(left, left + scene.width, top, top + scene.height),
                file_size=(top + scene.height + bottom, left + scene.width + right),
                has_empty_mask=(source + number) % 3 == 0 and place == 0,
                has_views=place == 0,
            )
        )
        start = cut[1]
    other_shot = draw_scene(first_seed + _SEEDS_PER_SOURCE // 2 + number, num_frames=CLIP_FRAMES)
    return DatasetFile(part, f"{stem}.mp4", tuple(clips), other_shot)
