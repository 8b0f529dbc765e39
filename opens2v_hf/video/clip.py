"""One video as all metrics see it: decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.frames_in_memory import ArrayVideo
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.reader import Backend, VideoReader, open_video
from opens2v_hf.video.sampling import SamplingRule, linspace
from opens2v_hf.video.source import Source, VideoInput


class Clip:
    """A video with the frames that the metrics of a run use.

    The frames of all rules are decoded together, once, when the first of them is requested, and each is stored once
    however many rules name it. The rule `every()` keeps nothing: its frames come by `stream()`; if it is among the
    rules, the first complete pass of `stream()` serves the other rules too, so that one decode does for all. Where
    several callers stream, `max_kept_bytes` lets that pass serve the later ones as well.

    Args:
        source: a local path, the content of a video file, a file open for reading bytes, or frames in memory.
        rules: the sampling rules that will be used.
        name: for messages and results; by default the path, or "<bytes>".
        backend: see `open_video`.
        max_kept_bytes: what all frames of the video may take in memory for `stream()` to keep them; a longer video is
            decoded anew by each call.
        limits: see `open_video`.

    Attributes:
        name: the path, or a name for bytes or frames.

    Raises:
        ArgumentError: if a rule is no rule.
        VideoError: if there is no such file, or nothing in it; other faults are found when it is read.
    """

    def __init__(
        self,
        source: VideoInput | ArrayVideo,
        *,
        rules: Sequence[SamplingRule] = (linspace(32),),
        name: str | None = None,
        backend: Backend = "auto",
        max_kept_bytes: int = 0,
        limits: Limits | None = None,
    ) -> None:
        for rule in rules:
            if not isinstance(rule, SamplingRule):
                raise ArgumentError(f"frames are sampled by a SamplingRule, e.g. linspace(32) (got {rule!r})")
        self._source = source if isinstance(source, ArrayVideo) else Source.of(source, name)
        self.name = name or self._source.name
        self._backend = backend
        self._max_kept_bytes = max_kept_bytes
        self._limits = limits
        self.rules = tuple(dict.fromkeys(rules))
        self._stored: dict[int, np.ndarray] | None = None

    @property
    def num_frames(self) -> int:
        """Frames that a player shows, at least 1."""
        return self._reader.num_frames

    @property
    def fps(self) -> float | None:
        """Frames per second on average; None where the file does not say."""
        return self._reader.fps

    @property
    def width(self) -> int:
        """In pixels, of the upright picture."""
        return self._reader.width

    @property
    def height(self) -> int:
        """In pixels, of the upright picture."""
        return self._reader.height

    @property
    def backend(self) -> str:
        """The decoder that reads this file: "decord" or "pyav"; "memory" for frames in memory."""
        return self._reader.backend

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the file's bytes."""
        return self._source.sha256 if isinstance(self._source, ArrayVideo) else self._source.sha256()

    def frames(self, rule: SamplingRule) -> np.ndarray:
        """The frames of one of the clip's rules.

        Returns:
            uint8 [N, H, W, 3] RGB, as many as the rule names, repeated ones repeated.

        Raises:
            ArgumentError: if the rule is none of the clip's, or takes all frames (use `stream`).
            VideoError: if the video is broken.
        """
        if rule.is_every:
            raise ArgumentError(f"{self.name}: all frames of a video are not held in memory; use stream()")
        if rule not in self.rules:
            raise ArgumentError(
                f"{self.name}: was opened for the rules {', '.join(known.name for known in self.rules)} and not for "
                f"{rule.name}; name all rules when it is opened, so that it is decoded once"
            )
        if self._stored is None:
            wanted = self._union()
            self._stored = dict(zip(wanted, self._reader.iter_frames(wanted), strict=True))
        return np.stack([self._stored[index] for index in rule.indices(self.num_frames)])

    def stream(self) -> Iterator[np.ndarray]:
        """All frames in order, uint8 [H, W, 3] RGB, a few in memory at a time; each call decodes the video.

        Frames that a rule of the clip names are stored on the way, so that no other decode is needed for them; all
        frames are, if they fit into `max_kept_bytes`.

        Raises:
            VideoError: if the video is broken; frames before the fault have come by then.
        """
        if self._stored is not None and len(self._stored) == self.num_frames:
            yield from (self._stored[index].copy() for index in range(self.num_frames))
            return
        keeps_all = self.num_frames * self.height * self.width * 3 <= self._max_kept_bytes
        wanted = frozenset(range(self.num_frames) if keeps_all else self._union() if self._stored is None else ())
        stored: dict[int, np.ndarray] = {}
        for index, frame in enumerate(self._reader.iter_frames()):
            if index in wanted:
                stored[index] = frame.copy()  # of its own: the caller may change the frame, which may be part of more
            yield frame
        if keeps_all or self._stored is None:
            self._stored = stored

    def _union(self) -> list[int]:
        return sorted({index for rule in self.rules if not rule.is_every for index in rule.indices(self.num_frames)})

    @cached_property
    def _reader(self) -> VideoReader | ArrayVideo:
        if isinstance(self._source, ArrayVideo):
            return self._source
        source = self._source.data if self._source.path is None else self._source.path
        return open_video(source or b"", backend=self._backend, name=self.name, limits=self._limits)
