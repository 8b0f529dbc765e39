"""Records of clips, as the stages take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.video.reader import VideoReader


def clip_of(path: Path, name: str | None = None) -> ClipRecord:
    """A probed record of all of a video file."""
    output = Probe()([whole_file(SourceFile(str(path), name or path.name))])
    assert not output.dropped, output.dropped
    return output.kept[0]


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The frames of each pass over a video, as they are asked for from now on."""
    passes: list[list[int]] = []
    original = VideoReader.iter_frames

    def counted(self, indices=None):
        passes.append(list(range(self.num_frames) if indices is None else indices))
        return original(self, indices)

    monkeypatch.setattr(VideoReader, "iter_frames", counted)
    return passes


def count_opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the videos that are opened from now on."""
    opened: list[str] = []
    original = media.open_video

    def counted(*args, name, **kwargs):
        opened.append(name)
        return original(*args, name=name, **kwargs)

    monkeypatch.setattr(media, "open_video", counted)
    return opened


def rules(dropped) -> list[str]:
    return [entry.rule for entry in dropped]


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """In dB; the compression of `write_video` leaves some 35 and more."""
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
