"""Small stages and videos for tests of builds."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.masks.rle import encode
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.clip_ids import clip_id
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.video.writer import write_video

FPS = 12


def write_videos(folder: Path, names: Sequence[str], *, frames: int = 12) -> Path:
    """A video of `frames` frames under each name, all different."""
    from helpers.videos import numbered_frames  # with pytest, which no process of a build needs

    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, numbered_frames(frames, start=100 * number), FPS)
    return folder


@dataclass
class Cut:
    """Cuts files into clips of some frames; what is left over is dropped."""

    frames: int = 6
    name: str = "cut"
    resources: Resources = field(default_factory=partial(Resources, batch=2))

    def load(self) -> None: ...

    def facts(self) -> Mapping[str, Any]:
        return {"frames": self.frames}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        kept, dropped = [], []
        for clip in clips:
            for start in range(clip.start, clip.end, self.frames):
                end = start + self.frames
                id_ = clip_id(clip.source.name, start, min(end, clip.end))
                if end > clip.end:
                    dropped.append(Dropped(id_, self.name, "too_short", "a rest", record=clip))
                else:
                    kept.append(clip.made_by(self.name, self.facts(), id=id_, start=start, end=end))
        return StageOutput(kept, dropped)


@dataclass
class Describe:
    """Gives every clip a caption, scores and two subjects that follow from its pixels."""

    word: str = "stripes"
    name: str = "describe"
    resources: Resources = field(default_factory=partial(Resources, batch=3))

    def load(self) -> None: ...

    def facts(self) -> Mapping[str, Any]:
        return {"embedder": {"name": "test/embedder"}, "word": self.word}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        return StageOutput([self._described(clip) for clip in clips])

    def _described(self, clip: ClipRecord) -> ClipRecord:
        frame = media.annotated(clip)
        height, width = frame.shape[:2]
        subjects = []
        for number, half in enumerate((slice(0, width // 2), slice(width // 2, width)), 1):
            mask = np.zeros((height, width), bool)
            mask[:, half] = True
            mean = float(frame[:, half].mean())
            rng = np.random.default_rng(round(mean * 1000))
            subjects.append(
                Subject(
                    number, f"side {number}", (half.start, 0, half.stop, height), 0.75, encode(mask), 0.5, 0.25, 5.0,
                    _unit(rng.normal(size=4)), _unit(np.arange(4.0) + number),
                )
            )  # fmt: skip
        return clip.made_by(
            self.name,
            self.facts(),
            caption=f"{self.word} of {clip.source.name}",
            tags={"subject": ("side 1", "side 2"), "background": (self.word,)},
            technical=float(frame.mean()),
            aesthetic=4.5,
            subjects=tuple(subjects),
            frame_phash=2**63 + int(frame.sum()),
            clip_phashes=tuple(int(picture.sum()) for picture in media.sampled(clip)),
        )


@dataclass
class Log:
    """Writes the id of each clip that it sees to a file."""

    path: str
    name: str = "log"
    resources: Resources = field(default_factory=Resources)

    def load(self) -> None: ...

    def facts(self) -> Mapping[str, Any]:
        return {}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(f"{clip.id}\n" for clip in clips)
        return StageOutput(clips)


@dataclass
class Trip:
    """Raises for the batch that holds a clip of a file; ends the process there with a signal."""

    at: str
    kill: bool = False
    once: str = ""
    name: str = "trip"
    resources: Resources = field(default_factory=partial(Resources, batch=8))

    def load(self) -> None: ...

    def facts(self) -> Mapping[str, Any]:
        return {}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        if any(clip.source.name == self.at for clip in clips):
            if self.kill and not (self.once and Path(self.once).exists()):
                if self.once:
                    Path(self.once).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if not self.kill:
                raise ValueError(f"no luck with {self.at}")
        return StageOutput(clips)


def usual(*more: Any) -> list[Any]:
    """Probe, cut, describe, and more."""
    return [Probe(), Cut(), Describe(), *more]


def files_of(folder: Path) -> dict[str, bytes]:
    """What a dataset is: its shards and vectors by path."""
    places = (*folder.glob("data/**/*"), *folder.glob("vectors/*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(places) if path.is_file()}


def shrunk(clip: ClipRecord) -> ClipRecord:
    """The clip without what is only in memory."""
    subjects = tuple(replace(subject, image_vector=None, text_vector=None) for subject in clip.subjects)
    return replace(clip, subjects=subjects)


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)
